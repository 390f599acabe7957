"""The files of Meta's exports: which belong together, their rows, and the media beside them.

Folders moved nearly every year, so that a file is told by its name and what it begins with, never
by its path. Several members' exports may lie in one tree, and several parts of one.
Reference: platform-formats.md, sections A.1 and A.2.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from sayso.content.record import Medium, normalise_text
from sayso.errors import InputError
from sayso.sources import messages
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError
from sayso.sources.fields import object_in, text_in
from sayso.sources.items import Refused, Rejected
from sayso.sources.meta import repaired, words

# Folders that begin an export, whatever is above them, and those that only lie in one.
_TOP: Final = re.compile(
    r"your_(facebook|instagram|threads)_activity|your_activity_across_facebook|"
    r"personal_information|profile_information|logged_information|ads_information|"
    r"security_and_login_information|comments_and_reactions|likes_and_reactions",
    re.IGNORECASE,
)
_INNER: Final = frozenset(
    "account_information ads_and_content ads_and_topics album comments content groups interactions"
    " likes login_and_account_creation login_and_profile_creation media pages photos_and_videos"
    " posts reels short_videos stories story_interactions story_sticker_interactions threads"
    " videos your_interactions_on_facebook".split()
)
_NAMED: Final = re.compile(
    r"(facebook|instagram|threads)-([A-Za-z0-9._]+)-"
    r"(?:\d{4}[-._]\d\d[-._]\d\d|\d\d[-._]\d\d[-._]\d{4})(?![0-9])",
    re.IGNORECASE,
)
_ROW: Final = frozenset(
    "timestamp data attachments title tags privacy label_values media fbid uri description"
    " creation_timestamp last_modified_timestamp string_map_data string_list_data".split()
)
_MESSAGE: Final = frozenset(("sender_name", "senderName", "participants", "thread_path"))
_IN_EXPORT: Final = re.compile(
    r"(^|/)(your_(facebook|instagram)_activity|your_activity_across_facebook|(facebook|instagram)-)",
    re.IGNORECASE,
)
_FIRST_KEY: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"([A-Za-z0-9_]{1,100})"\s*:')
_VIDEO: Final = re.compile(r"\.(mp4|mov|webm|m4v|avi|mkv)$", re.IGNORECASE)
_SOUND: Final = re.compile(r"\.(mp3|m4a|ogg|opus|wav|aac)$", re.IGNORECASE)
_NO_SPEECH: Final = re.compile(r"\d+|\d[\d:,. ]*-->.*|WEBVTT.*")
_MARKUP: Final = re.compile(r"<[^<>]{1,100}>|\{\\[^{}]{1,100}\}")
_LONGEST_SUBTITLES: Final = 2 * 1024 * 1024

Row = dict[str, Any] | Rejected | Refused


class Picture(Struct, frozen=True):
    """A medium as a row names it."""

    uri: str = ""
    caption: str = ""
    subtitles: str = ""


class Export(Struct, frozen=True):
    """The files of one member.

    `files` are by kind, `user` is the name that folders or archives give the member, and `folders`
    are those that a medium's path may begin in, each ending in a slash or empty.
    """

    tree: Tree
    files: dict[str, list[Member]]
    user: str
    folders: tuple[str, ...]

    def of(self, *kinds: str) -> Iterator[tuple[str, Member]]:
        """Yield the files of these kinds, in this order, each with its kind."""
        for kind in kinds:
            for member in self.files.get(kind, ()):
                yield kind, member

    def medium(self, picture: Picture, text: str) -> Medium | None:
        """Return a medium of a post with this text; None if there is nothing of it.

        A file that is not in the export has the path ''. A caption that is the text is not told
        once more.
        """
        member = self._find(picture.uri)
        if member:
            member.used = True
        subtitles = self._find(picture.subtitles) if picture.subtitles else None
        transcript = _speech(subtitles) if subtitles else ""
        caption = "" if picture.caption == text else picture.caption
        if not (member or caption or transcript):
            return None
        name = picture.uri.partition("?")[0]
        kind = "video" if _VIDEO.search(name) else "audio" if _SOUND.search(name) else "image"
        path = member.name if member else ""
        return Medium(path, kind, caption=caption, transcript=transcript)

    def _find(self, uri: str) -> Member | None:
        if not uri or "://" in uri:
            return None
        path = uri.lstrip("/")
        for form in (path,) if path.isascii() else _forms(path):
            for folder in self.folders:
                if member := self.tree.get(folder + form):
                    return member
        return None


def exports(tree: Tree, kind_of: Callable[[Member], str], brands: str) -> list[Export]:
    """Return the exports in a tree, whose files `kind_of` tells the kind of, '' for none of it.

    Args:
        tree: where they lie.
        kind_of: looks at a file's name and beginning.
        brands: a regular expression for what their folders and archives may be called after.
    """
    groups: dict[tuple[str, str], dict[str, list[Member]]] = {}
    roots: dict[tuple[str, str], dict[str, None]] = {}
    for member in tree.members:
        if kind := kind_of(member):
            root, folders = _root(member.name)
            user = _user(root, brands)
            # Parts of one export may lie in folders that are called alike.
            key = (user, "" if user else root)
            groups.setdefault(key, {}).setdefault(kind, []).append(member)
            roots.setdefault(key, {}).update(dict.fromkeys(folders))
    alone = _user(tree.name, brands) if len(groups) == 1 else ""
    return [
        Export(tree, files, key[0] or alone, tuple(roots[key]))
        for key, files in sorted(groups.items())
    ]


def first_key(head: bytes) -> str:
    """Return the first key of a document's root object, '' if it is none."""
    match = _FIRST_KEY.match(head)
    return match[1].decode() if match else ""


