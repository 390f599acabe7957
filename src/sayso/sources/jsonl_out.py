"""Records and events as Sayso's own JSON Lines: what `jsonl.parse_line` reads back as it was."""

from datetime import datetime
from typing import Any, Final

import msgspec

from sayso.content.events import AccountUpdate, Delete, Event, Interaction, Undelete, Upsert
from sayso.content.record import HIGHEST_REV, Record

# What stands in a line even if it is empty, since it would mean something else if it did not.
_ALWAYS: Final = frozenset({"id", "rev", "service", "text"})
_USUAL: Final = {"surface": "post", "audience": "unknown"}


def fields(record: Record) -> dict[str, Any]:
    """Return all fields of a record by their names in a line, empty ones included."""
    return {
        "id": record.id,
        "rev": record.rev,
        "service": record.service,
        "surface": record.surface,
        "author": {
            "id": record.author,
            "kind": record.kind,
            "age_band": record.age_band,
            "age_source": record.age_source,
        },
        "co_authors": record.co_authors,
        "audience": record.audience,
        "audience_source": record.audience_source,
        "created_at": _iso(record.created_at),
        "date_state": record.date_state,
        "edited_at": _iso(record.edited_at),
        "language": record.language,
        "text": record.text,
        "content_warning": record.content_warning,
        "sensitive": record.sensitive,
        "media": msgspec.to_builtins(record.media),
        "reply_to": record.reply_to,
        "quote_of": record.quote_of,
        "container": record.container,
        "mentions": list(record.mentions),
        "tags": list(record.tags),
        "url": record.url,
        "policy": {"train": record.train_signal or "unset"},
        "license": record.license,
        "source": record.source,
    }


def line(event: Event) -> bytes:
    """Return an event as one line, without its line break; a record stands bare."""
    match event:
        case Upsert(record=record):
            return msgspec.json.encode(_short(record))
        case Delete():
            data: dict[str, Any] = {"id": event.id, "reason": event.reason}
            return _envelope("content.delete", data | _unless(HIGHEST_REV, rev=event.rev))
        case Undelete():
            return _envelope("content.undelete", {"id": event.id})
        case AccountUpdate():
            data = msgspec.to_builtins(event)
            signal = data.pop("train_signal")
            if signal:
                data["policy"] = {"train": signal}
            return _envelope("account.update", data)
        case Interaction():
            return _envelope("interaction", msgspec.to_builtins(event))


def _short(record: Record) -> dict[str, Any]:
    """A record's fields without those that say nothing."""
    found = fields(record)
    told = {name: said for name, said in found["author"].items() if said}
    found["author"] = {"id": record.author} | told if told.keys() - {"id"} else record.author
    if found["policy"]["train"] == "unset":
        del found["policy"]
    if record.date_state != "unreadable":
        del found["date_state"]  # the date says it
    for name, usual in _USUAL.items():
        if found[name] == usual:
            del found[name]
    return {name: said for name, said in found.items() if said or name in _ALWAYS}


def _envelope(kind: str, data: dict[str, Any]) -> bytes:
    said = {name: value for name, value in data.items() if value is not None and value != ""}
    return msgspec.json.encode({"type": f"net.{kind}", "data": said})


def _unless(usual: int, **named: int) -> dict[str, int]:
    return {name: value for name, value in named.items() if value != usual}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
