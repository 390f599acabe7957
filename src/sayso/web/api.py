"""The JSON API of objections: a claim from anybody, or an objection by a service's own key."""

from datetime import datetime
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.security import HTTPAuthorizationCredentials
from msgspec.structs import replace
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.responses import Response

from sayso.rights import steps
from sayso.rights.objection import ALL_SERVICES, LONGEST_REASON, Given, Objection
from sayso.rights.requests import Contact
from sayso.web import naming, objecting
from sayso.web.languages import choose
from sayso.web.objecting import LONGEST_NAME, NUMBER
from sayso.web.pages import cases
from sayso.web.service_keys import BEARER, key_in, vouched
from sayso.web.site import Site, site_of
from sayso.web.throttle import throttle_of

CHANNEL: Final = "interface"
router = APIRouter(prefix="/api", tags=["objections"])

STATES: Final = ("pending", "confirmed", "withdrawn", "lapsed")
Number = Annotated[str, Path(pattern=NUMBER, description="An objection's number.")]


class NewObjection(BaseModel):
    """An objection to AI training."""

    account: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=r"\S",
        description="The person's account. Unknown ones are accepted and hold for whatever arrives "
        "later. With a key: the account exactly as it is named in its records.",
        examples=["member-1@forum"],
    )
    services: list[str] = Field(
        default=[ALL_SERVICES],
        min_length=1,
        max_length=100,
        description="Names of services, or `*` for all, present and future.",
    )
    reason: str = Field(
        default="",
        max_length=LONGEST_REASON,
        description="Optional. It is recorded and never judged.",
    )
    email: str = Field(
        default="",
        max_length=320,
        description="Optional: gets a letter at each step. If the service knows it as this "
        "account's, the link in the first one confirms a claim.",
    )
    callbacks: list[str] = Field(
        default=[],
        max_length=3,
        description="Addresses that are called at each step; only with a key.",
    )


class Accepted(BaseModel):
    """One accepted objection."""

    number: str = Field(description="Names this objection from now on.")
    service: str = Field(description="The service it covers; `*` for all.")
    state: str = Field(
        json_schema_extra={"enum": [*STATES]},
        description="`confirmed`, if a key vouched for it: the models are cleared. `pending`: "
        "nothing new is trained on, and the models are cleared once it is confirmed.",
    )
    receipt: str = Field(
        description="A signed receipt, a compact JWS (RFC 7515); the key is at /keys/receipts. "
        "It names the person: keep it."
    )
    status_url: str = Field(description="The page that shows how far it has come.")


class AcceptedAll(Accepted):
    """What an objection led to; number, receipt and status_url are those of the first service."""

    account_known: bool | None = Field(
        description="Only with a key, else null. False if nothing of this account has been seen "
        "so far: check its spelling. The objection stands all the same."
    )
    objections: list[Accepted] = Field(description="One for each service named.")


class Step(BaseModel):
    """One step of an objection, taken or to come."""

    name: str = Field(
        json_schema_extra={"enum": [*steps.ORDER, "withdrawn", "lapsed"]},
        description="The step; they come in this order.",
    )
    at: datetime | None = Field(description="When it was taken; null while it is to come.")
    release: str | None = Field(
        default=None, description="The release that is without the person, of `models_cleared`."
    )
    release_hash: str | None = Field(default=None, description="That release's hash.")
    signature: str | None = Field(
        default=None, description="The step, signed as the receipt is (JWS); null while to come."
    )


class Status(BaseModel):
    """How far an objection has come. Nothing here tells whose it is."""

    number: str = Field(description="Names this objection.")
    service: str = Field(description="The service it covers; `*` for all.")
    state: str = Field(
        json_schema_extra={"enum": [*STATES]},
        description="`pending` until it is known to come from the person.",
    )
    received_at: datetime = Field(description="Nothing new is trained on from this moment.")
    answer_due_at: datetime = Field(description="The latest day of the answer (GDPR Art. 12(3)).")
    withdrawn_at: datetime | None = Field(description="Null while it stands.")
    steps: list[Step] = Field(
        description="In order, taken or to come; `models_cleared` once for each release."
    )


