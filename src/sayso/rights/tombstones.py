"""Tombstones: what must stay out, kept as pseudonyms without content."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import polars as pl
from msgspec import Struct, to_builtins
from sqlalchemy import Connection, delete, insert, select

from sayso.rights.database import Rights, note_change, now, signed, unsigned
from sayso.rights.tables import tombstones

DELETED: Final = "deleted"
DIRECT_MESSAGE: Final = "direct-message"
OBJECTION: Final = "objection"
ACCOUNT_DELETED: Final = "account-deleted"
MINOR: Final = "minor"
# A deletion and a message are final up to their revision; the others' tombstones yield when the
# objection was withdrawn, or the account is back or an adult's, and the record is handed in again.
FINAL: Final = (DELETED, DIRECT_MESSAGE)


class Tombstone(Struct, frozen=True):
    """A record that stays out; `audience` remains, since replies are judged by it."""

    key: int
    rev: int
    reason: str
    account: int = 0
    service: str = ""
    audience: str = "unknown"
    at: datetime | None = None


def put(connection: Connection, stones: Iterable[Tombstone]) -> None:
    """Set tombstones; those that are final stay, unless another final one reaches higher."""
    wanted = {stone.key: stone for stone in stones}
    present = find(connection, list(wanted))
    rows, replaced = [], []
    for key, stone in wanted.items():
        old = present.get(key)
        if old and _outranks(old, stone):
            continue
        row = to_builtins(stone)
        if old:
            replaced.append(key)
            if stone.audience == "unknown":
                row |= {"account": old.account, "service": old.service, "audience": old.audience}
        rows.append(
            row | {"key": signed(key), "account": signed(row["account"]), "at": stone.at or now()}
        )
    _delete(connection, replaced)
    if rows:
        connection.execute(insert(tombstones), rows)
        note_change(connection, "tombstones")


def _outranks(old: Tombstone, new: Tombstone) -> bool:
    if old.reason in FINAL and new.reason not in FINAL:
        return True
    return new.rev <= old.rev and (old.reason in FINAL) == (new.reason in FINAL)


def lift(connection: Connection, keys: Sequence[int]) -> None:
    """Take tombstones away: their records were handed in again after a withdrawal."""
    if _delete(connection, keys):
        note_change(connection, "tombstones")


def _delete(connection: Connection, keys: Sequence[int]) -> int:
    gone = 0
    for chunk in _chunks(keys):
        found = connection.execute(delete(tombstones).where(tombstones.c.key.in_(chunk)))
        gone += found.rowcount
    return gone


def find(connection: Connection, keys: Sequence[int]) -> dict[int, Tombstone]:
    """Return the tombstones among these record keys."""
    found: dict[int, Tombstone] = {}
    if connection.execute(select(tombstones.c.key).limit(1)).first() is None:
        return found
    for chunk in _chunks(keys):
        for row in connection.execute(select(tombstones).where(tombstones.c.key.in_(chunk))):
            key = unsigned(row.key)
            found[key] = Tombstone(
                key, row.rev, row.reason, unsigned(row.account), row.service, row.audience, row.at
            )
    return found


def frame(rights: Rights) -> pl.DataFrame:
    """All tombstones as a frame: key, account_key (u64), reason, audience."""
    columns = tombstones.c
    query = select(columns.key, columns.account, columns.reason, columns.audience)
    with rights.reading() as connection:
        rows = [
            (unsigned(key), unsigned(account), reason, audience)
            for key, account, reason, audience in connection.execute(query)
        ]
    schema = {
        "key": pl.UInt64,
        "account_key": pl.UInt64,
        "reason": pl.String,
        "audience": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _chunks(keys: Sequence[int]) -> Iterable[list[int]]:
    # Databases take a limited number of parameters in one statement (SQLite 32,766).
    for start in range(0, len(keys), 10_000):
        yield [signed(key) for key in keys[start : start + 10_000]]
