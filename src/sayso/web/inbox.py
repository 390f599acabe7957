"""POST /inbox: what other servers deliver by ActivityPub, if they prove that it is theirs."""

import logging
import secrets
from typing import Any, Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import delete, insert, select
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from sayso.corpus.store import Store
from sayso.errors import IntegrityError, SaysoError
from sayso.rights.database import Rights, now
from sayso.rights.tables import seen_signatures
from sayso.settings import Inbox
from sayso.sources import as2_values as values
from sayso.sources import claims, signatures
from sayso.sources.as2_values import UnfitError
from sayso.sources.claims import NEWEST, OLDEST, Claim
from sayso.sources.outbound import Outbound
from sayso.web.actor import MEDIA_TYPE, Actor
from sayso.web.bodies import whole
from sayso.web.deliveries import FOLLOW, NotTheirsError, check_stored, host_of, items_of, owned
from sayso.web.intake import Intake
from sayso.web.peers import Peers
from sayso.web.rates import Rates

PATH: Final = "/inbox"
MEDIA_TYPES: Final = (MEDIA_TYPE, "application/ld+json")
ANY: Final = "*"
router = APIRouter(include_in_schema=False)
log = logging.getLogger("sayso.inbox")


class Box:
    """What the route needs; made once for each application."""

    def __init__(self, limits: Inbox, rights: Rights, intake: Intake) -> None:
        self.limits = limits
        self.rights = rights
        self.intake = intake
        self.store = Store(rights.workspace)
        self.allowed = frozenset(host.lower() for host in limits.allow)
        self.outbound = Outbound(self.allowed - {ANY})
        self.actor = Actor(rights.workspace)
        self.peers = Peers(rights, self.outbound, self.actor, intake)
        self.rates = Rates(limits.requests_per_minute)


@router.post(PATH)
async def post_inbox(request: Request) -> Response:
    """Take in an activity; 202 once it is stored, or known to be none of ours."""
    box: Box = request.app.state.inbox
    try:
        return await _deliver(box, request)
    except IntegrityError as error:
        log.info("a delivery was refused: %s", error.problem)
        raise HTTPException(401, error.problem) from error
    except NotTheirsError as error:
        log.info("a delivery was refused: %s", error)
        raise HTTPException(403, str(error)) from error
    except UnfitError as error:
        raise HTTPException(422, str(error)) from error


async def _deliver(box: Box, request: Request) -> Response:
    # 1. The request itself.
    received = await _received(box, request)
    # 2. Its signature, as far as it can be judged without the key.
    claim = signatures.parse(received)
    signatures.check(claim, received, now())
    # 3. Whose activity it is, and whether that server may deliver.
    activity = _decoded(received.body)
    actor = values.identifier(activity.get("actor"))
    host = host_of(actor)
    if not host or host != host_of(claim.key_id):
        raise IntegrityError("the key is not the actor's")
    if not box.allowed & {host, ANY}:
        raise NotTheirsError("this server takes deliveries of some hosts only, not of the sender's")
    # 4. The signature, by the actor's key.
    is_there = await box.peers.verify(claim, received, actor)
    box.rates.take(host)
    if not is_there and not _is_farewell(activity, actor):
        raise IntegrityError("the sender is deleted")
    # 5. Not the same a second time.
    if await to_thread.run_sync(_was_seen, box.rights, claim):
        raise HTTPException(409, "this was delivered before")
    # 6. About nothing but what is the actor's; then it is stored.
    if (taken := owned(activity, actor)) is not None:
        items = items_of(taken)
        pseudonyms = box.rights.workspace.pseudonyms
        await to_thread.run_sync(check_stored, items, actor, box.store, pseudonyms)
        await box.intake.store(items)
    await to_thread.run_sync(_remember, box.rights, claim)
    return _answered(box, activity, actor)


async def _received(box: Box, request: Request) -> claims.Request:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES or "content-encoding" in request.headers:
        raise HTTPException(415, f"expected {' or '.join(MEDIA_TYPES)}, not packed")
    query = f"?{request.url.query}" if request.url.query else ""
    return claims.Request(
        request.method,
        # As its sender saw it, whatever proxy stands before us: a signature is for one host.
        f"{box.actor.inbox}{query}",
        tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers.raw),
        await whole(request, box.limits.max_bytes),
    )


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, "the body is not a JSON object in UTF-8") from error


def _is_farewell(activity: dict[str, Any], actor: str) -> bool:
    """Whether an activity deletes the actor itself."""
    is_deletion = values.kinds(activity) == {"Delete"}
    return is_deletion and values.identifier(activity.get("object")) == actor


def _was_seen(rights: Rights, claim: Claim) -> bool:
    known = select(seen_signatures).where(seen_signatures.c.fingerprint == claim.fingerprint)
    with rights.reading() as connection:
        return connection.execute(known).first() is not None


def _remember(rights: Rights, claim: Claim) -> None:
    """Keep a signature for as long as it would be taken; two at once change nothing."""
    moment = now()
    with rights.writing() as connection:
        connection.execute(
            delete(seen_signatures).where(
                (seen_signatures.c.until < moment)
                | (seen_signatures.c.fingerprint == claim.fingerprint)
            )
        )
        row = {"fingerprint": claim.fingerprint, "until": moment + OLDEST + NEWEST}
        connection.execute(insert(seen_signatures).values(row))


def _answered(box: Box, activity: dict[str, Any], actor: str) -> Response:
    follows = values.kinds(activity) == {FOLLOW} and box.actor.is_followed_by(activity)
    # Without an Accept nothing would be delivered.
    task = BackgroundTask(_accept, box, activity, actor) if follows else None
    return JSONResponse({}, 202, background=task)


async def _accept(box: Box, follow: dict[str, Any], actor: str) -> None:
    """Accept a Follow; if the other server does not hear it, it asks again."""
    try:
        address = _inbox_of(await box.peers.document(actor), actor)
        accept = box.actor.acceptance(follow, secrets.token_hex(8))
        headers = (("Content-Type", MEDIA_TYPE),)
        sent = box.actor.signed(claims.Request("POST", address, headers, accept), now())
        answer = await box.outbound.send(sent)
        log.info("a follow was accepted; the other server answered %s", answer.status)
    except (SaysoError, HTTPException, NotTheirsError, UnfitError):
        log.warning("a follow could not be accepted; the other server has to ask again")


def _inbox_of(document: dict[str, Any], actor: str) -> str:
    address = values.identifier(document.get("inbox"))
    if host_of(address) != host_of(actor):
        raise NotTheirsError("an inbox on another host")
    return address
