"""POST /ingest/events: records and events from programs that have a key.

JSON, NDJSON, and CloudEvents 1.0, structured, binary and in batches. The answer comes when all of
it is stored; what is sent again changes nothing.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sayso.corpus.imported import Report, count
from sayso.corpus.store import Store
from sayso.rights.api_keys import ApiKey
from sayso.rights.database import Rights
from sayso.settings import Ingest
from sayso.sources import cloudevents
from sayso.sources.items import Item, Rejected
from sayso.sources.lines import LONGEST_LINE
from sayso.web.bodies import Lines, chunks, whole
from sayso.web.intake import Intake
from sayso.web.rates import Rates
from sayso.web.scope import REASON, Placed, keep_to
from sayso.web.service_keys import BEARER, key_of

PATH: Final = "/ingest/events"
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
JSON: Final = (
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
)
MOST_TOLD: Final = 1000
BLOCK_BYTES: Final = 1024 * 1024
BLOCK_LINES: Final = 2000
NAME: Final = "body"
router = APIRouter(tags=["ingest"])


class Problem(BaseModel):
    """Something that could not be taken: where it was and why, never what it said."""

    where: str = Field(description="'line 17' or 'item 3'.", examples=["line 17"])
    reason: str = Field(description="What was expected.")


class Taken(BaseModel):
    """What became of a request, counted as `sayso import --json` does."""

    read: int = Field(description="Records and events that came.")
    stored: int = Field(description="New records.")
    updated: int = Field(description="Records that a newer revision replaced.")
    unchanged: int = Field(description="Records that were known already.")
    refused: dict[str, int] = Field(description="Private messages, by kind; nothing is stored.")
    skipped: dict[str, int] = Field(description="What is no content, or was deleted before.")
    interactions: int = Field(description="Reactions.")
    deletions: int = Field(description="Deletions.")
    accounts: int = Field(description="Changes of accounts.")
    rejected: list[Problem] = Field(description=f"What could not be taken; the first {MOST_TOLD}.")
    rejected_count: int = Field(description="How many could not be taken.")


class Door:
    """What the route needs; made once for each application."""

    def __init__(self, limits: Ingest, rights: Rights, intake: Intake) -> None:
        self.limits = limits
        self.rights = rights
        self.intake = intake
        self.store = Store(rights.workspace)
        self.rates = Rates(limits.requests_per_minute)


class _Tally:
    """The reports of a request's blocks, added up."""

    def __init__(self) -> None:
        self.sum = Report()
        self.foreign = 0
        self.rejected_count = 0

    def add(self, report: Report) -> None:
        total = self.sum
        for name in ("read", "stored", "updated", "unchanged", "interactions", "deletions"):
            setattr(total, name, getattr(total, name) + getattr(report, name))
        total.accounts += report.accounts
        for mine, theirs in ((total.refused, report.refused), (total.skipped, report.skipped)):
            for reason, number in theirs.items():
                count(mine, reason, number)
        self.rejected_count += len(report.rejected)
        self.foreign += sum(item.reason == REASON for item in report.rejected)
        total.rejected += report.rejected[: MOST_TOLD - len(total.rejected)]

    @property
    def taken(self) -> dict[str, Any]:
        names = set(Taken.model_fields) - {"rejected", "rejected_count"}
        told = [{"where": item.where, "reason": item.reason} for item in self.sum.rejected]
        counts = {name: getattr(self.sum, name) for name in Taken.model_fields if name in names}
        return counts | {"rejected": told, "rejected_count": self.rejected_count}

    def answer(self) -> JSONResponse:
        status = 200
        if self.rejected_count and self.rejected_count == self.sum.read:
            status = 403 if self.foreign == self.rejected_count else 422
        return JSONResponse(self.taken, status)


