"""What only the person does whom an objection is about: make a claim theirs, or withdraw."""

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.corpus import erase
from sayso.rights import claims, objections
from sayso.rights.objection import Objection
from sayso.web.pages import cases
from sayso.web.rendering import page
from sayso.web.signin import check_csrf
from sayso.web.site import Site, in_turn, site_of

router = APIRouter(include_in_schema=False)


@router.get("/object/{number}/withdraw")
def ask(request: Request, number: str) -> Response:
    """Ask once more, on a page of its own; whoever is not the person is told how to become it."""
    objection = cases.find(site_of(request), number)
    if not objection.stands:
        return RedirectResponse(f"/object/{number}", 303)
    return page(
        request,
        "object_withdraw.html",
        number=number,
        objection=objection,
        mine=cases.owns(request, objection),
    )


@router.post("/object/{number}/withdraw")
async def withdraw(request: Request, number: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Take the objection back, if it is the person's own and still stands."""
    site = site_of(request)
    objection = await to_thread.run_sync(_own, request, number, csrf)
    if objection.stands:
        # Erasing comes first and may take a while: receipts must not wait for it.
        await in_turn(site, partial(_withdraw, site, number))
    return RedirectResponse(f"/object/{number}", 303)


@router.post("/object/{number}/claim")
async def claim(request: Request, number: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Confirm a claim of the person who is signed in, and those of the same request."""
    site = site_of(request)
    objection = await to_thread.run_sync(_own, request, number, csrf)
    shown = await to_thread.run_sync(partial(cases.together, site, objection, named=False))
    theirs = [
        case.objection.number
        for case in shown.cases
        if case.state == "pending" and cases.owns(request, case.objection)
    ]
    work = partial(claims.confirm, site.rights, theirs, "member")
    await to_thread.run_sync(work, limiter=site.writer)
    return RedirectResponse(f"/object/{number}", 303)


def _withdraw(site: Site, number: str) -> None:
    found = objections.find(site.rights, number)
    if found is not None and found.stands:  # the button may have been pressed twice
        erase.withdraw(site.workspace, number)


def _own(request: Request, number: str, csrf: str) -> Objection:
    check_csrf(request, csrf)
    objection = cases.find(site_of(request), number)
    if not cases.owns(request, objection):
        raise HTTPException(403, "only the person whom an objection is about may do this")
    return objection
