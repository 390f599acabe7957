"""Letters and calls that wait to be sent: queued with the step they tell of, sent by `post`.

A message is sent at least once. Whoever sends takes it for a while (`take`), so that no two do;
if the process dies between sending and noting it, it goes out again, under the same id.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    insert,
    select,
    update,
)

from sayso.rights.database import Rights, now
from sayso.rights.objection import Objection, Step
from sayso.rights.requests import Request
from sayso.rights.tables import outbox, requests
from sayso.workspace import Workspace

MAIL: Final = "mail"
WEBHOOK: Final = "webhook"
# Waits between attempts double from a minute on; after this many it is given up, and shown.
MOST_ATTEMPTS: Final = 12
LEASE: Final = timedelta(minutes=5)
OLDEST: Final = timedelta(days=14)
# What is over is never due, so that the index of what is due soon holds nothing else.
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
NOTHING_LEFT: Final = {"payload": "{}", "target": ""}


class Letter(Struct, frozen=True):
    """One message; a mail's payload names its kind and what it says, a call's is its body."""

    id: int
    request: str
    kind: str
    target: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int


def put(connection: Connection, request: str, kind: str, target: str, payload: object) -> None:
    """Queue a message."""
    at = now()
    row = {
        "request": request,
        "kind": kind,
        "target": target,
        "payload": msgspec.json.encode(payload).decode(),
        "created_at": at,
        "due_at": at,
    }
    connection.execute(insert(outbox).values(row))


def announce(
    connection: Connection,
    request: Request,
    objection: Objection,
    step: Step,
    *,
    again: bool = False,
) -> None:
    """Queue the messages about a step, to whoever wants them.

    Of a copy they hear by what it was made of: its own would tell that there is one. Programs hear
    of each release without the person, people of the first: to them the next ones are `again`.
    """
    if objection.is_copy:
        return
    told = {
        "number": step.number,
        "service": objection.service,
        "about": objection.about,
        "state": step.state,
        "at": step.at.isoformat(),
        "due_at": objection.due_at.isoformat(),
        "release": step.release,
        "release_hash": step.release_hash,
        "signature": step.signature,
    }
    for address in request.contact.callbacks:
        put(connection, request.id, WEBHOOK, address, told)
    if request.contact.email and request.mailed_at is not None and not again:
        letter = {"letter": "step", "language": request.contact.language, **told}
        put(connection, request.id, MAIL, request.contact.email, letter)


def take(
    connection: Connection, at: datetime, kinds: Collection[str] = (MAIL, WEBHOOK), most: int = 50
) -> list[Letter]:
    """Return messages that are to be sent now, longest due first; nobody else gets them meanwhile.

    They are due again after `LEASE`, unless `sent` or `failed` says otherwise. Within
    `Rights.writing`.
    """
    query = select(outbox).where(_is_due(at, kinds)).order_by(outbox.c.due_at, outbox.c.id)
    letters = [_letter(row) for row in connection.execute(query.limit(most))]
    taken = outbox.c.id.in_([letter.id for letter in letters])
    connection.execute(update(outbox).where(taken).values(due_at=at + LEASE))
    return letters


def is_any_due(connection: Connection, at: datetime, kinds: Collection[str]) -> bool:
    """Whether there is anything for `take`."""
    query = select(outbox.c.id).where(_is_due(at, kinds)).limit(1)
    return connection.execute(query).first() is not None


def _is_due(at: datetime, kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(
        outbox.c.due_at <= at,
        outbox.c.sent_at.is_(None),
        outbox.c.given_up.is_(False),
        outbox.c.kind.in_(kinds),
    )


def name_of(workspace: Workspace, letter: Letter) -> str:
    """Return a message's name, 16 hexadecimal digits, the same at each attempt; it tells nothing.

    With its moment: a database that was restored gives numbers anew.
    """
    return workspace.pseudonyms.name("message", f"{letter.id} {letter.created_at.isoformat()}")


def sent(connection: Connection, letter: Letter) -> None:
    """Note that a message went out; its text and address are dropped."""
    values = {"sent_at": now(), "due_at": NEVER, **NOTHING_LEFT}
    connection.execute(update(outbox).where(outbox.c.id == letter.id).values(values))


def failed(connection: Connection, letter: Letter) -> None:
    """Note a failed attempt; the next one is later, until it is given up and dropped."""
    attempts = letter.attempts + 1
    values: dict[str, Any] = {"attempts": attempts}
    if attempts >= MOST_ATTEMPTS:
        values |= {"given_up": True, "due_at": NEVER, **NOTHING_LEFT}
    else:
        values["due_at"] = now() + timedelta(minutes=2 ** min(attempts - 1, 10))
    connection.execute(update(outbox).where(outbox.c.id == letter.id).values(values))


def give_up_old(rights: Rights, at: datetime) -> int:
    """Drop what could not be sent for `OLDEST`, as where no mail server is set; return how many."""
    late = (outbox.c.created_at < at - OLDEST) & outbox.c.sent_at.is_(None)
    values = {"given_up": True, "due_at": NEVER, **NOTHING_LEFT}
    changed = update(outbox).where(late, outbox.c.given_up.is_(False)).values(values)
    with rights.writing() as connection:
        return int(connection.execute(changed).rowcount)


def call_off(connection: Connection, ids: Select[tuple[str]]) -> None:
    """Make no call about these requests any more (within `Rights.writing`)."""
    connection.execute(update(requests).where(requests.c.id.in_(ids)).values(callbacks="[]"))
    waiting = outbox.c.sent_at.is_(None) & outbox.c.given_up.is_(False)
    calls = (outbox.c.kind == WEBHOOK) & outbox.c.request.in_(ids)
    values = {"given_up": True, "due_at": NEVER, **NOTHING_LEFT}
    connection.execute(update(outbox).where(calls, waiting).values(values))


class Overview(Struct, frozen=True):
    """How many messages of a kind there are, and how many attempts to send them failed."""

    kind: str
    waiting: int
    sent: int
    given_up: int
    failures: int


def overview(connection: Connection) -> list[Overview]:
    """Return what the operator may know of the messages: numbers, no addresses."""
    is_sent = case((outbox.c.sent_at.is_not(None), 1), else_=0)
    gave_up = case((outbox.c.given_up.is_(True), 1), else_=0)
    query = select(
        outbox.c.kind,
        func.count(),
        func.sum(is_sent),
        func.sum(gave_up),
        func.sum(outbox.c.attempts),
    ).group_by(outbox.c.kind)
    counts = {row[0]: [int(n) for n in row[1:]] for row in connection.execute(query)}
    return [
        Overview(kind, everything - went - gone, went, gone, failures)
        for kind in (MAIL, WEBHOOK)
        for everything, went, gone, failures in [counts.get(kind, [0, 0, 0, 0])]
    ]


def _letter(row: Row[*tuple[Any, ...]]) -> Letter:
    return Letter(
        row.id,
        row.request,
        row.kind,
        row.target,
        msgspec.json.decode(row.payload),
        row.created_at,
        row.attempts,
    )
