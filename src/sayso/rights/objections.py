"""Objections to training (GDPR Art. 21): always accepted, binding at once, receipted.

An objection that is shown to come from the person is 'confirmed', and reaches the models. One that
anybody could have typed is 'pending': nothing new is trained on from the first second, but what is
trained stays, so that nobody can knock out what others wrote. See `claims` for what comes then.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from sayso.errors import UsageError
from sayso.rights import ledger, linking, names, people, receipts, requests, steps
from sayso.rights.database import Rights, note_change, now, signed, unsigned
from sayso.rights.objection import (
    ALL_SERVICES,
    ANSWER_WITHIN,
    COPY_MARK,
    OWN,
    Given,
    Objection,
)
from sayso.rights.tables import accounts, objections, suppressions


def receive(
    rights: Rights,
    name: str,
    *,
    services: Sequence[str] = (ALL_SERVICES,),
    reason: str = "",
    channel: str = "command line",
) -> list[Objection]:
    """Accept a confirmed objection and sign its receipt, one for each service named.

    Raises:
        UsageError: see `Given.check`.
    """
    given = Given(name=name, services=tuple(services), reason=reason, channel=channel)
    return receive_all(rights, [given])[0]


def receive_all(rights: Rights, handed_in: Sequence[Given]) -> list[list[Objection]]:
    """Accept objections in one transaction: all are stored, or none is.

    Returns:
        For each that was handed in one objection for each name and service.

    Raises:
        UsageError: see `Given.check`; then nothing is stored.
    """
    for given in handed_in:
        given.check()
    with rights.writing() as connection:
        return accept_all(connection, rights, handed_in)


def accept(connection: Connection, rights: Rights, given: Given) -> list[Objection]:
    """Accept one objection within the caller's transaction (of `Rights.writing`)."""
    return accept_all(connection, rights, [given])[0]


def accept_all(
    connection: Connection, rights: Rights, handed_in: Sequence[Given]
) -> list[list[Objection]]:
    """Accept objections within the caller's transaction, with few statements for all of them."""
    if not handed_in:
        return []
    at = now().replace(microsecond=0)
    named = {name for given in handed_in for name, _ in given.names}
    persons = people.persons(connection, named)
    asked = requests.add_all(connection, [given.contact for given in handed_in], at)
    new = [
        (given, request, _new(rights, given, (*name, service), persons, request.id, at))
        for given, request in zip(handed_in, asked, strict=True)
        for name in given.names
        for service in dict.fromkeys(given.services)
    ]
    entries = ledger.append_all(
        connection,
        [
            ("objection", _told(rights, objection, given) | {"by": given.confirmed_by})
            if given.confirmed_by
            else ("claim", _told(rights, objection, given))
            for given, _, objection in new
        ],
    )
    made = {
        objection.number: msgspec.structs.replace(
            objection, **_bound(given.confirmed_by, at, entry.seq)
        )
        if given.confirmed_by
        else objection
        for (given, _, objection), entry in zip(new, entries, strict=True)
    }
    connection.execute(insert(objections), [msgspec.structs.asdict(o) for o in made.values()])
    steps.begin(connection, rights, [(request, objection) for _, request, objection in new], at)
    _suppress(connection, rights, [o for o in made.values() if o.state == "confirmed"])
    note_change(connection, "objections")
    together: dict[str, list[Objection]] = {request.id: [] for request in asked}
    for objection in made.values():
        together[objection.request].append(objection)
    return list(together.values())


