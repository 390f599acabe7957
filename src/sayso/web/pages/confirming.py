"""The link of a letter that confirms an objection.

Mail scanners open links before people do, so opening it does nothing: a button does.
"""

from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.rights import claims
from sayso.web.pages import cases
from sayso.web.rendering import page
from sayso.web.site import site_of
from sayso.web.throttle import throttle_of

router = APIRouter(include_in_schema=False)


@router.get("/object/confirm")
def ask(request: Request, code: str = "") -> Response:
    """Show the button; whether the code is any good is only said when it is pressed."""
    return page(request, "object_confirm.html", code=code, failed=False)


@router.post("/object/confirm")
async def confirm(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Take the code and lead on to the objection, which says what the address has shown."""
    site = site_of(request)
    throttle_of(request).client(request)
    redeem = partial(claims.redeem, site.rights, code)
    found = await to_thread.run_sync(redeem, limiter=site.writer)
    if found is None or not found[1]:
        return page(request, "object_confirm.html", status=410, code="", failed=True)
    response = RedirectResponse(f"/object/{found[1][0].number}", 303)
    cases.keep(request, response, found[1])
    return response
