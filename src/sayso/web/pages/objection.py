"""One form to object for all services at once, without a login."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.rights.objection import ALL_SERVICES, MOST_OF_ONE_CLAIM, Given
from sayso.rights.requests import Contact
from sayso.web import naming, objecting
from sayso.web.languages import choose
from sayso.web.pages import cases, checks, sentences
from sayso.web.rendering import page, translate
from sayso.web.site import Site, site_of
from sayso.web.throttle import throttle_of

CHANNEL: Final = "web form"
router = APIRouter(include_in_schema=False)
EMPTY: Final[dict[str, Any]] = {
    "accounts": "",
    "scope": "all",
    "services": (),
    "email": "",
    "reason": "",
    "own_words": "",
    "confirmed": False,
}


@router.get("/object")
def form(request: Request, number: str = "") -> Response:
    """Show the form, or lead on to the objection whose number was typed."""
    if number:
        return RedirectResponse(f"/object/{quote(number.strip().upper(), safe='')}", 303)
    return _form(request, {}, EMPTY)


@router.post("/object")
async def receive(
    request: Request,
    accounts: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "all",
    services: Annotated[tuple[str, ...], Form()] = (),
    email: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    own_words: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Accept the objection as a claim, and lead on to its page."""
    own_words, names = sentences.cleaned(own_words), naming.listed(accounts)
    filled: dict[str, Any] = {
        "accounts": accounts,
        "scope": scope,
        "services": services,
        "email": email,
        "reason": reason,
        "own_words": own_words,
        "confirmed": confirmed,
    }
    errors = sentences.complaint(request, own_words)
    if not names:
        errors["accounts"] = translate(request, "Please say whose posts it is about.")
    elif len(names) > naming.MOST_NAMES or any(len(n) > objecting.LONGEST_NAME for n in names):
        errors["accounts"] = translate(
            request, "Please name at most %(count)s accounts.", count=naming.MOST_NAMES
        )
    site = site_of(request)
    errors |= checks.services_problem(request, scope, services)
    if scope == "some" and len(names) * len(services) > MOST_OF_ONE_CLAIM:
        errors["services"] = translate(
            request, "Please choose all services, or fewer, or name fewer accounts."
        )
    errors |= checks.address_problem(request, email)
    if not confirmed:
        errors["confirmed"] = translate(request, "Please confirm this.")
    if errors:
        return _form(request, errors, filled, 422)
    throttle = throttle_of(request)
    throttle.client(request)
    where = services if scope == "some" else (ALL_SERVICES,)
    if not all(throttle.may_claim(name, where) for name in names):
        errors["accounts"] = translate(
            request,
            "Many objections came for one of these accounts today, so nothing new is trained on it "
            "any more. To make one yours, sign in, or ask the operator.",
        )
        return _form(request, errors, filled, 429)
    heard = email.strip() if email.strip() and throttle.may_mail(email) else ""
    meant = await to_thread.run_sync(_resolved, site, names)
    given = Given(
        name=meant[0],
        others=meant[1:],
        typed=names,
        services=where,
        reason=sentences.joined(request, reason, own_words),
        channel=CHANNEL,
        confirmed_by="",
        contact=Contact(email=heard, language=choose(request)),
    )
    made = await objecting.submit(site, given)
    response = RedirectResponse(f"/object/{made[0].number}", 303)
    cases.keep(request, response, made)
    return response


def _resolved(site: Site, names: tuple[str, ...]) -> tuple[str, ...]:
    with site.rights.reading() as connection:
        return tuple(naming.resolve(connection, name) for name in names)


def _form(
    request: Request,
    errors: dict[str, str],
    filled: dict[str, Any],
    status: int = 200,
) -> Response:
    return page(
        request,
        "object.html",
        status=status,
        errors=errors,
        services=objecting.services(site_of(request)),
        reasons=sentences.ready(request),
        longest_own_words=sentences.LONGEST_OWN_WORDS,
        filled=filled,
    )
