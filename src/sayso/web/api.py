"""The JSON API of objections."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel, Field

from sayso.rights import objections
from sayso.rights.objection import ALL_SERVICES, LONGEST_REASON, Objection
from sayso.web import objecting
from sayso.web.objecting import LONGEST_NAME, NUMBER
from sayso.web.progress import Progress
from sayso.web.site import Site, site_of

router = APIRouter(prefix="/api", tags=["objections"])

StepName = Literal["received", "kept_out_of_training", "gone_from_serving", "rebuilt"]
Number = Annotated[str, Path(pattern=NUMBER, description="An objection's number.")]


class NewObjection(BaseModel):
    """An objection to AI training."""

    account: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=r"\S",
        description="The person's id or any of their accounts. Unknown ones are accepted and hold "
        "for whatever arrives later.",
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


class Accepted(BaseModel):
    """One accepted objection."""

    number: str = Field(description="Names this objection from now on.")
    service: str = Field(description="The service it covers; `*` for all.")
    receipt: str = Field(
        description="A signed receipt, a compact JWS (RFC 7515); the key is at /keys/receipts. "
        "It names the person: keep it."
    )
    status_url: str = Field(description="The page that shows how far it has come.")


class AcceptedAll(Accepted):
    """What an objection led to; number, receipt and status_url are those of the first service."""

    account_known: bool = Field(
        description="False if nothing of this account has been seen so far: check its spelling. "
        "The objection stands all the same."
    )
    objections: list[Accepted] = Field(description="One for each service named.")


class Step(BaseModel):
    """One of the four steps after an objection."""

    name: StepName = Field(description="The step; they come in this order.")
    at: datetime | None = Field(description="When it was done; null while it is to come.")
    release: str | None = Field(default=None, description="The release that did it.")


class Status(BaseModel):
    """How far an objection has come. Nothing here tells whose it is."""

    number: str = Field(description="Names this objection.")
    service: str = Field(description="The service it covers; `*` for all.")
    received_at: datetime = Field(description="It holds from this moment.")
    answer_due_at: datetime = Field(description="The latest day of the answer (GDPR Art. 12(3)).")
    withdrawn_at: datetime | None = Field(description="Null while it stands.")
    steps: list[Step] = Field(description="The four steps, in order, done or to come.")


@router.post("/objections", status_code=201, summary="Object to AI training")
async def post_objection(request: Request, new: NewObjection) -> AcceptedAll:
    """Accept an objection at once and return its signed receipt.

    From this moment no training that starts uses the person's records; the served model is
    replaced by one without them, and the touched parts are rebuilt.
    """
    site = site_of(request)
    made, known = await objecting.receive(site, new.account, new.services, new.reason)
    accepted = [_accepted(request, objection) for objection in made]
    return AcceptedAll(
        **accepted[0].model_dump(),
        account_known=known,
        objections=accepted,
    )


@router.get("/objections/{number}", summary="See how far an objection has come")
def get_objection(request: Request, number: Number) -> Status:
    """Return an objection's scope and its four steps; not whose it is."""
    site = site_of(request)
    objection, progress = look_up(site, number)
    moments: tuple[tuple[StepName, datetime | None, str], ...] = (
        ("received", progress.received_at, ""),
        ("kept_out_of_training", progress.received_at, ""),
        ("gone_from_serving", progress.gone_at, progress.gone_with),
        ("rebuilt", progress.rebuilt_at, progress.rebuilt_with),
    )
    return Status(
        number=number,
        service=objection.service,
        received_at=objection.received_at,
        answer_due_at=objection.due_at,
        withdrawn_at=progress.withdrawn_at,
        steps=[Step(name=n, at=at, release=release or None) for n, at, release in moments],
    )


def look_up(site: Site, number: str) -> tuple[Objection, Progress]:
    """Return an objection and how far it has come.

    Raises:
        HTTPException: 404; there is none of this number.
    """
    objection = objections.find(site.rights, number)
    progress = site.board.progress(number) if objection else None
    if objection is None or progress is None:
        raise HTTPException(404, "there is no objection of this number")
    return objection, progress


def _accepted(request: Request, objection: Objection) -> Accepted:
    return Accepted(
        number=objection.number,
        service=objection.service,
        receipt=objection.receipt,
        status_url=str(request.url_for("status", number=objection.number)),
    )
