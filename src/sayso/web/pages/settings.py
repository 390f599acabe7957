"""A member's settings, down to the one about AI: where their accounts stand, and objecting."""

from typing import Annotated, Any, Final

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from msgspec import Struct
from starlette.responses import Response

from sayso.rights import objections, people
from sayso.rights.objection import ALL_SERVICES, OWN, Given, Objection
from sayso.web import objecting
from sayso.web.pages import cases, checks, sentences
from sayso.web.rendering import page
from sayso.web.signin import check_csrf, require
from sayso.web.site import Site, site_of

CHANNEL: Final = "settings"
AI: Final = "/settings/privacy/ai"
router = APIRouter(include_in_schema=False, prefix="/settings")
EMPTY: Final[dict[str, Any]] = {"scope": "all", "services": (), "reason": "", "own_words": ""}


class Standing(Struct, frozen=True):
    """One account of a member, and the objection that keeps it out, if there is one."""

    account: str
    handle: str
    service: str
    objection: Objection | None


@router.get("")
@router.get("/privacy")
def places(request: Request) -> Response:
    """Show where settings are: two steps lead to the one about AI."""
    require(request)
    part = request.url.path.rpartition("/")[2]
    return page(request, "settings.html", part=part)


@router.get("/privacy/ai")
def ai(request: Request) -> Response:
    """Show how the member's accounts stand, and the form to object."""
    return _ai(request, require(request).person, {}, EMPTY)


@router.post("/privacy/ai")
async def object_(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "all",
    services: Annotated[tuple[str, ...], Form()] = (),
    reason: Annotated[str, Form()] = "",
    own_words: Annotated[str, Form()] = "",
) -> Response:
    """Accept the member's objection: it comes from them, so it is in effect at once."""
    person = _member(request, csrf)
    own_words = sentences.cleaned(own_words)
    errors = sentences.complaint(request, own_words)
    errors |= checks.services_problem(request, scope, services)
    if errors:
        filled = {"scope": scope, "services": services, "reason": reason, "own_words": own_words}
        return await to_thread.run_sync(_ai, request, person, errors, filled, 422)
    given = Given(
        name=person,
        services=services if scope == "some" else (ALL_SERVICES,),
        reason=sentences.joined(request, reason, own_words),
        channel=CHANNEL,
        confirmed_by="member",
    )
    return await _accept(request, given)


@router.post("/privacy/ai/gpc")
async def object_by_signal(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
    """Take the browser's Global Privacy Control as the member's objection (GDPR Art. 21(5))."""
    said = request.headers.get("sec-gpc")
    evidence = {"signal": "Global Privacy Control", "read": "Sec-GPC" if said else "script"}
    given = Given(
        name=_member(request, csrf),
        channel=CHANNEL,
        confirmed_by="member",
        evidence=msgspec.json.encode(evidence | ({"value": said} if said else {})).decode(),
    )
    return await _accept(request, given)


def _member(request: Request, csrf: str) -> str:
    person = check_csrf(request, csrf).person
    if not person:
        raise HTTPException(403, "whoever is signed in has no posts here, so nothing to object to")
    return person


async def _accept(request: Request, given: Given) -> Response:
    made = await objecting.submit(site_of(request), given)
    return RedirectResponse(f"/object/{made[0].number}", 303)


def standing(site: Site, person: str) -> tuple[list[Standing], list[Objection]]:
    """Return a member's accounts, and their objections to all that they posted, oldest first."""
    made = [
        objection
        for objection in objections.of_person(site.rights, person)
        if objection.stands and objection.about == OWN and cases.is_number(objection.number)
    ]
    with site.rights.reading() as connection:
        theirs = people.of_person(connection, person)
    ordered = sorted(theirs, key=lambda account: (account.service, account.account))
    found = [
        Standing(
            account.account,
            account.handle,
            account.service,
            next((o for o in made if o.service in (ALL_SERVICES, account.service)), None),
        )
        for account in ordered
    ]
    return found, made


def _ai(
    request: Request,
    person: str,
    errors: dict[str, str],
    filled: dict[str, Any],
    status: int = 200,
) -> Response:
    found, made = standing(site_of(request), person) if person else ([], [])
    everywhere = next((o for o in made if o.service == ALL_SERVICES), None)
    return page(
        request,
        "settings_ai.html",
        status=status,
        path=AI,
        errors=errors,
        filled=filled,
        nobody=not person,
        accounts=found,
        services=sorted({a.service for a in found if a.objection is None}),
        objected_to_all=everywhere,
        partial=[] if everywhere else made,
        gpc=request.headers.get("sec-gpc") == "1",
        reasons=sentences.ready(request),
        longest_own_words=sentences.LONGEST_OWN_WORDS,
    )
