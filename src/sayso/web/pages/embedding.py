"""Objecting within a service's own page: a ticket instead of a login, and no cookie.

The ticket is good once, so what the form needs to know afterwards comes along in it, signed.
"""

from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Form, Request
from itsdangerous import BadData, URLSafeTimedSerializer
from msgspec import Struct, convert, to_builtins
from starlette.responses import Response

from sayso.rights import keyed, objections, tickets
from sayso.rights.objection import ALL_SERVICES, Given, Objection
from sayso.rights.tickets import TicketError
from sayso.web import objecting
from sayso.web.pages import cases, sentences
from sayso.web.rendering import page
from sayso.web.site import Site, site_of

CHANNEL: Final = "embedded page"
FORM_SECONDS: Final = 3600
router = APIRouter(include_in_schema=False, prefix="/embed")
EMPTY: Final[dict[str, Any]] = {"scope": "all", "reason": "", "own_words": ""}


class Bearer(Struct, frozen=True):
    """Whose form it is: what a ticket said, and which objections came of it."""

    account: str
    service: str
    made: tuple[str, ...] = ()


@router.get("/object")
def form(request: Request, ticket: str = "") -> Response:
    """Take the ticket and show the form; without one that is good, say how to get it."""
    site = site_of(request)
    try:
        said = tickets.redeem(site.rights, ticket)
    except TicketError:
        return _failed(request)
    if said.purpose != "object":
        return _failed(request)
    return _page(request, bearer=Bearer(said.account, said.service))


@router.post("/object")
async def receive(
    request: Request,
    form: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "all",
    reason: Annotated[str, Form()] = "",
    own_words: Annotated[str, Form()] = "",
) -> Response:
    """Accept the member's objection: the service's ticket said who they are."""
    site = site_of(request)
    bearer = _read(site, form)
    if bearer is None:
        return _failed(request)
    if bearer.made:  # the button was pressed twice
        return await to_thread.run_sync(_done, request, bearer)
    own_words = sentences.cleaned(own_words)
    if errors := sentences.complaint(request, own_words):
        filled = {"scope": scope, "reason": reason, "own_words": own_words}
        return _page(request, 422, bearer=bearer, errors=errors, filled=filled)
    known = await to_thread.run_sync(objecting.services, site)
    here = scope == "here" and bearer.service in known
    given = Given(
        name=bearer.account,
        services=(bearer.service,) if here else (ALL_SERVICES,),
        reason=sentences.joined(request, reason, own_words),
        channel=CHANNEL,
        confirmed_by="member",
    )
    made = await objecting.submit(site, given)
    numbers = tuple(objection.number for objection in made)
    return _page(request, bearer=Bearer(bearer.account, bearer.service, numbers), made=made)


@router.post("/receipt")
def receipt(
    request: Request,
    form: Annotated[str, Form()] = "",
    number: Annotated[str, Form()] = "",
) -> Response:
    """Give the receipt of an objection that was made with this form."""
    site = site_of(request)
    bearer = _read(site, form)
    if bearer is None or number not in bearer.made:
        return _failed(request)
    return cases.file(cases.find(site, number).receipt, f"{number}.jws")


def _done(request: Request, bearer: Bearer) -> Response:
    found = [objections.find(site_of(request).rights, number) for number in bearer.made]
    return _page(request, bearer=bearer, made=[each for each in found if each is not None])


def _page(
    request: Request,
    status: int = 200,
    *,
    bearer: Bearer | None,
    made: list[Objection] | None = None,
    errors: dict[str, str] | None = None,
    filled: dict[str, Any] | None = None,
) -> Response:
    site = site_of(request)
    return page(
        request,
        "embed.html",
        status=status,
        path="/embed/object",
        failed=bearer is None,
        form=_signer(site).dumps(to_builtins(bearer)) if bearer else "",
        service=bearer.service if bearer else "",
        made=made,
        errors=errors or {},
        filled=filled or EMPTY,
        reasons=sentences.ready(request),
        longest_own_words=sentences.LONGEST_OWN_WORDS,
        origins=site.workspace.settings.web.embed_origins,
    )


def _failed(request: Request) -> Response:
    return _page(request, 403, bearer=None)


def _read(site: Site, form: str) -> Bearer | None:
    try:
        return convert(_signer(site).loads(form, max_age=FORM_SECONDS), Bearer)
    except BadData:
        return None


def _signer(site: Site) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(keyed.digest(site.workspace, "embedded-form", ""))