def _new(
    rights: Rights,
    given: Given,
    scope: tuple[str, str, str],
    persons: Mapping[str, str],
    request: str,
    at: datetime,
) -> Objection:
    """Return a pending objection and its receipt, not stored; `scope`: (name, typed, service)."""
    name, typed, service = scope
    received = (given.received_at or at).replace(microsecond=0)
    objection = Objection(
        number=f"OBJ-{at:%Y%m%d}-{secrets.token_hex(4).upper()}",
        request=request,
        person=persons.get(name, name),
        service=service,
        about=given.about,
        reason=given.reason,
        channel=given.channel,
        received_at=received,
        due_at=received + ANSWER_WITHIN,
        state="pending",
        confirmed_at=None,
        confirmed_by="",
        bound_seq=0,
        withdrawn_at=None,
        evidence=given.evidence,
        receipt="",
    )
    told = msgspec.structs.asdict(objection) | {"confirmed_by": given.confirmed_by}
    if not given.confirmed_by:
        # Whoever only claims to be somebody must not learn from the receipt who has this account.
        told["person"] = typed
    claims = receipts.objection_claims(told, rights.workspace.settings.community)
    receipt = receipts.sign(receipts.signing_key(rights.workspace), claims)
    return msgspec.structs.replace(objection, receipt=receipt)


def _bound(by: str, at: datetime, seq: int) -> dict[str, Any]:
    return {"state": "confirmed", "confirmed_at": at, "confirmed_by": by, "bound_seq": seq}


def bind(connection: Connection, rights: Rights, objection: Objection, by: str) -> Objection:
    """Confirm an objection: from here on it reaches the models (within `Rights.writing`)."""
    entry = ledger.append(connection, "objection", _told(rights, objection) | {"by": by})
    values = _bound(by, now().replace(microsecond=0), entry.seq)
    connection.execute(
        update(objections).where(objections.c.number == objection.number).values(values)
    )
    bound = msgspec.structs.replace(objection, **values)
    _suppress(connection, rights, [bound])
    note_change(connection, "objections")
    return bound


def withdraw(rights: Rights, number: str) -> Objection:
    """Note that an objection no longer stands; `sayso.corpus.erase.withdraw` is the whole act.

    What was erased stays erased; records that arrive again may be used again.

    Raises:
        UsageError: there is no such objection, or it was withdrawn before.
    """
    with rights.writing() as connection:
        return withdraw_in(connection, rights, number)


def withdraw_in(connection: Connection, rights: Rights, number: str) -> Objection:
    """As `withdraw`, within the caller's transaction (of `Rights.writing`)."""
    row = connection.execute(select(objections).where(objections.c.number == number)).first()
    if row is None:
        raise UsageError(f"no objection has this number: {number}", "see `sayso objections`")
    if row.withdrawn_at is not None:
        raise UsageError(f"objection {number} was withdrawn before")
    if first := linking.made_as(connection, Objection.of(row)):
        withdraw_in(connection, rights, first)  # with all that was made of it
        row = connection.execute(select(objections).where(objections.c.number == number)).one()
        return Objection.of(row)
    at = now().replace(microsecond=0)
    connection.execute(
        update(objections).where(objections.c.number == number).values(withdrawn_at=at)
    )
    connection.execute(delete(suppressions).where(suppressions.c.number == number))
    names.forget(connection, number)
    ledger.append(connection, "withdrawal", {"number": number})
    note_change(connection, "withdrawals")
    objection = msgspec.structs.replace(Objection.of(row), withdrawn_at=at)
    steps.note(connection, rights, objection, "withdrawn", at)
    for copy in copies(connection, objection):
        withdraw_in(connection, rights, copy.number)
    return objection


def copies(connection: Connection, objection: Objection) -> list[Objection]:
    """Return what was made of an objection for accounts that it holds for since, and stands."""
    query = select(objections).where(
        objections.c.request == objection.request,
        objections.c.number.startswith(f"{objection.number}{COPY_MARK}"),
    )
    found = [Objection.of(row) for row in connection.execute(query)]
    return [copy for copy in found if copy.stands]


def find(rights: Rights, number: str) -> Objection | None:
    """Return an objection by its number."""
    with rights.reading() as connection:
        row = connection.execute(select(objections).where(objections.c.number == number)).first()
    return None if row is None else Objection.of(row)


def of_request(rights: Rights, request: str) -> list[Objection]:
    """Return the objections that came together, in the order of their services."""
    query = select(objections).where(objections.c.request == request)
    with rights.reading() as connection:
        rows = connection.execute(query.order_by(objections.c.service))
        return [Objection.of(row) for row in rows] if request else []


