"""What agents ask for, by whichever protocol: one request each, whatever they call it.

What an agent may vouch for is confirmed at once; the rest are claims: nothing new is trained on,
and the person is written to, where an address is given.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select

from sayso.errors import UsageError
from sayso.rights import claims, contacts, deadlines, keyed, linking, objections
from sayso.rights.agents import Agent
from sayso.rights.database import Rights
from sayso.rights.objection import COPY_MARK, Given, Objection
from sayso.rights.requests import Contact
from sayso.rights.tables import agent_requests as table
from sayso.rights.tables import objections as objection_table

Protocol = Literal["drp", "opendsr"]
# 'waiting' for the person to confirm, 'working', 'done', or taken back, or over without a word.
State = Literal["waiting", "working", "done", "withdrawn", "lapsed"]
FROM_LEAST: Final[tuple[State, ...]] = ("waiting", "working", "done", "withdrawn", "lapsed")
CHANNELS: Final[dict[Protocol, str]] = {"drp": "Data Rights Protocol", "opendsr": "OpenDSR"}
BY_AGENT: Final = "agent"


class Named(Struct, frozen=True):
    """An account that is objected for: its name here, as it was typed, and if it is vouched for."""

    name: str
    typed: str
    shown: bool


class Wanted(Struct, frozen=True, kw_only=True):
    """What an agent asks for.

    `called` is the agent's own name of the request; the same one twice is one request. `email`
    stands for all accounts that a service knows by it, now or later; `email_shown` says whether
    the agent vouches for it. `is_written_to` is whether the person may get a letter there.
    """

    agent: Agent
    protocol: Protocol
    called: str = ""
    accounts: tuple[Named, ...] = ()
    email: str = ""
    email_shown: bool = False
    is_written_to: bool = True
    callbacks: tuple[str, ...] = ()
    evidence: str = ""
    received_at: datetime | None = None


class AgentRequest(Struct, frozen=True):
    """A request of an agent; `request` is that of `tables.requests`."""

    request: str
    agent: str
    protocol: Protocol
    called: str
    digest: str


class Standing(Struct, frozen=True):
    """How far all objections of a request have come, taken together."""

    state: State
    number: str  # of one that waits, else of the first
    received_at: datetime
    due_at: datetime
    because: str  # why its deadline was put off; mostly ''


class OtherContentError(UsageError):
    """A name of a request that was given to another one before."""

    def __init__(self) -> None:
        super().__init__(
            "this request's id was used before, for somebody or something else",
            "give each request an id of its own",
        )


class NotYoursError(UsageError):
    """A request that its agent cannot take back any more."""


def accept(connection: Connection, rights: Rights, wanted: Wanted) -> AgentRequest:
    """Accept what an agent asks for (within `Rights.writing`); once, however often it comes.

    Raises:
        OtherContentError: the agent called another request so.
        UsageError: it names nobody; see also `Given.check`.
    """
    digest = _digest(rights, wanted)
    if wanted.called:
        found = by_called(connection, wanted.agent.name, wanted.protocol, wanted.called)
        if found is not None:
            if found.digest != digest:
                raise OtherContentError
            return found
    named = list(wanted.accounts)
    if wanted.email:
        # Accounts that are known by it are kept out of what anybody sees of the request: they
        # would tell that there are some.
        stand_in = contacts.stand_in(rights, wanted.email)
        named.append(Named(stand_in, wanted.email, wanted.email_shown))
    if not named:
        raise UsageError("an objection names an account, a profile's address or an e-mail address")
    pairs = {(one.name, one.typed): one.shown for one in named}
    is_letter = wanted.is_written_to and not all(pairs.values())
    given = Given(
        name=named[0].name,
        others=tuple(one.name for one in named[1:]),
        typed=tuple(one.typed for one in named),
        channel=CHANNELS[wanted.protocol],
        confirmed_by="",
        evidence=wanted.evidence,
        contact=Contact(
            email=wanted.email if is_letter else "",
            callbacks=wanted.callbacks,
            agent=wanted.agent.name,
        ),
        # A claim lapses by its age, which the agent must not choose.
        received_at=wanted.received_at if all(pairs.values()) else None,
    )
    given.check()
    (made,) = claims.accept_all(connection, rights, [given])
    shown = {
        objection.person for objection, pair in zip(made, given.names, strict=True) if pairs[pair]
    }
    if wanted.email:
        for account in sorted(contacts.accounts_of(connection, rights, wanted.email)):
            linking.carry_objections(connection, {stand_in}, account)
        if wanted.email_shown:
            shown |= contacts.persons(connection, rights, wanted.email)
    for objection in made:
        if objection.person in shown:
            claims.confirm_in(connection, rights, objection.number, BY_AGENT)
    asked = AgentRequest(made[0].request, wanted.agent.name, wanted.protocol, wanted.called, digest)
    connection.execute(insert(table).values(msgspec.structs.asdict(asked)))
    return asked


def _digest(rights: Rights, wanted: Wanted) -> str:
    said = (sorted(one.typed for one in wanted.accounts), wanted.email.lower())
    return keyed.digest(rights.workspace, "agent-request", msgspec.json.encode(said).decode())


def by_called(
    connection: Connection, agent: str, protocol: Protocol, called: str
) -> AgentRequest | None:
    """Return an agent's request by what the agent calls it."""
    theirs = (table.c.agent == agent) & (table.c.protocol == protocol) & (table.c.called == called)
    row = connection.execute(select(table).where(theirs)).first()
    return None if row is None else _asked(row)


