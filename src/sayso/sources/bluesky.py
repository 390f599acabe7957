"""Bluesky records, as they lie in an atproto repository, to events.

The same records come in CAR files, in unpacked repositories and in Jetstream. An account is its
DID, a record its at-uri. Shapes: the lexicons app.bsky.feed.post, app.bsky.embed.*,
app.bsky.feed.like, app.bsky.feed.repost, app.bsky.actor.profile, com.atproto.label.defs#selfLabels.
A repository is written by its account's programs: any field may hold anything.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import Interaction
from sayso.content.record import (
    LONGEST_ID,
    LONGEST_TEXT,
    Medium,
    Record,
    normalise_text,
    own_words,
)
from sayso.sources import bluesky_facets, messages
from sayso.sources.fields import checked, moment, object_in, objects_in, text_in
from sayso.sources.items import Item, Refused, Rejected, Skipped

SERVICE: Final = "bluesky"
POST: Final = "app.bsky.feed.post"
PROFILE: Final = "app.bsky.actor.profile"
REACTIONS: Final = {"app.bsky.feed.like": "like", "app.bsky.feed.repost": "share"}
# The longest at-uri of a post, about 800 characters, is shorter than the longest id.
LONGEST_DID: Final = 256
NOT_CONTENT: Final = "not content"
_DID: Final = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_KEY: Final = re.compile(r"[a-zA-Z0-9._~:-]{1,512}")
_LANGUAGE: Final = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8}){0,4}")
_SIGNED_OUT: Final = ("!no-unauthenticated", "!hide")
_BOT: Final = "bot"


class Origin(Struct, frozen=True):
    """Whose records these are, how they came, and who could see them.

    `audience` is what is known of the account: 'public', 'unlisted' or 'unknown'.
    """

    did: str
    source: str
    audience: str = "public"
    rev: int = 1
    edited_at: datetime | None = None

    def uri(self, collection: str, key: str) -> str:
        """Return the at-uri of a record."""
        return f"at://{self.did}/{collection}/{key}"


def is_content(collection: str) -> bool:
    """Whether records of a collection are read for what they say; the others need no decoding."""
    return collection == POST or collection in REACTIONS


def content(origin: Origin, collection: str, key: str, fields: Any, file: str, where: str) -> Item:
    """Return what a record of an `is_content` collection is; `file` and `where` name it if bad."""
    uri = origin.uri(collection, key)
    if not is_key(key):
        return Rejected(file, where, "its name is no record key")
    if not isinstance(fields, dict):
        return Rejected(file, where, "not a record: expected an object")
    try:
        if collection != POST:
            return _reaction(origin, uri, REACTIONS[collection], fields)
        return checked(_post(origin, uri, key, fields), file, where)
    except _UnusableError as error:
        return Rejected(file, where, str(error))


def passed_over(origin: Origin, collection: str, key: str) -> Refused | Skipped:
    """Return what becomes of a record that is neither content nor about the account."""
    # Whether one takes messages at all is a public setting; whatever else is of chats is private.
    if collection.startswith("chat.bsky.") and collection != "chat.bsky.actor.declaration":
        uri = origin.uri(collection, key) if is_key(key) and len(collection) <= LONGEST_DID else ""
        return Refused(messages.BLUESKY, uri)
    return Skipped(NOT_CONTENT)


def is_did(value: object) -> bool:
    """Whether a value is a decentralised identifier, as accounts have."""
    return isinstance(value, str) and len(value) <= LONGEST_DID and bool(_DID.fullmatch(value))


def is_key(value: str) -> bool:
    """Whether a text is a record key, as the protocol allows them."""
    return bool(_KEY.fullmatch(value))


def profile(fields: Any) -> tuple[str, str]:
    """Return what an account's profile says of it: the audience of its posts, and its kind."""
    labels = _self_labels(fields) if isinstance(fields, dict) else None
    if labels is None:
        return "unknown", ""
    return _audience(labels) or "public", "bot" if _BOT in labels else ""


class _UnusableError(Exception):
    """A record cannot be taken; the text says why, without its words."""


