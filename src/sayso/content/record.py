"""The record: one piece of content by one author, ActivityStreams 2.0 semantics in flat JSON."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

AUDIENCES: Final = (
    "public",
    "unlisted",
    "followers",
    "friends",
    "group",
    "custom",
    "only_me",
    "direct",
    "unknown",
)
MESSAGE_SURFACES: Final = ("message", "letter", "chat", "direct")
SIGNALS: Final = ("", "allow", "unreadable", "deny")  # from the mildest to the strictest
AGE_BANDS: Final = ("adult", "minor", "unknown")
LONGEST_ID: Final = 1024
LONGEST_TEXT: Final = 1_000_000
HIGHEST_REV: Final = 2**63 - 1
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Medium(Struct, frozen=True, gc=False, omit_defaults=True):
    """A picture, video or sound of a record; `path` is relative to the file it came in."""

    path: str = ""
    kind: str = "image"
    alt: str = ""
    alt_language: str = ""
    caption: str = ""
    transcript: str = ""
    license: str = ""


class Record(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One piece of content by one author.

    `rev` orders the revisions of one id: the service's own number, or 1 for what was never edited
    and `revision(edited_at)` after that. `date_state` is 'given', 'absent' or 'unreadable';
    `created_at` is in UTC and None unless given. `audience_source` says who says so: 'asserted' by
    the record, 'derived' from its account or service, 'operator', or '' for unknown audiences.
    `train_signal` is the record's own machine-readable word on training: '', 'allow', 'deny', or
    'unreadable' (which is never a yes). `container` is the group, page or topic it was posted in.
    """

    id: str
    rev: int = 1
    service: str
    surface: str = "post"
    author: str = ""
    co_authors: int = 0
    age_band: str = "unknown"
    age_source: str = ""
    kind: str = ""
    audience: str = "unknown"
    audience_source: str = ""
    created_at: datetime | None = None
    date_state: str = "absent"
    edited_at: datetime | None = None
    language: str = ""
    text: str = ""
    content_warning: str = ""
    sensitive: bool = False
    media: tuple[Medium, ...] = ()
    reply_to: str = ""
    quote_of: str = ""
    container: str = ""
    mentions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    url: str = ""
    train_signal: str = ""
    license: str = ""
    source: str = ""

    @property
    def is_message(self) -> bool:
        """Whether this is a private message, which Sayso never takes in.

        Anything sent as a message counts as one unless it was plainly public (a public channel).
        """
        return self.audience == "direct" or (
            self.surface in MESSAGE_SURFACES and self.audience not in ("public", "unlisted")
        )


def strictest(signals: Iterable[str]) -> str:
    """Return the strictest of words on training: 'deny', 'unreadable', 'allow' or ''."""
    return max(signals, key=SIGNALS.index, default="")


def own_words(text: str, media: Iterable[Medium]) -> str:
    """Return all of an author's words in a record: text, captions, alt texts, transcripts.

    Exports often give a caption both as the text and with the picture; each line comes once.
    """
    parts = [text, *(part for m in media for part in (m.caption, m.alt, m.transcript))]
    return "\n".join(dict.fromkeys(part for part in parts if part))


def revision(edited_at: datetime | None) -> int:
    """Return the revision of something that its service does not number: ms since 1970, or 1."""
    return 1 if edited_at is None else max(1, int(edited_at.timestamp() * 1000))


def normalise_text(text: str) -> str:
    """Return `text` in Unicode NFC with plain line breaks and no control characters."""
    if text.isascii() and text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _CONTROL.sub("", text))


def parse_time(value: str | int | float | None) -> tuple[datetime | None, str]:
    """Read a time stamp; one without a zone counts as UTC, a bare day or year as its first moment.

    Args:
        value: ISO 8601 text, or seconds since 1970.

    Returns:
        The time in UTC with 'given', or None with 'absent' or 'unreadable'.
    """
    if value is None or value == "":
        return None, "absent"
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC), "given"
        text = value.strip()
        if len(text) == 4 and text.isdigit():
            text += "-01-01"
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC), "given"
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC), "given"
    except (ValueError, OverflowError, OSError):
        return None, "unreadable"
