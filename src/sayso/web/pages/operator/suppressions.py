"""The list of accounts that stay out, whatever else is kept of them: keyed hashes alone."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.rights import staff
from sayso.rights import suppressions as room
from sayso.rights.objection import ALL_SERVICES
from sayso.rights.suppressions import Suppressed
from sayso.web import naming, objecting
from sayso.web.pages.operator import door
from sayso.web.rendering import translate
from sayso.web.site import Site, site_of

router = APIRouter(prefix="/operator/suppressions")
ACTS: Final = ("check", "add", "remove")


@router.get("")
def form(request: Request) -> Response:
    """Show how long the list is, and the form; names are not kept, so none can be listed."""
    door.reader(request)
    return _form(request)


@router.post("")
async def act(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    account: Annotated[str, Form()] = "",
    service: Annotated[str, Form()] = ALL_SERVICES,
    act: Annotated[str, Form()] = "check",
) -> Response:
    """Add an account, remove it, or say whether it is on the list."""
    signed, site = door.actor(request, csrf), site_of(request)
    account = account.strip()
    known = {ALL_SERVICES, *objecting.services(site)}
    if not 0 < len(account) <= objecting.LONGEST_NAME or service not in known or act not in ACTS:
        error = translate(request, "Please name the account.")
        return await door.write(request, _form, request, error, account)
    found = await door.write(request, _done, site, (account, service, act), signed.name)
    return await door.write(request, _form, request, "", account, act, found)


def _done(site: Site, told: tuple[str, str, str], actor: str) -> tuple[int, tuple[Suppressed, ...]]:
    """Do an act on (account, service, act); return how many it changed and what is there then."""
    account, service, act = told
    with site.rights.reading() as connection:
        name = naming.resolve(connection, account)
    changed = 0
    if act == "add":
        changed = room.add(site.rights, name, service, actor)
    elif act == "remove":
        changed = room.remove(site.rights, name, actor)
    else:
        staff.looked(site.rights, actor, "asked whether somebody stays out", name)
    return changed, tuple(room.check(site.rights, name))


def _form(
    request: Request,
    error: str = "",
    account: str = "",
    act: str = "",
    found: tuple[int, tuple[Suppressed, ...]] = (0, ()),
) -> Response:
    site = site_of(request)
    return door.show(
        request,
        "operator_suppressions.html",
        status=422 if error else 200,
        count=room.count(site.rights),
        services=objecting.services(site),
        error=error,
        account=account,
        act=act,
        changed=found[0],
        found=found[1],
    )