def find(connection: Connection, request: str) -> AgentRequest | None:
    """Return the agent's request that became this one of `tables.requests`."""
    row = connection.execute(select(table).where(table.c.request == request)).first()
    return None if row is None else _asked(row)


def standing(connection: Connection, request: str) -> Standing:
    """Return how far a request has come: as far as the objection of it that has come least far."""
    done = deadlines.is_done().label("done")
    query = select(objection_table, done).where(objection_table.c.request == request)
    rows = connection.execute(query.order_by(objection_table.c.number)).all()
    states = [_state(row) for row in rows]
    state = min(states, key=FROM_LEAST.index)
    # By a page of an account its person confirms; copies have no pages.
    row = min(
        (row for row, its in zip(rows, states, strict=True) if its == state),
        key=lambda row: (COPY_MARK in row.number, contacts.is_stand_in(row.person)),
    )
    because = [
        remark["because"]
        for remark in deadlines.remarks_on(connection, row.number)
        if remark["act"] == deadlines.EXTENDED
    ]
    return Standing(
        state,
        row.number.partition(COPY_MARK)[0],
        min(row.received_at for row in rows),
        max(row.due_at for row in rows),
        because[-1] if because else "",
    )


def _state(row: Row[*tuple[object, ...]]) -> State:
    if row.withdrawn_at is not None:
        return "withdrawn"
    if row.state != "confirmed":
        return "lapsed" if row.state == "lapsed" else "waiting"
    return "done" if row.done else "working"


def revocable(connection: Connection, asked: AgentRequest) -> list[Objection]:
    """Return the objections of a request that still stand, which its agent may take back.

    Raises:
        NotYoursError: it is over, or the person or the operator confirmed a part of it
            themselves: that is theirs to take back.
    """
    query = select(objection_table).where(objection_table.c.request == asked.request)
    found = [Objection.of(row) for row in connection.execute(query)]
    if standing(connection, asked.request).state in ("done", "lapsed"):
        raise NotYoursError("this request is over; the person may withdraw the objection")
    stands = [objection for objection in found if objection.stands]
    if any(objection.confirmed_by not in ("", BY_AGENT) for objection in stands):
        raise NotYoursError(
            "this objection was confirmed by the person since, who alone may withdraw it"
        )
    return stands


def revoke(connection: Connection, rights: Rights, asked: AgentRequest) -> None:
    """Take back what stands of a request (within `Rights.writing`).

    What was confirmed is to be erased first: see `sayso.corpus.erase.withdraw`.

    Raises:
        NotYoursError: see `revocable`.
    """
    stands = {objection.number for objection in revocable(connection, asked)}
    for number in sorted(stands):
        if number.partition(COPY_MARK)[0] not in stands - {number}:  # else it goes along
            objections.withdraw_in(connection, rights, number)


def _asked(row: Row[*tuple[object, ...]]) -> AgentRequest:
    return AgentRequest(row.request, row.agent, row.protocol, row.called, row.digest)
