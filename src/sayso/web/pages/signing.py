"""Signing in and out: by a password kept here, or at the member's own service."""

from typing import Annotated, Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.rights import accesses, sessions, users
from sayso.rights.users import NotAdmittedError, User
from sayso.web.rates import client
from sayso.web.rendering import page
from sayso.web.signin import SIGN_IN, check_csrf, safe_next, signed_in
from sayso.web.signin.oidc import CALLBACK, Provider, ProviderError, UnreachableError
from sayso.web.signin.sessions import give, take, token_of
from sayso.web.signin.trying import Tries
from sayso.web.site import Site, site_of

AFTERWARDS: Final = "/account"
# Each check of a password takes 64 MiB: two at once, and the rest wait.
CHECKING: Final = CapacityLimiter(2)
router = APIRouter(include_in_schema=False)


@router.get(SIGN_IN)
def ask(request: Request, next: str = "") -> Response:
    """Show the form; who is signed in already is led on."""
    if signed_in(request):
        return RedirectResponse(safe_next(next) or AFTERWARDS, 303)
    return _form(request, next)


@router.post(SIGN_IN)
async def sign_in(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    """Check name and password, and begin a session."""
    site, tries, name = site_of(request), tries_of(request), name.strip()
    if wait := tries.wait(name, client(request)):
        return _form(request, next, "often", 429, name, {"Retry-After": str(wait)})
    found = await to_thread.run_sync(users.check, site.rights, name, password, limiter=CHECKING)
    if found is None:
        await to_thread.run_sync(tries.failed, name, limiter=site.writer)
        return _form(request, next, "wrong", 403, name)
    return await _signed_in(request, found, next)


@router.get(f"{SIGN_IN}/service")
async def at_service(request: Request, next: str = "") -> Response:
    """Lead on to the service where the member has their account."""
    provider = provider_of(request)
    if provider is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        return await provider.ask(request, safe_next(next))
    except UnreachableError:
        return _form(request, next, "unreachable", 503)
    except ProviderError:
        return _form(request, next, "refused", 403)


@router.get(CALLBACK)
async def back(request: Request) -> Response:
    """Take what the service says of who comes back from there."""
    provider, site, tries = provider_of(request), site_of(request), tries_of(request)
    if provider is None:
        return RedirectResponse(SIGN_IN, 303)
    target = ""
    try:
        if wait := tries.wait("", client(request)):
            headers = {"Retry-After": str(wait)}
            return provider.forget(request, _form(request, "", "often", 429, headers=headers))
        vouched, target = await provider.answered(request)
        found = await to_thread.run_sync(provider.admit, vouched, limiter=site.writer)
    except UnreachableError:
        return provider.forget(request, _form(request, target, "unreachable", 503))
    except (ProviderError, NotAdmittedError) as error:
        await to_thread.run_sync(tries.failed, "", limiter=site.writer)
        problem = "not-admitted" if isinstance(error, NotAdmittedError) else "refused"
        return provider.forget(request, _form(request, target, problem, 403))
    return provider.forget(request, await _signed_in(request, found, target))


@router.post("/sign-out")
async def sign_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session; without one, there is nothing to do."""
    if signed_in(request) is not None:
        signed, site, token = check_csrf(request, csrf), site_of(request), token_of(request)

        def end() -> None:
            with site.rights.writing() as connection:
                sessions.end(connection, site.rights, token)
                accesses.note(connection, site.rights, signed.name, "signed out")

        await to_thread.run_sync(end, limiter=site.writer)
    response = RedirectResponse("/", 303)
    take(request, response)
    return response


async def _signed_in(request: Request, user: User, target: str) -> Response:
    begin, site = tries_of(request).succeeded, site_of(request)
    token = await to_thread.run_sync(begin, user.name, token_of(request), limiter=site.writer)
    response = RedirectResponse(safe_next(target) or AFTERWARDS, 303)
    give(request, response, token)
    return response


def _form(
    request: Request,
    target: str,
    problem: str = "",
    status: int = 200,
    name: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    provider, site = provider_of(request), site_of(request)
    response = page(
        request,
        "sign_in.html",
        status=status,
        path=SIGN_IN,
        problem=problem,
        target=safe_next(target),
        name=name,
        service=provider is not None,
        button=site.workspace.settings.oidc.button,
    )
    response.headers.update(headers or {})
    return response


def tries_of(request: Request) -> Tries:
    """Return the counts of the application that a request came to."""
    tries: Tries = request.app.state.tries
    return tries


def provider_of(request: Request) -> Provider | None:
    """Return the service where members sign in; None if there is none."""
    provider: Provider | None = request.app.state.provider
    return provider


def prepare(state: Any, site: Site) -> None:
    """Put into an application's state what these pages need.

    Raises:
        UsageError: the settings of `[oidc]` cannot be right.
    """
    state.tries = Tries(site.rights)
    settings = site.workspace.settings.oidc
    state.provider = Provider(site.rights) if settings.issuer else None