@router.post(
    "/objections", status_code=201, response_model=AcceptedAll, summary="Object to AI training"
)
async def post_objection(
    request: Request,
    new: NewObjection,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Response:
    """Accept an objection at once and return its signed receipt.

    From this moment no training that starts uses the person's records. Without a key it is a claim
    that anybody could have made, so it waits to be confirmed before anything is taken back. With
    the key of a service (`Authorization: Bearer KEY`), the service vouches for its own member: the
    served model is replaced by one without them, and the touched parts are rebuilt.
    """
    site = site_of(request)
    contact = Contact(new.email.strip(), choose(request), tuple(new.callbacks))
    if credentials is None:
        contact = _throttled(request, new, contact)
    given, known = await site.read(partial(_ready, site, credentials, new, contact))
    made = await site.gathering.put(given)
    told = [_accepted(request, objection) for objection in made]
    answer = AcceptedAll(**told[0].model_dump(), account_known=known, objections=told)
    # It is checked already; to check it again would take as long as all the rest of it.
    return Response(answer.model_dump_json(), 201, media_type="application/json")


@router.get("/objections/{number}", summary="See how far an objection has come")
def get_objection(request: Request, number: Number) -> Status:
    """Return an objection's scope, state and steps; not whose it is."""
    site = site_of(request)
    objection = cases.find(site, number)
    with site.rights.reading() as connection:
        taken = steps.of(connection, number)
    last = taken[-1].state if taken else ""
    names = {step.state for step in taken}
    to_come = () if last in steps.LAST else [name for name in steps.ORDER if name not in names]
    return Status(
        number=number,
        service=objection.service,
        state="withdrawn" if objection.withdrawn_at else objection.state,
        received_at=objection.received_at,
        answer_due_at=objection.due_at,
        withdrawn_at=objection.withdrawn_at,
        steps=[
            *(
                Step(
                    name=step.state,
                    at=step.at,
                    release=step.release or None,
                    release_hash=step.release_hash or None,
                    signature=step.signature,
                )
                for step in taken
            ),
            *(Step(name=name, at=None) for name in to_come),
        ],
    )


def _throttled(request: Request, new: NewObjection, contact: Contact) -> Contact:
    """Count a claim; return whom to write to, if there is a letter left for them today."""
    if contact.callbacks:
        raise HTTPException(403, "callbacks need a key; send `Authorization: Bearer KEY`")
    throttle = throttle_of(request)
    throttle.client(request)
    if not throttle.may_claim(new.account, new.services):
        raise HTTPException(
            429,
            "many claims came for this account today, so nothing new is trained on it any more",
            headers={"Retry-After": "3600"},
        )
    heard = contact.email if contact.email and throttle.may_mail(contact.email) else ""
    return Contact(heard, contact.language)


def _ready(
    site: Site,
    credentials: HTTPAuthorizationCredentials | None,
    new: NewObjection,
    contact: Contact,
    connection: Connection,
) -> tuple[Given, bool | None]:
    """Return what is handed in, and whether its account is known if a key asks that."""
    typed, known = new.account.strip(), None
    given = Given(
        name=typed,
        services=tuple(new.services),
        reason=new.reason,
        channel=CHANNEL,
        confirmed_by="service" if credentials else "",
        contact=contact,
    )
    if credentials:
        key = key_in(connection, site.rights, credentials)
        known = vouched(connection, key, typed).known
    else:
        given = replace(given, name=naming.resolve(connection, typed), typed=(typed,))
    return objecting.ready(site, given, connection), known


def _accepted(request: Request, objection: Objection) -> Accepted:
    return Accepted(
        number=objection.number,
        service=objection.service,
        state=objection.state,
        receipt=objection.receipt,
        status_url=f"{request.base_url}object/{objection.number}",
    )
