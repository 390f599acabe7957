"""From a service's own pages to one's data: its ticket signs the member in, after a click.

The click is asked for because the address alone would do it otherwise: a link in a letter could
sign its reader in as somebody else, who would then act in the wrong name (login CSRF).
"""

from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sayso.rights import tickets, users
from sayso.rights.tickets import Ticket, TicketError
from sayso.rights.users import NotAdmittedError, User
from sayso.web.pages.signing import tries_of
from sayso.web.rendering import page
from sayso.web.signin.sessions import give, token_of
from sayso.web.site import Site, site_of

PATH: Final = "/embed/my-data"
TARGET: Final = "/my-data"
router = APIRouter(include_in_schema=False)


@router.get(PATH)
def ask(request: Request, ticket: str = "") -> Response:
    """Say whose data it leads to, and wait for the click; the ticket stays good."""
    try:
        said = _for_data(tickets.read(site_of(request).rights, ticket))
    except TicketError:
        return _failed(request)
    return page(request, "embed_my_data.html", path=PATH, ticket=ticket, account=said.account)


@router.post(PATH)
async def arrive(request: Request, ticket: Annotated[str, Form()] = "") -> Response:
    """Use the ticket up and begin a session."""
    site = site_of(request)
    try:
        found = await to_thread.run_sync(_admitted, site, ticket, limiter=site.writer)
    except (TicketError, NotAdmittedError):
        return _failed(request)
    begin = tries_of(request).succeeded
    token = await to_thread.run_sync(begin, found.name, token_of(request), limiter=site.writer)
    response = RedirectResponse(TARGET, 303)
    give(request, response, token)
    return response


def _admitted(site: Site, ticket: str) -> User:
    _for_data(tickets.read(site.rights, ticket))
    said = tickets.redeem(site.rights, ticket)
    with site.rights.writing() as connection:
        return users.vouched(connection, said.service, said.account)


def _for_data(said: Ticket) -> Ticket:
    if said.purpose != "my-data":
        raise TicketError
    return said


def _failed(request: Request) -> Response:
    return page(request, "embed_my_data.html", status=403, path=PATH, ticket="", account="")
