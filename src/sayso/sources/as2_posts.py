"""Posts of ActivityStreams (notes, articles, polls, pictures, videos) as records."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from sayso.content.record import LONGEST_TEXT, Medium, Record, revision
from sayso.rights.signals import activitypub
from sayso.rights.signals.resolve import verdict
from sayso.sources import as2_values as values
from sayso.sources.as2_values import UnfitError

# What they are on the surface; a reply to somebody else is a comment, whatever it is.
OBJECTS: Final = {
    "Note": "post",
    "Question": "post",
    "Article": "post",
    "Page": "post",
    "Event": "post",
    "Document": "post",
    "Image": "photo",
    "Video": "post",
    "Audio": "post",
}
_MEDIA: Final = frozenset({"Image", "Video", "Audio", "Document"})
# Their `name` is a title; that of a note is the choice that somebody votes for in a poll.
_UNTITLED: Final = frozenset({"Note", "Question"})
# FEP-044f, Misskey and Threads, Pleroma, Fedibird.
_QUOTES: Final = ("quote", "_misskey_quote", "quoteUrl", "quoteUri")
_QUOTE_LINK: Final = "https://misskey-hub.net/ns#_misskey_quote"  # FEP-e232
_NO_SERVICE: Final = "activitypub"
_ENDINGS: Final = {
    ending: kind
    for kind, endings in (
        ("image", "jpg jpeg png gif webp avif heic heif bmp svg"),
        ("video", "mp4 webm mov m4v ogv"),
        ("audio", "mp3 ogg oga opus wav flac m4a aac"),
    )
    for ending in endings.split()
}


class Origin(Struct, frozen=True):
    """Where objects come from.

    `actor`, `account` and `followers` are those of an archive's owner: address, account name,
    address of the collection. In an `outbox` boosts are no content. `ours`: Sayso wrote it, so what
    it says beyond ActivityStreams is believed; never so for what a server sent.
    """

    source: str = "activitystreams"
    actor: str = ""
    account: str = ""
    followers: str = ""
    outbox: bool = False
    ours: bool = False

    def account_of(self, address: str) -> str:
        """Return the account name of an actor."""
        return self.account if address and address == self.actor else values.account(address)


def record_of(
    post: dict[str, Any], activity: dict[str, Any], audience: str, origin: Origin
) -> Record:
    """Return the record of a post.

    Args:
        post: the object.
        activity: the Create or Update it came in; empty if it came alone.
        audience: who it is for, which is never 'direct'.
        origin: where it comes from.

    Raises:
        UnfitError: it has no id, contradicts itself, or is longer than a record may be.
    """
    identity = values.identifier(post.get("id"))
    if not identity:
        raise UnfitError("a post without an address")
    writer, others = _authors(post, activity)
    here, theirs = values.host(identity), values.host(writer)
    if here and theirs and here != theirs and not origin.ours:
        raise UnfitError("a post with the address of another host than its author's")
    own = post.get("published")
    created_at, date_state = values.moment(activity.get("published") if own is None else own)
    edited_at = _edited(post, activity, created_at)
    text, language = _text(post)
    reply_to = _reply_to(post)
    return Record(
        id=identity,
        rev=revision(edited_at),
        service=theirs or here or _NO_SERVICE,
        surface=_surface(post, writer, reply_to),
        author=origin.account_of(writer),
        co_authors=others,
        age_band="",
        audience=audience,
        audience_source="" if audience == "unknown" else "asserted",
        created_at=created_at,
        date_state=date_state,
        edited_at=edited_at,
        language=language,
        text=text,
        content_warning=_warning(post),
        sensitive=post.get("sensitive") is True,
        media=tuple(_media(post)),
        reply_to=reply_to,
        quote_of=_quote_of(post),
        container=values.identifier(post.get("audience")),
        mentions=tuple(
            dict.fromkeys(filter(None, map(values.mentioned, values.tags_of(post, "Mention"))))
        ),
        tags=tuple(
            dict.fromkeys(
                name
                for tag in values.tags_of(post, "Hashtag")
                if (name := values.string(tag.get("name")).removeprefix("#"))
            )
        ),
        url=_page(post),
        train_signal=verdict(activitypub.searchable(post)).signal,
        source=origin.source,
    )


def _authors(post: dict[str, Any], activity: dict[str, Any]) -> tuple[str, int]:
    """Return the author's address and how many others there are; groups are no authors."""
    listed = [
        address
        for part in values.many(post.get("attributedTo"))
        if not values.kinds(values.fields_of(part)) & {"Group", "Organization"}
        and (address := values.identifier(part))
    ]
    actor = values.identifier(activity.get("actor"))
    if actor and listed and actor not in listed:
        raise UnfitError("an activity whose actor is not the author of its object")
    authors = set(listed) | ({actor} if actor else set())
    return actor or (listed[0] if listed else ""), max(0, len(authors) - 1)


