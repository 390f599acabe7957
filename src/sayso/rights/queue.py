"""The objections as staff go through them: by state and channel, the nearest deadline first.

Of a person nothing is read here: a list needs no names.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, select, tuple_

from sayso.errors import UsageError
from sayso.rights import deadlines
from sayso.rights.steps import ORDER
from sayso.rights.tables import objections, steps

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
        raise UsageError("this is no place in the list", "begin at the list's first page")
    return at, number


def _furthest(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """Return the last step of each objection, by number."""
    query = select(steps.c.number, steps.c.state).where(steps.c.number.in_(numbers))
    furthest: dict[str, str] = {}
    for number, state in connection.execute(query).tuples():
        place = ORDER.index(state) if state in ORDER else -1
        if place > (ORDER.index(furthest[number]) if number in furthest else -1):
            furthest[number] = state
    return furthest
