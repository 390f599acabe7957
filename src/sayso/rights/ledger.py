"""The ledger: append-only and hash-chained; each entry's hash covers the one before it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select

from sayso.errors import IntegrityError
from sayso.rights.tables import ledger

GENESIS = "0" * 64
AT_ONCE = 1000  # rows in memory at a time
_NEWEST: Final = select(ledger.c.seq, ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)


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
    head = connection.execute(_NEWEST).first()
    seq, previous = (head.seq, head.hash) if head else (0, GENESIS)
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


def read(
    connection: Connection, after: int = 0, up_to: int | None = None, kind: str = ""
) -> Iterator[Entry]:
    """Yield the entries in order, from the one after `after`; all of them, or those of a kind."""
    query = select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq)
    if up_to is not None:
        query = query.where(ledger.c.seq <= up_to)
    if kind:
        query = query.where(ledger.c.kind == kind)
    with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:
        for row in rows:
            yield _entry(row)


def last(connection: Connection, kind: str) -> Entry | None:
    """Return the newest entry of a kind."""
    query = select(ledger).where(ledger.c.kind == kind).order_by(ledger.c.seq.desc())
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _entry(row)


def verify(connection: Connection) -> tuple[int, str]:
    """Recompute the whole chain.

    Returns:
        The number of entries and the hash of the last one, to be compared with a noted one: a
        chain cut at its end is still a chain.

    Raises:
        IntegrityError: an entry was changed, removed or put in.
    """
    count, previous = 0, GENESIS
    query = select(ledger).order_by(ledger.c.seq)
    with connection.execute(query, execution_options={"yield_per": AT_ONCE}) as rows:
        for row in rows:
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


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    return Entry(row.seq, row.at, row.kind, _body(row.body, row.seq), row.previous, row.hash)


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
