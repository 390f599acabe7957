"""What a member of Facebook reacted to and watched. Reference: platform-formats.md, section A.3."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

from sayso.content.events import Interaction
from sayso.sources import meta
from sayso.sources.archive import Member
from sayso.sources.documents import Document, UnreadableError
from sayso.sources.fields import moment, object_in, objects_in
from sayso.sources.items import Item, Rejected, Skipped
from sayso.sources.meta import Owner
from sayso.sources.meta_files import rows

_LISTS: Final = re.compile(r"(reactions|stories_feedback)(_v\d+)?")
_ENTRIES: Final = "entries"
_NESTED: Final = ("recently_viewed", "children")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


def reactions(member: Member, owner: Owner) -> Iterator[Item]:
    """Read a file of likes and other reactions, in either dialect."""
    for where, row in rows(member, _LISTS):
        if isinstance(row, dict):
            yield _reaction(row, owner, member.name, where)
        else:
            yield row


def views(member: Member, owner: Owner) -> Iterator[Item]:
    """Read what was viewed, with the time that it was watched for, where the file tells."""
    with member.open() as stream:
        document = Document(stream, member.name)
        for number, entry in enumerate(_entries(document)):
            yield _view(entry, owner, member.name, f"item {number + 1}")
        document.end()


def _reaction(row: dict[str, Any], owner: Owner, file: str, where: str) -> Item:
    if isinstance(row.get("label_values"), list):
        found = meta.labels(row)
        plain = (each.text for each in found if each.text and not each.nested and not each.link)
        word = next(plain, "")
        target = next((each.link for each in found if each.link), "")
        names = (each.text for each in found if each.nested and each.text and not each.link)
        target = target or next((f"facebook:{name}" for name in names), "")
    else:
        given = (object_in(each, "reaction") for each in objects_in(row, "data"))
        reaction = next(filter(None, given), {})
        actor = meta.name_key(reaction.get("actor"))
        if actor and owner.names and actor not in owner.names:
            return Skipped("someone else's reaction")
        word, target = meta.words(reaction.get("reaction")), _opaque(row.get("title"))
    if not meta.is_id(target):
        return Rejected(file, where, "a reaction without what it is to")
    if not owner.account:
        return Skipped(meta.UNKNOWN_ACTOR)
    verb = "like" if word.upper() == "LIKE" else "react"
    return Interaction(owner.account, verb, target, at=moment(row.get("timestamp"))[0])


def _opaque(title: object) -> str:
    """Return a name for what only a sentence with people's names tells of."""
    text = meta.words(title)
    return f"facebook:{blake2b(text.encode(), digest_size=16).hexdigest()}" if text else ""


def _view(entry: object, owner: Owner, file: str, where: str) -> Item:
    if isinstance(entry, UnreadableError):
        return Rejected(file, where, entry.reason)
    if not isinstance(entry, dict):
        return Rejected(file, where, "expected an object")
    data = object_in(entry, "data")
    name = meta.words(data.get("name"))
    target = meta.words(data.get("uri")) or (f"facebook:{name}" if name else "")
    if not meta.is_id(target):
        return Rejected(file, where, "a view without what was viewed")
    if not owner.account:
        return Skipped(meta.UNKNOWN_ACTOR)
    at, _ = moment(entry.get("timestamp"))
    told = str(data.get("watch_time"))
    if not _SECONDS.fullmatch(told):
        return Interaction(owner.account, "view", target, at=at)
    return Interaction(owner.account, "dwell", target, float(told) * 1000, "ms", at)


def _entries(document: Document) -> Iterator[object]:
    """Yield the entries of categories within categories, or why one cannot be taken."""
    kind = document.kind()
    if kind == "[":
        for _ in document.elements():
            yield from _entries(document)
    elif kind == "{":
        for key in document.entries():
            if key == _ENTRIES and document.kind() == "[":
                for _ in document.elements():
                    try:
                        yield document.value()
                    except UnreadableError as error:
                        yield error
            elif key in _NESTED:
                yield from _entries(document)
            else:
                document.skip()
    else:
        document.skip()
