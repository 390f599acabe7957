"""Objections to single records: which ones each names, and what is done about them.

An objection about 'items' is an author's own, to some of what they wrote: its records are out at
once. One about 'depicted' is somebody else's whom a record names or shows: what is clear is decided
at once, what is doubtful waits for an operator's decision, frozen meanwhile (GDPR Art. 18(1)).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, insert, or_, select, update

from sayso.errors import UsageError
from sayso.rights import ledger, objections
from sayso.rights.database import Rights, note_change, now, signed, unsigned
from sayso.rights.objection import ALL_SERVICES, ITEMS, Given, Objection
from sayso.rights.tables import accounts, items
from sayso.rights.tables import objections as objections_table

OUT: Final = "out"
MASK: Final = "mask"
NONE: Final = "none"
ACTS: Final = (OUT, MASK, NONE)
REVIEW: Final = "review"
DECIDED: Final = "decided"
BY_MEMBER: Final = "member"
_AT_ONCE: Final = 5000  # databases take a limited number of parameters in one statement


class Item(Struct, frozen=True):
    """One record that an objection names; `act` is what is done, or is proposed in a review."""

    number: str
    record_key: int
    act: str
    state: str
    decided_by: str
    decided_at: datetime | None


def take_out(rights: Rights, given: Given, owners: Mapping[int, int]) -> Objection:
    """Take single records of their author out of training, by one objection about all of them.

    What is out by an earlier objection of theirs stays with that one; if all are, that one is
    returned and nothing is changed.

    Args:
        rights: the rights database.
        given: about 'items', confirmed, for one person and all services.
        owners: pseudonyms of the records, each with its author's account; read under the lock
            'content' and written under it, so that no record changes hands in between.

    Raises:
        UsageError: no record is named, or one is not the person's; then nothing is changed.
    """
    given.check()
    if given.about != ITEMS or not given.confirmed_by or given.others:
        raise UsageError("single records are taken out by a confirmed objection of one person")
    if given.services != (ALL_SERVICES,):
        raise UsageError("single records are taken out wherever they are, so name no service")
    with rights.writing() as connection:
        _check_owned(connection, given.name, owners)
        before = {item.record_key: item.number for item in _standing_out(connection, owners)}
        fresh = sorted(set(owners) - set(before))
        if not fresh:
            row = select(objections_table).where(objections_table.c.number == min(before.values()))
            return Objection.of(connection.execute(row).one())
        (objection,) = objections.accept(connection, rights, given)
        note(connection, objection.number, fresh, OUT, by=given.confirmed_by)
        body = {"number": objection.number, "records": len(fresh)}
        ledger.append(connection, "items-out", body)
    return objection


def put_back(rights: Rights, person: str, owners: Mapping[int, int]) -> int:
    """Let single records of their author train again, as the author's own explicit act.

    What an objection of somebody else whom they name or show took out stays out. An objection that
    has no record left is withdrawn.

    Returns:
        How many records had been out by their author's objections.

    Raises:
        UsageError: no record is named, or one is not the person's; then nothing is changed.
    """
    with rights.writing() as connection:
        _check_owned(connection, person, owners)
        found = _standing_out(connection, owners)
        for item in found:
            _set(connection, item.number, item.record_key, NONE, BY_MEMBER)
        for number in sorted({item.number for item in found}):
            if all(item.act == NONE for item in of_objection(connection, number)):
                objections.withdraw_in(connection, rights, number)
        if found:
            note_change(connection, "withdrawals")
            body = {"records": len({item.record_key for item in found})}
            ledger.append(connection, "items-back", body)
    return len({item.record_key for item in found})


def review(connection: Connection, number: str, record_keys: Iterable[int], act: str = OUT) -> int:
    """Freeze records until somebody decides about them, within `Rights.writing`.

    Args:
        connection: of the transaction.
        number: of the objection that may be about them.
        record_keys: pseudonyms of the records; those that it names already stay as they are.
        act: what is proposed.

    Returns:
        How many records are new.
    """
    return note(connection, number, record_keys, act, REVIEW)


def note(
    connection: Connection,
    number: str,
    record_keys: Iterable[int],
    act: str,
    state: str = DECIDED,
    by: str = "",
) -> int:
    """Add what is done about records that an objection does not name yet; return how many."""
    _check_act(act)
    known = {item.record_key for item in of_objection(connection, number)}
    at = None if state == REVIEW else now()
    new = [
        {
            "number": number,
            "record_key": signed(key),
            "act": act,
            "state": state,
            "decided_by": by,
            "decided_at": at,
        }
        for key in sorted(set(record_keys) - known)
    ]
    if new:
        connection.execute(insert(items), new)
        note_change(connection, "objections")
    return len(new)


def decide(rights: Rights, number: str, record_key: int, act: str, by: str) -> Item:
    """Decide about a record: 'out', 'mask' or 'none'; an earlier decision is replaced.

    Raises:
        UsageError: the objection does not name the record or does not stand, or there is no such
            act.
    """
    with rights.writing() as connection:
        return decide_in(connection, number, record_key, act, by)


def decide_in(connection: Connection, number: str, record_key: int, act: str, by: str) -> Item:
    """As `decide`, within the caller's transaction (of `Rights.writing`)."""
    _check_act(act)
    there = select(items.c.number).join(objections_table, _its()).where(_stands())
    row = there.where(items.c.number == number, items.c.record_key == signed(record_key))
    if connection.execute(row).first() is None:
        raise UsageError(
            f"no standing objection {number} names this record",
            "see `sayso objections` for those that stand",
        )
    _set(connection, number, record_key, act, by)
    note_change(connection, "withdrawals" if act == NONE else "objections")
    body = {"number": number, "record": f"{record_key:016x}", "act": act, "by": by}
    ledger.append(connection, "item", body)
    return next(i for i in of_objection(connection, number) if i.record_key == record_key)


