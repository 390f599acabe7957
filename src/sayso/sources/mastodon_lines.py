"""Messages of Mastodon's streaming API, live or recorded, and files of recorded statuses.

Such files are what `websocat`, `curl` or a bot of one's own leaves.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from sayso.content.events import Delete
from sayso.sources import messages
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.sources.mastodon_status import (
    Status,
    alias,
    decode_status,
    read_status,
)

# What decoding a message may raise.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NO_POST: Final = "no post: a notice of the server"
_NUMBER: Final = re.compile(r"[0-9A-Za-z]{1,64}")
_MARKS: Final = frozenset({"uri", "account", "visibility", "content"})


class _Message(Struct):
    event: str
    payload: str | int | dict[str, Any] | None = None


_decode_message: Final = msgspec.json.Decoder(_Message).decode


def open_event(message: bytes, host: str, file: str, where: str) -> Status | Item:
    """Return the status in a streamed message, or what else the message is; never raises."""
    try:
        got = _decode_message(message)
        match got.event:
            case "update" | "status.update":
                return _payload(got.payload)
            case "delete" if _NUMBER.fullmatch(str(got.payload)):
                return Delete(alias(str(got.payload), host))
            case "delete":
                return Rejected(file, where, "a deletion without the number of a status")
            case "conversation":
                return Refused(messages.DIRECT)
            case _:
                return Skipped(NO_POST)
    except UNREADABLE as error:
        return Rejected(file, where, unreadable(error))


def unreadable(error: Exception) -> str:
    """Say why something is no status; a decoder's own text may quote its input."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "not JSON in UTF-8"


def placed(item: Item, file: str, where: str) -> Item:
    """Say of a rejected item where it was."""
    return Rejected(file, where, item.reason) if isinstance(item, Rejected) else item


def fits(fields: dict[str, Any]) -> bool:
    """Whether a line is a streamed message, or a bare status."""
    return {"event", "payload"} <= fields.keys() or fields.keys() >= _MARKS


def parse(line: bytes, name: str, number: int) -> Iterator[Item]:
    """Read one line of a recording; which server it was is not known."""
    where = f"line {number}"
    try:
        got = open_event(line, "", name, where) if b'"payload"' in line else decode_status(line)
    except UNREADABLE as error:
        got = Rejected(name, where, unreadable(error))
    yield placed(read_status(got), name, where) if isinstance(got, Status) else got


def claims(tree: Tree) -> bool:
    """Whether any file is an array of statuses, as REST answers are."""
    return any(_is_array(member) for member in tree.members)


def read(tree: Tree) -> Iterator[Item]:
    """Read the arrays of statuses in a tree."""
    for member in tree.members:
        if not _is_array(member):
            continue
        with member.open() as stream:
            document = Document(stream, member.name)
            for number in document.elements():
                yield _element(document, member.name, f"item {number + 1}")
            document.end()


def _element(document: Document, name: str, where: str) -> Item:
    try:
        return placed(read_status(msgspec.convert(document.value(), Status)), name, where)
    except UnreadableError as error:
        return Rejected(name, error.where, error.reason)
    except msgspec.ValidationError as error:
        return Rejected(name, where, str(error))


def _is_array(member: Member) -> bool:
    if member.is_media or b'"visibility"' not in member.head:
        return False
    shape = outline(member.head)
    return shape.root == "[" and set(shape.first) >= _MARKS


def _payload(payload: str | int | dict[str, Any] | None) -> Status:
    if isinstance(payload, str):
        return decode_status(payload)
    return msgspec.convert(payload, Status)
