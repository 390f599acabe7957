"""Lines that could not be taken, kept for mending; they go, too, when their author objects."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sayso.gate.keyset import KeySet
from sayso.rights.database import now
from sayso.sources.items import Rejected
from sayso.workspace import Workspace, write_atomically


def write(workspace: Workspace, rejected: list[Rejected]) -> Path:
    """Write a rejects file: where and why, and the line unless it may be a private message."""
    rows = []
    for line in rejected:
        row: dict[str, Any] = {"file": line.file, "where": line.where, "reason": line.reason}
        if line.raw is not None:
            row["raw"] = line.raw.decode("utf-8", "backslashreplace")
            row["account"] = _account(workspace, line.raw)
        rows.append(row)
    path = workspace.rejects / f"{now():%Y%m%dT%H%M%S%f}.jsonl"
    _save(path, rows)
    return path


def erase(workspace: Workspace, objectors: KeySet) -> int:
    """Take the lines of those who object out of all rejects files; return how many."""
    erased = 0
    for path in sorted(workspace.rejects.glob("*.jsonl")) if workspace.rejects.exists() else ():
        rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        accounts = np.array([row.get("account", 0) for row in rows], dtype=np.uint64)
        theirs = objectors.contains(accounts)
        if theirs.any():
            for row, gone in zip(rows, theirs, strict=True):
                if gone:
                    row.pop("raw", None)
                    row.pop("account", None)
            _save(path, rows)
        erased += int(theirs.sum())
    return erased


def of_accounts(workspace: Workspace, keys: Collection[int]) -> list[dict[str, Any]]:
    """Return the kept lines of these accounts' pseudonyms: file, where, reason, raw."""
    wanted = set(keys) - {0}
    paths = sorted(workspace.rejects.glob("*.jsonl")) if wanted else ()
    rows = (msgspec.json.decode(line) for path in paths for line in path.read_bytes().splitlines())
    return [
        {name: row[name] for name in ("file", "where", "reason", "raw")}
        for row in rows
        if row.get("account") in wanted
    ]


def _account(workspace: Workspace, raw: bytes) -> int:
    """Return the pseudonym of the author that a line names, 0 if it names none."""
    try:
        fields = msgspec.json.decode(raw)
        fields = fields["data"] if "type" in fields and "data" in fields else fields
        author = fields.get("author") or fields.get("account") or fields.get("actor") or ""
        name = author.get("id", "") if isinstance(author, dict) else author
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError, TypeError, RecursionError):
        return 0
    return workspace.pseudonyms.number("account", name) if name and isinstance(name, str) else 0


def _save(path: Path, rows: list[dict[str, Any]]) -> None:
    write_atomically(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