def of_objection(connection: Connection, number: str) -> list[Item]:
    """Return the records that an objection names, by key."""
    query = select(items).where(items.c.number == number).order_by(items.c.record_key)
    return [_item(row) for row in connection.execute(query)]


def of_record(connection: Connection, record_key: int) -> list[Item]:
    """Return what standing objections say of one record."""
    return of_records(connection, [record_key])


def of_records(connection: Connection, record_keys: Sequence[int]) -> list[Item]:
    """Return what standing objections say of these records."""
    found: list[Item] = []
    theirs = select(items).join(objections_table, _its()).where(_stands())
    for start in range(0, len(record_keys), _AT_ONCE):
        some = [signed(key) for key in record_keys[start : start + _AT_ONCE]]
        rows = connection.execute(theirs.where(items.c.record_key.in_(some)))
        found += [_item(row) for row in rows]
    return found


def waiting(connection: Connection) -> list[Item]:
    """Return the records that wait for a decision, by objection and key."""
    query = select(items).join(objections_table, _its()).where(_stands(), items.c.state == REVIEW)
    rows = connection.execute(query.order_by(items.c.number, items.c.record_key))
    return [_item(row) for row in rows]


def out_keys(connection: Connection, among: Sequence[int] | None = None) -> npt.NDArray[np.uint64]:
    """Pseudonyms of the records (of those given) that confirmed objections took out, sorted."""
    return _keys(connection, and_(*_confirmed(OUT)), among)


def masked_keys(connection: Connection) -> npt.NDArray[np.uint64]:
    """Pseudonyms of the records in which confirmed objections mask names, sorted."""
    return _keys(connection, and_(*_confirmed(MASK)))


def frozen_keys(
    connection: Connection, among: Sequence[int] | None = None
) -> npt.NDArray[np.uint64]:
    """Pseudonyms of the records that wait: for a decision, or for the objection's confirmation."""
    waits = or_(
        items.c.state == REVIEW,
        and_(objections_table.c.state == "pending", items.c.act != NONE),
    )
    return _keys(connection, and_(_stands(), waits), among)


def _keys(
    connection: Connection, which: ColumnElement[bool], among: Sequence[int] | None = None
) -> npt.NDArray[np.uint64]:
    found: list[int] = []
    if among is None:
        query = select(items.c.record_key).join(objections_table, _its()).where(which)
        found += connection.scalars(query)
    else:
        # Not joined: SQLite would go through all objections, and ask of each for every record.
        stands = exists(select(objections_table.c.number).where(_its(), which).correlate(items))
        for start in range(0, len(among), _AT_ONCE):
            some = items.c.record_key.in_([signed(key) for key in among[start : start + _AT_ONCE]])
            found += connection.scalars(select(items.c.record_key).where(some, stands))
    return np.unique(np.array([unsigned(key) for key in found], dtype=np.uint64))


def _confirmed(act: str) -> tuple[ColumnElement[bool], ...]:
    done = (items.c.act == act, items.c.state == DECIDED)
    return (*done, objections_table.c.state == "confirmed", _stands())


def _its() -> ColumnElement[bool]:
    return items.c.number == objections_table.c.number


def _stands() -> ColumnElement[bool]:
    return and_(objections_table.c.withdrawn_at.is_(None), objections_table.c.state != "lapsed")


def _standing_out(connection: Connection, record_keys: Iterable[int]) -> list[Item]:
    """Return what authors' own standing objections keep out of these records."""
    found = [item for item in of_records(connection, sorted(record_keys)) if item.act == OUT]
    numbers = sorted({item.number for item in found})
    own: set[str] = set()
    for start in range(0, len(numbers), _AT_ONCE):
        query = select(objections_table.c.number).where(
            objections_table.c.number.in_(numbers[start : start + _AT_ONCE]),
            objections_table.c.about == ITEMS,
        )
        own |= set(connection.scalars(query))
    return [item for item in found if item.number in own]


def _check_owned(connection: Connection, person: str, owners: Mapping[int, int]) -> None:
    if not owners:
        raise UsageError("no record is named that is stored here", "choose one of your records")
    theirs = set(connection.scalars(select(accounts.c.key).where(accounts.c.person == person)))
    if not {signed(account) for account in owners.values()} <= theirs:
        # The same words as for what is not there: nobody learns whose a record is.
        raise UsageError("no record is named that is stored here", "choose one of your records")


def _check_act(act: str) -> None:
    if act not in ACTS:
        raise UsageError(f"unknown act {act!r} about a record", f"one of: {', '.join(ACTS)}")


def _set(connection: Connection, number: str, record_key: int, act: str, by: str) -> None:
    connection.execute(
        update(items)
        .where(items.c.number == number, items.c.record_key == signed(record_key))
        .values(act=act, state=DECIDED, decided_by=by, decided_at=now())
    )


def _item(row: Row[Any, Any]) -> Item:
    fields = dict(row._mapping)
    return Item(**fields | {"record_key": unsigned(fields["record_key"])})
