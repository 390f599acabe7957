"""The objections as staff go through them: by state and channel, the nearest deadline first.

Of a person nothing is read here: a list needs no names.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_

from sayso.errors import UsageError
from sayso.rights import deadlines
from sayso.rights.database import signed, unsigned
from sayso.rights.items import REVIEW
from sayso.rights.names import MACHINE
from sayso.rights.steps import ORDER
from sayso.rights.tables import items, objections, steps

AT_ONCE: Final = 50
STATES: Final = (
    "open",
    "soon",
    "overdue",
    "pending",
    "confirmed",
    "closed",
    "withdrawn",
    "lapsed",
    "all",
)


class Queued(Struct, frozen=True):
    """One objection as a list shows it; `step` is the last of `steps.ORDER` that was taken."""

    number: str
    service: str
    about: str
    channel: str
    state: str
    received_at: datetime
    due_at: datetime
    withdrawn_at: datetime | None
    step: str = ""

    @property
    def stage(self) -> str:
        """'pending', 'confirmed', 'closed', 'withdrawn' or 'lapsed'."""
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "closed" if self.step == "closed" else self.state


class Page(Struct, frozen=True):
    """Some objections, and where the next ones begin ('' after the last)."""

    rows: tuple[Queued, ...]
    after: str


_COLUMNS: Final = tuple(
    objections.c[name] for name in Queued.__struct_fields__ if name in objections.c
)


def page(
    connection: Connection, at: datetime, state: str = "open", channel: str = "", after: str = ""
) -> Page:
    """Return the objections of a state and a channel, by their deadlines.

    Args:
        connection: to read with.
        at: the present moment.
        state: one of `STATES`.
        channel: how they came; '' for all.
        after: `Page.after` of the page before.

    Raises:
        UsageError: there is no such state, or `after` is none.
    """
    chosen = [_in_state(state, at)]
    if channel:
        chosen.append(objections.c.channel == channel)
    if after:
        chosen.append(tuple_(objections.c.due_at, objections.c.number) > _place(after))
    order = objections.c.due_at, objections.c.number
    query = select(*_COLUMNS).where(*chosen).order_by(*order).limit(AT_ONCE + 1)
    found = connection.execute(query).all()
    taken = _furthest(connection, [row.number for row in found])
    rows = tuple(Queued(**dict(row._mapping), step=taken.get(row.number, "")) for row in found)
    more = len(rows) > AT_ONCE
    last = rows[AT_ONCE - 1] if more else None
    return Page(rows[:AT_ONCE], f"{last.due_at.isoformat()}~{last.number}" if last else "")


def channels(connection: Connection) -> list[str]:
    """Return the channels that objections came by, in the alphabet's order."""
    query = select(objections.c.channel).distinct().order_by(objections.c.channel)
    return list(connection.scalars(query))


def _in_state(state: str, at: datetime) -> ColumnElement[bool]:
    ways = {
        "open": deadlines.is_open(),
        "soon": and_(deadlines.is_open(), objections.c.due_at.between(at, at + deadlines.SOON)),
        "overdue": deadlines.is_overdue(at),
        "pending": and_(objections.c.state == "pending", objections.c.withdrawn_at.is_(None)),
        "confirmed": and_(deadlines.is_open(), objections.c.state == "confirmed"),
        "closed": and_(deadlines.is_done(), objections.c.withdrawn_at.is_(None)),
        "withdrawn": objections.c.withdrawn_at.is_not(None),
        "lapsed": objections.c.state == "lapsed",
        "all": objections.c.number != "",
    }
    if state not in ways:
        raise UsageError(f"unknown state {state!r}", f"one of: {', '.join(STATES)}")
    return ways[state]


def _place(after: str) -> tuple[datetime, str]:
    due, _, number = after.partition("~")
    try:
        at = datetime.fromisoformat(due)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _no_place()
    return at, number


def _no_place() -> UsageError:
    return UsageError("this is no place in the list", "begin at the list's first page")


def _furthest(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """Return the last step of each objection, by number."""
    query = select(steps.c.number, steps.c.state).where(steps.c.number.in_(numbers))
    furthest: dict[str, str] = {}
    for number, state in connection.execute(query).tuples():
        place = ORDER.index(state) if state in ORDER else -1
        if place > (ORDER.index(furthest[number]) if number in furthest else -1):
            furthest[number] = state
    return furthest


class Doubtful(Struct, frozen=True):
    """A record that waits for a decision; `how` it was found, as `names` says it."""

    number: str
    record_key: int
    act: str
    how: str
    confirmed: bool
    received_at: datetime
    due_at: datetime

    @property
    def place(self) -> str:
        """Where the list goes on after it."""
        return f"{self.due_at.isoformat()}~{self.number}~{self.record_key:016x}"


def doubtful(
    connection: Connection, number: str = "", after: str = ""
) -> tuple[list[Doubtful], bool]:
    """Return records that wait for a decision, by deadline, and whether there are more.

    Args:
        connection: to read with.
        number: of the objection that names them; '' for all.
        after: `Doubtful.place` of the last one of the page before.

    Raises:
        UsageError: `after` is no such place.
    """
    chosen = [items.c.state == REVIEW, deadlines.stands()]
    if number:
        chosen.append(items.c.number == number)
    order = objections.c.due_at, items.c.number, items.c.record_key
    if after:
        place, _, key = after.rpartition("~")
        if not re.fullmatch("[0-9a-f]{16}", key):
            raise _no_place()
        chosen.append(tuple_(*order) > (*_place(place), signed(int(key, 16))))
    query = (
        select(
            items.c.number,
            items.c.record_key,
            items.c.act,
            items.c.decided_by,
            objections.c.state,
            objections.c.received_at,
            objections.c.due_at,
        )
        .join(objections, objections.c.number == items.c.number)
        .where(*chosen)
        .order_by(*order)
        .limit(AT_ONCE + 1)
    )
    rows = [
        Doubtful(
            row.number,
            unsigned(row.record_key),
            row.act,
            row.decided_by.removeprefix(MACHINE),
            row.state == "confirmed",
            row.received_at,
            row.due_at,
        )
        for row in connection.execute(query)
    ]
    return rows[:AT_ONCE], len(rows) > AT_ONCE


def doubtful_count(connection: Connection) -> int:
    """Return how many records wait for a decision."""
    query = (
        select(func.count())
        .select_from(items)
        .join(objections, objections.c.number == items.c.number)
        .where(items.c.state == REVIEW, deadlines.stands())
    )
    return int(connection.scalar(query) or 0)
