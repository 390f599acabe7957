"""Mastodon's statuses as its API gives them: in REST answers and in streamed messages.

Source: platform-formats B; mastodon/documentation entities/Status, methods/streaming.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from sayso.content.events import Interaction, Upsert
from sayso.content.record import (
    LONGEST_ID,
    LONGEST_TEXT,
    Medium,
    Record,
    normalise_text,
    revision,
)
from sayso.rights.signals import activitypub
from sayso.rights.signals.resolve import verdict
from sayso.sources import as2_values as values
from sayso.sources import messages
from sayso.sources.as2_values import UnfitError
from sayso.sources.items import Item, Refused, Rejected, Skipped

SOURCE: Final = "mastodon-api"
# 'limited' comes as 'private' (its own serializer says so); posts that stay on their server too.
_AUDIENCES: Final = {"public": "public", "unlisted": "unlisted", "private": "followers"}
_KINDS: Final = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}
_LOCAL: Final = re.compile(
    r"(?P<users>https?://(?P<host>[^/]+)/(ap/)?users/)(?P<who>[^/]+)/statuses/(?P<number>\w+)"
)
_ALIAS: Final = re.compile(r"mastodon:([^/]*)/(\w+)")


class Account(Struct):
    """Who posted; `acct` has no @ if it is an account of the server that was asked."""

    acct: str
    id: str = ""
    bot: bool | None = None
    group: bool | None = None
    indexable: bool | None = None
    note: str | None = None
    url: str | None = None


class _Mention(Struct):
    id: str = ""
    acct: str = ""
    username: str = ""
    url: str | None = None


class _Tag(Struct):
    name: str = ""


class _Attachment(Struct):
    type: str = ""
    url: str | None = None
    description: str | None = None


class _Poll(Struct):
    options: list[dict[str, Any]] = []


class _Quoted(Struct):
    uri: str = ""


class _Quote(Struct):
    """A quote says what it quotes; on older servers it is the quoted status itself."""

    quoted_status: _Quoted | None = None
    quoted_status_id: str | None = None
    uri: str = ""


class _Reblogged(Struct):
    uri: str = ""


class Status(Struct):
    """A post, as far as Sayso reads it."""

    id: str
    uri: str
    account: Account
    visibility: str = ""
    content: str | None = None
    created_at: str | None = None
    edited_at: str | None = None
    in_reply_to_id: str | None = None
    in_reply_to_account_id: str | None = None
    sensitive: bool | None = None
    local_only: bool | None = None
    spoiler_text: str | None = None
    language: str | None = None
    url: str | None = None
    media_attachments: list[_Attachment] = []
    mentions: list[_Mention] = []
    tags: list[_Tag] = []
    poll: _Poll | None = None
    quote: _Quote | None = None
    reblog: _Reblogged | None = None


class Server(Struct, frozen=True):
    """What is known of the server that was asked: its name, and URIs of statuses by their number.

    In recordings neither is.
    """

    host: str = ""
    uris: Mapping[str, str] = field(default_factory=dict)


UNKNOWN: Final = Server()
decode_status: Final = msgspec.json.Decoder(Status).decode


def alias(number: str, host: str = "") -> str:
    """Return the id that a deletion has, which names a status by its number on a server only."""
    return f"mastodon:{host}/{number}"


def is_alias(record_id: str) -> bool:
    """Whether this is no record's own id but the number of a status (see `alias`)."""
    return _ALIAS.fullmatch(record_id) is not None


def aliases(record_id: str) -> tuple[str, ...]:
    """Return the ids that a deletion of this record may come under; () if it is no status.

    The second is that of recordings, which do not name their server.
    """
    match = _LOCAL.fullmatch(record_id)
    return (alias(match["number"], match["host"].lower()), alias(match["number"])) if match else ()


def read_status(status: Status, server: Server = UNKNOWN) -> Item:
    """Turn a status into an item; its `Rejected` has no place yet."""
    if status.visibility == "direct":
        return Refused(messages.DIRECT, status.uri)
    service = values.host(status.uri)
    author = _named(status.account.url, status.account.acct, server.host or service)
    if status.reblog is not None:
        return _boost(status, status.reblog, author)
    if not service or len(status.uri) > LONGEST_ID:
        return Rejected("", "", f"`uri` is no web address of up to {LONGEST_ID} characters")
    try:
        record = _record(status, server, service, author)
    except UnfitError as error:
        return Rejected("", "", str(error))
    return Upsert(record) if record.text or record.media else Skipped("nothing in it")


