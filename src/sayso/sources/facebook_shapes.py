"""The rows of Facebook's exports, in the dialects of their years, as one plain shape.

A row's `title` is prose that Facebook generated, never the member's words. Places, EXIF data,
addresses of uploads and what others wrote are left where they are. Reference: platform-formats.md,
section A.3.
"""

import re
from typing import Any, Final

from sayso.sources.fields import object_in, objects_in, text_in
from sayso.sources.meta import labels, spoken, words
from sayso.sources.meta_files import Picture, subtitles_of
from sayso.sources.meta_posts import Piece

# Whose words, to whom: what is not among these was said in another language, and stays closed.
_AUDIENCES: Final = {
    "public": "public",
    "friends": "friends",
    "friends of friends": "custom",
    "only me": "only_me",
    "custom": "custom",
}
_SURFACES: Final = {
    "comment": "comment",
    "group_comment": "comment",
    "story": "story",
    "reel": "reel",
    "photo": "photo",
}
_PRIVACY: Final = re.compile(
    r"privacy|audience|doelgroep|zielgruppe|privatsphäre|privacidad|audiencia|confidentialité|隐私|隱私",
    re.IGNORECASE,
)
_NAMED_IN_TEXT: Final = re.compile(r"@\[\d+:\d+:([^\]\n]{1,200})\]")
_STICKERS: Final = "/stickers_used/"


def piece(row: dict[str, Any], kind: str) -> Piece:
    """Return what a row of a file of this kind holds."""
    if isinstance(row.get("label_values"), list):
        return _labelled(row, kind)
    if isinstance(row.get("uri"), str):
        return _medium(row, kind)
    if kind == "album":
        text, at = _plain(row.get("description")), row.get("last_modified_timestamp")
        return Piece("post", text, at, audience=_audience([row]))
    return _classic(row, kind)


def _classic(row: dict[str, Any], kind: str) -> Piece:
    """Read {timestamp, data[], attachments[], title}, as all exports have had it since 2018."""
    texts: list[str] = []
    comment: dict[str, Any] = {}
    edited: object = None
    data = objects_in(row, "data")
    for each in data:
        if "post" in each:
            texts.append(_plain(each["post"]))
        if "comment" in each:
            comment = comment or object_in(each, "comment")
        edited = edited or each.get("update_timestamp")
    if comment:
        texts.append(_plain(comment.get("comment")))
    pictures = []
    for attachment in objects_in(row, "attachments"):
        for each in objects_in(attachment, "data"):
            if medium := object_in(each, "media"):
                pictures.append(_picture(medium))
            if poll := object_in(each, "poll"):
                texts.append(_poll(poll))
    group = words(comment.get("group") or row.get("group"))
    in_group = kind.startswith("group")
    return Piece(
        surface="comment" if comment else _SURFACES.get(kind, "post"),
        text="\n".join(dict.fromkeys(filter(None, texts))),
        at=row.get("timestamp") or comment.get("timestamp"),
        edited=edited,
        pictures=tuple(pictures),
        author=words(comment.get("author")),
        audience=_audience([row, *data]),
        container=f"facebook:group/{group}" if group else "facebook:group" if in_group else "",
    )


def _medium(row: dict[str, Any], kind: str) -> Piece:
    """Read {uri, creation_timestamp, description}: photos of albums, and videos."""
    surface = "post" if kind == "video" else "photo"
    at = row.get("creation_timestamp") or row.get("timestamp")
    return Piece(surface, "", at, pictures=(_picture(row),), audience=_audience([row]))


def _labelled(row: dict[str, Any], kind: str) -> Piece:
    """Read {timestamp, label_values[], media[]}, as of 2025."""
    found = labels(row)
    media = [*objects_in(row, "media"), *(medium for label in found for medium in label.media)]
    closed = [label for label in found if _PRIVACY.fullmatch(label.name)]
    text = spoken(label for label in found if label not in closed)
    in_group = kind.startswith("group")
    return Piece(
        surface=_SURFACES.get(kind, "post"),
        text=None if text is None else _plain(text),
        at=row.get("timestamp"),
        pictures=tuple(map(_picture, media)),
        audience=_audience([row, *({"privacy": label.text} for label in closed)]),
        container="facebook:group" if in_group else "",
    )


def _picture(medium: dict[str, Any]) -> Picture:
    uri = text_in(medium, "uri")
    caption = _plain(medium.get("description"))
    # Stickers are Facebook's own drawings.
    return Picture("" if _STICKERS in f"/{uri}" else uri, caption, subtitles_of(medium))


def _poll(poll: dict[str, Any]) -> str:
    options = (words(each.get("option")) for each in objects_in(poll, "options"))
    return "\n".join(filter(None, (words(poll.get("question")), *options)))


def _plain(value: object) -> str:
    """Return a text as its readers saw it, with names in place of Facebook's marks for them."""
    text = words(value)
    return _NAMED_IN_TEXT.sub(r"\1", text) if "@[" in text else text


def _audience(parts: list[dict[str, Any]]) -> str:
    """Return the audience that a row asserts; several that differ are nobody's to choose from."""
    told = [said for part in parts if (said := part.get("privacy")) not in (None, "")]
    if not told:
        return "unknown"
    names = {_AUDIENCES.get(words(said).strip().lower(), "custom") for said in told}
    return names.pop() if len(names) == 1 else "custom"
