"""JSON Lines: Sayso's own records and events, one object a line.

A line is a bare record, or an event envelope (CloudEvents 1.0 names) with `type` and `data`:
net.content.upsert, net.content.delete, net.account.update, net.interaction.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from sayso.content.events import AccountUpdate, Delete, Event, Interaction, Upsert
from sayso.content.record import (
    AGE_BANDS,
    AUDIENCES,
    LONGEST_ID,
    LONGEST_TEXT,
    Medium,
    Record,
    normalise_text,
    parse_time,
)

_AUDIENCE: Final = re.compile(rb'"audience"\s*:\s*"?([^",}]*)')
LONGEST_LINE: Final = 16 * 1024 * 1024
ACCOUNT_STATES: Final = ("", "active", "deleted", "private", "opted_out")


class Rejected(Struct, frozen=True):
    """A line that could not be taken: where and why, never what it said.

    `raw` is None where the line may hold a private message; then only its place is kept.
    """

    file: str
    line: int
    reason: str
    raw: bytes | None = None


class Refused(Struct, frozen=True):
    """A private message, refused at the door; `id` lets repeated imports count it once."""

    id: str


class _Author(Struct):
    id: str
    kind: str = ""
    age_band: str = ""


class _Policy(Struct):
    train: object = "unset"


class _Line(Struct):
    type: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    time: str | int | float | None = None


class _Record(Struct):
    id: str
    service: str = ""
    rev: int = 1
    surface: str = "post"
    author: str | _Author | None = None
    co_authors: list[str] | None = None
    audience: str | None = None
    created_at: str | int | float | None = None
    language: str | None = None
    lang: str | list[str] | None = None
    text: str | None = None
    content_warning: str | None = None
    media: list[Medium] | None = None
    reply_to: str | None = None
    in_reply_to: str | None = None
    quote_of: str | None = None
    policy: _Policy | None = None
    license: str | None = None
    source: str | None = None
    deleted_at: str | int | float | None = None


class _Account(Struct):
    account: str = ""
    author: str = ""
    service: str = ""
    person: str = ""
    kind: str = ""
    age_band: str = ""
    state: str = ""
    assistant: bool | None = None


class _Interaction(Struct):
    actor: str
    verb: str
    object: str
    value: float | None = None
    unit: str = ""
    at: str | int | float | None = None


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_record = msgspec.json.Decoder(_Record).decode
_decode_delete = msgspec.json.Decoder(Delete).decode
_decode_account = msgspec.json.Decoder(_Account).decode
_decode_interaction = msgspec.json.Decoder(_Interaction).decode
_decode_message_hint = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read(path: Path) -> Iterator[Event | Rejected | Refused]:
    """Read a file line by line; memory does not grow with its size."""
    with path.open("rb") as file:
        yield from read_stream(file, path.name)


def read_stream(stream: BinaryIO, name: str) -> Iterator[Event | Rejected | Refused]:
    """Read lines from an open binary stream; `name` is what rejects call it."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while not line.endswith(b"\n") and (line := stream.readline(LONGEST_LINE)):
                pass
            yield Rejected(name, number, f"line longer than {LONGEST_LINE} bytes")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if stripped := line.strip():
            yield parse_line(stripped, name, number)


def parse_line(line: bytes, name: str, number: int) -> Event | Rejected | Refused:
    """Turn one line into an event, a reject with its reason, or a refused private message."""
    try:
        return _parse(line)
    except (msgspec.ValidationError, _InvalidError) as error:
        reason = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The decoder's text may quote the input, so it is not repeated.
        reason = "not a JSON object in UTF-8"
    except RecursionError:
        reason = "nested too deeply"
    keep = None if _may_be_message(line) else line
    return Rejected(name, number, reason, keep)


class _InvalidError(Exception):
    """A line is JSON but not a record or event we know."""


