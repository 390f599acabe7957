"""Whether posts may be read out now, asked again at the moment of reading; and whose they are.

So an objection or a deletion is out of the answers before its record is out of the tables.
"""

from typing import Any

import numpy as np
from sqlalchemy import select

from sayso.gate.keyset import KeySet
from sayso.rights import items, objections, tombstones
from sayso.rights.database import Rights, signed, unsigned
from sayso.rights.tables import accounts
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


def people_of(workspace: Workspace, rows: list[Row]) -> dict[int, str]:
    """Return the person of each row's account, by its `account_key`: several may be one's."""
    keys = {row["account_key"] for row in rows}
    chosen = select(accounts.c.key, accounts.c.person).where(
        accounts.c.key.in_([signed(key) for key in keys])
    )
    with Rights(workspace).reading() as connection:
        return {unsigned(key): person for key, person in connection.execute(chosen).tuples()}