def list_all(rights: Rights, state: str = "") -> list[Objection]:
    """Return all objections (or those in a state), oldest first, withdrawn ones included."""
    query = select(objections).order_by(objections.c.received_at, objections.c.number)
    with rights.reading() as connection:
        rows = connection.execute(query.where(objections.c.state == state) if state else query)
        return [Objection.of(row) for row in rows]


def of_person(rights: Rights, person: str) -> list[Objection]:
    """Return a person's objections, oldest first; also those of which only a pseudonym is kept."""
    known_as = (person, rights.workspace.pseudonyms.name("person", person))
    query = select(objections).where(objections.c.person.in_(known_as))
    with rights.reading() as connection:
        rows = connection.execute(query.order_by(objections.c.received_at, objections.c.number))
        return [Objection.of(row) for row in rows]


def standing(connection: Connection, state: str = "confirmed") -> Sequence[Row[Any, Any, Any]]:
    """Accounts that an objection to all of their content covers: (key, number, received_at)."""
    covers = and_(
        objections.c.person == accounts.c.person,
        or_(
            objections.c.service == ALL_SERVICES,
            objections.c.service == accounts.c.service,
        ),
        objections.c.about == OWN,
        objections.c.state == state,
        objections.c.withdrawn_at.is_(None),
    )
    query = select(accounts.c.key, objections.c.number, objections.c.received_at).join(
        objections, covers
    )
    return connection.execute(query).all()


def objectors_in(connection: Connection) -> npt.NDArray[np.uint64]:
    """Pseudonyms of all accounts that a confirmed objection covers, sorted; 8 bytes each."""
    keys = [unsigned(row.key) for row in standing(connection)]
    keys += [unsigned(key) for key in connection.scalars(select(suppressions.c.key))]
    return np.unique(np.array(keys, dtype=np.uint64))


def objectors(rights: Rights) -> npt.NDArray[np.uint64]:
    """As `objectors_in`, by a read of its own."""
    with rights.reading() as connection:
        return objectors_in(connection)


def claimed(rights: Rights) -> npt.NDArray[np.uint64]:
    """Pseudonyms of accounts whose objection is pending, sorted: nothing new of them trains."""
    with rights.reading() as connection:
        keys = [unsigned(row.key) for row in standing(connection, "pending")]
    return np.unique(np.array(keys, dtype=np.uint64))


def _suppress(connection: Connection, rights: Rights, bound: Sequence[Objection]) -> None:
    """Keep the pseudonyms that stay out, so that they do even when nothing else is kept."""
    rows = covered(connection, rights, bound)
    if rows:
        connection.execute(insert(suppressions), rows)


def covered(
    connection: Connection, rights: Rights, bound: Sequence[Objection]
) -> list[dict[str, Any]]:
    """Return rows of `tables.suppressions` for all accounts that these objections cover now."""
    own = [objection for objection in bound if objection.about == OWN]
    theirs = people.keys(connection, {objection.person for objection in own})
    number, at = rights.workspace.pseudonyms.number, now()
    rows = []
    for objection in own:
        everywhere = objection.service == ALL_SERVICES
        keys = {
            key
            for key, service in theirs.get(objection.person, ())
            if everywhere or service == objection.service
        }
        if everywhere or objection.person.endswith(f"@{objection.service}"):
            keys.add(number("account", objection.person))
        told = {"service": objection.service, "number": objection.number, "at": at}
        rows += [{"key": signed(key), **told} for key in sorted(keys)]
    return rows


def _told(rights: Rights, objection: Objection, given: Given | None = None) -> dict[str, Any]:
    """What the ledger may know of an objection."""
    earlier = given is not None and given.received_at is not None
    return {
        "number": objection.number,
        "person": rights.workspace.pseudonyms.name("person", objection.person),
        "services": "all" if objection.service == ALL_SERVICES else [objection.service],
        "about": objection.about,
        "channel": objection.channel,
    } | ({"received_at": objection.received_at.isoformat()} if earlier else {})
