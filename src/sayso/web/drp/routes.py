"""The endpoints of the Data Rights Protocol (sections 2.01 to 2.06), under /drp."""

from typing import Any, Final
from uuid import UUID

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from sayso.errors import UsageError
from sayso.rights import agent_requests, agents
from sayso.rights.agent_requests import (
    AgentRequest,
    NotYoursError,
    OtherContentError,
    Wanted,
)
from sayso.rights.agents import Agent
from sayso.web.agents import asking
from sayso.web.agents.asking import OBJECT
from sayso.web.agents.calling import LONGEST_BODY, TOKEN, address, caller, rates_of
from sayso.web.bodies import whole
from sayso.web.drp import messages, status
from sayso.web.drp.asked import Exercise, accounts_of
from sayso.web.drp.messages import DrpError, Message
from sayso.web.drp.status import ExerciseStatus
from sayso.web.rates import client
from sayso.web.site import Site, site_of

REQUESTS: Final = "/drp/v1/data-rights-request"
router = APIRouter(tags=["Data Rights Protocol"])


class Business(BaseModel):
    """What agents need to know of this community: the entry of a directory (section 3.05.2)."""

    id: str = Field(description="Our `business-id`.")
    name: str = Field(description="The community's name.")
    version: str = Field(description="The version of the protocol.")
    api_base: str = Field(description="What comes before `/v1/…`.")
    actions: list[str] = Field(description="The rights that may be exercised.")
    supported_actions: list[str] = Field(description="The same, by its later name.")
    supported_verifications: list[str] = Field(description="What of a person is of use here.")
    user_relationships: list[str] = Field(description="None are told apart.")
    web_url: str = Field(description="The community's pages.")


class Registered(BaseModel):
    """An agent's token."""

    agent_id: str = Field(alias="agent-id", description="Whose token it is.")
    token: str = Field(description="To be sent as `Authorization: Bearer TOKEN` from now on.")


class DrpProblem(BaseModel):
    """An error (section 3.06)."""

    code: str = Field(description="The HTTP status.")
    message: str = Field(description="What is wrong.")
    fatal: bool = Field(default=False, description="Whether it would fail again.")


_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "Base64 of an Ed25519 signature with the JSON behind it (section 3.07.1).",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": DrpProblem, "description": "No base64, not good now, or not to be read."},
    401: {"model": DrpProblem, "description": "No valid token."},
    403: {"model": DrpProblem, "description": "Not signed by this agent, or for others."},
    409: {"model": DrpProblem, "description": "Used before, or no longer to be revoked."},
    413: {"model": DrpProblem, "description": f"Longer than {LONGEST_BODY} bytes."},
    429: {"model": DrpProblem, "description": "Too many requests; see Retry-After."},
}
_READ_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    code: _ERRORS[code] for code in (401, 403, 429)
}
_DEPENDS: Final = [Depends(TOKEN)]


@router.get("/.well-known/data-rights.json", summary="What agents may ask for here")
def discover(request: Request) -> Business:
    """Return what agents need to know; the fields are those of 0.8 and of the later directory."""
    site, base = site_of(request), address(request)
    return Business(
        id=_business(site),
        name=site.community,
        version=messages.VERSION,
        api_base=f"{base}/drp",
        actions=[OBJECT],
        supported_actions=[OBJECT],
        supported_verifications=["email"],
        user_relationships=[],
        web_url=f"{base}/",
    )


@router.post(
    REQUESTS,
    summary="Object for a person",
    response_model=ExerciseStatus,
    response_model_exclude_none=True,
    responses=_ERRORS,
    openapi_extra=_BODY,
    dependencies=_DEPENDS,
)
async def exercise(request: Request) -> JSONResponse:
    """Accept an objection, known or unknown as its account may be.

    The same `agent-request-id` once more is the same request; the same message is refused.
    """
    site, agent = site_of(request), await caller(request)
    message = await _message(request, agent)
    said: Exercise = message.read(Exercise)
    if not said.version.startswith(messages.READ):
        raise DrpError(400, f"`drp.version` is not {messages.VERSION}", fatal=True)
    if said.exercise != OBJECT:
        raise DrpError(400, f"Unsupported rights action; this community meets {OBJECT}", fatal=True)
    if not asking.is_name(said.agent_request_id or "-"):
        raise DrpError(400, "`agent-request-id` is too long, or no plain text", fatal=True)
    accounts = await to_thread.run_sync(accounts_of, site, agent, said)
    callbacks, called = asking.split_callbacks(agent, filter(None, [said.status_callback]))
    wanted = Wanted(
        agent=agent,
        protocol="drp",
        called=said.agent_request_id or "",
        accounts=accounts,
        email=said.email or "",
        email_shown=agent.verifies and said.email_verified is True,
        callbacks=callbacks,
        evidence=_evidence(agent, message),
    )
    try:
        asked, standing = await asking.accept(
            request, wanted, lambda connection: message.use(connection, site.workspace)
        )
    except OtherContentError as error:
        raise DrpError(409, str(error), fatal=True) from error
    except UsageError as error:
        raise DrpError(400, error.problem, fatal=True) from error
    return JSONResponse(status.told(asked, standing, address(request), called=called))


