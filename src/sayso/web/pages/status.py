"""Following an objection: its steps, its receipt on paper and as a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, RedirectResponse
from starlette.responses import Response

from sayso.rights import receipts
from sayso.rights.objection import Objection
from sayso.web.pages import cases
from sayso.web.rendering import page, translate
from sayso.web.site import site_of
from sayso.web.throttle import throttle_of

router = APIRouter(include_in_schema=False)


@router.get("/object/{number}", name="status")
def status(request: Request, number: str) -> Response:
    """Show an objection's number, scope and steps: enough to follow it, nothing of its person."""
    return _status(request, cases.find(site_of(request), number))


@router.get("/object/{number}/receipt")
def receipt(request: Request, number: str) -> Response:
    """Give the receipt to the browser that sent the objection; others are asked whose it is."""
    objection = cases.find(site_of(request), number)
    if not _may_have(request, objection):
        return RedirectResponse(f"/object/{number}#receipt", 303)
    return cases.file(objection.receipt, f"{number}.jws")


@router.get("/object/{number}/receipt/print")
def receipt_on_paper(request: Request, number: str) -> Response:
    """Show in words what the signed receipt says, to be printed."""
    objection = cases.find(site_of(request), number)
    if not _may_have(request, objection):
        return RedirectResponse(f"/object/{number}#receipt", 303)
    return paper(request, objection)


@router.post("/object/{number}/receipt")
def receipt_by_name(
    request: Request,
    number: str,
    account: Annotated[str, Form()] = "",
    print: Annotated[bool, Form()] = False,
) -> Response:
    """Give the receipt to who knows whose objection it is: the receipt names the person."""
    site = site_of(request)
    objection = cases.find(site, number)
    if not throttle_of(request).may_guess(request, number):
        error = translate(
            request, "Many names were tried for this objection today. Please try again tomorrow."
        )
        return _status(request, objection, error, 429)
    if not cases.is_named(site, objection, account):
        error = translate(request, "This is not the account that the objection is about.")
        return _status(request, objection, error, 403)
    return paper(request, objection) if print else cases.file(objection.receipt, f"{number}.jws")


@router.get("/object/{number}/steps")
def signed_steps(request: Request, number: str) -> Response:
    """Give the signed steps, one a line (compact JWS); they name nobody."""
    site = site_of(request)
    case = cases.together(site, cases.find(site, number), named=False).cases[0]
    return cases.file("\n".join(step.signature for step in case.taken), f"{number}-steps.jws")


@router.get("/keys/receipts")
def public_key(request: Request) -> Response:
    """Give the public key that receipts and steps are checked with."""
    workspace = site_of(request).workspace
    receipts.signing_key(workspace)
    return FileResponse(
        workspace.keys / "receipts.pub.jwk",
        media_type="application/jwk+json",
        filename="sayso-receipts.pub.jwk",
    )


def _may_have(request: Request, objection: Objection) -> bool:
    return cases.sent_here(request, objection) or cases.owns(request, objection)


def _status(request: Request, objection: Objection, error: str = "", code: int = 200) -> Response:
    site = site_of(request)
    mine, own = cases.owns(request, objection), _may_have(request, objection)
    shown = cases.together(site, objection, named=own)
    asked = shown.asked
    return page(
        request,
        "status.html",
        status=code,
        path=f"/object/{objection.number}",
        number=objection.number,
        address=request.url_for("status", number=objection.number),
        cases=shown.cases,
        first=shown.cases[0],
        state=shown.state,
        mark=shown.mark,
        final=shown.final,
        asked_by_mail=asked is not None and bool(asked.contact.email),
        mailed=asked is not None and asked.mailed_at is not None,
        own=own,
        mine=mine,
        error=error,
    )


def paper(request: Request, objection: Objection) -> Response:
    """Render the receipt in words, to be printed; it names the person."""
    site = site_of(request)
    said: dict[str, Any] = cases.claims_of(site, objection)
    return page(
        request,
        "object_receipt.html",
        path=f"/object/{objection.number}/receipt/print",
        number=objection.number,
        said=said,
        record=said["record"],
        objection=objection,
        token=objection.receipt,
        key=receipts.signing_key(site.workspace).kid,
        address=request.url_for("status", number=objection.number),
    )
