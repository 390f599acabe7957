"""Letters and calls that wait to be sent: queued with the step they tell of, sent by `post`."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from sayso.rights.database import now
from sayso.rights.objection import Objection, Step
from sayso.rights.requests import Request
from sayso.rights.tables import outbox

MAIL: Final = "mail"
WEBHOOK: Final = "webhook"
# Waits between attempts double from a minute on; after this many it is given up, and shown.
MOST_ATTEMPTS: Final = 12


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


def announce(connection: Connection, request: Request, objection: Objection, step: Step) -> None:
    """Queue the messages about a step, to whoever wants them."""
    told = {
        "number": step.number,
        "service": objection.service,
        "state": step.state,
        "at": step.at.isoformat(),
        "due_at": objection.due_at.isoformat(),
        "release": step.release,
        "release_hash": step.release_hash,
        "signature": step.signature,
    }
    for address in request.contact.callbacks:
        put(connection, request.id, WEBHOOK, address, told)
    if request.contact.email and request.mailed_at is not None:
        letter = {"letter": "step", "language": request.contact.language, **told}
        put(connection, request.id, MAIL, request.contact.email, letter)


def due(connection: Connection, at: datetime, most: int = 50) -> list[Letter]:
    """Return the messages that are to be sent now, oldest first."""
    query = (
        select(outbox)
        .where(outbox.c.sent_at.is_(None), outbox.c.given_up.is_(False), outbox.c.due_at <= at)
        .order_by(outbox.c.id)
        .limit(most)
    )
    return [
        Letter(
            row.id,
            row.request,
            row.kind,
            row.target,
            msgspec.json.decode(row.payload),
            row.created_at,
            row.attempts,
        )
        for row in connection.execute(query)
    ]


def sent(connection: Connection, letter: Letter) -> None:
    """Note that a message went out; its text and address are dropped."""
    values = {"sent_at": now(), "payload": "{}", "target": ""}
    connection.execute(update(outbox).where(outbox.c.id == letter.id).values(values))


def failed(connection: Connection, letter: Letter) -> None:
    """Note a failed attempt; the next one is later, until it is given up."""
    attempts = letter.attempts + 1
    wait = timedelta(minutes=2 ** min(attempts - 1, 10))
    values = {
        "attempts": attempts,
        "due_at": now() + wait,
        "given_up": attempts >= MOST_ATTEMPTS,
    }
    connection.execute(update(outbox).where(outbox.c.id == letter.id).values(values))
