"""How objections were met, in numbers that anybody may see.

Nobody is singled out: counts under five are not told, and nor is what would tell them, such as
the one other number that is missing from a total.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, case, func, select

from sayso.rights.objection import ANSWER_WITHIN
from sayso.rights.tables import objections, steps

# What is told of fewer people is told of each of them.
FEWEST: Final = 5
OTHERS: Final = "other services"
_AT_ONCE: Final = 1000


class Cell(Struct, frozen=True):
    """One row of a table: `count`, or None with `few` for 1 to 4; None without it is withheld."""

    name: str
    count: int | None
    few: bool = False


class Times(Struct, frozen=True):
    """Seconds that something took; None where fewer than five objections came so far."""

    median: float | None = None
    p95: float | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """What became of all objections; a table is empty where it would single somebody out.

    `stopped`, `gone` and `cleared` are the times from the receipt to: nothing new is trained on;
    the served release is without the person; all that had learned from them is trained anew.
    `in_time` is the share of those that were closed within a month, of those that were closed or
    whose month is over. `overdue` counts those still open after their deadline.
    """

    received: int
    by_month: tuple[Cell, ...]
    by_channel: tuple[Cell, ...]
    by_service: tuple[Cell, ...]
    stopped: Times
    gone: Times
    cleared: Times
    in_time: float | None
    overdue: Cell


def collect(connection: Connection, at: datetime) -> Statistics:
    """Read all objections once; copies for linked accounts are not counted."""
    months, channels, services = Counter[str](), Counter[str](), Counter[str]()
    stopped, gone, cleared = list[float](), list[float](), list[float]()
    answered = due = overdue = received = 0
    for row in _rows(connection):
        received += 1
        months[f"{row.received_at:%Y-%m}"] += 1
        channels[row.channel] += 1
        # Of claims anybody can make as many as it takes to see who else is there.
        services[row.service] += row.state == "confirmed"
        for seconds, moment in ((stopped, row.stopped), (gone, row.gone), (cleared, row.closed)):
            if moment is not None:
                seconds.append((moment - row.received_at).total_seconds())
        ended = row.withdrawn_at is not None or row.state == "lapsed"
        overdue += not ended and row.closed is None and row.due_at < at
        month_over = row.received_at + ANSWER_WITHIN
        if row.closed is not None or (not ended and month_over < at):
            due += 1
            answered += row.closed is not None and row.closed <= month_over
    return Statistics(
        received=received,
        by_month=protected(months),
        by_channel=protected(channels),
        by_service=protected(_together(services)),
        stopped=_times(stopped),
        gone=_times(gone),
        cleared=_times(cleared),
        in_time=answered / due if due >= FEWEST else None,
        overdue=_cell("overdue", overdue),
    )


class _Row(Struct, frozen=True):
    received_at: datetime
    due_at: datetime
    withdrawn_at: datetime | None
    state: str
    channel: str
    service: str
    stopped: datetime | None
    gone: datetime | None
    closed: datetime | None


def _rows(connection: Connection) -> Iterable[_Row]:
    own = [objections.c[name] for name in _Row.__struct_fields__ if name in objections.c]

    def first(state: str) -> ColumnElement[datetime]:
        return func.min(case((steps.c.state == state, steps.c.at)))

    query = (
        select(*own, first("future_stopped"), first("models_cleared"), first("closed"))
        .outerjoin(steps, steps.c.number == objections.c.number)
        .where(~objections.c.number.contains("-R"))
        .group_by(objections.c.number)
    )
    with connection.execute(query, execution_options={"yield_per": _AT_ONCE}) as rows:
        for row in rows:
            yield _Row(**dict(zip(_Row.__struct_fields__, row, strict=True)))


def _together(services: Counter[str]) -> dict[str, int]:
    """Put services with few objections together: the name of one may be a person's own domain."""
    shown = {name: count for name, count in services.items() if count >= FEWEST}
    return shown | {OTHERS: rest} if (rest := services.total() - sum(shown.values())) else shown


def protected(counts: Mapping[str, int]) -> tuple[Cell, ...]:
    """Return a table of counts, whose sum is known, that tells no count under five.

    Where the others and the sum would tell one, the next larger ones are withheld, too; where even
    that does not help, there is no table.
    """
    shown = {name: count for name, count in counts.items() if count >= FEWEST}
    few = {name: count for name, count in counts.items() if 0 < count < FEWEST}
    withheld: dict[str, int] = {}
    for name in sorted(shown, key=lambda name: (shown[name], name)):
        if _is_vague(few, withheld):
            break
        withheld[name] = shown.pop(name)
    if not _is_vague(few, withheld):
        return ()
    return tuple(
        Cell(name, None) if name in withheld else _cell(name, counts[name])
        for name in sorted(counts)
    )


def _is_vague(few: Mapping[str, int], withheld: Mapping[str, int]) -> bool:
    """Whether the sum of what is not told leaves each of the small counts open.

    Each of the few is from 1 to 4, each of the withheld is 5 or more, and readers know that.
    """
    if not few:
        return True
    total = sum(few.values()) + sum(withheld.values())
    if withheld:
        return total - FEWEST * len(withheld) > len(few)
    return len(few) > 1 and len(few) < total < (FEWEST - 1) * len(few)


def _cell(name: str, count: int) -> Cell:
    return Cell(name, None, few=True) if 0 < count < FEWEST else Cell(name, count)


def _times(seconds: Sequence[float]) -> Times:
    if len(seconds) < FEWEST:
        return Times()
    ordered = sorted(seconds)
    return Times(_quantile(ordered, 0.5), _quantile(ordered, 0.95))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, interpolated between the two nearest ones."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
