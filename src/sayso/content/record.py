"""The record: one piece of content by one author, ActivityStreams 2.0 semantics in flat JSON."""

import re
import unicodedata
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
AGE_BANDS: Final = ("adult", "minor", "unknown")
LONGEST_ID: Final = 1024
LONGEST_TEXT: Final = 1_000_000
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Medium(Struct, frozen=True, omit_defaults=True):
    """A picture, video or sound of a record; `path` is relative to the file it came in."""

    path: str = ""
    kind: str = "image"
    alt: str = ""
    alt_language: str = ""
    license: str = ""


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of content by one author.

    `date_state` is 'given', 'absent' or 'unreadable'; `created_at` is in UTC and None unless given.
    `train_signal` is the record's own machine-readable word on training: '', 'allow', 'deny', or
    'unreadable' (which is never a yes).
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
    created_at: datetime | None = None
    date_state: str = "absent"
    language: str = ""
    text: str = ""
    content_warning: str = ""
    media: tuple[Medium, ...] = ()
    reply_to: str = ""
    quote_of: str = ""
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


def normalise_text(text: str) -> str:
    """Return `text` in Unicode NFC with plain line breaks and no control characters."""
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
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC), "given"
    except (ValueError, OverflowError, OSError):
        return None, "unreadable"
