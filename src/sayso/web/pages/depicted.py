"""The form for people whom others' posts name, quote or show; they need no account."""

from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.corpus import depicted
from sayso.errors import UsageError
from sayso.rights.objection import Given, Objection
from sayso.rights.requests import Contact
from sayso.web import naming, objecting
from sayso.web.languages import choose
from sayso.web.pages import cases, sentences
from sayso.web.pages.checks import address_problem
from sayso.web.pages.objection import CHANNEL
from sayso.web.rendering import page, translate
from sayso.web.site import in_turn, site_of
from sayso.web.throttle import throttle_of

KINDS: Final = ("named", "quoted", "shown")
LONGEST_NAME: Final = 200
router = APIRouter(include_in_schema=False)
EMPTY: Final[dict[str, Any]] = {
    "links": "",
    "name": "",
    "context": "",
    "account": "",
    "kinds": (),
    "email": "",
    "own_words": "",
    "confirmed": False,
}


@router.get("/object/depicted")
def form(request: Request) -> Response:
    """Show the form."""
    return _form(request, {}, EMPTY)


@router.post("/object/depicted")
async def receive(
    request: Request,
    links: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    context: Annotated[str, Form()] = "",
    account: Annotated[str, Form()] = "",
    kinds: Annotated[tuple[str, ...], Form()] = (),
    email: Annotated[str, Form()] = "",
    own_words: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Accept the objection and lead on to its page."""
    own_words = sentences.cleaned(own_words)
    filled: dict[str, Any] = {
        "links": links,
        "name": name,
        "context": context,
        "account": account,
        "kinds": kinds,
        "email": email,
        "own_words": own_words,
        "confirmed": confirmed,
    }
    errors = sentences.complaint(request, own_words) | address_problem(request, email)
    addresses = tuple(links.split())
    if not (addresses or name.strip()):
        errors["links"] = translate(request, "Please give a link to a post, or your name.")
    if len(addresses) > depicted.MOST_LINKS or max(map(len, addresses), default=0) > 2048:
        errors["links"] = translate(
            request, "Please give at most %(count)s links.", count=depicted.MOST_LINKS
        )
    if max(len(name), len(context), len(account)) > LONGEST_NAME:
        errors["name"] = translate(
            request, "Please use at most %(count)s characters.", count=LONGEST_NAME
        )
    if not confirmed:
        errors["confirmed"] = translate(request, "Please confirm this.")
    if errors:
        return _form(request, errors, filled, 422)
    throttle = throttle_of(request)
    throttle.client(request)
    heard = email.strip() if email.strip() and throttle.may_mail(email) else ""
    told = [kind for kind in KINDS if kind in kinds]
    given = Given(
        name="",
        typed=(account.strip(),) if account.strip() else (),
        reason=own_words,
        channel=CHANNEL,
        confirmed_by="",
        evidence=msgspec.json.encode({"as": told}).decode() if told else "",
        contact=Contact(email=heard, language=choose(request)),
    )
    try:
        made = await in_turn(
            site_of(request),
            partial(_accept, request, given, account, name, naming.listed(context), addresses),
        )
    except UsageError:
        # What is left to be wrong is a name that could be anybody's.
        errors["name"] = translate(
            request,
            "This alone could be anybody's. Please give first and last name, or a word that stands "
            "near it, such as a place, a club or a job.",
        )
        return _form(request, errors, filled, 422)
    response = RedirectResponse(f"/object/{made.number}", 303)
    cases.keep(request, response, [made])
    return response


def _accept(
    request: Request,
    given: Given,
    account: str,
    name: str,
    context: tuple[str, ...],
    links: tuple[str, ...],
) -> Objection:
    site = site_of(request)
    meant = ""
    if account.strip():
        with site.rights.reading() as connection:
            meant = naming.resolve(connection, account)
    return depicted.object_to_items(
        site.workspace, given, account=meant, name=name, context=context, links=links
    )


def _form(
    request: Request, errors: dict[str, str], filled: dict[str, Any], status: int = 200
) -> Response:
    return page(
        request,
        "object_depicted.html",
        status=status,
        errors=errors,
        filled=filled,
        services=objecting.services(site_of(request)),
        longest_own_words=sentences.LONGEST_OWN_WORDS,
        longest_name=LONGEST_NAME,
    )
