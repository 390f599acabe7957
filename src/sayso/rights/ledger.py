"""The ledger: append-only and hash-chained; each entry's hash covers the one before it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select

from sayso.errors import IntegrityError
from sayso.rights.tables import ledger

GENESIS = "0" * 64


class Entry(Struct, frozen=True):
    """One line of the ledger; `body` holds pseudonyms and counts, never a member's words."""

    seq: int
    at: str
    kind: str
    body: dict[str, Any]
    previous: str
    hash: str


def append(connection: Connection, kind: str, body: dict[str, Any]) -> Entry:
    """Add an entry within the caller's transaction, so that fact and entry stand or fall together.

    `connection` must come from `Rights.writing()`.
    """
    return append_all(connection, [(kind, body)])[0]


def append_all(
    connection: Connection, facts: Sequence[tuple[str, dict[str, Any]]]
) -> Sequence[Entry]:
    """Add entries of these kinds and bodies, at least one; see `append`."""
    last = connection.execute(
        select(ledger.c.seq, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
    ).first()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    entries, rows = [], []
    for kind, body in facts:
        seq += 1
        text = msgspec.json.encode(body, order="deterministic").decode()
        entry = Entry(seq, at, kind, body, previous, _digest(seq, at, kind, text, previous))
        entries.append(entry)
        rows.append(msgspec.structs.asdict(entry) | {"body": text})
        previous = entry.hash
    connection.execute(insert(ledger), rows)
    return entries


def read(connection: Connection, after: int = 0) -> Iterator[Entry]:
    """Yield the entries in order, from the one after `after`."""
    query = select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq)
    for row in connection.execute(query):
        yield Entry(row.seq, row.at, row.kind, _body(row.body, row.seq), row.previous, row.hash)


def verify(connection: Connection) -> tuple[int, str]:
    """Recompute the whole chain.

    Returns:
        The number of entries and the hash of the last one, to be compared with a noted one: a
        chain cut at its end is still a chain.

    Raises:
        IntegrityError: an entry was changed, removed or put in.
    """
    count, previous = 0, GENESIS
    for row in connection.execute(select(ledger).order_by(ledger.c.seq)):
        expected = _digest(row.seq, row.at, row.kind, row.body, previous)
        if row.seq != count + 1 or row.previous != previous or row.hash != expected:
            raise _broken(count + 1)
        _body(row.body, row.seq)
        count, previous = row.seq, row.hash
    return count, previous


def _digest(seq: int, at: str, kind: str, body: str, previous: str) -> str:
    # The body as the text that is stored, so that not a character of it can change unnoticed.
    canonical = msgspec.json.encode([seq, at, kind, body, previous])
    return hashlib.blake2b(canonical, digest_size=32).hexdigest()


def _body(text: str, seq: int) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError) as error:
        raise _broken(seq) from error


def _broken(seq: int) -> IntegrityError:
    return IntegrityError(
        f"the ledger is broken at entry {seq}: its hash does not follow",
        "restore rights.db from a back-up and compare",
    )
