"""What is held of a member as its pages show it: rows made readable, a page of them at a time."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import polars as pl
from msgspec import Struct
from sqlalchemy import func, select

from sayso.audit import mine, whereabouts
from sayso.audit.mine import Member
from sayso.audit.whereabouts import Where
from sayso.content.record import Medium, own_words
from sayso.corpus.store import Store
from sayso.rights import items, objections, sessions
from sayso.rights.objection import ITEMS, OWN, Objection
from sayso.rights.tables import contacts, statements, users
from sayso.web.pages import cases
from sayso.web.signin import SignedIn
from sayso.web.site import Site

PAGE: Final = 25
SHORT: Final = 240  # characters that are shown before the rest unfolds
LONG: Final = 10_000  # characters on a page; all of them are in the download
_KEY: Final = re.compile(r"[0-9a-f]{16}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = (
    "key account_key surface audience created_at edited_at text content_warning media language url"
).split()
_media: Final = msgspec.json.Decoder(tuple[Medium, ...]).decode


class Pages(Struct, frozen=True):
    """Where a page is among all: rows `first` to `last` of `total`, and what leads elsewhere."""

    first: int
    last: int
    total: int
    newer: str
    older: str


class Held(Struct, frozen=True):
    """One record as it is shown; `begin` is the first part of a `text` that is long.

    `taken_out` is the member's own objection that keeps it out by itself; `out_by_other` tells
    that somebody else's does.
    """

    key: str
    service: str
    account: str
    surface: str
    at: datetime | None
    edited_at: datetime | None
    text: str
    begin: str
    cut: bool
    warning: str
    media: int
    language: str
    url: str
    rule: str
    verdict: str
    where: Where
    taken_out: Objection | None
    out_by_other: bool
    objection: Objection | None


class Reaction(Struct, frozen=True):
    """One reaction as it is shown; `url` leads to what it was to, where anybody may see that."""

    account: str
    verb: str
    at: datetime | None
    url: str


def key_of(text: str) -> int | None:
    """Return the pseudonym that a form names, None if it names none."""
    return int(text, 16) if _KEY.fullmatch(text) else None


def cut(frame: pl.DataFrame, after: str, chosen: Mapping[str, str]) -> tuple[pl.DataFrame, Pages]:
    """Return a page of a sorted frame, from what comes after a place, and the ways on."""
    begin = mine.begins(frame, after)
    shown = frame.slice(begin, PAGE)
    end = begin + len(shown)

    def way(row: int) -> str:
        """The query of the page that begins after a row; of the first one for -1."""
        told = {name: text for name, text in chosen.items() if text and name != "after"}
        if row >= 0:
            told["after"] = mine.place(frame, row)
        return "?" + urlencode(told)

    newer = way(max(begin - PAGE, 0) - 1) if begin else ""
    older = way(end - 1) if end < len(frame) else ""
    return shown, Pages(min(begin + 1, end), end, len(frame), newer, older)


def standing(member: Member) -> dict[str, Any]:
    """Return the member's objections to all that they posted, which stand: for the page's head."""
    found = [o for o in member.objections if o.stands and o.about == OWN]
    return {"objections": [o for o in found if cases.is_number(o.number)]}


def records(site: Site, member: Member, shown: pl.DataFrame) -> list[Held]:
    """Return a page's records, in their order, with all that is said of each."""
    keys = shown["key"].to_list()
    if not keys:
        return []
    # Chosen among the member's own rows a second time: keys alone never lead to a text.
    chosen = f"key IN ({', '.join(map(str, keys))}) AND {member.where}"
    rows = Store(site.workspace).records.read(_COLUMNS, chosen, few=True)
    by_key = {row["key"]: row for row in rows.filter(mine.NO_MESSAGE).to_dicts()}
    where = whereabouts.find(site.workspace, site.rights, member.person, keys)
    out = _out_by(site, member, keys)
    return [
        _held(member, row, by_key[row["key"]], where[row["key"]], out.get(row["key"], []))
        for row in shown.to_dicts()
        if row["key"] in by_key  # it was erased at this moment
    ]


