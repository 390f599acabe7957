"""Entering an objection that came by letter, e-mail or word of mouth, at the person's authority."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.rights import staff
from sayso.rights.objection import ALL_SERVICES, LONGEST_REASON, OLDEST, Given, Objection
from sayso.rights.requests import Contact
from sayso.web import naming, objecting
from sayso.web.languages import LANGUAGES, choose
from sayso.web.pages.checks import address_problem
from sayso.web.pages.operator import door
from sayso.web.rendering import translate
from sayso.web.site import Site, site_of

router = APIRouter(prefix="/operator/enter")
LONGEST_NOTE: Final = 500


@router.get("")
def form(request: Request) -> Response:
    """Show the form."""
    door.reader(request)
    return _form(request, {}, {})


@router.post("")
async def enter(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
    received: Annotated[str, Form()] = "",
    accounts: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "all",
    services: Annotated[tuple[str, ...], Form()] = (),
    reason: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
) -> Response:
    """Record the objection: it is in effect at once, and its deadline counts from when it came."""
    signed, site = door.actor(request, csrf), site_of(request)
    reason, note = (text.replace("\r\n", "\n").strip() for text in (reason, note))
    names, at = naming.listed(accounts), _day(received)
    errors = address_problem(request, email)
    if channel not in staff.CHANNELS:
        errors["channel"] = translate(request, "Please choose how it came.")
    if at is None:
        errors["received"] = translate(
            request, "Please give the day it came: today or within the last year."
        )
    if not 0 < len(names) <= naming.MOST_NAMES or max(map(len, names)) > objecting.LONGEST_NAME:
        errors["accounts"] = translate(
            request, "Please name at least one account, and at most %(count)s.",
            count=naming.MOST_NAMES,
        )  # fmt: skip
    if scope == "some" and (not services or set(services) - set(objecting.services(site))):
        errors["services"] = translate(request, "Please choose among the services shown.")
    for field, text, most in (("reason", reason, LONGEST_REASON), ("note", note, LONGEST_NOTE)):
        if len(text) > most:
            errors[field] = translate(
                request, "Please use at most %(count)s characters.", count=most
            )
    if errors:
        filled = {
            "channel": channel,
            "received": received,
            "accounts": accounts,
            "scope": scope,
            "services": services,
            "reason": reason,
            "note": note,
            "email": email,
            "language": language,
        }
        return await door.write(request, _form, request, errors, filled)
    given = Given(
        name=names[0],
        others=names[1:],
        typed=names,
        services=services if scope == "some" else (ALL_SERVICES,),
        reason=reason,
        channel=channel,
        evidence=msgspec.json.encode({"note": note}).decode() if note else "",
        contact=Contact(
            email=email.strip(), language=language if language in LANGUAGES else choose(request)
        ),
        received_at=at,
    )
    made = await door.write(request, _enter, site, given, signed.name)
    return door.back(f"/objections/{made[0].number}?done=entered")


def _enter(site: Site, given: Given, actor: str) -> list[Objection]:
    with site.rights.reading() as connection:
        meant = [naming.resolve(connection, name) for name in given.typed]
    given = msgspec.structs.replace(given, name=meant[0], others=tuple(meant[1:]))
    return staff.enter(site.rights, given, actor)


def _day(text: str) -> datetime | None:
    """Return the first moment of a day (UTC) on which an objection may have come."""
    try:
        at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    present = datetime.now(UTC)
    return at if present - OLDEST <= at <= present else None


def _form(request: Request, errors: dict[str, str], filled: dict[str, Any]) -> Response:
    empty = {
        "channel": "letter",
        "received": f"{datetime.now(UTC):%Y-%m-%d}",
        "accounts": "",
        "scope": "all",
        "services": (),
        "reason": "",
        "note": "",
        "email": "",
        "language": choose(request),
    }
    return door.show(
        request,
        "operator_enter.html",
        status=422 if errors else 200,
        errors=errors,
        filled=empty | filled,
        channels=staff.CHANNELS,
        services=objecting.services(site_of(request)),
        today=empty["received"],
        longest_reason=LONGEST_REASON,
        longest_note=LONGEST_NOTE,
    )
