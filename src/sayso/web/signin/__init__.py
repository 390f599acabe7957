"""Who is signed in, and what only they may see or do.

    signed = require(request, "operator")       # a page of the staff
    signed = require(request)                   # anybody who is signed in
    signed = check_csrf(request, csrf)          # what a signed-in person's form brought along

Templates write `{{ csrf_field }}` into such forms, and know `signed_in` (None for nobody).
"""

import hmac
from typing import Final
from urllib.parse import quote

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.rights.sessions import Role

SIGN_IN: Final = "/sign-in"
CSRF_HEADER: Final = "x-csrf-token"


class SignedIn(Struct, frozen=True):
    """Who is signed in.

    Pages about a person's own data ask for `person` (an id of `tables.accounts`): operators may
    be members, too. It is '' for staff who are not.
    """

    name: str
    role: Role
    person: str
    csrf: str
    session: str
    local: bool


def signed_in(request: Request) -> SignedIn | None:
    """Return who is signed in; looked up once for each request, before any page."""
    found: SignedIn | None = getattr(request.state, "signed_in", None)
    return found


def require(request: Request, *roles: Role) -> SignedIn:
    """Return who is signed in, if in one of these roles; with no roles, in any.

    Raises:
        HTTPException: nobody is: 303 to the page to sign in, and back afterwards; 401 for
            programs. Or in another role: 403.
    """
    signed = signed_in(request)
    if signed is None:
        if request.url.path.startswith("/api/"):
            raise HTTPException(401, "nobody is signed in")
        raise HTTPException(303, "sign in first", {"Location": to_sign_in(request)})
    if roles and signed.role not in roles:
        raise HTTPException(403, f"this is for these roles only: {', '.join(roles)}")
    return signed


def check_csrf(request: Request, token: str = "") -> SignedIn:
    """Return who is signed in, if the request is from a page of their own session.

    Args:
        request: what was sent.
        token: the form's field `csrf`; scripts send the header X-CSRF-Token instead.

    Raises:
        HTTPException: as `require`; 403 if the token is not the session's.
    """
    signed = require(request)
    given = token or request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), signed.csrf.encode()):
        raise HTTPException(403, "this form is not of a page that you have open; load it again")
    return signed


def to_sign_in(request: Request) -> str:
    """Return the address of the page to sign in, which leads back to the page that was asked."""
    if request.method != "GET":
        return SIGN_IN
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{SIGN_IN}?next={quote(request.url.path + query)}"


def safe_next(target: str) -> str:
    """Return a path of this site to lead back to; '' for anything else.

    Browsers read '\\' as '/', and drop tabs and line breaks: both could hide another host.
    """
    plain = target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else ""
