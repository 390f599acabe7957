"""Reddit: monthly dumps (RC_ and RS_, a JSON object a line), listings of its API, members' exports.

A listing is an API answer ({"kind": "Listing", …}), with the replies in it. A member's export are
posts.csv and comments.csv; whose they are stands in statistics.csv. Inbox and chat files are
refused by name and by header, messages (t4) in listings one by one. Reference:
platform-formats.md, sections A.5 and D.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any, Final

import msgspec
from msgspec import Struct

from sayso.content.events import AccountUpdate
from sayso.content.record import Record, normalise_text, revision
from sayso.errors import InputError
from sayso.sources import messages
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.fields import age_band, checked, moment, object_in, text_in
from sayso.sources.items import Item, Refused, Rejected, Skipped

SERVICE: Final = "reddit"
DELETED: Final = "deleted"
_GONE: Final = ("[deleted]", "[removed]", "[ Removed by Reddit ]")
_AUDIENCES: Final = {
    "public": "public",
    "restricted": "public",  # everybody reads, some write
    "user": "public",
    "private": "group",
    "employees_only": "group",
}
_KINDS: Final = ("t1", "t3")
_COLUMNS: Final = {"id", "permalink", "date", "subreddit", "body"}
_POST_IN_LINK: Final = re.compile(r"/comments/(\w+)")
_ARCHIVE: Final = re.compile(r"export_(.+)_\d{8}\b")


class Thing(Struct):
    """The fields of a comment or a submission that are used; of any kind, since dumps vary."""

    id: Any = None
    name: Any = None
    author: Any = None
    body: Any = None
    title: Any = None
    selftext: Any = None
    subreddit: Any = None
    subreddit_type: Any = None
    created_utc: Any = None
    edited: Any = None
    over_18: Any = None
    parent_id: Any = None
    link_id: Any = None
    permalink: Any = None
    crosspost_parent: Any = None
    removed_by_category: Any = None


_decode: Final = msgspec.json.Decoder(Thing).decode


def fits(fields: dict[str, Any]) -> bool:
    """Whether a line is of a dump of comments or submissions."""
    return fields.keys() >= {"author", "created_utc", "id"} and (
        fields.keys() >= {"body", "link_id"} or fields.keys() >= {"selftext", "title"}
    )


def parse(line: bytes, name: str, number: int) -> Iterator[Item]:
    """Turn one line of a dump into an item; never raises."""
    where = f"line {number}"
    try:
        thing = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield Rejected(name, where, "not a JSON object in UTF-8")
        return
    yield _item(thing, name, where)


def claims(tree: Tree) -> bool:
    """Whether a tree has listings, or the posts or comments of a member's export."""
    return any(_is_listing(member) or _columns(member) for member in tree.members)


def read(tree: Tree) -> Iterator[Item]:
    """Read the listings and the member's exports of a tree."""
    for member in filter(_is_listing, tree.members):
        with member.open() as stream:
            document = Document(stream, member.name)
            if document.kind() == "[":
                for _ in document.elements():
                    yield from _listing(document, member.name)
            else:
                yield from _listing(document, member.name)
            document.end()
    told = set[str]()
    for member in filter(_columns, tree.members):
        folder = member.name[: len(member.name) - len(member.file_name)]
        author = _owner(tree, folder)
        if author and author not in told:
            told.add(author)
            yield AccountUpdate(author, SERVICE, age_band=_age(tree, folder))
        for number, row in _rows(member):
            yield _from_export(row, author, member.name, f"row {number}")


def _is_listing(member: Member) -> bool:
    if member.is_media or b'"Listing"' not in member.head:
        return False
    seen = outline(member.head)
    return {"kind", "data"} <= set(seen.keys if seen.root == "{" else seen.first)


def _listing(document: Document, file: str) -> Iterator[Item]:
    """Read {"kind": "Listing", "data": {"children": […]}} as it comes."""
    if document.kind() != "{":
        document.skip()
        return
    for key in document.entries():
        if key != "data" or document.kind() != "{":
            document.skip()
            continue
        for part in document.entries():
            if part != "children" or document.kind() != "[":
                document.skip()
                continue
            for _ in document.elements():
                yield from _child(document, file)


def _child(document: Document, file: str) -> Iterator[Item]:
    where = document.where
    try:
        waiting = [document.value()]
    except UnreadableError as error:
        yield Rejected(file, error.where, error.reason)
        return
    while waiting:
        child = waiting.pop()
        if not isinstance(child, dict):
            yield Rejected(file, where, "expected an object")
            continue
        kind, data = child.get("kind"), object_in(child, "data")
        if kind == "t4":
            thing = text_in(data, "id")
            yield Refused(messages.REDDIT, f"reddit:t4_{thing}" if thing else "")
        elif kind in _KINDS:
            yield _item(msgspec.convert(data, Thing), file, where)
        replies = object_in(object_in(data, "replies"), "data").get("children")
        waiting += reversed(replies) if isinstance(replies, list) else ()


