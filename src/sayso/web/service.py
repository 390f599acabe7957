"""For whoever keeps the service running: health and metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from sayso.rights.database import now
from sayso.web.site import site_of

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz(request: Request) -> dict[str, bool | str]:
    """Say that the service runs, can read its ledger, and which release it serves."""
    site = site_of(request)
    site.board.overview()
    return {"ok": True, "release": site.release}


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Return the counters for Prometheus."""
    site = site_of(request)
    text = site.meter.text(site.board.overview(), site.due(), site.messages(), now())
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
