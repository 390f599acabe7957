"""What the installation does, in numbers that anyone may see."""

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from sayso.rights.statistics import FEWEST, Cell, Statistics
from sayso.web.rendering import page
from sayso.web.site import site_of

FOR_EVERYBODY: Final = {"public", "unlisted"}
router = APIRouter(include_in_schema=False)


@router.get("/transparency")
def transparency(request: Request) -> Response:
    """Show what the gate decided, what was released, and how objections were met."""
    site = site_of(request)
    policy = site.policy
    for_everybody = set(policy.audiences) <= FOR_EVERYBODY and not policy.assistant_audiences
    return page(
        request,
        "transparency.html",
        overview=site.board.overview(),
        statistics=site.statistics(),
        for_everybody_only=for_everybody,
    )


@router.get("/transparency.json")
def transparency_json(request: Request) -> Response:
    """Return how objections were met, as `docs/operator.md` says; null is what is not told."""
    site = site_of(request)
    overview = site.board.overview()
    return JSONResponse(
        {
            "community": site.community,
            "release": site.release or None,
            "releases": overview.release_count,
            "ledger": {"entries": overview.entries, "head": overview.head},
            "objections": _told(site.statistics()),
        },
        headers={"Cache-Control": "no-store"},
    )


def _told(found: Statistics) -> dict[str, Any]:
    tables = {
        name: [_row(cell) for cell in getattr(found, name)]
        for name in ("by_month", "by_channel", "by_service")
    }
    times = {
        "seconds_to_training_stopped": found.stopped,
        "seconds_to_gone_from_served_release": found.gone,
        "seconds_to_all_models_cleared": found.cleared,
    }
    overdue = _row(found.overdue)
    del overdue["name"]
    return {
        "received": found.received,
        **tables,
        **{name: msgspec.to_builtins(took) for name, took in times.items()},
        "answered_within_a_month": found.in_time,
        "overdue": overdue,
    }


def _row(cell: Cell) -> dict[str, Any]:
    row: dict[str, Any] = {"name": cell.name, "count": cell.count}
    return row | ({"fewer_than": FEWEST} if cell.few else {})
