"""Objecting, and following what becomes of it; under a minute, without login."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, RedirectResponse
from starlette.responses import Response

from sayso.errors import UsageError
from sayso.rights import receipts
from sayso.rights.objection import ALL_SERVICES, LONGEST_REASON, SUGGESTED_REASONS, Objection
from sayso.web import objecting
from sayso.web.api import look_up
from sayso.web.languages import choose
from sayso.web.rendering import page, translate
from sayso.web.site import Site, site_of

COOKIE: Final = "receipt"
A_DAY: Final = 24 * 3600
LONGEST_OWN_WORDS: Final = (
    LONGEST_REASON
    - 1
    - max(len(reason) for reasons in SUGGESTED_REASONS.values() for reason in reasons)
)
router = APIRouter(include_in_schema=False)


@router.get("/object")
def form(request: Request, number: str = "") -> Response:
    """Show the form, or lead on to the objection whose number was typed."""
    if number:
        return RedirectResponse(f"/object/{quote(number.strip().upper(), safe='')}", 303)
    return _form(request)


@router.post("/object")
async def receive(
    request: Request,
    account: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "all",
    services: Annotated[tuple[str, ...], Form()] = (),
    reason: Annotated[str, Form()] = "",
    own_words: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Accept the objection and lead on to its page."""
    # Browsers send each line break as two characters, but count it as one.
    own_words = own_words.replace("\r\n", "\n").strip()
    filled = {
        "account": account,
        "scope": scope,
        "chosen": services,
        "reason": reason,
        "own_words": own_words,
        "confirmed": confirmed,
    }
    errors = {}
    if not account.strip() or len(account) > objecting.LONGEST_NAME:
        errors["account"] = translate(request, "Please say whose posts it is about.")
    if scope == "some" and not services:
        errors["services"] = translate(request, "Please choose at least one service.")
    if len(own_words) > LONGEST_OWN_WORDS:
        errors["own_words"] = translate(
            request, "Please use at most %(count)s characters.", count=LONGEST_OWN_WORDS
        )
    if not confirmed:
        errors["confirmed"] = translate(request, "Please confirm this.")
    if errors:
        return _form(request, errors, **filled)
    ready = SUGGESTED_REASONS[choose(request)]
    sentences = [ready[int(reason)]] if reason in map(str, range(len(ready))) else []
    site = site_of(request)
    try:
        made, _ = await objecting.receive(
            site,
            account,
            services if scope == "some" else (ALL_SERVICES,),
            " ".join([*sentences, own_words]),
        )
    except UsageError:
        # What is left to be wrong is a service that is not among those offered.
        errors["services"] = translate(request, "Please choose among the services shown.")
        return _form(request, errors, **filled)
    return _lead_on(request, made)


@router.get("/object/{number}", name="status")
def status(
    request: Request, number: str, also: Annotated[tuple[str, ...], Query()] = ()
) -> Response:
    """Show an objection's number, scope and steps: enough to follow it, nothing of its person."""
    return _status(request, number, also)


@router.get("/object/{number}/receipt")
def receipt(request: Request, number: str) -> Response:
    """Give the receipt to the browser that sent the objection; others are asked whose it is."""
    site = site_of(request)
    objection, _ = look_up(site, number)
    if not objecting.holds_token(site, number, request.cookies.get(COOKIE)):
        return RedirectResponse(f"/object/{number}#receipt", 303)
    return _receipt_file(objection)


@router.post("/object/{number}/receipt")
def receipt_by_name(
    request: Request, number: str, account: Annotated[str, Form()] = ""
) -> Response:
    """Give the receipt to who knows whose objection it is: the receipt names the person."""
    site = site_of(request)
    objection, _ = look_up(site, number)
    if account.strip() and objecting.is_about(site, objection, account):
        return _receipt_file(objection)
    error = translate(request, "This is not the account that the objection is about.")
    return _status(request, number, error=error)


@router.get("/keys/receipts")
def public_key(request: Request) -> Response:
    """Give the public key that receipts are checked with."""
    workspace = site_of(request).workspace
    receipts.signing_key(workspace)
    return FileResponse(
        workspace.keys / "receipts.pub.jwk",
        media_type="application/jwk+json",
        filename="sayso-receipts.pub.jwk",
    )


def _form(request: Request, errors: dict[str, str] | None = None, **filled: Any) -> Response:
    empty = {
        "account": "",
        "scope": "all",
        "chosen": (),
        "reason": "",
        "own_words": "",
        "confirmed": False,
    }
    return page(
        request,
        "object.html",
        status=422 if errors else 200,
        errors=errors or {},
        services=objecting.services(site_of(request)),
        reasons=SUGGESTED_REASONS[choose(request)],
        longest_own_words=LONGEST_OWN_WORDS,
        longest_name=objecting.LONGEST_NAME,
        filled=empty | filled,
    )


def _lead_on(request: Request, made: list[Objection]) -> Response:
    site = site_of(request)
    numbers = [objection.number for objection in made]
    more = "&".join(f"also={number}" for number in numbers[1:])
    response = RedirectResponse(f"/object/{numbers[0]}{'?' if more else ''}{more}", 303)
    for number in numbers:
        response.set_cookie(
            COOKIE,
            objecting.token(site, number),
            max_age=A_DAY,
            path=f"/object/{number}",
            samesite="lax",
            httponly=True,
            secure=request.url.scheme == "https",
        )
    return response


def _status(request: Request, number: str, also: tuple[str, ...] = (), error: str = "") -> Response:
    site = site_of(request)
    objection, progress = look_up(site, number)
    own = objecting.holds_token(site, number, request.cookies.get(COOKIE))
    # Only who sent it is told that the name is unknown; it may be misspelt.
    unknown = own and not objecting.is_known(site, objection.person)
    others = [o for n in also[:100] if (o := _found(site, n))]
    return page(
        request,
        "status.html",
        status=403 if error else 200,
        path=f"/object/{number}",
        number=number,
        address=request.url_for("status", number=number),
        service=objection.service,
        due_at=objection.due_at,
        progress=progress,
        own=own,
        unknown=unknown,
        others=others,
        error=error,
    )


def _found(site: Site, number: str) -> tuple[str, str] | None:
    try:
        return number, look_up(site, number)[0].service
    except HTTPException:
        return None


def _receipt_file(objection: Objection) -> Response:
    return Response(
        objection.receipt + "\n",
        media_type="application/jose",
        headers={
            "Content-Disposition": f'attachment; filename="{objection.number}.jws"',
            "Cache-Control": "no-store",
        },
    )
