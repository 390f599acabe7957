"""/channels/<name>: what platforms deliver. Answered at once, worked on after it."""

import logging
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from sayso.assistant.channels import meta
from sayso.errors import InputError, IntegrityError
from sayso.web.bodies import whole
from sayso.web.channels.desk import Desk, FullError
from sayso.web.channels.doors import Door
from sayso.web.gathering import later

PREFIX: Final = "/channels"
LONGEST_BODY: Final = 3 * 1024 * 1024  # WhatsApp's longest delivery
log = logging.getLogger("sayso.channels")


def router(doors: dict[str, Door], desk: Desk) -> APIRouter:
    """Return the routes of the channels that come by webhook.

    Args:
        doors: the enabled channels.
        desk: takes what was read.
    """
    made = APIRouter(prefix=PREFIX, include_in_schema=False)
    for name, door in doors.items():
        if door.read is not None:
            _mount(made, name, door, desk)
    return made


def _mount(made: APIRouter, name: str, door: Door, desk: Desk) -> None:
    read = door.read
    assert read is not None  # see above

    @made.post(f"/{name}")
    async def deliver(request: Request) -> Response:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "expected a body that is not packed")
        body = await whole(request, LONGEST_BODY)
        try:
            desk.take(read(request.headers, body))
        except IntegrityError as error:
            log.info("a delivery of %s was refused: %s", name, error.problem)
            raise HTTPException(403, error.problem) from error
        except InputError as error:
            raise HTTPException(400, error.problem) from error
        except FullError as error:
            # The platform delivers it again.
            raise later("too many messages wait", 30) from error
        return JSONResponse({})

    if not door.verify_token:
        return

    @made.get(f"/{name}")
    def handshake(request: Request) -> Response:
        try:
            told = meta.challenge(request.query_params, door.verify_token)
        except IntegrityError as error:
            raise HTTPException(403, error.problem) from error
        return PlainTextResponse(told)