router.post(f"{REQUESTS}/", include_in_schema=False)(exercise)  # as before 0.9.3


@router.get(
    REQUESTS + "/{request_id}",
    summary="See how far a request has come",
    response_model=ExerciseStatus,
    response_model_exclude_none=True,
    responses=_READ_ERRORS,
    dependencies=_DEPENDS,
)
async def get_status(request: Request, request_id: str) -> JSONResponse:
    """Return the status of one of the agent's own requests."""
    agent = await caller(request)
    asked, standing = await _own(site_of(request), agent, request_id)
    return JSONResponse(status.told(asked, standing, address(request)))


@router.delete(
    REQUESTS + "/{request_id}",
    summary="Revoke a request",
    response_model=ExerciseStatus,
    response_model_exclude_none=True,
    responses=_ERRORS,
    openapi_extra=_BODY,
    dependencies=_DEPENDS,
)
async def revoke(request: Request, request_id: str) -> JSONResponse:
    """Withdraw a request that is in progress; what its person confirmed is theirs to withdraw.

    The message has `reason` (it may be missing) beside the envelope of every message: without one
    that is good for a short time, whoever saw it once could revoke anything with it.
    """
    site, agent = site_of(request), await caller(request)
    message = await _message(request, agent)
    asked, standing = await _own(site, agent, request_id)

    def used() -> None:
        with site.rights.writing() as connection:
            message.use(connection, site.workspace)

    await to_thread.run_sync(used, limiter=site.writer)
    if standing.state != "withdrawn":
        try:
            standing = await asking.revoke(site, asked)
        except NotYoursError as error:
            raise DrpError(409, error.problem, fatal=True) from error
    return JSONResponse(status.told(asked, standing, address(request)))


@router.post(
    "/drp/v1/agent/{agent_id}",
    summary="Get a token",
    response_model=Registered,
    responses={
        403: {"description": "The message is not as it should be; without a body."},
        429: _ERRORS[429],
    },
    openapi_extra=_BODY,
)
async def register(request: Request, agent_id: str) -> Response:
    """Make an agent's token, in place of an earlier one; the message says who it is."""
    site = site_of(request)
    rates_of(request).take(client(request))
    body = await whole(request, LONGEST_BODY)

    def work() -> str:
        agent = agents.find(site.rights, agent_id)
        if agent is None:
            raise DrpError(403, "no agent of this id")
        message = messages.checked(body, agent, _business(site))
        with site.rights.writing() as connection:
            message.use(connection, site.workspace)
            return agents.new_token(connection, site.rights, agent.name)

    try:
        token = await to_thread.run_sync(work, limiter=site.writer)
    except DrpError:
        return Response(status_code=403)  # section 2.05.1: without a word
    return JSONResponse({"agent-id": agent_id, "token": token})


@router.get(
    "/drp/v1/agent/{agent_id}",
    summary="See whether a token is good",
    response_model=dict[str, str],
    responses=_READ_ERRORS,
    dependencies=_DEPENDS,
)
async def known(request: Request, agent_id: str) -> JSONResponse:
    """Return an empty document to the agent of this id."""
    if (await caller(request)).name != agent_id:
        raise DrpError(403, "this token is another agent's")
    return JSONResponse({})


def _business(site: Site) -> str:
    return site.workspace.settings.agents.business_id


async def _message(request: Request, agent: Agent) -> Message:
    body = await whole(request, LONGEST_BODY)
    return messages.checked(body, agent, _business(site_of(request)))


async def _own(
    site: Site, agent: Agent, request_id: str
) -> tuple[AgentRequest, agent_requests.Standing]:
    """Return a request of this agent by its protocol; of all others nothing is told (2.02.1)."""

    def find(connection: Connection) -> AgentRequest | None:
        try:
            found = agent_requests.find(connection, UUID(request_id).hex)
        except ValueError:
            return None
        is_theirs = found and (found.agent, found.protocol) == (agent.name, "drp")
        return found if is_theirs else None

    found = await asking.look_up(site, find)
    if found is None:
        raise DrpError(403, "this is no request of this agent")
    return found


def _evidence(agent: Agent, message: Message) -> str:
    """Return what proves that the agent asked: its signature, and what it goes with."""
    told = {"agent": agent.name, "protocol": "drp", "signature": message.signature}
    return msgspec.json.encode(told).decode()