def claimed(tree: Tree, is_read: Callable[[Member], bool], pages: str, service: str) -> bool:
    """Whether a tree has a file of a service's export that `is_read` knows.

    `pages` is a pattern of what the same files are called in an export as HTML.

    Raises:
        InputError: it has the export, but as HTML.
    """
    if any(is_read(member) for member in tree.members):
        return True
    if any(
        _IN_EXPORT.search(member.name) or b"uiBoxWhite" in member.head
        for member in tree.find(rf"(^|/)({pages})\.html?$")
    ):
        raise InputError(
            f"{tree.name} is an export of {service}'s as HTML; expected JSON",
            f"export again as JSON, as docs/sources/{service.lower()}.md says",
        )
    return False


def rows(member: Member, lists: re.Pattern[str]) -> Iterator[tuple[str, Row]]:
    """Yield each row of a document with its place, or why it cannot be taken.

    Rows are in the root array, or in the arrays of the root object under keys that match `lists`,
    or in arrays one level deeper; where there is one row only, the root object may be it. A row
    that is an array, as Instagram's were before 2021, comes under the key 'list'.
    """
    with member.open() as stream:
        document = Document(stream, member.name)
        if document.kind() == "[":
            yield from _elements(document, member.name)
        else:
            yield from _of_object(document, member.name, lists)
        document.end()


def fields(member: Member, wanted: re.Pattern[str]) -> dict[str, Any]:
    """Return what a document's root object has under keys that match, None where unreadable."""
    found: dict[str, Any] = {}
    with member.open() as stream:
        document = Document(stream, member.name)
        if document.kind() != "{":
            document.skip()
        else:
            for key in document.entries():
                if wanted.fullmatch(key):
                    found[key] = _value(document)
                else:
                    document.skip()
        document.end()
    return found


def _value(document: Document) -> Any:
    try:
        return document.value()
    except UnreadableError:
        return None


def subtitles_of(medium: dict[str, Any]) -> str:
    """Return the path of a video's subtitles, '' if it has none."""
    video = object_in(object_in(medium, "media_metadata"), "video_metadata")
    return text_in(object_in(video, "subtitles"), "uri") if video else ""


def _of_object(document: Document, name: str, lists: re.Pattern[str]) -> Iterator[tuple[str, Row]]:
    alone: dict[str, Any] = {}
    broken: Rejected | None = None
    is_listed = False
    for key in document.entries():
        kind = document.kind()
        if lists.fullmatch(key) and kind in "[{":
            is_listed = True
            yield from _listed(document, name)
        elif key in _ROW:
            try:
                alone[key] = document.value()
            except UnreadableError as error:
                broken = Rejected(name, "item 1", error.reason)
        else:
            document.skip()
    if broken and not is_listed:
        yield "item 1", broken
    elif alone and (not is_listed or alone.get("description")):
        yield "item 1", _checked(alone, name, "item 1")


def _listed(document: Document, name: str) -> Iterator[tuple[str, Row]]:
    if document.kind() == "[":
        yield from _elements(document, name)
        return
    for _ in document.entries():
        if document.kind() == "[":
            yield from _elements(document, name)
        else:
            document.skip()


def _elements(document: Document, name: str) -> Iterator[tuple[str, Row]]:
    for number in document.elements():
        where = f"item {number + 1}"
        try:
            value = document.value()
        except UnreadableError as error:
            yield where, Rejected(name, where, error.reason)
            continue
        yield where, _checked(value, name, where)


def _checked(value: Any, name: str, where: str) -> Row:
    if isinstance(value, list):
        return {"list": value}
    if not isinstance(value, dict):
        return Rejected(name, where, "expected an object")
    return Refused(messages.META) if _MESSAGE & value.keys() else value


def _root(name: str) -> tuple[str, list[str]]:
    """Return the folder that a file's export lies in, and those from there down to the file."""
    parts = name.split("/")[:-1]
    top = next((n for n, part in enumerate(parts) if _TOP.fullmatch(part)), None)
    if top is None:
        top = len(parts)
        while top and parts[top - 1].lower() in _INNER:
            top -= 1
    below = ("/".join(parts[:end]) for end in range(top, len(parts) + 1))
    return "/".join(parts[:top]), [f"{folder}/" if folder else "" for folder in below]


def _user(path: str, brands: str) -> str:
    """Return whom a folder or archive is called after, the innermost first."""
    for part in reversed(path.split("/")):
        match = _NAMED.match(part)
        if match and re.fullmatch(brands, match[1], re.IGNORECASE):
            return match[2].lower()
    return ""


def _forms(path: str) -> Iterator[str]:
    """Yield the forms in which a path with more than ASCII may be in an archive's directory."""
    right = repaired(path)
    damaged = [right.encode("utf-8", "replace").decode(coding) for coding in ("latin-1", "cp437")]
    yield from dict.fromkeys((path, right, normalise_text(right), *damaged))


def _speech(member: Member) -> str:
    """Return the words of a file of subtitles (SubRip), without numbers and times."""
    with member.open() as stream:
        data = stream.read(_LONGEST_SUBTITLES)
    lines = (line.strip() for line in data.decode("utf-8-sig", "replace").splitlines())
    spoken = (_MARKUP.sub("", line) for line in lines if not _NO_SPEECH.fullmatch(line))
    return words("\n".join(filter(None, spoken)).replace("\ufffd", ""))
