"""What the installation does, in numbers that anyone may see."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

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
        for_everybody_only=for_everybody,
    )
