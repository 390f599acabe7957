"""The session of each request: found by its cookie before any page is made."""

from typing import Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sayso.rights import sessions
from sayso.web.signin import SignedIn
from sayso.web.site import Site, site_of

NAME: Final = "sayso_session"
# Here nobody is signed in: files are the same for all, programs have keys.
ELSEWHERE: Final = ("/static/", "/ingest/", "/embed/")


class Sessions:
    """Puts who is signed in into each request's state, for `signed_in`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with the session found."""
        if scope["type"] == "http" and not scope["path"].startswith(ELSEWHERE):
            request = Request(scope)
            if token := token_of(request):
                request.state.signed_in = await _look(site_of(request), token)
        await self.app(scope, receive, send)


def token_of(request: Request) -> str:
    """Return the token that a request's cookie holds, '' if none."""
    return request.cookies.get(cookie_name(request, NAME), "")


def give(request: Request, response: Response, token: str) -> None:
    """Let the browser keep a session's token, until it ends or the browser does."""
    set_cookie(request, response, NAME, token)


def take(request: Request, response: Response) -> None:
    """Let the browser forget the token."""
    set_cookie(request, response, NAME, "", max_age=0)


def set_cookie(
    request: Request, response: Response, name: str, value: str, max_age: int | None = None
) -> None:
    """Set a cookie that no script reads and no other site's form sends.

    Under HTTPS it is `__Host-`: no other host, be it a sibling, can set it in its place.
    """
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=max_age,
        secure=is_https(request),
        httponly=True,
        samesite="lax",
    )


def cookie_name(request: Request, name: str) -> str:
    """Return what a cookie is called on this connection."""
    return f"__Host-{name}" if is_https(request) else name


def is_https(request: Request) -> bool:
    """Whether the browser's connection is encrypted, as a trusted proxy says or as it is."""
    scheme: str = request.scope["scheme"]  # `request.url` would be put together first
    return scheme == "https"


async def _look(site: Site, token: str) -> SignedIn | None:
    found = await to_thread.run_sync(sessions.find, site.rights, token)
    if found is None:
        return None
    if sessions.is_due(site.rights, found):
        await to_thread.run_sync(sessions.prolong, site.rights, found, limiter=site.writer)
    return SignedIn(
        name=found.user,
        role=found.role,
        person=found.person,
        csrf=sessions.csrf(site.rights, found),
        session=found.id,
        local=found.local,
    )
