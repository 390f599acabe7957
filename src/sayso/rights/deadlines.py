"""Deadlines: one month to say what was done, two more at most, told in time (GDPR Art. 12(3))."""

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, insert, select, update

from sayso.errors import UsageError
from sayso.rights import claims, ledger, outbox, requests
from sayso.rights.database import Rights, now
from sayso.rights.objection import ANSWER_WITHIN, LONGEST_REASON, Objection
from sayso.rights.tables import objections, remarks, steps

MOST_MONTHS: Final = 2
EXTENDED: Final = "extended"
LAPSED: Final = "lapsed"
NOTE: Final = "note"
SOON: Final = timedelta(days=7)
log = logging.getLogger("sayso.deadlines")


def extend_in(
    connection: Connection, rights: Rights, number: str, months: int, because: str, by: str
) -> Objection:
    """Put an objection's deadline off and tell the person why (within `Rights.writing`).

    Args:
        connection: of the transaction.
        rights: the rights database.
        number: of the objection.
        months: 1 or 2, of 30 days each, as the first one has; two in all.
        because: the reason as the person is told it; kept beside the objection, not in the ledger.
        by: the actor's pseudonym.

    Raises:
        UsageError: there is no reason; more than two months in all; or the deadline is over, so
            that the person can no longer be told in time.
    """
    objection, because = claims.standing(connection, number), checked_reason(because)
    due = objection.due_at + months * ANSWER_WITHIN
    if months < 1 or due > objection.received_at + (1 + MOST_MONTHS) * ANSWER_WITHIN:
        raise UsageError(
            f"a deadline is put off by 1 or {MOST_MONTHS} months in all", "GDPR Art. 12(3)"
        )
    if objection.due_at < now():
        raise UsageError(
            f"the deadline of {number} is over; it could only be put off before",
            "do what is missing now",
        )
    values = {"due_at": due}
    connection.execute(update(objections).where(objections.c.number == number).values(values))
    body = {"number": number, "months": months, "due_at": due.isoformat(), "by": by}
    ledger.append(connection, "extension", body)
    remark(connection, number, EXTENDED, because, by)
    _tell(connection, objection, due, because)
    return claims.standing(connection, number)


def _tell(connection: Connection, objection: Objection, due: datetime, because: str) -> None:
    asked = requests.find(connection, objection.request) if objection.request else None
    if asked is None:
        return
    told = {"number": objection.number, "due_at": due.isoformat(), "because": because}
    for address in asked.contact.callbacks:
        body = {"state": EXTENDED, "service": objection.service, **told}
        outbox.put(connection, asked.id, outbox.WEBHOOK, address, body)
    if asked.contact.email and asked.mailed_at is not None:
        letter = {"letter": EXTENDED, "language": asked.contact.language, **told}
        outbox.put(connection, asked.id, outbox.MAIL, asked.contact.email, letter)


def checked_reason(text: str) -> str:
    """Return a reason that staff gave.

    Raises:
        UsageError: it is empty, or too long.
    """
    if not text.strip():
        raise UsageError("this needs a reason, one sentence", "it is kept beside the objection")
    if len(text) > LONGEST_REASON:
        raise UsageError(f"the reason has more than {LONGEST_REASON} characters")
    return text.strip()


def remark(connection: Connection, number: str, act: str, because: str, by: str) -> None:
    """Keep the reason of an act of the staff."""
    row = {"number": number, "at": now(), "act": act, "because": because, "by": by}
    connection.execute(insert(remarks).values(row))


def remarks_on(connection: Connection, number: str) -> list[dict[str, Any]]:
    """Return the reasons that staff gave, oldest first: at, act, because, by."""
    columns = (remarks.c.at, remarks.c.act, remarks.c.because, remarks.c.by)
    query = select(*columns).where(remarks.c.number == number).order_by(remarks.c.id)
    return [dict(row._mapping) for row in connection.execute(query)]


def is_done() -> ColumnElement[bool]:
    """Whether an objection's last step is taken, as part of a query on `tables.objections`."""
    return exists().where(steps.c.number == objections.c.number, steps.c.state == "closed")


def stands() -> ColumnElement[bool]:
    """Whether an objection was neither withdrawn nor has lapsed, as part of a query."""
    return and_(objections.c.state != "lapsed", objections.c.withdrawn_at.is_(None))


def is_open() -> ColumnElement[bool]:
    """Whether something is still to be done about an objection, as part of a query."""
    return and_(stands(), ~is_done())


def is_overdue(at: datetime) -> ColumnElement[bool]:
    """Whether it is still open after its deadline, as part of a query."""
    return and_(objections.c.due_at < at, is_open())


def overdue(rights: Rights, at: datetime) -> int:
    """Return how many objections are still open after their deadline."""
    query = select(func.count()).select_from(objections).where(is_overdue(at))
    with rights.reading() as connection:
        return int(connection.scalar(query) or 0)


def overdue_ones(rights: Rights, at: datetime) -> list[Objection]:
    """Return the objections that are still open after their deadline, the longest first."""
    query = select(objections).where(is_overdue(at)).order_by(objections.c.due_at)
    with rights.reading() as connection:
        return [Objection.of(row) for row in connection.execute(query)]


class Due(Struct, frozen=True):
    """How many objections are open: of these due within a week, overdue, pending.

    `nearest` is the first deadline of an open one, which may be over; None if none is open.
    """

    open: int = 0
    soon: int = 0
    overdue: int = 0
    pending: int = 0
    nearest: datetime | None = None


def due(connection: Connection, at: datetime) -> Due:
    """Count what is to be done, and until when."""
    due_at = objections.c.due_at

    def counted(which: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((which, 1), else_=0)), 0)

    query = select(
        func.count(),
        counted(due_at.between(at, at + SOON)),
        counted(due_at < at),
        counted(objections.c.state == "pending"),
        func.min(due_at),
    ).where(is_open())
    opened, soon, late, pending, nearest = connection.execute(query).one()
    return Due(int(opened), int(soon), int(late), int(pending), nearest)


def warn(rights: Rights, at: datetime) -> int:
    """Write into the log how many objections are still open after their deadline; return it."""
    late = overdue(rights, at)
    if late:
        log.warning(
            "objections still open after their deadline: %s. See `sayso objections --overdue`",
            late,
        )
    return late
