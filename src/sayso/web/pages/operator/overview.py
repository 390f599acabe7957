"""What is to be done, and until when."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from sayso.rights import deadlines, outbox, queue
from sayso.rights.database import now
from sayso.web.pages.operator.door import reader, show
from sayso.web.site import site_of

router = APIRouter(prefix="/operator")


@router.get("")
def overview(request: Request) -> Response:
    """Show how many objections, records and letters wait, and the nearest deadline."""
    reader(request)
    site, at = site_of(request), now()
    with site.rights.reading() as connection:
        due = deadlines.due(connection, at)
        doubtful = queue.doubtful_count(connection)
        letters = outbox.overview(connection)
    return show(
        request, "operator_overview.html", due=due, doubtful=doubtful, letters=letters, at=at
    )
