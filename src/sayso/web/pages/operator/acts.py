"""What operators do about one objection: confirm it, end it, put its deadline off, note something.

Taking an objection back is not among them: that is the person's own act.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sayso.errors import UsageError
from sayso.rights import staff
from sayso.rights.objection import LONGEST_REASON
from sayso.web.pages.operator import door
from sayso.web.pages.operator.objections import find, shown
from sayso.web.rendering import translate
from sayso.web.site import site_of

router = APIRouter(prefix="/operator/objections/{number}")


@router.post("/confirm")
async def confirm(request: Request, number: str, csrf: Annotated[str, Form()] = "") -> Response:
    """Confirm a claim: it reaches the models."""
    signed, rights = door.actor(request, csrf), site_of(request).rights
    await door.write(request, staff.confirm, rights, [number], signed.name)
    return door.back(f"/objections/{number}?done=confirmed")


@router.post("/lapse")
async def lapse(
    request: Request,
    number: str,
    csrf: Annotated[str, Form()] = "",
    because: Annotated[str, Form()] = "",
) -> Response:
    """End a claim as somebody else's."""
    name, rights = door.actor(request, csrf).name, site_of(request).rights
    return await _with_reason(
        request,
        number,
        ("lapse", because, "lapsed"),
        lambda text: staff.lapse(rights, number, text, name),
    )


@router.post("/extend")
async def extend(
    request: Request,
    number: str,
    csrf: Annotated[str, Form()] = "",
    months: Annotated[int, Form()] = 1,
    because: Annotated[str, Form()] = "",
) -> Response:
    """Put the deadline off (GDPR Art. 12(3)); the person is told why."""
    name, rights = door.actor(request, csrf).name, site_of(request).rights
    return await _with_reason(
        request,
        number,
        ("extend", because, "extended"),
        lambda text: staff.extend(rights, number, months, text, name),
    )


@router.post("/note")
async def note(
    request: Request,
    number: str,
    csrf: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
) -> Response:
    """Keep a note for whoever goes on with it."""
    name, rights = door.actor(request, csrf).name, site_of(request).rights
    return await _with_reason(
        request,
        number,
        ("note", text, "noted"),
        lambda said: staff.remark(rights, number, said, name),
    )


async def _with_reason(
    request: Request, number: str, told: tuple[str, str, str], act: Callable[[str], object]
) -> Response:
    """Do what needs words; `told`: the field's name, what it holds, and what is said afterwards."""
    field, words, done = told
    words = words.replace("\r\n", "\n").strip()
    if not words or len(words) > LONGEST_REASON:
        problem = (
            translate(request, "Please use at most %(count)s characters.", count=LONGEST_REASON)
            if words
            else translate(request, "Please write one sentence.")
        )
        objection = find(site_of(request), number)
        filled = {"text" if field == "note" else "because": words}
        return await door.write(request, shown, request, objection, {field: problem}, filled)
    try:
        await door.write(request, act, words)
    except UsageError as error:
        objection = find(site_of(request), number)
        problems = {"act": door.problem_of(error)}
        return await door.write(request, shown, request, objection, problems)
    return door.back(f"/objections/{number}?done={done}")
