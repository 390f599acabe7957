"""What every request passes: security headers, the same-origin check, the body limit."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sayso.errors import UsageError
from sayso.settings import Web

# The policy ends with who may show a page within their own: nobody, but for these pages. Pictures
# that an answer itself holds (data:) are shown, those of other hosts never.
EMBEDDED: Final = "/embed/"
WIDGET: Final = "/widget"
# The script that shows the widget is loaded by those pages, too.
SHARED: Final = "/static/widget.js"
A_YEAR: Final = 365 * 24 * 3600
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors ",
    "X-Content-Type-Options": "nosniff",
    # Not 'no-referrer': browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
NO_FRAME: Final = {"X-Frame-Options": "DENY"}  # for browsers older than frame-ancestors
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
LONGEST_BODY: Final = 256 * 1024
# Chats carry their whole history, and some clients put pictures in before they learn better.
LONGEST_CHAT: Final = 8 * 1024 * 1024
# Files of objections that staff hand in; read only once it is known that they are staff.
LONGEST_UPLOAD: Final = 2 * 1024 * 1024
UPLOADS: Final = ("/operator/import", "/operator/import/take")
# Here a key or a signature proves who calls, whatever page or program it comes from; their bodies
# have limits of their own.
PROVEN: Final = ("/ingest/events", "/inbox")
PROVEN_BELOW: Final = "/channels/"
LOOPBACK: Final = ("127.0.0.1", "localhost")
_HOST: Final = re.compile(r"[a-z0-9.-]+(:\d{1,5})?")


class SecurityHeaders:
    """Adds the headers to every response.

    Args:
        app: the application behind it.
        embedders: of `embedders`.
    """

    def __init__(self, app: ASGIApp, embedders: str) -> None:
        self.app = app
        policy = HEADERS["Content-Security-Policy"]
        self._own = HEADERS | {"Content-Security-Policy": f"{policy}'none'", **NO_FRAME}
        self._embedded = HEADERS | {
            "Content-Security-Policy": policy + embedders,
            # What is shown within a page that asks this of all its parts (COEP) must allow it.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        self._shared = self._own | {"Cross-Origin-Resource-Policy": "cross-origin"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with headers added."""
        headers = self._headers(scope["path"]) if scope["type"] == "http" else self._own
        if scope.get("scheme") == "https":
            headers = headers | {"Strict-Transport-Security": f"max-age={A_YEAR}"}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _headers(self, path: str) -> dict[str, str]:
        if path.startswith(EMBEDDED) or path == WIDGET:
            return self._embedded
        return self._shared if path == SHARED else self._own


def embedders(settings: Web) -> str:
    """Return who may show the pages under /embed/ within their own, as the policy says it.

    Raises:
        UsageError: something is no origin: it could add words to the policy.
    """
    return " ".join(map(_origin, settings.embed_origins)) or "'none'"


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        secure = parts.scheme == "https" or parts.hostname in LOOPBACK
        plain = f"{parts.scheme}://{parts.netloc}" == text.rstrip("/")
        if plain and secure and _HOST.fullmatch(parts.netloc):
            return text.rstrip("/")
    except ValueError:
        pass
    raise UsageError(
        "[web] embed_origins holds something that is no origin", "as in https://forum.example"
    )


class Guard:
    """Refuses other sites' posts (403) and bodies that are too long (413).

    Args:
        app: the application behind it.
        refuse: makes the answer to a refused request.
    """

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, HTTPException], Response]) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application behind the two checks."""
        passes = scope["type"] != "http" or scope["method"] in SAFE_METHODS
        if passes or scope["path"] in PROVEN or scope["path"].startswith(PROVEN_BELOW):
            await self.app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        if not same_origin(Headers(scope=scope)):
            error = HTTPException(403, "this request came from another website's page")
            await self.refuse(Request(scope), error)(scope, receive, send)
            return
        seen = 0

        async def guarded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                # Raised where the body is read, so it is answered like any other error.
                raise HTTPException(413, f"the request is longer than {limit} bytes")
            return message

        await self.app(scope, guarded, send)


def _limit(path: str) -> int:
    """Return the most bytes that a body may have."""
    if path.startswith("/v1/"):
        return LONGEST_CHAT
    return LONGEST_UPLOAD if path in UPLOADS else LONGEST_BODY


def same_origin(headers: Headers) -> bool:
    """Whether a request came from our own pages, or from no browser at all.

    Browsers tell by Sec-Fetch-Site where they trust the connection, else by Origin (RFC 6454).
    """
    if site := headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    # A page cannot set X-Forwarded-Host on another site's request; a proxy in front of us does.
    ours = (headers.get("host"), headers.get("x-forwarded-host"))
    return origin != "null" and urlsplit(origin).netloc in ours
