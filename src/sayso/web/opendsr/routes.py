"""The endpoints of OpenDSR: discovery, requests, their status, cancelling, the certificate."""

import base64
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sayso.rights import agent_requests
from sayso.rights.agent_requests import AgentRequest, NotYoursError, OtherContentError, Wanted
from sayso.rights.agents import Agent
from sayso.rights.database import now
from sayso.rights.objection import OLDEST
from sayso.web.agents import asking
from sayso.web.agents.asking import OBJECT
from sayso.web.agents.calling import LONGEST_BODY, TOKEN, address, caller
from sayso.web.bodies import whole
from sayso.web.opendsr import certificate, status
from sayso.web.opendsr.asked import Asked, read
from sayso.web.opendsr.status import RequestStatus
from sayso.web.site import Site, site_of

PREFIX: Final = "/opendsr"
# Section 3.4: addresses begin with the version; without one, it is the newest.
PREFIXES: Final = (PREFIX, f"{PREFIX}/v3", f"{PREFIX}/v2")
SUPPORTED: Final = ("controller_customer_id", "email")
DOES: Final = (
    "This processor meets objections to the training of AI models (GDPR Art. 21). What the person "
    "wrote is not trained on any more, is removed from this processor's own copies, and the models "
    "are rebuilt as if it had never been there. Nothing is erased at the controller: where that is "
    "wanted, the controller erases. Access, portability and erasure are not offered here."
)
UUID4: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
router = APIRouter(tags=["OpenDSR"])
RequestId = Annotated[str, Path(description="The `subject_request_id`.")]


class Supported(BaseModel):
    """A kind of identity that tells an account here."""

    identity_type: str = Field(description="`controller_customer_id` is an account's name.")
    identity_format: Literal["raw"] = Field(default="raw", description="Hashes tell us nothing.")


class Discovery(BaseModel):
    """What is supported (section 6.3)."""

    api_version: str = Field(description="The newest version.")
    supported_identities: list[Supported] = Field(description="What may name a person.")
    supported_subject_request_types: list[str] = Field(description="What may be asked for.")
    processor_certificate: str = Field(description="Where the certificate is.")
    processor_domain: str = Field(description="The domain that it is for.")
    description: str = Field(description="What exactly is done.")


class Created(BaseModel):
    """An accepted request (section 7.3)."""

    controller_id: str = Field(description="The agent's id here.")
    expected_completion_time: str = Field(description="The latest day of the answer (RFC 3339).")
    received_time: str = Field(description="It holds from this moment (RFC 3339).")
    encoded_request: str = Field(description="The request's body in base64.")
    subject_request_id: str = Field(description="What the controller calls the request.")
    api_version: str = Field(
        default=status.VERSION, description="The version of the answer's shape."
    )
    ignored: list[str] = Field(description="What of the request could not be heeded, in words.")


class Cancelled(BaseModel):
    """A cancelled request (section 9.2)."""

    controller_id: str = Field(description="The agent's id here.")
    received_time: str = Field(description="When the cancellation came (RFC 3339).")
    subject_request_id: str = Field(description="What the controller calls the request.")
    expected_completion_time: None = Field(default=None, description="Nothing is to come.")
    api_version: str = Field(
        default=status.VERSION, description="The version of the answer's shape."
    )


class Fault(BaseModel):
    """What an error says (section 7.6)."""

    code: int = Field(description="The HTTP status.")
    message: str = Field(description="What is wrong.")


class OpenDsrProblem(BaseModel):
    """An error (section 7.5)."""

    error: Fault = Field(description="What is wrong.")


_SIGNED: Final = {
    "headers": {
        certificate.DOMAIN_HEADER: {"schema": {"type": "string"}},
        certificate.SIGNATURE_HEADER: {
            "schema": {"type": "string"},
            "description": "Base64 of the signature of the body: SHA-256, by the certificate's key",
        },
    }
}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": OpenDsrProblem, "description": "It cannot be read, or is not supported."},
    401: {"model": OpenDsrProblem, "description": "No valid token."},
    404: {"model": OpenDsrProblem, "description": "No request of this controller."},
    409: {"model": OpenDsrProblem, "description": "The id was used for another request."},
    413: {"model": OpenDsrProblem, "description": f"Longer than {LONGEST_BODY} bytes."},
    429: {"model": OpenDsrProblem, "description": "Too many requests; see Retry-After."},
}
_READ_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    code: _ERRORS[code] for code in (401, 404, 429)
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "Section 7.1; `subject_identities` as version 2 or 3 has them.",
    }
}
_DEPENDS: Final = [Depends(TOKEN)]


@router.get("/discovery", summary="What may be asked for here")
async def discover(request: Request) -> Discovery:
    """Return what is supported, and what exactly is done about it."""
    site = site_of(request)
    ours = await to_thread.run_sync(certificate.processor, site.workspace)
    return Discovery(
        api_version=status.VERSION,
        supported_identities=[Supported(identity_type=kind) for kind in SUPPORTED],
        supported_subject_request_types=[OBJECT],
        processor_certificate=f"{address(request)}{PREFIX}/certificate.pem",
        processor_domain=ours.domain,
        description=DOES,
    )


@router.get("/certificate.pem", summary="The certificate that signs")
async def get_certificate(request: Request) -> Response:
    """Return the processor's certificate (X.509, PEM)."""
    ours = await to_thread.run_sync(certificate.processor, site_of(request).workspace)
    return Response(ours.certificate, media_type="application/x-pem-file")