def _edited(
    post: dict[str, Any], activity: dict[str, Any], created_at: datetime | None
) -> datetime | None:
    """Return when it was edited; None if it never was, or at the moment it was made."""
    edited_at, _ = values.moment(post.get("updated"))
    if edited_at is None and "Update" in values.kinds(activity):
        edited_at, _ = values.moment(activity.get("updated") or activity.get("published"))
        # Servers tell of the votes for a poll by an Update that has no time.
        if edited_at is None and "Question" not in values.kinds(post):
            raise UnfitError("an edit that does not say when it was made")
    return None if edited_at and created_at and edited_at <= created_at else edited_at


def _text(post: dict[str, Any]) -> tuple[str, str]:
    """Return the author's words, title and poll's choices included, and their language."""
    body, language = _body(post)
    choices = [
        values.string(values.one(values.fields_of(choice).get("name")))
        for key in ("oneOf", "anyOf")
        for choice in values.many(post.get(key))
    ]
    title = "" if values.kinds(post) & _UNTITLED else values.localised(post, "name")[0]
    if not body and title:
        body = values.plain(values.localised(post, "summary")[0])
    parts = [title, body, "\n".join(choice for choice in choices if choice)]
    text = "\n\n".join(part for part in parts if part)
    if len(text) > LONGEST_TEXT:
        raise UnfitError(f"its text is longer than {LONGEST_TEXT} characters")
    return text, language


def _body(post: dict[str, Any]) -> tuple[str, str]:
    content, language = values.localised(post, "content")
    if len(content) > 4 * LONGEST_TEXT:
        raise UnfitError(f"its text is longer than {LONGEST_TEXT} characters")
    source = values.fields_of(post.get("source"))
    # What the author typed, where the server gives it and it is no markup.
    if source.get("mediaType") == "text/plain" and isinstance(source.get("content"), str):
        return values.string(source["content"]), language
    if post.get("mediaType") in ("text/plain", "text/markdown"):
        return content, language
    return values.plain(content), language


def _warning(post: dict[str, Any]) -> str:
    """Return the content warning; articles put an abstract there."""
    if not (values.kinds(post) & _UNTITLED or post.get("sensitive") is True):
        return ""
    summary = values.localised(post, "summary")[0]
    return values.plain(summary) if "</" in summary else summary


def _surface(post: dict[str, Any], writer: str, reply_to: str) -> str:
    """Return the surface; a thread, in which somebody replies to themselves, is no comment."""
    if reply_to and not (writer and reply_to.startswith(f"{writer}/")):
        return "comment"
    found = values.kinds(post)
    return next(surface for kind, surface in OBJECTS.items() if kind in found)


def _reply_to(post: dict[str, Any]) -> str:
    said = values.one(post.get("inReplyTo"))
    address = values.identifier(said)
    # Whether a comment may be used hangs on what it replies to.
    if said not in (None, "") and not address:
        raise UnfitError("a reply to something that it does not name")
    return address


def _quote_of(post: dict[str, Any]) -> str:
    for key in _QUOTES:
        if key in post and (address := values.identifier(post[key])):
            return address
    for tag in values.tags_of(post, "Link"):
        if _QUOTE_LINK in values.many(tag.get("rel")):
            return values.identifier(tag)
    return ""


def _page(post: dict[str, Any]) -> str:
    """Return the address of the page for people."""
    links = values.many(post.get("url"))
    pages = [
        link
        for link in links
        if not isinstance(link, dict) or link.get("mediaType") in (None, "text/html")
    ]
    return values.identifier(pages)


def _media(post: dict[str, Any]) -> list[Medium]:
    """Return its pictures, videos and sounds."""
    parts = [*values.many(post.get("attachment")), *values.many(post.get("image"))]
    attached = (_medium(part, _alt(part)) for part in parts if isinstance(part, dict))
    # A post that is a medium itself has its title in `name`, which is part of the text.
    own = _medium(post, "") if values.kinds(post) & _MEDIA else None
    return [medium for medium in (own, *attached) if medium is not None]


def _medium(part: dict[str, Any], alt: str) -> Medium | None:
    """Return a medium, None for what is none: previews of links, profile fields, documents."""
    found = values.kinds(part) & _MEDIA
    for link in values.many(part.get("url")) if found else ():
        told = link.get("mediaType") if isinstance(link, dict) else None
        path = values.identifier(link)
        if path and (kind := _medium_kind(told or part.get("mediaType"), path, found)):
            return Medium(path, kind, alt)
    return None


def _medium_kind(media_type: Any, path: str, found: frozenset[str]) -> str:
    if isinstance(media_type, str):
        kind = media_type.partition("/")[0]
        return kind if kind in ("image", "video", "audio") else ""
    ending = path.rpartition(".")[2].lower()
    named = (kind.lower() for kind in ("Image", "Video", "Audio") if kind in found)
    return _ENDINGS.get(ending) or next(named, "")


def _alt(part: dict[str, Any]) -> str:
    texts = (values.localised(part, key)[0] for key in ("name", "summary", "description"))
    return next((text for text in texts if text), "")
