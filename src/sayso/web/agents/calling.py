"""Who calls: an agent, by its token (RFC 6750), and not too often."""

import base64
import binascii
from typing import Final

from anyio import to_thread
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sayso.rights import agents
from sayso.rights.agents import Agent
from sayso.web.rates import Rates, client
from sayso.web.site import site_of

LONGEST_BODY: Final = 64 * 1024
# For the documentation; who calls is decided by `caller`.
TOKEN: Final = HTTPBearer(
    auto_error=False, scheme_name="agent", description="An agent's token; see docs/rights-api.md."
)


async def caller(request: Request) -> Agent:
    """Return the agent that calls, by its token: `Bearer TOKEN`, or `Basic` of its id and token.

    Raises:
        HTTPException: 401, it is nobody's token; 429, this agent, or this address with tokens that
            are nobody's, calls too often.
    """
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    name, token = "", given.strip()
    if kind.lower() == "basic":
        name, token = _basic(token)
    found = await to_thread.run_sync(agents.by_token, site_of(request).rights, token or " ")
    if found is None or (name and name != found.name):
        rates_of(request).take(client(request))
        raise HTTPException(
            401,
            "no valid token; send `Authorization: Bearer TOKEN`",
            headers={"WWW-Authenticate": "Bearer"},
        )
    rates_of(request).take(f"agent {found.name}")
    return found


def rates_of(request: Request) -> Rates:
    """Return the counts of agents' calls of the application that a request came to."""
    rates: Rates = request.app.state.agent_rates
    return rates


def _basic(text: str) -> tuple[str, str]:
    """Read id and token of HTTP's Basic authentication (RFC 7617)."""
    try:
        name, _, token = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name or " ", token


def address(request: Request) -> str:
    """Return where these pages are: as the settings say, else as it was asked; no slash ends it."""
    return told_address(request) or str(request.base_url).rstrip("/")


def told_address(request: Request) -> str:
    """Return where these pages are by the settings; '' where they do not say."""
    return site_of(request).workspace.settings.mail.url.rstrip("/")
