"""What need not be kept: after [rights] keep_days a closed objection is a pseudonym that stays out.

GDPR Art. 5(1)(e). The person's own copy of the receipt goes on to verify: it needs the public key
alone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, or_, select, update

from sayso.rights import ledger, objections, requests, steps
from sayso.rights.database import Rights
from sayso.rights.objection import Objection
from sayso.rights.tables import agent_requests, outbox, remarks, suppressions
from sayso.rights.tables import objections as table
from sayso.rights.tables import requests as request_table
from sayso.rights.tables import steps as step_table

AT_ONCE: Final = 200


def purge(rights: Rights, at: datetime) -> int:
    """Drop what closed objections say of their persons, once it is old enough; return how many.

    Reason, evidence, receipt and the staff's remarks are emptied, the person becomes its
    pseudonym. Number, dates, steps and suppressions stay; whom to tell was forgotten when all was
    told. Repeating it changes nothing; 0 days keeps everything.
    """
    days = rights.workspace.settings.rights.keep_days
    if not days:
        return 0
    ended = select(step_table.c.number).where(
        step_table.c.state.in_(steps.LAST), step_table.c.at < at - timedelta(days=days)
    )
    old = select(table).where(table.c.receipt != "", table.c.number.in_(ended)).limit(AT_ONCE)
    purged = 0
    while True:
        with rights.reading() as connection:
            if connection.execute(old.limit(1)).first() is None:
                return purged
        with rights.writing() as connection:
            found = [Objection.of(row) for row in connection.execute(old)]
            _keep_out(connection, rights, [o for o in found if o.stands])
            _empty(connection, rights, found)
            ledger.append(connection, "purge", {"objections": len(found)})
        purged += len(found)


def forget_told(rights: Rights) -> int:
    """Forget whom to tell where all has been told; return how many requests that were.

    All objections of the request are closed, withdrawn or lapsed, and no message of it waits.
    """
    ended = exists().where(
        step_table.c.number == table.c.number, step_table.c.state.in_(steps.LAST)
    )
    going_on = exists().where(table.c.request == request_table.c.id, ~ended)
    waiting = exists().where(
        outbox.c.request == request_table.c.id,
        outbox.c.sent_at.is_(None),
        outbox.c.given_up.is_(False),
    )
    known = or_(
        request_table.c.email != "",
        request_table.c.callbacks != "[]",
        request_table.c.code_hash != "",
    )
    query = select(request_table.c.id).where(and_(known, ~going_on, ~waiting))
    with rights.reading() as connection:
        if connection.execute(query.limit(1)).first() is None:
            return 0  # without waiting for those who write
    with rights.writing() as connection:
        told = list(connection.scalars(query))
        for request in told:
            requests.forget(connection, request)
    return len(told)


def _keep_out(connection: Connection, rights: Rights, standing: Sequence[Objection]) -> None:
    """Suppress the accounts that the person was linked to since the objection was bound."""
    rows = objections.covered(connection, rights, standing)
    numbers = [objection.number for objection in standing]
    present = select(suppressions.c.key, suppressions.c.number)
    there = {
        tuple(r) for r in connection.execute(present.where(suppressions.c.number.in_(numbers)))
    }
    new = [row for row in rows if (row["key"], row["number"]) not in there]
    if new:
        connection.execute(insert(suppressions), new)


def _empty(connection: Connection, rights: Rights, found: Sequence[Objection]) -> None:
    pseudonym = rights.workspace.pseudonyms.name
    values = {"reason": "", "evidence": "", "receipt": "", "person": bindparam("hidden")}
    connection.execute(
        update(table).where(table.c.number == bindparam("which")).values(values),
        [{"which": o.number, "hidden": pseudonym("person", o.person)} for o in found],
    )
    connection.execute(delete(remarks).where(remarks.c.number.in_([o.number for o in found])))
    # What an agent calls a request may tell whose it is.
    theirs = agent_requests.c.request.in_({o.request for o in found})
    connection.execute(update(agent_requests).where(theirs).values(called="", digest=""))
