"""Objections from a file: first what it would do, then doing it.

Between the two the file stays in the browser, as a field of the form: nothing of it is kept here
before it is taken.
"""

import base64
import binascii
import io
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from sayso.errors import InputError, UsageError
from sayso.rights import bulk
from sayso.rights.bulk import Imported
from sayso.web.pages.operator import door
from sayso.web.rendering import translate
from sayso.web.site import site_of

router = APIRouter(prefix="/operator/import")
LONGEST_FILE: Final = 1024 * 1024
MOST_ROWS: Final = 5000
SHOWN: Final = 50  # rejected lines
_: Final = str  # marks what the page translates
REASONS: Final = (
    _("the line has not as many fields as columns"),
    _("the line is too long"),
    _("the line is no JSON object"),
    _("the line has a field that is none of an objection's"),
    _("the line names both a person and an account"),
    _("a field is no text"),
    _("received_at is no date of ISO 8601"),
    _("an objection needs the person's id or account, got an empty name"),
    _("an objection came at most a year ago, and not later than now"),
)


@router.get("")
def form(request: Request) -> Response:
    """Ask for a file."""
    door.reader(request)
    return _form(request)


@router.post("")
async def look(request: Request) -> Response:
    """Say what a file would do; nothing is taken yet."""
    _, fields, data = await door.uploaded(request, LONGEST_FILE)
    if not data:
        return _form(request, translate(request, "Please choose a file."))
    name = fields["name"] if fields["name"].lower().endswith((".csv", ".jsonl")) else "file.csv"
    try:
        foreseen = await to_thread.run_sync(_foresee, request, data, name)
    except (UsageError, InputError) as error:
        return _form(request, door.problem_of(error))
    carried = {"name": name, "data": base64.b64encode(data).decode()}
    return _form(request, foreseen=foreseen, carried=carried)


@router.post("/take")
async def take(request: Request) -> Response:
    """Take the file's objections; what is there already is not taken twice."""
    signed, fields, _ = await door.uploaded(request, LONGEST_FILE)
    try:
        data = base64.b64decode(fields.get("data", ""), validate=True)
    except binascii.Error:
        data = b""
    name = fields.get("name", "")[:100]
    if not data:
        return _form(request, translate(request, "Please choose a file."))

    def taken() -> Imported:
        _foresee(request, data, name)  # the limits hold here, too
        return bulk.take(site_of(request).rights, io.BytesIO(data), name, signed.name)

    try:
        # Not in the queue of writers: it takes the lock piece by piece, and lets others between.
        done = await to_thread.run_sync(taken)
    except (UsageError, InputError) as error:
        return _form(request, door.problem_of(error))
    return _form(request, done=done)


def _foresee(request: Request, data: bytes, name: str) -> Imported:
    return bulk.foresee(site_of(request).rights, io.BytesIO(data), name, MOST_ROWS)


def _form(
    request: Request,
    problem: str = "",
    foreseen: Imported | None = None,
    done: Imported | None = None,
    carried: dict[str, Any] | None = None,
) -> Response:
    return door.show(
        request,
        "operator_import.html",
        status=422 if problem else 200,
        path="/operator/import",
        problem=problem,
        foreseen=foreseen,
        done=done,
        carried=carried,
        shown=SHOWN,
        reasons={text: translate(request, text) for text in REASONS},
        most_rows=MOST_ROWS,
        columns=sorted(bulk.COLUMNS),
    )
