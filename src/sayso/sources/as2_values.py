"""Loose JSON-LD made firm: any ActivityStreams value may be a string, an object or an array."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sayso.content.record import LONGEST_ID, normalise_text, parse_time
from sayso.sources.html import TangledError, to_text

NAMESPACE: Final = "https://www.w3.org/ns/activitystreams"
PUBLIC: Final = frozenset({f"{NAMESPACE}#Public", "as:Public", "Public"})
# From the widest to the narrowest; where two places disagree, the narrower counts.
_WIDTHS: Final = ("public", "unlisted", "followers", "custom", "direct")
_EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
# Paths at which servers show an actor by its name. Whatever else is an account by its address.
_NAMED: Final = re.compile(
    r"https?://([^/?#@\s]+)/(?:@|(?:users|u|c|m|accounts|video-channels|profile|author|channel)/@?)"
    r"([^/?#@\s]+)/?",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"(?:https?://|acct:[^@/\s]+@)([^/?#@\s]+)", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"acct:[^@\s]+@[^@\s]+|did:[^\s]+|https?://[^\s]+", re.IGNORECASE)
_FOLLOWERS: Final = re.compile(r"/followers(?:[/?]|$)")
_LOCAL_PUBLIC: Final = re.compile(r"https?://[^/?#\s]+/#Public")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_MENTION: Final = re.compile(r"@?([^@\s]+)(?:@([^@\s]+))?")


class UnfitError(Exception):
    """Something cannot be taken; the message says why, without its words."""


def many(value: Any) -> list[Any]:
    """Return the parts of a value: none, one, or those of an array."""
    if value is None:
        return []
    return [part for part in value if part is not None] if isinstance(value, list) else [value]


def one(value: Any) -> Any:
    """Return the first part of a value, None if it has none."""
    if not isinstance(value, list):
        return value
    return next((part for part in value if part is not None), None)


def string(value: Any) -> str:
    """Return a value that is text, '' for whatever else."""
    return normalise_text(value) if isinstance(value, str) else ""


def fields_of(value: Any) -> dict[str, Any]:
    """Return an object's fields, none for whatever else."""
    return value if isinstance(value, dict) else {}


def kinds(fields: dict[str, Any]) -> frozenset[str]:
    """Return an object's types without their namespace."""
    told = fields.get("type")
    if isinstance(told, str):
        return _kind(told)
    return frozenset().union(*(_kind(part) for part in many(told) if isinstance(part, str)))


@lru_cache(maxsize=4096)
def _kind(told: str) -> frozenset[str]:
    return frozenset({told.rpartition("#")[2].removeprefix("as:")})


def identifier(value: Any) -> str:
    """Return what a reference leads to, '' where it says nothing that can be read.

    Raises:
        UnfitError: it is longer than any address.
    """
    if isinstance(value, list):
        value = one(value)
    if isinstance(value, dict):
        value = value.get("id") or value.get("href")
    if not isinstance(value, str):
        return ""
    if len(value) > LONGEST_ID:
        raise UnfitError(f"an address is longer than {LONGEST_ID} characters")
    return value


def identifiers(value: Any) -> list[str]:
    """Return all that a value refers to, without what cannot be read."""
    return [found for part in many(value) if (found := identifier(part))]


def moment(value: Any) -> tuple[datetime | None, str]:
    """Return a time with 'given', 'absent' or 'unreadable', as `parse_time` does."""
    value = one(value)
    if value is not None and not isinstance(value, str):
        return None, "unreadable"
    found, state = parse_time(value)
    return (None, "unreadable") if found and found < _EARLIEST else (found, state)


def plain(html: str) -> str:
    """Return the text of a piece of HTML.

    Raises:
        UnfitError: it is too tangled to be read.
    """
    try:
        return normalise_text(to_text(html))
    except TangledError:
        raise UnfitError("its HTML is too large and not well-formed") from None


def localised(fields: dict[str, Any], name: str) -> tuple[str, str]:
    """Return a text that may come in several languages, and its language ('' if not told).

    Where there are several, it is the one that stands without a language, or else the first.
    """
    own, by_language = one(fields.get(name)), fields_of(fields.get(f"{name}Map"))
    said = isinstance(own, str) and own != ""
    told = [tag for tag, words in by_language.items() if words and isinstance(words, str)]
    same = [tag for tag in told if by_language[tag] == own] if said else told[:1]
    text = own if said else by_language[same[0]] if same else ""
    chosen = same or (told if len(told) == 1 else [""])
    return normalise_text(text), language(chosen[0])


def language(tag: str) -> str:
    """Return a language tag, '' for what is none or says that it is not known."""
    return tag if _LANGUAGE.fullmatch(tag) and tag.lower() != "und" else ""


@lru_cache(maxsize=4096)
def account(uri: str) -> str:
    """Return the account name of an actor's address, '' if it is no address of an actor."""
    if named := _NAMED.fullmatch(uri):
        return f"acct:{named[2]}@{named[1].lower()}"
    return uri if _ACCOUNT.fullmatch(uri) else ""


@lru_cache(maxsize=4096)
def host(uri: str) -> str:
    """Return the host of an address or of an `acct:` name, '' if it has none."""
    found = _HOST.match(uri)
    return found[1].lower() if found else ""


def mentioned(tag: dict[str, Any]) -> str:
    """Return the account name that a Mention names, '' if it names none."""
    address = identifier(tag.get("href"))
    name = string(tag.get("name"))
    found = _MENTION.fullmatch(name) if len(name) < LONGEST_ID else None
    where = found and (found[2] or host(address))
    return f"acct:{found[1]}@{where.lower()}" if found and where else account(address)


def audience(*places: dict[str, Any], followers: str = "") -> str:
    """Return who an activity and its object are for; the narrowest of what they say.

    'direct' is whatever is for none of Public and no followers, nobody at all included: copies to
    `bcc` say nothing of their addressee (ActivityPub, section 6.1).

    Args:
        places: the activity, its object.
        followers: the address of the author's followers, where it is known.
    """
    said = [
        _width(identifiers(place.get("to")), identifiers(place.get("cc")), followers)
        for place in places
        if place.get("to") is not None or place.get("cc") is not None
    ]
    return max(said, key=_WIDTHS.index, default="direct")


def _width(to: list[str], cc: list[str], followers: str) -> str:
    if not PUBLIC.isdisjoint(to):
        return "public"
    if not PUBLIC.isdisjoint(cc):
        return "unlisted"
    return min(
        (_narrow(address, followers) for address in [*to, *cc]), default="direct", key=_WIDTHS.index
    )


def _narrow(address: str, followers: str) -> str:
    if address == followers:
        return "followers"
    if _LOCAL_PUBLIC.fullmatch(address):
        return "custom"  # whoever has an account on that server (Pleroma, Akkoma)
    # Somebody may be called 'followers'.
    named = _NAMED.fullmatch(address)
    return "followers" if _FOLLOWERS.search(address) and not named else "direct"


def tags_of(fields: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the tags of a kind: 'Mention', 'Hashtag', 'Link'."""
    for tag in many(fields.get("tag")):
        if isinstance(tag, dict) and kind in kinds(tag):
            yield tag