def _parse(line: bytes) -> Event | Refused:
    envelope = _decode_line(line)
    if envelope.type is None or not bytes(envelope.data):
        return _record(_decode_record(line))
    data = bytes(envelope.data)
    match envelope.type.removeprefix("net."):
        case "content.upsert" | "content.create" | "content.update":
            return _record(_decode_record(data))
        case "content.delete":
            delete = _decode_delete(data)
            _check_id(delete.id)
            return delete
        case "account.update":
            return _account(_decode_account(data))
        case "interaction":
            seen = _decode_interaction(data)
            at, _ = parse_time(seen.at if seen.at is not None else envelope.time)
            return Interaction(seen.actor, seen.verb, seen.object, seen.value, seen.unit, at)
        case _:
            raise _InvalidError(
                "unknown event type; expected net.content.upsert, net.content.delete, "
                "net.account.update or net.interaction"
            )


def _record(raw: _Record) -> Upsert | Delete | Refused:
    _check_id(raw.id)
    if raw.deleted_at is not None:
        return Delete(raw.id)
    if not raw.service:
        raise _InvalidError(
            "`service` is missing: expected the name of the service it was posted on"
        )
    if not 1 <= raw.rev < 2**31:
        raise _InvalidError("`rev` is out of range: expected 1 or more")
    if raw.text is None and not raw.media:
        raise _InvalidError("neither `text` nor `media`: expected at least one")
    if len(raw.text or "") > LONGEST_TEXT:
        raise _InvalidError(f"`text` is longer than {LONGEST_TEXT} characters")
    author = raw.author if isinstance(raw.author, _Author) else _Author(raw.author or "")
    created_at, date_state = parse_time(raw.created_at)
    lang = raw.lang[0] if isinstance(raw.lang, list) and raw.lang else raw.lang
    record = Record(
        id=raw.id,
        rev=raw.rev,
        service=raw.service,
        surface=raw.surface,
        author=author.id,
        co_authors=len(raw.co_authors or ()),
        # No word on age stays "", told apart from the source saying "unknown".
        age_band=author.age_band if author.age_band in ("", *AGE_BANDS) else "unknown",
        kind=author.kind,
        audience=raw.audience if raw.audience in AUDIENCES else "unknown",
        created_at=created_at,
        date_state=date_state,
        language=raw.language or (lang if isinstance(lang, str) else "") or "",
        text=normalise_text(raw.text or ""),
        content_warning=raw.content_warning or "",
        media=tuple(raw.media or ()),
        reply_to=raw.reply_to or raw.in_reply_to or "",
        quote_of=raw.quote_of or "",
        train_signal=_signal(raw.policy),
        license=raw.license or "",
        source=raw.source or "",
    )
    return Refused(record.id) if record.is_message else Upsert(record)


def _account(raw: _Account) -> AccountUpdate:
    account = raw.account or raw.author
    if not account:
        raise _InvalidError("an account update without `account`")
    if raw.state not in ACCOUNT_STATES:
        raise _InvalidError(
            "unknown account `state`: expected active, deleted, private or opted_out"
        )
    band = raw.age_band if raw.age_band in ("", *AGE_BANDS) else "unknown"
    return AccountUpdate(account, raw.service, raw.person, raw.kind, band, raw.state, raw.assistant)


def _signal(policy: _Policy | None) -> str:
    if policy is None or policy.train in ("unset", None, ""):
        return ""
    return str(policy.train) if policy.train in ("allow", "deny") else "unreadable"


def _check_id(value: str) -> None:
    if not value or len(value) > LONGEST_ID:
        raise _InvalidError(f"`id` is empty or longer than {LONGEST_ID} characters")


def _may_be_message(line: bytes) -> bool:
    """Whether a line we could not read might be a private message: then no byte of it is kept."""
    try:
        fields = _decode_message_hint(line)
        if "data" in fields and "type" in fields:
            fields = _decode_message_hint(bytes(fields["data"]))
        audience = bytes(fields.get("audience", msgspec.Raw(b"null"))).strip(b'"')
        return audience.decode("utf-8", "replace") not in ("public", "unlisted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Not even JSON: a message cut short looks like this too.
        audiences = _AUDIENCE.findall(line)
        return not audiences or any(a not in (b"public", b"unlisted") for a in audiences)
