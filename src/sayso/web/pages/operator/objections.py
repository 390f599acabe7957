"""The queue of objections, and the page of one."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request
from msgspec import Struct
from starlette.responses import Response

from sayso.rights import deadlines, items, names, people, queue, staff
from sayso.rights import objections as room
from sayso.rights.database import now
from sayso.rights.objection import ANSWER_WITHIN, DEPICTED, Objection
from sayso.web.pages import cases, status
from sayso.web.pages.operator.door import called, may_act, reader, show
from sayso.web.signin import require
from sayso.web.site import Site, site_of

router = APIRouter(prefix="/operator/objections")
DONE: Final = ("confirmed", "lapsed", "extended", "noted", "entered")


class Whose(Struct, frozen=True):
    """Whose an objection is, for whom it is to be confirmed by; `typed` is as they wrote it."""

    typed: str
    accounts: tuple[tuple[str, str], ...]
    said: str
    note: str
    raw: str


class Noted(Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence as `entering` keeps it."""

    note: str


@router.get("")
def listed(
    request: Request,
    state: str = "open",
    channel: str = "",
    after: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show objections of a state and a channel, the nearest deadline first; nobody is named."""
    reader(request)
    site, at = site_of(request), now()
    with site.rights.reading() as connection:
        found = queue.page(connection, at, state, channel, after)
        channels = queue.channels(connection)
    return show(
        request,
        "operator_objections.html",
        found=found,
        channels=channels,
        states=queue.STATES,
        state=state,
        channel=channel,
        first=not after,
        at=at,
    )


@router.get("/{number}")
def one(request: Request, number: str, done: str = "") -> Response:
    """Show one objection with what can be done about it."""
    reader(request)
    return shown(request, find(site_of(request), number), done=done if done in DONE else "")


@router.get("/{number}/receipt")
def receipt(request: Request, number: str) -> Response:
    """Show the receipt as it is printed, to be sent to who wrote a letter."""
    signed, site = require(request, "operator"), site_of(request)
    objection = find(site, number)
    if not objection.receipt:
        raise HTTPException(404, "this receipt is not kept any more")
    staff.looked(site.rights, signed.name, "looked at a receipt", number)
    return status.paper(request, objection)


def find(site: Site, number: str) -> Objection:
    """Return an objection by its number, also one that was carried over to a linked account.

    Raises:
        HTTPException: 404; there is none.
    """
    objection = room.find(site.rights, number)
    if objection is None:
        raise HTTPException(404, "there is no objection of this number")
    return objection


def shown(
    request: Request,
    objection: Objection,
    errors: dict[str, str] | None = None,
    filled: dict[str, Any] | None = None,
    done: str = "",
) -> Response:
    """Render the page of an objection; looking at it is noted."""
    signed, site, at = reader(request), site_of(request), now()
    staff.looked(site.rights, signed.name, "looked at an objection", objection.number)
    shown = cases.together(site, objection, named=False)
    with site.rights.reading() as connection:
        remarks = deadlines.remarks_on(connection, objection.number)
        named = items.of_objection(connection, objection.number)
        withheld = names.is_withheld(connection, objection.number)
    named = [item for item in named if item.record_key != names.WHOLE]
    return show(
        request,
        "operator_objection.html",
        status=422 if errors else 200,
        path=f"/operator/objections/{objection.number}",
        case=shown.cases[0],
        others=[case.objection for case in shown.cases[1:]],
        objection=objection,
        whose=_whose(site, objection) if may_act(request) else None,
        pseudonym=site.workspace.pseudonyms.name("person", objection.person),
        mail=shown.asked is not None and bool(shown.asked.contact.email),
        mailed=shown.asked is not None and shown.asked.mailed_at is not None,
        remarks=remarks,
        staff=called(site),
        acts={
            act: sum(i.act == act for i in named if i.state == items.DECIDED) for act in items.ACTS
        },
        waiting=sum(item.state == items.REVIEW for item in named),
        withheld=withheld,
        confirmable=_is_confirmable(objection),
        months=_months(objection, at),
        errors=errors or {},
        filled={"because": "", "text": ""} | (filled or {}),
        done=done,
        at=at,
    )


def _whose(site: Site, objection: Objection) -> Whose:
    with site.rights.reading() as connection:
        accounts = people.find(connection, objection.person)
    typed = cases.name_of(site, objection) if objection.receipt else ""
    note, raw = _note(objection.evidence)
    return Whose(
        typed, tuple((a.account, a.service) for a in accounts), objection.reason, note, raw
    )


def _note(evidence: str) -> tuple[str, str]:
    """Return what staff wrote as evidence, or else what a machine read, as it is kept."""
    try:
        return msgspec.json.decode(evidence, type=Noted).note, ""
    except msgspec.MsgspecError:
        return "", evidence


def _is_confirmable(objection: Objection) -> bool:
    if not objection.stands:
        return False
    named = objection.about == DEPICTED and objection.confirmed_by != "operator"
    return objection.state == "pending" or named


def _months(objection: Objection, at: datetime) -> list[int]:
    """Return by how many months the deadline can still be put off."""
    last = objection.received_at + (1 + deadlines.MOST_MONTHS) * ANSWER_WITHIN
    if not objection.stands or objection.due_at < at:
        return []
    return [m for m in (1, 2) if objection.due_at + m * ANSWER_WITHIN <= last]
