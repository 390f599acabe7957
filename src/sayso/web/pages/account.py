"""Who is signed in: what they are here, where they are signed in, another password."""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.errors import UsageError
from sayso.rights import accesses, passwords, sessions, users
from sayso.web.pages.signing import CHECKING, tries_of
from sayso.web.rates import client
from sayso.web.rendering import page
from sayso.web.signin import check_csrf, require
from sayso.web.signin.sessions import give, take
from sayso.web.site import site_of

PATH = "/account"
router = APIRouter(include_in_schema=False, prefix=PATH)


@router.get("")
def show(request: Request, changed: bool = False) -> Response:
    """Show the account."""
    return _account(request, done=changed)


@router.post("/password")
async def change_password(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    current: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
) -> Response:
    """Take another password; all other sessions of this user end."""
    signed, site, tries = check_csrf(request, csrf), site_of(request), tries_of(request)
    if wait := tries.wait(signed.name, client(request)):
        response = _account(request, "often", 429)
        response.headers["Retry-After"] = str(wait)
        return response
    check = users.check
    if await to_thread.run_sync(check, site.rights, signed.name, current, limiter=CHECKING) is None:
        await to_thread.run_sync(tries.failed, signed.name, limiter=site.writer)
        return await to_thread.run_sync(_account, request, "wrong", 403)

    def change() -> str:
        with site.rights.writing() as connection:
            users.set_password(connection, site.rights, signed.name, new, signed.name)
            return sessions.begin(connection, site.rights, signed.name)

    try:
        token = await to_thread.run_sync(change, limiter=site.writer)
    except UsageError:  # too short, or too long
        return await to_thread.run_sync(_account, request, "unfit", 422)
    response = RedirectResponse(f"{PATH}?changed=true", 303)
    give(request, response, token)
    return response


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
    """End all sessions of who is signed in, this one too."""
    signed, site = check_csrf(request, csrf), site_of(request)

    def end() -> None:
        with site.rights.writing() as connection:
            sessions.end_all(connection, signed.name)
            accesses.note(connection, site.rights, signed.name, "signed out everywhere")

    await to_thread.run_sync(end, limiter=site.writer)
    response = RedirectResponse("/", 303)
    take(request, response)
    return response


def _account(
    request: Request, problem: str = "", status: int = 200, done: bool = False
) -> Response:
    signed = require(request)
    return page(
        request,
        "account.html",
        status=status,
        path=PATH,
        problem=problem,
        done=done,
        sessions=sessions.of_user(site_of(request).rights, signed.name),
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
    )
