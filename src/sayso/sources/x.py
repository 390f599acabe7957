"""X archives ("download an archive of your data"): a member's own tweets, and what they liked.

A file's kind is told by the variable it sets (`window.YTD.tweets.part0 = […]`), wherever it lies;
a name with 'circle' or 'deleted' in it counts against it, too. Reference: platform-formats.md,
sections A.5, D and E.

Tweets to a circle are never taken. Archives of 2022 list them in a file of their own and once more
among the others; later ones have them among the others alone, told apart by nothing. So without
that list a tweet from the time of circles, and every reply to one, has an unknown audience.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sayso.content.events import AccountUpdate, Delete, Interaction
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError
from sayso.sources.fields import ADULT, age_band, moment, object_in, text_in
from sayso.sources.items import Item, Rejected, Skipped
from sayso.sources.x_tweet import CIRCLE, SERVICE, Archive, Notes, Owner, items, number_in

_VARIABLE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*window\.YTD\.(\w+)\.part\d+\s*=")
# What a file's entries are, and the key that each is under.
_KINDS: Final = {
    "tweet": ("tweets", "tweet"),
    "tweets": ("tweets", "tweet"),
    "community_tweet": ("communities", "tweet"),
    "twitter_circle_tweet": ("circles", "tweet"),
    "deleted_tweet": ("deleted", "tweet"),
    "deleted_tweets": ("deleted", "tweet"),
    "note_tweet": ("notes", "noteTweet"),
    "like": ("likes", "like"),
    "likes": ("likes", "like"),
    "account": ("account", "account"),
    "ageinfo": ("age", "ageMeta"),
    "protected_history": ("protections", "protectedHistory"),
}
Files = dict[str, list[Member]]


def claims(tree: Tree) -> bool:
    """Whether a tree has tweets or likes of an X archive."""
    return any(files.keys() - {"account", "age"} for files in _roots(tree).values())


def read(tree: Tree) -> Iterator[Item]:
    """Read the X archives of a tree, each with its own owner."""
    for folder, files in sorted(_roots(tree).items()):
        yield from _archive(tree, folder, files)


def _roots(tree: Tree) -> dict[str, Files]:
    """The files of each archive by their kind, by the folder that they lie in."""
    roots: dict[str, Files] = {}
    for member in tree.members:
        if kind := _kind(member):
            folder = member.name[: len(member.name) - len(member.file_name)]
            roots.setdefault(folder, {}).setdefault(kind, []).append(member)
    return roots


def _kind(member: Member) -> str:
    match = None if member.is_media else _VARIABLE.match(member.head)
    kind, _ = _KINDS.get(match[1].decode("ascii", "ignore"), ("", "")) if match else ("", "")
    name = member.file_name.lower()
    if kind in ("tweets", "communities", "notes"):
        kind = "circles" if "circle" in name else "deleted" if "deleted" in name else kind
    return kind


def _archive(tree: Tree, folder: str, files: Files) -> Iterator[Item]:
    owner = _owner(files)
    if owner.account:
        state = "private" if owner.is_protected else ""
        yield AccountUpdate(owner.account, SERVICE, age_band=_age(files), state=state)
    yield from _withdrawn(files)
    archive = Archive(tree, folder, owner, Notes())
    for place, entry in _all(files, "notes"):
        if isinstance(entry, Rejected):
            yield entry
        elif not archive.notes.add(entry):
            yield Rejected(*place, "a long text without words or time")
    for kind in ("tweets", "communities"):
        for place, entry in _all(files, kind):
            if isinstance(entry, Rejected):
                yield entry
            else:
                yield from items(entry, archive, *place, in_community=kind == "communities")
    if left_over := archive.notes.left_over():
        yield Skipped("long text without its tweet", left_over)
    yield from _likes(files, owner)


def _withdrawn(files: Files) -> Iterator[Item]:
    """Count what is never taken; what was deleted leaves the store, too, if it had come before."""
    for _, entry in _all(files, "circles"):
        yield entry if isinstance(entry, Rejected) else Skipped(CIRCLE)
    for _, entry in _all(files, "deleted"):
        if isinstance(entry, Rejected):
            yield entry
            continue
        yield Skipped("deleted by its author")
        if number := number_in(entry, "id_str", "id"):
            yield Delete(f"x:{number}", "deleted by its author")


def _likes(files: Files, owner: Owner) -> Iterator[Item]:
    for place, entry in _all(files, "likes"):
        if isinstance(entry, Rejected):
            yield entry
        elif not owner.account:
            yield Skipped("like of an unknown account")
        elif number := number_in(entry, "tweetId"):
            yield Interaction(owner.account, "like", f"x:{number}")
        else:
            yield Rejected(*place, "a like without the id of its tweet")


def _owner(files: Files) -> Owner:
    """Put together whose archive it is; what cannot be read makes audiences unknown."""
    username = next((text_in(entry, "username") for entry in _good(files, "account")), "")
    listed = [
        "" if isinstance(entry, Rejected) else number_in(entry, "id_str", "id")
        for _, entry in _all(files, "circles")
    ]
    return Owner(
        username,
        _protections(files),
        circles=frozenset(listed) - {""},
        all_circles_known="circles" in files and "" not in listed,
    )


def _protections(files: Files) -> tuple[tuple[datetime, bool], ...] | None:
    changes = []
    for _, entry in _all(files, "protections"):
        fields = {} if isinstance(entry, Rejected) else entry
        at, _ = moment(fields.get("protectedAt"))
        action = text_in(fields, "action").lower()
        if at is None or action not in ("protect", "unprotect"):
            return None
        changes.append((at, action == "protect"))
    return tuple(sorted(changes))


def _age(files: Files) -> str:
    for entry in _good(files, "age"):
        info = object_in(entry, "ageInfo")
        told = info.get("age")
        ages = re.findall(r"\d+", " ".join(map(str, told if isinstance(told, list) else [told])))
        bands = {age_band(info["birthDate"], datetime.now(UTC))} if "birthDate" in info else set()
        bands |= {"minor" if int(age[:3]) < ADULT else "adult" for age in ages}
        if bands:
            # '13-54' tells nothing, and neither do two that contradict each other.
            return bands.pop() if len(bands) == 1 else "unknown"
    return ""


def _good(files: Files, kind: str) -> Iterator[dict[str, Any]]:
    for _, entry in _all(files, kind):
        if not isinstance(entry, Rejected):
            yield entry


def _all(files: Files, kind: str) -> Iterator[tuple[tuple[str, str], dict[str, Any] | Rejected]]:
    """Yield each entry of the files of a kind with its place, or why it cannot be taken."""
    for member in files.get(kind, ()):
        variable = _VARIABLE.match(member.head)
        assert variable is not None  # its kind was told by it
        key = _KINDS[variable[1].decode()][1]
        with member.open() as stream:
            stream.read(variable.end())
            document = Document(stream, member.name)
            for number in document.elements():
                place = (member.name, f"item {number + 1}")
                try:
                    value = document.value()
                except UnreadableError as error:
                    yield place, Rejected(*place, error.reason)
                    continue
                # Archives of early 2019 have no key around each entry.
                entry = value.get(key, value) if isinstance(value, dict) else None
                if isinstance(entry, dict):
                    yield place, entry
                else:
                    yield place, Rejected(*place, "expected an object")
            document.end()
