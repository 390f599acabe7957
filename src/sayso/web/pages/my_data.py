"""A member's own data: what is held, what the gate says of it, where it is; and taking it out.

Whose data it is, the session alone says: no address or form names a person or an account.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import polars as pl
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.datastructures import State
from starlette.responses import Response

from sayso.audit import access, mine
from sayso.corpus.store import Store
from sayso.rights import items
from sayso.rights.objection import ITEMS, Given
from sayso.web.pages import holdings
from sayso.web.rates import Rates
from sayso.web.rendering import page
from sayso.web.signin import SignedIn, check_csrf, require
from sayso.web.site import Site, in_turn, site_of

PATH: Final = "/my-data"
CHANNEL: Final = "my data"
ACTS_PER_MINUTE: Final = 60
DOWNLOADS_PER_MINUTE: Final = 6
AT_ONCE: Final = 1 << 17  # bytes of a copy that are sent together
# Reading all records of somebody takes a core.
LOOKING: Final = CapacityLimiter(2)
router = APIRouter(include_in_schema=False, prefix=PATH)


def prepare(state: State) -> None:
    """Set up what counts how often a member acts and downloads."""
    state.my_data_acts = Rates(ACTS_PER_MINUTE)
    state.my_data_downloads = Rates(DOWNLOADS_PER_MINUTE)


@router.get("")
async def show(
    request: Request, service: str = "", verdict: str = "", after: str = "", done: str = ""
) -> Response:
    """Show the member's records, a page at a time."""
    signed = require(request)
    chosen = {"service": service, "verdict": verdict, "after": after}
    work = partial(_records, request, signed, chosen, done)
    return await to_thread.run_sync(work, limiter=LOOKING)


@router.get("/reactions")
async def reactions(request: Request, after: str = "") -> Response:
    """Show what the member reacted to, a page at a time."""
    signed = require(request)
    return await to_thread.run_sync(_reactions, request, signed, after, limiter=LOOKING)


@router.get("/about")
def about(request: Request) -> Response:
    """Show what else is held: accounts, signals, objections, user and sessions."""
    signed, site = require(request), site_of(request)
    return page(request, "my_data_about.html", **holdings.about(site, signed))


@router.get("/download")
async def download(
    request: Request,
    format: Literal["jsonl", "activitystreams"] = "jsonl",
) -> Response:
    """Send the member's own copy (GDPR Art. 15(3) and 20), while it is being read."""
    signed, site = require(request), site_of(request)
    request.app.state.my_data_downloads.take(signed.name)
    copy = partial(access.own_copy, site.workspace, signed.person, format, signed.name)
    pieces = _gathered(await to_thread.run_sync(copy, limiter=LOOKING))
    kind, name = {
        "jsonl": ("application/x-ndjson", "my-data.jsonl"),
        "activitystreams": ("application/activity+json", "my-data.json"),
    }[format]
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type=kind, headers=headers)


@router.post("/take-out")
async def take_out(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    record: Annotated[str, Form()] = "",
    service: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form()] = "",
    after: Annotated[str, Form()] = "",
) -> Response:
    """Take one record of the member out of training: an objection to it, in effect at once."""
    signed, key = _act(request, csrf, record)
    site = site_of(request)
    await to_thread.run_sync(_take_out, site, signed.person, key, limiter=site.writer)
    return _back(record, "out", service=service, verdict=verdict, after=after)


@router.post("/put-back")
async def put_back(
    request: Request,
    csrf: Annotated[str, Form()] = "",
    record: Annotated[str, Form()] = "",
    service: Annotated[str, Form()] = "",
    verdict: Annotated[str, Form()] = "",
    after: Annotated[str, Form()] = "",
) -> Response:
    """Let one record of the member train again, as the rules allow."""
    signed, key = _act(request, csrf, record)
    work = partial(_put_back, site_of(request), signed.person, key)
    found = await in_turn(site_of(request), work)
    done = "back" if found else "none"
    return _back(record, done, service=service, verdict=verdict, after=after)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in larger pieces: each costs a change of threads."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= AT_ONCE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _act(request: Request, csrf: str, record: str) -> tuple[SignedIn, int]:
    signed = check_csrf(request, csrf)
    if not signed.person:
        raise HTTPException(403, "whoever is signed in has no posts here")
    request.app.state.my_data_acts.take(signed.name)
    if (key := holdings.key_of(record)) is None:
        raise HTTPException(404, "there is no such record of yours")
    return signed, key


def _take_out(site: Site, person: str, key: int) -> None:
    given = Given(name=person, about=ITEMS, channel=CHANNEL, confirmed_by="member")
    # Without the lock of the content, which a training may hold for minutes: at worst a record that
    # passes to another author at this very moment stays out.
    items.take_out(site.rights, given, _owner(site, person, key))


def _put_back(site: Site, person: str, key: int) -> int:
    with site.workspace.lock("content", wait=True):
        return items.put_back(site.rights, person, _owner(site, person, key))


def _owner(site: Site, person: str, key: int) -> dict[int, int]:
    """Return the record with its author's account, if it is one of the person's."""
    theirs = mine.member(site.rights, person)
    columns = ["key", "account_key", "audience", "surface"]
    where = f"key = {key} AND {theirs.where}"
    found = Store(site.workspace).records.read(columns, where, few=True).filter(mine.NO_MESSAGE)
    if not len(found):
        # As for what is not there at all: nobody learns whose a record is.
        raise HTTPException(404, "there is no such record of yours")
    return dict(found.select("key", "account_key").iter_rows())


def _back(record: str, done: str, **chosen: str) -> Response:
    query = urlencode({name: text for name, text in (chosen | {"done": done}).items() if text})
    return RedirectResponse(f"{PATH}?{query}#r-{record}", 303)


def _records(request: Request, signed: SignedIn, chosen: Mapping[str, str], done: str) -> Response:
    site = site_of(request)
    member = mine.member(site.rights, signed.person)
    frame = mine.records(site.workspace, site.rights, member)
    services = sorted(set(frame["service"]))
    if chosen["service"] in services:
        frame = frame.filter(pl.col("service") == chosen["service"])
    counts = dict(frame["verdict"].value_counts().iter_rows())
    if chosen["verdict"] in counts:
        frame = frame.filter(pl.col("verdict") == chosen["verdict"])
    shown, pages = holdings.cut(frame, chosen["after"], chosen)
    return page(
        request,
        "my_data.html",
        nobody=not signed.person,
        done=done,
        chosen=chosen,
        services=services,
        counts=counts,
        as_of=mine.as_of(site.rights),
        records=holdings.records(site, member, shown),
        pages=pages,
        **holdings.standing(member),
    )


def _reactions(request: Request, signed: SignedIn, after: str) -> Response:
    site = site_of(request)
    member = mine.member(site.rights, signed.person)
    shown, pages = holdings.cut(mine.reactions(site.workspace, member), after, {})
    context: dict[str, Any] = {"reactions": holdings.reactions(site, member, shown)}
    return page(request, "my_data_reactions.html", pages=pages, **context)
