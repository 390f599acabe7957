"""Handing on what is stored: the records of all who do not object, to be read by others again."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from sayso.content.events import AccountUpdate, Upsert
from sayso.content.record import Medium, Record
from sayso.corpus.columns import RECORDS
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.rights import ledger, objections, people, tombstones
from sayso.rights.database import Rights, unsigned
from sayso.rights.tables import accounts, statements
from sayso.sources import as2_writing, jsonl_out
from sayso.workspace import Workspace

Form = Literal["jsonl", "activitystreams"]

ROWS: Final = 500  # at a time: memory holds these, never the table
_COLUMNS: Final = [name for name in Record.__struct_fields__ if name in RECORDS.names]
_media: Final = msgspec.json.Decoder(tuple[Medium, ...]).decode


def records(workspace: Workspace, form: Form, recipient: str = "") -> Iterator[bytes]:
    """Yield a file of all stored records, piece by piece.

    Left out are those of people who object, and of accounts that are private, opted out or gone.
    What accounts say of themselves (their word on training, too) comes first. `sayso import` reads
    either form back to equal records.

    Args:
        workspace: where from.
        form: Sayso's own lines, or one OrderedCollection of ActivityStreams 2.0.
        recipient: who gets it; noted in the ledger before the first byte.
    """
    rights = Rights(workspace)
    with rights.writing() as connection:
        ledger.append(connection, "records-exported", {"form": form, "to": recipient})
    events = _events(rights, Store(workspace))
    if form == "jsonl":
        return (jsonl_out.line(event) + b"\n" for event in events)
    return as2_writing.collection(events)


def _events(rights: Rights, store: Store) -> Iterator[AccountUpdate | Upsert]:
    left_out = KeySet(_left_out(rights))
    gone = np.sort(tombstones.frame(rights)["key"].to_numpy())
    keys = store.records.open().to_table(columns=["account_key"])["account_key"].to_numpy()
    authors = KeySet(np.unique(keys[~left_out.contains(keys)]))
    yield from _accounts(rights, authors)
    columns = [*_COLUMNS, "key", "account_key"]
    for batch in store.records.open().to_batches(columns=columns, batch_size=ROWS):
        blocked = left_out.contains(batch["account_key"].to_numpy())
        blocked |= np.isin(batch["key"].to_numpy(), gone)
        for row, stays_out in zip(batch.select(_COLUMNS).to_pylist(), blocked, strict=True):
            if not stays_out:
                yield Upsert(record_of(row))


def of_person(
    rights: Rights, person: str, keys: Sequence[int]
) -> Iterator[AccountUpdate | tuple[int, Upsert]]:
    """Yield the accounts of exactly one person, then records that are theirs, each with its key.

    Whether they object or not: it is their own copy.

    Args:
        rights: where.
        person: an id of `tables.accounts`.
        keys: pseudonyms of the records; those that are not there, or not theirs, are left out.
    """
    records = Store(rights.workspace).records
    with rights.reading() as connection:
        theirs = [key for key, _ in people.keys(connection, {person}).get(person, ())]
    if not theirs:
        return
    yield from _accounts(rights, KeySet(np.array(theirs, np.uint64)))
    owned = f"account_key IN ({', '.join(map(str, theirs))})"
    columns = [*_COLUMNS, "key"]
    for start in range(0, len(keys), ROWS):
        # Each from the newest version: what an erasing removes meanwhile is simply gone.
        some = ", ".join(map(str, keys[start : start + ROWS]))
        for row in records.read(columns, f"key IN ({some}) AND {owned}", few=True).to_dicts():
            yield row.pop("key"), Upsert(record_of(row))


def _left_out(rights: Rights) -> NDArray[np.uint64]:
    """Pseudonyms of the accounts whose records are not handed on."""
    query = select(accounts.c.key).where(accounts.c.state != "active")
    with rights.reading() as connection:
        inactive = [unsigned(key) for key in connection.scalars(query)]
        objecting = objections.objectors_in(connection)
    return np.union1d(objecting, np.array(inactive, np.uint64))


def _accounts(rights: Rights, authors: KeySet) -> Iterator[AccountUpdate]:
    """What is known of authors; the operator's word on their age is the operator's alone."""
    known = select(accounts).order_by(accounts.c.account)
    said = (
        select(accounts.c.key, accounts.c.service, statements)
        .join(statements, statements.c.account == accounts.c.account)
        .order_by(statements.c.account, statements.c.name)
    )
    with rights.reading() as connection:
        for row in connection.execute(known):
            told = AccountUpdate(
                row.account,
                row.service,
                person="" if row.person == row.account else row.person,
                handle=row.handle,
                kind=row.kind,
                age_band=row.age_band if row.age_source == people.AGE_BY_SERVICE else "",
            )
            if told != AccountUpdate(row.account, row.service) and _is_in(authors, row.key):
                yield told
        for row in connection.execute(said):
            if _is_in(authors, row.key):
                yield AccountUpdate(
                    row.account,
                    row.service,
                    train_signal=row.signal,
                    statement=row.name,
                    evidence=row.evidence,
                )


def _is_in(keys: KeySet, signed: int) -> bool:
    return bool(keys.contains(np.array([unsigned(signed)], np.uint64))[0])


def record_of(row: dict[str, Any]) -> Record:
    """Return a row's record; the age and kind of its author stand with the account."""
    row["media"] = _media(row["media"])
    row["mentions"] = tuple(row["mentions"] or ())
    row["tags"] = tuple(row["tags"] or ())
    return Record(**row, age_band="")
