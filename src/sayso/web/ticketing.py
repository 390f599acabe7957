"""POST /api/tickets: a service's word on who is signed in there, for pages it shows in its own."""

from datetime import datetime
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from sayso.rights import tickets
from sayso.rights.api_keys import ApiKey
from sayso.rights.tickets import Purpose
from sayso.web.service_keys import BEARER, key_of, vouched
from sayso.web.site import Site, site_of

LONGEST_ACCOUNT: Final = 500
router = APIRouter(prefix="/api", tags=["tickets"])


class Wanted(BaseModel):
    """Whom a ticket is to name."""

    account: str = Field(
        min_length=1,
        max_length=LONGEST_ACCOUNT,
        pattern=r"^[^\x00-\x20\x7f]+$",
        description="The account that is signed in at the service now, exactly as it is named "
        "in its records. It need not be known here yet.",
        examples=["member-1@forum"],
    )
    purpose: Purpose = Field(
        description="Which pages it is for: `object`, or `my-data`.", examples=["object"]
    )


class Made(BaseModel):
    """A ticket."""

    ticket: str = Field(description="To be put into the page's address as `?ticket=…`.")
    url: str = Field(description="The page that it is for, under this installation's address.")
    until: datetime = Field(description="It is good until then, and once.")


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "No valid key."},
    403: {"description": "The account is of a service that the key is not for."},
    422: {"description": "What came is no account, or no known purpose."},
    429: {"description": "Too many requests; see Retry-After."},
}


@router.post("/tickets", summary="Get a ticket for a member", status_code=201, responses=_ANSWERS)
async def post_ticket(
    request: Request,
    wanted: Wanted,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Made:
    """Make a ticket: whoever brings it is taken for this account, once, within ten minutes.

    Ask for it when the member opens the page, and hand it to nobody else.
    """
    site = site_of(request)
    key = await to_thread.run_sync(key_of, site.rights, credentials)
    request.app.state.ticket_rates.take(key.name)
    return await to_thread.run_sync(_made, site, key, wanted)


def _made(site: Site, key: ApiKey, wanted: Wanted) -> Made:
    rights = site.rights
    with rights.reading() as connection:
        service = vouched(connection, key, wanted.account).service
    ticket = tickets.issue(rights, key.name, wanted.account, service, wanted.purpose)
    return Made(
        ticket=ticket,
        url=f"/embed/{wanted.purpose}?ticket={ticket}",
        until=tickets.read(rights, ticket).until,
    )
