"""Archives of Mastodon and of servers that write them alike (Pleroma, Akkoma, GoToSocial tools).

actor.json is the account, outbox.json all it wrote, private posts included; likes.json what it
liked. Bookmarks are a private matter: their file is not opened. Several archives may lie in one
tree, each in its own folder.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import structs

from sayso.content.events import Interaction, Upsert
from sayso.content.record import LONGEST_ID, Medium
from sayso.sources import activitystreams, as2_actors
from sayso.sources import as2_values as values
from sayso.sources.archive import Member, Tree
from sayso.sources.as2_posts import Origin
from sayso.sources.as2_values import UnfitError
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.items import Item, Rejected, Skipped

SOURCE: Final = "mastodon-archive"
_PARTS: Final = ("actor.json", "outbox.json", "likes.json", "bookmarks.json")
_ORDERED: Final = "orderedItems"
_FILES: Final = re.compile(r"media_attachments/.*")


def is_part(member: Member) -> bool:
    """Whether a file belongs to such an archive, by its name."""
    return member.file_name.lower() in _PARTS


def claims(tree: Tree) -> bool:
    """Whether there is an archive of this kind, or a part of one that stands for itself."""
    return bool(_folders(tree))


def read(tree: Tree) -> Iterator[Item]:
    """Read the archives one after another: the account, its posts, its likes."""
    for folder in _folders(tree):
        yield from _archive(tree, f"{folder}/" if folder else "")


def _folders(tree: Tree) -> list[str]:
    """The folders that hold an actor or an outbox, '' for the tree itself."""
    found = []
    for member in tree.find(r"(^|/)(actor|outbox)\.json$"):
        keys = outline(member.head).keys
        if _ORDERED in keys or "preferredUsername" in keys:
            found.append(member.name.rpartition("/")[0])
    return list(dict.fromkeys(found))


def _archive(tree: Tree, folder: str) -> Iterator[Item]:
    origin = Origin(source=SOURCE, outbox=True)
    if actor := tree.get(f"{folder}actor.json"):
        value = _whole(actor)
        if isinstance(value, Rejected):
            yield value
        else:
            origin = _owner(values.fields_of(value))
            yield from activitystreams.read(value, actor.name, "item 1", origin)
    if outbox := tree.get(f"{folder}outbox.json"):
        for where, value in _elements(outbox):
            if isinstance(value, Rejected):
                yield value
                continue
            for item in activitystreams.read(value, outbox.name, where, origin):
                yield _with_files(item, tree, folder)
    if likes := tree.get(f"{folder}likes.json"):
        yield from _liked(likes, origin.account)


def _owner(actor: dict[str, Any]) -> Origin:
    """Whose archive it is, where its actor can be read."""
    try:
        return Origin(
            source=SOURCE,
            outbox=True,
            actor=values.identifier(actor.get("id")),
            account=as2_actors.named(actor),
            followers=values.identifier(actor.get("followers")),
        )
    except UnfitError:
        return Origin(source=SOURCE, outbox=True)


def _liked(member: Member, account: str) -> Iterator[Item]:
    unknown = 0
    for where, value in _elements(member):
        if isinstance(value, Rejected):
            yield value
        elif not account:
            unknown += 1
        elif isinstance(value, str) and 0 < len(value) <= LONGEST_ID:
            yield Interaction(account, "like", value)
        else:
            yield Rejected(member.name, where, "a like that is no address")
    if unknown:
        yield Skipped("like of an unknown account", unknown)


def _whole(member: Member) -> Any:
    """Return a document's value, or why it cannot be taken."""
    with member.open() as stream:
        document = Document(stream, member.name)
        try:
            value = document.value()
        except UnreadableError as error:
            value = Rejected(member.name, error.where, error.reason)
        document.end()
    return value


def _elements(member: Member) -> Iterator[tuple[str, Any]]:
    """Yield a collection's elements with their places, or why one cannot be taken."""
    with member.open() as stream:
        document = Document(stream, member.name)
        for key in document.entries():
            if key != _ORDERED or document.kind() != "[":
                document.skip()
                continue
            # Mastodon writes this key twice, first with nothing in it.
            for number in document.elements():
                try:
                    value = document.value()
                except UnreadableError as error:
                    value = Rejected(member.name, error.where, error.reason)
                yield f"item {number + 1}", value
        document.end()


def _with_files(item: Item, tree: Tree, folder: str) -> Item:
    """Let a record's media be the archive's files, where they are in it."""
    if not isinstance(item, Upsert) or not item.record.media:
        return item
    media = tuple(_with_file(medium, tree, folder) for medium in item.record.media)
    return Upsert(structs.replace(item.record, media=media))


def _with_file(medium: Medium, tree: Tree, folder: str) -> Medium:
    """Find a medium's file: paths may begin with '/' and with a bucket of the server's."""
    path = medium.path.lstrip("/")
    inner = _FILES.search(path)
    for candidate in (path, inner[0] if inner else path):
        if member := tree.get(folder + candidate):
            member.used = True
            return structs.replace(medium, path=candidate)
    return structs.replace(medium, path=path)
