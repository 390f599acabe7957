"""Claims: objections that anybody could have typed, until they are shown to come from the person.

They bind nothing but new training (GDPR Art. 18(1)(d)). A claim is confirmed by its e-mail address,
where the service knows the account by it; by signing in; or by the operator. It lapses when
nothing of that comes in time, or the operator finds that it is somebody else's account.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, select, update

from sayso.errors import UsageError
from sayso.rights import contacts, ledger, names, objections, outbox, requests, steps
from sayso.rights.database import Rights, note_change, now
from sayso.rights.objection import DEPICTED, OWN, Given, Objection
from sayso.rights.requests import Contact, Request
from sayso.rights.tables import objections as table
from sayso.rights.tables import steps as steps_table

LAPSES_AFTER: Final = timedelta(days=30)
# Each is signed within the transaction, and receipts must not wait for many of them.
AT_ONCE: Final = 50
OPERATOR: Final = "operator"


def receive_all(rights: Rights, handed_in: Sequence[Given]) -> list[list[Objection]]:
    """Accept objections as `objections.receive_all` does, and queue letters that confirm them.

    A letter goes to each address that is given, with the code that `redeem` takes. Queued in the
    same transaction, it is never lost, nor sent for what was not stored.

    Raises:
        UsageError: see `Given.check`; then nothing is stored.
    """
    for given in handed_in:
        given.check()
    with rights.writing() as connection:
        return accept_all(connection, rights, handed_in)


def accept_all(
    connection: Connection, rights: Rights, handed_in: Sequence[Given]
) -> list[list[Objection]]:
    """As `receive_all`, within the caller's transaction (of `Rights.writing`)."""
    made = objections.accept_all(connection, rights, handed_in)
    for given, accepted in zip(handed_in, made, strict=True):
        if given.contact.email:
            _ask(connection, rights, given.contact, accepted[0])
    return made


def _ask(connection: Connection, rights: Rights, contact: Contact, objection: Objection) -> None:
    letter = {
        "letter": "confirm",
        "language": contact.language,
        "number": objection.number,
        "code": requests.new_code(connection, rights, objection.request),
    }
    outbox.put(connection, objection.request, outbox.MAIL, contact.email, letter)


def confirm(rights: Rights, numbers: Iterable[str], by: str) -> list[Objection]:
    """Confirm pending objections; those that are confirmed already stay as they are.

    Args:
        rights: the rights database.
        numbers: of the objections.
        by: who showed or found that they come from the person: 'member', 'e-mail', 'operator'.

    Raises:
        UsageError: there is none of a number, or it lapsed or was withdrawn; nothing is changed.
    """
    with rights.writing() as connection:
        return [confirm_in(connection, rights, number, by) for number in numbers]


def confirm_in(connection: Connection, rights: Rights, number: str, by: str) -> Objection:
    """As `confirm`, of one, within the caller's transaction (of `Rights.writing`)."""
    objection = standing(connection, number)
    # An operator's word on a third person's name counts beside what was shown of their account.
    named = objection.about == DEPICTED and by == OPERATOR != objection.confirmed_by
    if objection.state == "confirmed" and not named:
        return objection
    for copy in objections.copies(connection, objection):
        if copy.state == "pending":
            objections.bind(connection, rights, copy, by)
    return objections.bind(connection, rights, objection, by)


def redeem(rights: Rights, code: str) -> tuple[Request, list[Objection]] | None:
    """Take the code of a mail: the address is theirs, and so are the accounts known by it.

    Returns:
        The request and its objections as they stand now; None if the code is none, or too old.
    """
    with rights.writing() as connection:
        request = requests.redeem(connection, rights, code)
        if request is None:
            return None
        address = request.contact.email
        known = contacts.persons(connection, rights, address)
        known.add(contacts.stand_in(rights, address))
        waiting = select(table).where(table.c.request == request.id, table.c.state == "pending")
        for row in connection.execute(waiting).all():
            # An address shows whose an account is, and nothing about a name: what only a name
            # led to stays frozen until an operator confirms it (docs/third-persons.md).
            theirs = row.about in (OWN, DEPICTED) and row.person in known
            if theirs and row.withdrawn_at is None:
                objections.bind(connection, rights, Objection.of(row), "e-mail")
    return request, objections.of_request(rights, request.id)


def lapse(rights: Rights, number: str, by: str) -> Objection:
    """End a claim that was not shown to come from the person; what was frozen is free again.

    Raises:
        UsageError: there is none of this number, or it is confirmed: that is only withdrawn.
    """
    with rights.writing() as connection:
        return lapse_in(connection, rights, number, by)


def lapse_in(connection: Connection, rights: Rights, number: str, by: str) -> Objection:
    """As `lapse`, within the caller's transaction (of `Rights.writing`)."""
    objection = standing(connection, number)
    if objection.state == "confirmed":
        raise UsageError(
            f"objection {number} is confirmed, so it stands",
            f"only the person withdraws it: `sayso objections --withdraw {number}`",
        )
    return _lapse(connection, rights, objection, by)


def lapse_overdue(rights: Rights, at: datetime) -> int:
    """End all claims that nobody confirmed in time; return how many.

    The time counts from when a claim was stored: a letter of last month that is entered today can
    be confirmed from today on.
    """
    stored = and_(steps_table.c.number == table.c.number, steps_table.c.state == "received")
    old = (
        select(table)
        .join(steps_table, stored)
        .where(
            table.c.state == "pending",
            table.c.withdrawn_at.is_(None),
            steps_table.c.at < at - LAPSES_AFTER,
        )
        .order_by(table.c.number)
        .limit(AT_ONCE)
    )
    lapsed = 0
    while True:
        with rights.reading() as connection:
            if connection.execute(old.limit(1)).first() is None:
                return lapsed
        with rights.writing() as connection:
            rows = connection.execute(old).all()
            for row in rows:
                _lapse(connection, rights, Objection.of(row), "time")
        lapsed += len(rows)


def _lapse(connection: Connection, rights: Rights, objection: Objection, by: str) -> Objection:
    connection.execute(
        update(table).where(table.c.number == objection.number).values(state="lapsed")
    )
    names.forget(connection, objection.number)
    ledger.append(connection, "lapse", {"number": objection.number, "by": by})
    note_change(connection, "withdrawals")
    steps.note(connection, rights, objection, "lapsed", now().replace(microsecond=0))
    for copy in objections.copies(connection, objection):
        if copy.state == "pending":
            _lapse(connection, rights, copy, by)
    found = connection.execute(select(table).where(table.c.number == objection.number)).one()
    return Objection.of(found)


def standing(connection: Connection, number: str) -> Objection:
    """Return an objection that was neither withdrawn nor has lapsed.

    Raises:
        UsageError: there is none of this number that stands.
    """
    row = connection.execute(select(table).where(table.c.number == number)).first()
    if row is None:
        raise UsageError(f"no objection has this number: {number}", "see `sayso objections`")
    objection = Objection.of(row)
    if not objection.stands:
        raise UsageError(
            f"objection {number} was withdrawn or has lapsed", "the person may object again"
        )
    return objection
