"""Records that may name or show somebody who objects: looked at one by one, frozen meanwhile."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from starlette.responses import Response

from sayso.corpus import reviewing
from sayso.errors import UsageError
from sayso.rights import items, queue, staff
from sayso.web.pages.operator import door
from sayso.web.pages.operator.objections import find
from sayso.web.site import site_of

router = APIRouter(prefix="/operator/review")
Key = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
DONE: Final = (*items.ACTS, "waits")


@router.get("")
def listed(
    request: Request,
    number: str = "",
    after: Annotated[str, Query(max_length=200)] = "",
    done: str = "",
) -> Response:
    """Show which records wait for a decision, the nearest deadline first; no words, no names."""
    door.reader(request)
    with site_of(request).rights.reading() as connection:
        found, more = queue.doubtful(connection, number, after)
    return door.show(
        request,
        "operator_review.html",
        found=found,
        after=found[-1].place if more else "",
        first=not after,
        number=number,
        done=done if done in DONE else "",
    )


@router.get("/{number}/{key}")
def one(request: Request, number: str, key: Key) -> Response:
    """Show one record; auditors see what was decided, not the record's words."""
    return _shown(request, number, int(key, 16))


@router.post("/{number}/{key}")
async def decide(
    request: Request,
    number: str,
    key: Key,
    csrf: Annotated[str, Form()] = "",
    act: Annotated[str, Form()] = "",
) -> Response:
    """Decide: take the record out, mask the name in it, or leave it."""
    signed, site = door.actor(request, csrf), site_of(request)
    try:
        await door.write(
            request, reviewing.decide, site.workspace, number, int(key, 16), act, signed.name
        )
    except UsageError as error:
        problem = door.problem_of(error)
        return await door.write(request, _shown, request, number, int(key, 16), problem)
    done = "waits" if find(site, number).state == "pending" else act
    return door.back(f"/review?done={done}")


def _shown(request: Request, number: str, key: int, problem: str = "") -> Response:
    signed, site = door.reader(request), site_of(request)
    objection = find(site, number)
    try:
        reviewed = reviewing.look(site.workspace, number, key)
    except UsageError as error:
        raise HTTPException(404, error.problem) from error
    staff.looked(site.rights, signed.name, "looked at a record", number)
    how = reviewed.item.decided_by if reviewed.item.state == items.REVIEW else ""
    return door.show(
        request,
        "operator_record.html",
        status=422 if problem else 200,
        objection=objection,
        reviewed=reviewed,
        item=reviewed.item,
        how=how.removeprefix("match:"),
        decided_by=door.called(site).get(reviewed.item.decided_by, ""),
        key=f"{key:016x}",
        # Of all addresses that a record may bring along, only what leads to a page.
        link=reviewed.url if reviewed.url.startswith("https://") else "",
        problem=problem,
    )