@router.post(
    "/requests",
    status_code=201,
    summary="Object for a person",
    response_model=Created,
    responses={201: _SIGNED, **_ERRORS},
    openapi_extra=_BODY,
    dependencies=_DEPENDS,
)
async def create(request: Request) -> Response:
    """Accept an objection; the same `subject_request_id` once more is the same request."""
    site, agent = site_of(request), await caller(request)
    body = await whole(request, LONGEST_BODY)
    said = read(body)
    if said.subject_request_type != OBJECT:
        raise HTTPException(400, f"subject_request_type: this processor meets {OBJECT} alone")
    if not re.fullmatch(UUID4, said.subject_request_id):
        raise HTTPException(400, "subject_request_id: a UUID of version 4 in small letters")
    wanted, ignored = await to_thread.run_sync(_wanted, site, agent, said)
    try:
        asked, standing = await asking.accept(request, wanted)
    except OtherContentError as error:
        raise HTTPException(409, str(error)) from error
    answer = Created(
        controller_id=agent.name,
        expected_completion_time=status.moment(standing.due_at),
        received_time=status.moment(standing.received_at),
        encoded_request=base64.b64encode(body).decode("ascii"),
        subject_request_id=asked.called,
        ignored=ignored,
    )
    return await _signed(site, answer.model_dump(mode="json"), 201)


@router.get(
    "/requests/{subject_request_id}",
    summary="See how far a request has come",
    response_model=RequestStatus,
    responses={200: _SIGNED, **_READ_ERRORS},
    dependencies=_DEPENDS,
)
async def get_status(request: Request, subject_request_id: RequestId) -> Response:
    """Return the status of one of the controller's own requests."""
    site, agent = site_of(request), await caller(request)
    asked, standing = await _own(site, agent, subject_request_id)
    return await _signed(site, status.told(asked, standing), 200)


@router.delete(
    "/requests/{subject_request_id}",
    status_code=202,
    summary="Cancel a request",
    response_model=Cancelled,
    responses={202: _SIGNED, **_ERRORS},
    dependencies=_DEPENDS,
)
async def cancel(request: Request, subject_request_id: RequestId) -> Response:
    """Cancel a request that is pending (section 9); in effect already, it is the person's."""
    site, agent = site_of(request), await caller(request)
    asked, standing = await _own(site, agent, subject_request_id)
    if standing.state not in ("waiting", "withdrawn"):
        raise HTTPException(
            400, "this request is not pending any more; only the person withdraws the objection"
        )
    if standing.state == "waiting":
        try:
            await asking.revoke(site, asked)
        except NotYoursError as error:
            raise HTTPException(400, error.problem) from error
    answer = Cancelled(
        controller_id=agent.name,
        received_time=status.moment(now()),
        subject_request_id=asked.called,
    )
    return await _signed(site, answer.model_dump(mode="json"), 202)


def _wanted(site: Site, agent: Agent, said: Asked) -> tuple[Wanted, list[str]]:
    """Return what is asked for, and in words what of it is not heeded."""
    of = {kind: [i.value for i in said.identities if i.is_of(kind)] for kind in SUPPORTED}
    accounts, emails = (of[kind] for kind in SUPPORTED)
    if not accounts and not emails:
        raise HTTPException(
            400, f"subject_identities: none of {', '.join(SUPPORTED)} with the format raw"
        )
    if len(emails) > 1:
        raise HTTPException(400, "subject_identities: more than one e-mail address")
    names = asking.checked_names(accounts)
    callbacks, called = asking.split_callbacks(agent, said.status_callback_urls)
    ignored = []
    if len(accounts) + len(emails) < len(said.identities):
        ignored.append("identities of other types or formats")
    if not called:
        ignored.append("status_callback_urls that are at no host of this controller's")
    wanted = Wanted(
        agent=agent,
        protocol="opendsr",
        called=said.subject_request_id,
        accounts=asking.resolved(site, names, shown=agent.verifies),
        email=emails[0] if emails else "",
        email_shown=agent.verifies,
        callbacks=callbacks,
        evidence=msgspec.json.encode({"agent": agent.name, "protocol": "opendsr"}).decode(),
        received_at=_received(said.submitted_time),
    )
    return wanted, ignored


def _received(text: str) -> datetime | None:
    """Return when the person asked the controller: the deadline counts from there.

    None = now, for what lies in the future or too far back to be meant.
    """
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise HTTPException(400, "submitted_time: a date of RFC 3339 was expected") from None
    return at if now() - OLDEST < at < now() else None


async def _own(
    site: Site, agent: Agent, called: str
) -> tuple[AgentRequest, agent_requests.Standing]:
    def find(connection: Connection) -> AgentRequest | None:
        if not re.fullmatch(UUID4, called):
            return None
        return agent_requests.by_called(connection, agent.name, "opendsr", called)

    found = await asking.look_up(site, find)
    if found is None:
        raise HTTPException(404, "there is no request of this id")
    return found


async def _signed(site: Site, answer: dict[str, Any], status_code: int) -> Response:
    body = msgspec.json.encode(answer)

    def headers() -> dict[str, str]:
        return certificate.processor(site.workspace).headers(body)

    signed = await to_thread.run_sync(headers)
    return Response(body, status_code, signed, media_type="application/json")
