"""Whether posts may be read out now: asked again at the moment of reading.

So an objection or a deletion is out of the answers before its record is out of the tables.
"""

from typing import Any

import numpy as np

from sayso.gate.keyset import KeySet
from sayso.rights import items, objections, tombstones
from sayso.rights.database import Rights
from sayso.workspace import Workspace

Row = dict[str, Any]


def permitted(workspace: Workspace, rows: list[Row]) -> list[Row]:
    """Return those rows of the retrieval table (`key`, `account_key`) that may be read out."""
    rights = Rights(workspace)
    accounts = np.array([row["account_key"] for row in rows], dtype=np.uint64)
    objected = KeySet(objections.objectors(rights)).contains(accounts)
    keys = [row["key"] for row in rows]
    with rights.reading() as connection:
        gone = tombstones.find(connection, keys).keys() | set(items.out_keys(connection, keys))
    return [
        row for row, no in zip(rows, objected, strict=True) if not no and row["key"] not in gone
    ]