def _item(thing: Thing, file: str, where: str) -> Item:
    is_comment = isinstance(thing.body, str)
    words = (thing.body,) if is_comment else (thing.title, thing.selftext)
    texts = [unescape(each) for each in words if isinstance(each, str)]
    full_id = _full_id(thing.name or thing.id, "t1_" if is_comment else "t3_")
    if not full_id or not texts:
        return Rejected(file, where, "neither a comment nor a submission with an id")
    if thing.crosspost_parent:
        return Skipped("crosspost")
    gone = any(text.strip() in _GONE for text in texts) or thing.author in (*_GONE, None, "")
    if gone or thing.removed_by_category:
        return Skipped(DELETED)
    told = thing.subreddit_type
    audience = "public" if told is None else _AUDIENCES.get(str(told), "unknown")
    at, state = moment(thing.created_utc)
    edited_at = None if thing.edited in (None, True, False) else moment(thing.edited)[0]
    parent = _full_id(thing.parent_id, "") or _full_id(thing.link_id, "")
    subreddit = thing.subreddit if isinstance(thing.subreddit, str) else ""
    author = thing.author if isinstance(thing.author, str) else ""
    link = thing.permalink if isinstance(thing.permalink, str) else ""
    record = Record(
        id=f"reddit:{full_id}",
        rev=revision(edited_at),
        service=SERVICE,
        surface="comment" if is_comment else "post",
        author=_account(author),
        age_band="",
        kind="bot" if author == "AutoModerator" else "",
        audience=audience,
        # The old dumps say nothing, and are of public communities alone.
        audience_source="" if audience == "unknown" else "derived" if told is None else "asserted",
        created_at=at,
        date_state=state,
        edited_at=edited_at,
        text=normalise_text("\n\n".join(text for text in texts if text.strip())),
        sensitive=thing.over_18 is True,
        reply_to=f"reddit:{parent}" if is_comment and parent else "",
        container=f"reddit:r/{subreddit}" if subreddit else "",
        url=f"https://www.reddit.com{link}" if link.startswith("/") else "",
        source="reddit",
    )
    return checked(record, file, where)


def _full_id(value: object, prefix: str) -> str:
    """Return an id with its kind in front ('t1_…'), '' if it is none."""
    if not isinstance(value, str) or not value:
        return ""
    if value.startswith(("t1_", "t3_")):
        return value
    return prefix + value if prefix else ""


def _account(name: str) -> str:
    return f"acct:{name}@reddit.com" if name else ""


def _columns(member: Member) -> list[str]:
    """The columns of a member's posts or comments; none for any other file."""
    if not member.name.lower().endswith(".csv"):
        return []
    first = member.head.partition(b"\n")[0].decode("utf-8-sig", "replace").strip()
    columns = [column.strip('"') for column in first.split(",")]
    fits_one = set(columns) >= _COLUMNS and {"title", "parent"} & set(columns)
    return columns if fits_one else []


def _rows(member: Member) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV file, numbered from 1 below its header."""
    try:
        with io.TextIOWrapper(member.open(), "utf-8-sig", newline="") as text:
            yield from enumerate(csv.DictReader(text), 1)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(
            f"{member.name} cannot be read as CSV in UTF-8; nothing was imported",
            "download or copy the export again",
        ) from error


def _from_export(row: dict[str, Any], author: str, file: str, where: str) -> Item:
    """Turn a row of posts.csv or comments.csv into an item; it does not say who could see it."""
    is_comment = "parent" in row
    full_id = _full_id(row.get("id"), "t1_" if is_comment else "t3_")
    body, title = text_in(row, "body"), text_in(row, "title")
    if not full_id or None in row:
        return Rejected(file, where, "no id, or more values than columns")
    if body.strip() in _GONE or title.strip() in _GONE:
        return Skipped(DELETED)
    at, state = moment(text_in(row, "date").replace(" UTC", "+00:00"))
    post = _POST_IN_LINK.search(text_in(row, "link"))
    parent = _full_id(row.get("parent"), "t1_") or (f"t3_{post[1]}" if post else "")
    subreddit, link = text_in(row, "subreddit"), text_in(row, "permalink")
    record = Record(
        id=f"reddit:{full_id}",
        service=SERVICE,
        surface="comment" if is_comment else "post",
        author=author,
        age_band="",
        audience="unknown",
        created_at=at,
        date_state=state,
        text=normalise_text("\n\n".join(part for part in (title, body) if part.strip())),
        reply_to=f"reddit:{parent}" if is_comment and parent else "",
        container=f"reddit:r/{subreddit}" if subreddit else "",
        url=f"https://www.reddit.com{link}" if link.startswith("/") else link,
        source="reddit-export",
    )
    return checked(record, file, where)


def _owner(tree: Tree, folder: str) -> str:
    """Return whose export it is, as statistics.csv says, else as its file is called."""
    if statistics := tree.get(folder + "statistics.csv"):
        for _, row in _rows(statistics):
            if row.get("statistic") == "account name" and (name := text_in(row, "value")):
                return _account(name)
    named = _ARCHIVE.match(tree.name)
    return _account(named[1]) if named else ""


def _age(tree: Tree, folder: str) -> str:
    if births := tree.get(folder + "birthdate.csv"):
        for _, row in _rows(births):
            return age_band(text_in(row, "birthdate"), datetime.now(UTC))
    return ""