def _record(status: Status, server: Server, service: str, author: str) -> Record:
    created_at, date_state = values.moment(status.created_at)
    edited_at, _ = values.moment(status.edited_at)
    audience = _audience(status)
    to_others = status.in_reply_to_id and status.in_reply_to_account_id != status.account.id
    host = server.host or service
    return Record(
        id=status.uri,
        rev=revision(edited_at),
        service=service,
        surface="comment" if to_others else "post",
        author=author,
        age_band="",
        kind=_kind(status.account),
        audience=audience,
        audience_source="" if audience == "unknown" else "asserted",
        created_at=created_at,
        date_state=date_state,
        edited_at=edited_at,
        language=values.language(status.language or ""),
        text=_text(status),
        content_warning=normalise_text(status.spoiler_text or ""),
        sensitive=bool(status.sensitive),
        media=tuple(_medium(medium) for medium in status.media_attachments),
        reply_to=_parent(status, server),
        quote_of=_quoted(status, server),
        mentions=tuple(dict.fromkeys(_named(m.url, m.acct, host) for m in status.mentions)),
        tags=tuple(dict.fromkeys(tag.name for tag in status.tags)),
        url=status.url or "",
        train_signal=_signal(status.account),
        source=SOURCE,
    )


def _named(url: str | None, acct: str, host: str) -> str:
    """Return an account's name, by its page as in ActivityPub, or else by its short name here."""
    shown = values.account(url or "")
    if shown.startswith("acct:"):
        return shown
    return f"acct:{acct}" if "@" in acct else f"acct:{acct}@{host}"


def _boost(status: Status, boosted: _Reblogged, author: str) -> Item:
    if status.visibility not in ("public", "unlisted") or not boosted.uri:
        return Skipped("boost")
    at, _ = values.moment(status.created_at)
    return Interaction(author, "share", boosted.uri, at=at, id=status.uri)


def _text(status: Status) -> str:
    """Return the words of a post; a poll's choices are its author's words, too."""
    options = status.poll.options if status.poll else []
    choices = "\n".join(
        choice for option in options if (choice := values.string(option.get("title")))
    )
    text = "\n\n".join(part for part in (values.plain(status.content or ""), choices) if part)
    if len(text) > LONGEST_TEXT:
        raise UnfitError(f"the text is longer than {LONGEST_TEXT} characters")
    return text


def _medium(medium: _Attachment) -> Medium:
    alt = normalise_text(medium.description or "")
    return Medium(path=medium.url or "", kind=_KINDS.get(medium.type, "image"), alt=alt)


def _audience(status: Status) -> str:
    audience = _AUDIENCES.get(status.visibility, "unknown")
    return "custom" if status.local_only and audience in ("public", "unlisted") else audience


def _kind(account: Account) -> str:
    if account.bot:
        return "bot"
    return "page" if account.group else "person"


def _signal(account: Account) -> str:
    """Who wants to be found by no search engine, or says so in the profile, wants no training.

    `indexable` true is consent to search alone.
    """
    words = values.plain(account.note) if account.note and "#" in account.note else ""
    return verdict(activitypub.actor({"indexable": account.indexable}, words)).signal


def _parent(status: Status, server: Server) -> str:
    """Return the id of the status that is replied to, of which only the number is given."""
    number = status.in_reply_to_id
    if not number:
        return ""
    if known := server.uris.get(number):
        return known
    # A local parent's URI is its author's with the number; the author is oneself or mentioned.
    match, who = _LOCAL.fullmatch(status.uri), ""
    if match and "@" not in status.account.acct:
        author = status.in_reply_to_account_id
        mentioned = (m.username for m in status.mentions if m.id == author and "@" not in m.acct)
        who = match["who"] if author == status.account.id else next(mentioned, "")
    return (
        f"{match['users']}{who}/statuses/{number}" if match and who else alias(number, server.host)
    )


def _quoted(status: Status, server: Server) -> str:
    quote = status.quote
    if quote is None:
        return ""
    uri = quote.quoted_status.uri if quote.quoted_status else quote.uri
    number = quote.quoted_status_id
    return uri or (server.uris.get(number) or alias(number, server.host) if number else "")