def reactions(site: Site, member: Member, shown: pl.DataFrame) -> list[Reaction]:
    """Return a page's reactions, in their order."""
    wanted = shown["object_key"].to_list()
    if not wanted:
        return []
    chosen = f"key IN ({', '.join(map(str, wanted))}) AND audience IN ('public', 'unlisted')"
    found = Store(site.workspace).records.read(["key", "url"], chosen, few=True)
    urls = dict(found.iter_rows())
    names = {account.key: account for account in member.accounts}
    return [
        Reaction(
            names[row["account_key"]].account,
            row["verb"],
            _moment(row["at"]) if row["at"] else None,
            _address(urls.get(row["object_key"], "")),
        )
        for row in shown.to_dicts()
    ]


def about(site: Site, signed: SignedIn) -> dict[str, Any]:
    """Return what is held besides records and reactions."""
    member = mine.member(site.rights, signed.person)
    names = [account.account for account in member.accounts]
    said = select(statements).where(statements.c.account.in_(names)).order_by(statements.c.name)
    hashed = select(func.count()).select_from(contacts).where(contacts.c.account.in_(names))
    user = select(users.c.created_at, users.c.issuer).where(users.c.name == signed.name)
    with site.rights.reading() as connection:
        signals = [dict(row._mapping) for row in connection.execute(said)]
        number = connection.scalar(hashed)
        since, issuer = connection.execute(user).one()
    return {
        "accounts": member.accounts,
        "signals": signals,
        "hashed": number,
        "since": since,
        "issuer": issuer,
        "objections": [o for o in member.objections if cases.is_number(o.number)],
        "sessions": sessions.of_user(site.rights, signed.name),
    }


def _held(
    member: Member, row: dict[str, Any], record: dict[str, Any], where: Where, out: list[Objection]
) -> Held:
    account = next(a for a in member.accounts if a.key == row["account_key"])
    media = _media(record["media"])
    text = own_words(record["text"], media).strip()
    covering = (o for o in standing(member)["objections"] if o.service in ("*", account.service))
    own = [o for o in out if o.about == ITEMS]  # authors name nobody else's
    return Held(
        key=f"{row['key']:016x}",
        service=row["service"],
        account=account.handle or account.account,
        surface=record["surface"],
        at=record["created_at"],
        edited_at=record["edited_at"],
        text=text[:LONG],
        begin=_begin(text),
        cut=len(text) > LONG,
        warning=record["content_warning"],
        media=len(media),
        language=record["language"] if _LANGUAGE.fullmatch(record["language"]) else "",
        url=_address(record["url"]),
        rule=row["rule"],
        verdict=row["verdict"],
        where=where,
        taken_out=next((o for o in own if cases.is_number(o.number)), None),
        out_by_other=len(own) < len(out),
        objection=next(covering, None),
    )


def _out_by(site: Site, member: Member, keys: list[int]) -> dict[int, list[Objection]]:
    """Return the confirmed objections that keep single records out, by record."""
    with site.rights.reading() as connection:
        named = [item for item in items.of_records(connection, keys) if item.act == items.OUT]
    made: dict[str, Objection | None] = {o.number: o for o in member.objections}
    found: dict[int, list[Objection]] = {}
    for item in named:
        if item.number not in made:
            made[item.number] = objections.find(site.rights, item.number)
        objection = made[item.number]
        if objection and item.state == items.DECIDED and objection.state == "confirmed":
            found.setdefault(item.record_key, []).append(objection)
    return found


def _begin(text: str) -> str:
    """Return the beginning of a long text, '' for one that is short enough to be shown whole."""
    if len(text) <= SHORT:
        return ""
    head = text[:SHORT]
    return head.rpartition(" ")[0] or head


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _address(url: str) -> str:
    """Return an address that a link may lead to: of the web, and of nothing that runs here."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""
