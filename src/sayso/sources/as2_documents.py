"""JSON documents of ActivityStreams: collections of any size, or a single object or activity."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sayso.sources import activitystreams, mastodon
from sayso.sources.archive import Member, Tree
from sayso.sources.as2_posts import Origin
from sayso.sources.as2_values import NAMESPACE
from sayso.sources.as2_writing import VERSION
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.items import Item, Rejected

_ITEMS: Final = ("orderedItems", "items")
_OURS: Final = Origin(source="activitystreams", ours=True)


def claims(tree: Tree) -> bool:
    """Whether there is any such document that is no part of a Mastodon archive."""
    return any(_is_document(member) for member in tree.members)


def read(tree: Tree) -> Iterator[Item]:
    """Read all of them, each as it comes."""
    for member in tree.members:
        if _is_document(member):
            with member.open() as stream:
                yield from _read(Document(stream, member.name), member.name)


def _is_document(member: Member) -> bool:
    if member.is_media or mastodon.is_part(member) or _is_lines(member):
        return False
    shape = outline(member.head)
    keys = {*shape.keys, *shape.first}
    named = "@context" in keys and NAMESPACE.encode() in member.head
    return named or (not keys.isdisjoint(_ITEMS) and b'Collection"' in member.head)


def _is_lines(member: Member) -> bool:
    """Whether objects stand in it line by line."""
    if member.name.lower().endswith((".jsonl", ".ndjson")):
        return True
    first, _, rest = member.head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        msgspec.json.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return rest.lstrip().startswith(b"{")


def _read(document: Document, name: str) -> Iterator[Item]:
    if document.kind() == "[":
        yield from _elements(document, name, Origin())
    else:
        yield from _object(document, name)
    document.end()


def _object(document: Document, name: str) -> Iterator[Item]:
    fields: dict[str, Any] = {}
    origin, is_collection = Origin(), False
    for key in document.entries():
        if key in _ITEMS and document.kind() == "[":
            is_collection = True
            yield from _elements(document, name, origin)
            continue
        try:
            fields[key] = document.value()
        except UnreadableError as error:
            yield Rejected(name, error.where, error.reason)
        if key == VERSION:
            origin = _OURS
    if not is_collection:
        yield from activitystreams.read(fields, name, "item 1", origin)


def _elements(document: Document, name: str, origin: Origin) -> Iterator[Item]:
    for number in document.elements():
        where = f"item {number + 1}"
        try:
            value = document.value()
        except UnreadableError as error:
            yield Rejected(name, where, error.reason)
        else:
            yield from activitystreams.read(value, name, where, origin)
