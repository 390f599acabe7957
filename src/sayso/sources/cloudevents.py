"""CloudEvents 1.0 in JSON: single events, structured or binary, and batches of them.

The types are those of `jsonl`, which reads the data; its bare records and envelopes are read here,
too. The package `cloudevents` is not used: it knows no batches, makes Python objects of data that
would have to be encoded again, and takes data that is no JSON for text.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sayso.content.events import Upsert
from sayso.content.record import parse_time
from sayso.sources import jsonl
from sayso.sources.items import Item, Rejected

VERSION: Final = "1.0"
# Types whose data may be left out where `subject` names the record.
_ABOUT_SUBJECT: Final = ("net.content.delete", "net.content.undelete")
_JSON: Final = re.compile(r"(application|text)/([\w.-]+\+)?json\s*(;.*)?", re.IGNORECASE)


class _Event(Struct):
    specversion: str
    type: str
    source: str
    id: str
    time: str | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


class _Mark(Struct):
    specversion: object = None


class _InvalidError(Exception):
    """JSON, but no event that we take."""


_decode_mark = msgspec.json.Decoder(_Mark).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw] | str | None).decode


def parse(body: bytes, attributes: Mapping[str, str], name: str, number: int) -> Iterator[Item]:
    """Turn a message into items; never raises.

    Args:
        body: a structured event, an array of events or records, or one of Sayso's own records or
            envelopes; in binary mode the data alone.
        attributes: in binary mode the context attributes (`ce-…` without the prefix), with the
            body's media type as `datacontenttype`; else none.
        name: where it came from, for rejects.
        number: its line there.
    """
    where = f"line {number}"
    if attributes:
        yield _binary(body, attributes, name, where)
    elif body.lstrip()[:1] != b"[":
        yield _structured(body, name, where)
    else:
        try:
            parts = _decode_batch(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield Rejected(name, where, "not a JSON array in UTF-8")
            return
        for place, part in enumerate(parts, 1):
            yield _structured(bytes(part), name, f"item {place}")


def _binary(data: bytes, attributes: Mapping[str, str], name: str, where: str) -> Item:
    try:
        event = msgspec.convert(dict(attributes), _Event)
        event.data = msgspec.Raw(data)
        return _item(event, name, where)
    except (msgspec.ValidationError, _InvalidError) as error:
        return Rejected(name, where, str(error))


def _structured(body: bytes, name: str, where: str) -> Item:
    try:
        if _decode_mark(body).specversion is None:
            return _placed(jsonl.parse_line(body, name, 0), where)
        return _item(_decode_event(body), name, where)
    except (msgspec.ValidationError, _InvalidError) as error:
        return Rejected(name, where, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The decoder's text may quote the input, so it is not repeated.
        return Rejected(name, where, "not a JSON object in UTF-8")
    except RecursionError:
        return Rejected(name, where, "nested too deeply")


def _item(event: _Event, name: str, where: str) -> Item:
    if event.specversion != VERSION:
        raise _InvalidError(f"unknown `specversion`: expected {VERSION}")
    for attribute in ("id", "source", "type"):
        if not getattr(event, attribute):
            raise _InvalidError(f"`{attribute}` is empty: CloudEvents requires it")
    envelope = {"type": event.type, "time": event.time, "data": msgspec.Raw(_data(event))}
    item = _placed(jsonl.parse_line(msgspec.json.encode(envelope), name, 0), where)
    if isinstance(item, Upsert) and event.time:
        return _dated(item, event.time)
    return item


def _data(event: _Event) -> bytes:
    """Return an event's data, checked to be one JSON object and nothing behind it."""
    if event.datacontenttype and not _JSON.fullmatch(event.datacontenttype.strip()):
        raise _InvalidError("unknown `datacontenttype`: expected application/json")
    data = bytes(event.data)
    if event.data_base64 is not None:
        if data:
            raise _InvalidError("both `data` and `data_base64`: expected one of them")
        try:
            data = base64.b64decode(event.data_base64, validate=True)
        except (binascii.Error, ValueError):
            raise _InvalidError("`data_base64` is not base64") from None
    try:
        fields = _decode_fields(data) if data.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _InvalidError("the data is not a JSON object in UTF-8") from None
    if fields:
        return data
    if event.subject and event.type in _ABOUT_SUBJECT:
        return msgspec.json.encode({"id": event.subject})
    raise _InvalidError("no data: expected a record, or what the type is about")


def _dated(item: Upsert, time: str) -> Upsert:
    """Date a record that says nothing of its time by its event's."""
    record = item.record
    if record.date_state != "absent" or record.edited_at is not None:
        return item
    created_at, state = parse_time(time)
    return Upsert(replace(record, created_at=created_at, date_state=state))


def _placed(item: Item, where: str) -> Item:
    return replace(item, where=where) if isinstance(item, Rejected) else item
