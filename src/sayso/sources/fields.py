"""Loose JSON, taken carefully: a value of another kind than expected counts as not there."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from sayso.content.events import Upsert
from sayso.content.record import LONGEST_ID, LONGEST_TEXT, Record, parse_time
from sayso.sources.items import Rejected, Skipped

# Services of the web have no older posts: 0 and -62169958800 stand for a lost date.
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
ADULT: Final = 18


def text_in(fields: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that is text with something in it, else ''."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def object_in(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a field that is an object, else an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in a field that is a list."""
    value = fields.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def whole(value: object) -> int | None:
    """Return a whole number, also one that is written as text; None for everything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) and "." not in value:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def moment(value: object) -> tuple[datetime | None, str]:
    """Read a time as `parse_time` does, seconds in text included; absurd ones are 'unreadable'."""
    if isinstance(value, str) and _NUMBER.fullmatch(value) and len(value) > len("2026"):
        value = float(value)
    if value is None or value == "":
        return None, "absent"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, "unreadable"
    at, state = parse_time(value)
    return (None, "unreadable") if at is not None and at < EARLIEST else (at, state)


def age_band(born: object, now: datetime) -> str:
    """Return 'adult' or 'minor' for a date of birth (ISO 8601), 'unknown' for anything else."""
    at, _ = parse_time(born) if isinstance(born, str) else (None, "")
    if at is None or at > now or at.year < 1900:
        return "unknown"
    years = now.year - at.year - ((now.month, now.day) < (at.month, at.day))
    return "adult" if years >= ADULT else "minor"


def checked(record: Record, file: str, where: str) -> Upsert | Rejected | Skipped:
    """Return a record as an event, unless there is nothing in it or it breaks a limit."""
    if len(record.id) > LONGEST_ID:
        return Rejected(file, where, f"an id longer than {LONGEST_ID} characters")
    if len(record.text) > LONGEST_TEXT:
        return Rejected(file, where, f"a text longer than {LONGEST_TEXT} characters")
    if not record.text.strip() and not record.media:
        return Skipped("nothing in it")
    return Upsert(record)