_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "Records or events; see docs/ingest-api.md.",
        "content": {name: {"schema": {}} for name in (*JSON, *LINES)},
    }
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "No valid key."},
    403: {"model": Taken, "description": "All of it is of services that the key is not for."},
    413: {"description": "The body is too long; what it says was taken is stored."},
    415: {"description": "Another media type or encoding than those known."},
    422: {"model": Taken, "description": "Nothing of it could be taken."},
    429: {"description": "Too many requests; see Retry-After."},
}


@router.post(
    PATH,
    summary="Hand in records and events",
    response_model=Taken,
    responses=_ANSWERS,
    openapi_extra=_BODY,
)
async def post_events(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> JSONResponse:
    """Store records and events; the answer says what became of them, once they are on the disk.

    Records are known by `id` and revision, so what is sent twice changes nothing.
    """
    door: Door = request.app.state.door
    key = await to_thread.run_sync(key_of, door.rights, credentials)
    door.rates.take(key.name)
    tally = _Tally()
    try:
        await _take(request, door, key, tally)
    except HTTPException as error:
        if not tally.sum.read:
            raise
        # Some of the stream is stored already; the rest can be sent again.
        told = {"status": error.status_code, "detail": error.detail, "taken": tally.taken}
        return JSONResponse(told, error.status_code, error.headers)
    except ClientDisconnect:
        return JSONResponse({"detail": "the request ended too early"}, 400)
    return tally.answer()


async def _take(request: Request, door: Door, key: ApiKey, tally: _Tally) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    attributes = _attributes(request.headers)
    if media_type in LINES and not attributes:
        await _take_lines(request, door, key, tally)
        return
    if media_type not in JSON and not attributes:
        raise HTTPException(415, f"unknown Content-Type; expected {', '.join((*JSON, *LINES))}")
    body = await whole(request, door.limits.max_bytes)
    await _store(door, key, await to_thread.run_sync(_parsed, body, attributes), tally)


def _attributes(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the context attributes of binary mode (HTTP binding of CloudEvents, section 3.1.3)."""
    found = {
        name.removeprefix("ce-"): unquote(_unquoted(value))
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    if found and (media_type := headers.get("content-type")):
        found["datacontenttype"] = media_type
    return found


def _unquoted(value: str) -> str:
    """Undo a quoted string (RFC 9110, section 5.6.4)."""
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])


async def _take_lines(request: Request, door: Door, key: ApiKey, tally: _Tally) -> None:
    """Store a stream of lines block by block, so that memory stays flat."""
    lines, block, size = Lines(), list[tuple[int, bytes | None]](), 0
    async for chunk in chunks(request, door.limits.max_stream_bytes):
        for number, line in lines.feed(chunk):
            block.append((number, line))
            size += len(line or b"")
        if size >= BLOCK_BYTES or len(block) >= BLOCK_LINES:
            await _store(door, key, await to_thread.run_sync(_parsed_lines, block), tally)
            block, size = [], 0
    block += lines.end()
    await _store(door, key, await to_thread.run_sync(_parsed_lines, block), tally)


async def _store(door: Door, key: ApiKey, placed: list[Placed], tally: _Tally) -> None:
    if placed:
        items = await to_thread.run_sync(
            keep_to, key.services, placed, NAME, door.rights, door.store
        )
        tally.add(await door.intake.store(items))


def _parsed(body: bytes, attributes: dict[str, str]) -> list[Placed]:
    items = map(_without_raw, cloudevents.parse(body, attributes, NAME, 1))
    return [(f"item {place}", item) for place, item in enumerate(items, 1)]


def _parsed_lines(block: list[tuple[int, bytes | None]]) -> list[Placed]:
    return [(f"line {number}", item) for number, line in block for item in _line(number, line)]


def _line(number: int, line: bytes | None) -> Iterator[Item]:
    if line is None:
        yield Rejected(NAME, f"line {number}", f"line longer than {LONGEST_LINE} bytes")
    else:
        yield from map(_without_raw, cloudevents.parse(line, {}, NAME, number))


def _without_raw(item: Item) -> Item:
    """Keep nothing of what is rejected: whoever sent it still has it."""
    return Rejected(item.file, item.where, item.reason) if isinstance(item, Rejected) else item