def _post(origin: Origin, uri: str, key: str, fields: dict[str, Any]) -> Record:
    text = fields.get("text")
    if not isinstance(text, str):
        raise _UnusableError("`text` is no text")
    rich = bluesky_facets.read(text, fields.get("facets"))
    media, quote = _embed(fields.get("embed"))
    text = normalise_text(rich.text)
    if media and len(own_words(text, media)) > LONGEST_TEXT:
        raise _UnusableError(f"its words are more than {LONGEST_TEXT} characters")
    labels = _self_labels(fields)
    asked = _audience(labels or ())
    known = labels is not None and origin.audience != "unknown"
    audience = (asked or origin.audience) if known else "unknown"
    warnings = [label for label in labels or () if not label.startswith("!")]
    created_at, date_state = moment(fields.get("createdAt"))
    tags = fields.get("tags")
    return Record(
        id=uri,
        rev=origin.rev,
        service=SERVICE,
        author=origin.did,
        age_band="",
        audience=audience,
        audience_source=("asserted" if asked else "derived") if known else "",
        created_at=created_at,
        date_state=date_state,
        edited_at=origin.edited_at,
        language=_language(fields.get("langs")),
        text=text,
        content_warning=", ".join(warnings),
        sensitive=labels is None or bool(warnings),
        media=media,
        reply_to=_parent(fields.get("reply")),
        quote_of=quote,
        mentions=tuple(dict.fromkeys(did for did in rich.mentions if is_did(did))),
        tags=_tags([*rich.tags, *(tags if isinstance(tags, list) else ())]),
        url=f"https://bsky.app/profile/{origin.did}/post/{key}",
        source=origin.source,
    )


def _reaction(origin: Origin, uri: str, verb: str, fields: dict[str, Any]) -> Interaction:
    subject = _uri(fields, "subject")
    if not subject:
        raise _UnusableError("`subject` names no record")
    at, _ = moment(fields.get("createdAt"))
    return Interaction(origin.did, verb, subject, at=at, id=uri)


def _parent(reply: Any) -> str:
    """Return the at-uri that a post replies to, '' if it is no reply."""
    if reply is None:
        return ""
    if isinstance(reply, dict) and (parent := _uri(reply, "parent") or _uri(reply, "root")):
        return parent
    raise _UnusableError("`reply` names no post")


def _embed(embed: Any) -> tuple[tuple[Medium, ...], str]:
    """Return what is embedded in a post: its media, and the at-uri of a post that it quotes."""
    if not isinstance(embed, dict):
        return (), ""
    match embed.get("$type"):
        case "app.bsky.embed.record":
            return (), _quote(embed)
        case "app.bsky.embed.recordWithMedia":
            media = tuple(_media(object_in(embed, "media")))
            return media, _quote(object_in(embed, "record"))
        case _:
            return tuple(_media(embed)), ""


def _media(embed: dict[str, Any]) -> Iterator[Medium]:
    match embed.get("$type"):
        case "app.bsky.embed.images":
            yield from map(_picture, objects_in(embed, "images"))
        case "app.bsky.embed.gallery":
            yield from map(_picture, objects_in(embed, "items"))
        case "app.bsky.embed.video":
            yield Medium(kind="video", alt=normalise_text(text_in(embed, "alt")))


def _picture(picture: dict[str, Any]) -> Medium:
    return Medium(alt=normalise_text(text_in(picture, "alt")))


def _quote(embed: dict[str, Any]) -> str:
    """Return the post in a quote; feeds, lists and starter packs are embedded the same way."""
    uri = _uri(embed, "record")
    if not uri:
        raise _UnusableError("`embed` names no record")
    return uri if f"/{POST}/" in uri else ""


def _self_labels(fields: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the labels that an author gave; None where they cannot be read."""
    if fields.get("labels") is None:
        return ()
    values = object_in(fields, "labels").get("values")
    if not isinstance(values, list):
        return None
    names = [value.get("val") if isinstance(value, dict) else None for value in values]
    if not all(isinstance(name, str) and 0 < len(name) <= LONGEST_ID for name in names):
        return None
    return tuple(dict.fromkeys(normalise_text(str(name)) for name in names))


def _audience(labels: Iterable[str]) -> str:
    """Who self-labels ask to be shown to: 'unlisted' (not who is signed out), '' for everybody."""
    return "unlisted" if any(label in _SIGNED_OUT for label in labels) else ""


def _language(langs: Any) -> str:
    first = langs[0] if isinstance(langs, list) and langs else None
    return first if isinstance(first, str) and _LANGUAGE.fullmatch(first) else ""


def _tags(tags: Iterable[Any]) -> tuple[str, ...]:
    named = (normalise_text(tag).removeprefix("#").strip() for tag in tags if isinstance(tag, str))
    return tuple(dict.fromkeys(tag for tag in named if 0 < len(tag) <= LONGEST_ID))


def _uri(fields: dict[str, Any], name: str) -> str:
    """Return the at-uri in a strong reference, '' if there is none."""
    uri = text_in(object_in(fields, name), "uri")
    return uri if uri.startswith("at://") and len(uri) <= LONGEST_ID else ""
