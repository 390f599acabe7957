"""JSON Lines: Sayso's own records and events, one object a line.

A line is a bare record, or an event envelope (CloudEvents 1.0 names) with `type` and `data`:
net.content.upsert, net.content.delete, net.content.undelete, net.account.update,
net.interaction.
"""

import json
import re
from typing import Final

import msgspec
from msgspec import Struct

from sayso.content.events import AccountUpdate, Delete, Event, Interaction, Undelete, Upsert
from sayso.content.record import (
    AGE_BANDS,
    AUDIENCES,
    HIGHEST_REV,
    LONGEST_ID,
    LONGEST_TEXT,
    Medium,
    Record,
    normalise_text,
    parse_time,
    revision,
)
from sayso.rights.signals.model import LONGEST_EVIDENCE
from sayso.sources import messages
from sayso.sources.items import Refused, Rejected

_AUDIENCE: Final = re.compile(rb'"audience"\s*:\s*"?([^",}]*)')
MOST_CO_AUTHORS: Final = 1_000_000
ACCOUNT_STATES: Final = ("", "active", "deleted", "private", "opted_out")


class _Author(Struct):
    id: str
    kind: str = ""
    age_band: str = ""
    age_source: str = ""


class _Policy(Struct):
    train: object = "unset"


class _Container(Struct):
    id: str | None = None


class _Line(Struct):
    type: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    time: str | int | float | None = None


class _Record(Struct):
    id: str
    service: str = ""
    rev: int | None = None
    surface: str = "post"
    author: str | _Author | None = None
    co_authors: list[str] | int | None = None
    audience: str | None = None
    audience_source: str = ""
    created_at: str | int | float | None = None
    date_state: str = ""
    edited_at: str | int | float | None = None
    language: str | None = None
    lang: str | list[str] | None = None
    text: str | None = None
    content_warning: str | None = None
    sensitive: bool = False
    media: list[Medium] | None = None
    reply_to: str | None = None
    in_reply_to: str | None = None
    quote_of: str | None = None
    container: str | _Container | None = None
    mentions: list[str] | None = None
    tags: list[str] | None = None
    url: str | None = None
    policy: _Policy | None = None
    license: str | None = None
    source: str | None = None
    deleted_at: str | int | float | None = None


class _Account(Struct):
    account: str = ""
    author: str = ""
    service: str = ""
    person: str = ""
    handle: str = ""
    kind: str = ""
    age_band: str = ""
    state: str = ""
    assistant: bool | None = None
    policy: _Policy | None = None
    statement: str = ""
    evidence: str = ""
    moved_to: str = ""


class _Interaction(Struct):
    actor: str
    verb: str
    object: str
    value: float | None = None
    unit: str = ""
    at: str | int | float | None = None
    id: str = ""


_BARE: Final = _Line()
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_record = msgspec.json.Decoder(_Record).decode
_decode_delete = msgspec.json.Decoder(Delete).decode
_decode_undelete = msgspec.json.Decoder(Undelete).decode
_decode_account = msgspec.json.Decoder(_Account).decode
_decode_interaction = msgspec.json.Decoder(_Interaction).decode
_decode_message_hint = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def parse_line(line: bytes, name: str, number: int) -> Event | Rejected | Refused:
    """Turn one line into an event, a reject with its reason, or a refused private message."""
    try:
        event = _parse(line)
        if line.count(b'"audience"') > 1:
            # The last of two would win, and who could see something is not to be guessed.
            json.loads(line, object_pairs_hook=_without_repeats)
    except (msgspec.ValidationError, _InvalidError) as error:
        reason = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The decoder's text may quote the input, so it is not repeated.
        reason = "not a JSON object in UTF-8"
    except RecursionError:
        reason = "nested too deeply"
    else:
        return event
    keep = None if _may_be_message(line) else line
    return Rejected(name, f"line {number}", reason, keep)


class _InvalidError(Exception):
    """A line is JSON but not a record or event we know."""


def _parse(line: bytes) -> Event | Refused:
    envelope = _decode_line(line) if b'"data"' in line else _BARE
    if envelope.type is None or not bytes(envelope.data):
        return _record(_decode_record(line), None)
    data = bytes(envelope.data)
    match envelope.type.removeprefix("net."):
        case "content.upsert" | "content.create" | "content.update":
            return _record(_decode_record(data), envelope.time)
        case "content.delete":
            return _named(_decode_delete(data))
        case "content.undelete":
            return _named(_decode_undelete(data))
        case "account.update":
            return _account(_decode_account(data))
        case "interaction":
            seen = _decode_interaction(data)
            at, _ = parse_time(seen.at if seen.at is not None else envelope.time)
            return Interaction(
                seen.actor, seen.verb, seen.object, seen.value, seen.unit, at, seen.id
            )
        case _:
            raise _InvalidError(
                "unknown event type; expected net.content.upsert, net.content.delete, "
                "net.content.undelete, net.account.update or net.interaction"
            )


def _named(event: Delete | Undelete) -> Delete | Undelete:
    _check_id(event.id)
    if isinstance(event, Delete) and not 1 <= event.rev <= HIGHEST_REV:
        raise _InvalidError("`rev` is out of range: expected 1 or more")
    return event


def _without_repeats(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise _InvalidError("a key comes twice")


def _record(raw: _Record, sent_at: str | int | float | None) -> Upsert | Delete | Refused:
    _check_id(raw.id)
    if raw.deleted_at is not None:
        return Delete(raw.id)
    if not raw.service:
        raise _InvalidError(
            "`service` is missing: expected the name of the service it was posted on"
        )
    edited_at = parse_time(raw.edited_at)[0] if raw.edited_at is not None else None
    # An event without a revision is ordered by when it was edited, or else sent.
    rev = raw.rev
    if rev is None:
        rev = revision(edited_at or (parse_time(sent_at)[0] if sent_at is not None else None))
    if not 1 <= rev < HIGHEST_REV:
        raise _InvalidError("`rev` is out of range: expected 1 or more")
    if raw.text is None and not raw.media:
        raise _InvalidError("neither `text` nor `media`: expected at least one")
    if not 0 <= _number(raw.co_authors) <= MOST_CO_AUTHORS:
        raise _InvalidError(f"`co_authors` is out of range: expected at most {MOST_CO_AUTHORS}")
    if len(raw.text or "") > LONGEST_TEXT:
        raise _InvalidError(f"`text` is longer than {LONGEST_TEXT} characters")
    author = raw.author if isinstance(raw.author, _Author) else _Author(raw.author or "")
    created_at, date_state = parse_time(raw.created_at)
    lang = raw.lang[0] if isinstance(raw.lang, list) and raw.lang else raw.lang
    audience = raw.audience if raw.audience in AUDIENCES else "unknown"
    container = raw.container.id if isinstance(raw.container, _Container) else raw.container
    record = Record(
        id=raw.id,
        rev=rev,
        service=raw.service,
        surface=raw.surface,
        author=author.id,
        co_authors=_number(raw.co_authors),
        # No word on age stays "", told apart from the source saying "unknown".
        age_band=author.age_band if author.age_band in ("", *AGE_BANDS) else "unknown",
        age_source=author.age_source,
        kind=author.kind,
        audience=audience,
        audience_source=raw.audience_source or ("" if audience == "unknown" else "asserted"),
        created_at=created_at,
        date_state=raw.date_state if date_state == "absent" and raw.date_state else date_state,
        edited_at=edited_at,
        language=raw.language or (lang if isinstance(lang, str) else "") or "",
        text=normalise_text(raw.text or ""),
        content_warning=raw.content_warning or "",
        sensitive=raw.sensitive,
        media=tuple(raw.media or ()),
        reply_to=raw.reply_to or raw.in_reply_to or "",
        quote_of=raw.quote_of or "",
        container=container or "",
        mentions=tuple(raw.mentions or ()),
        tags=tuple(raw.tags or ()),
        url=raw.url or "",
        train_signal=_signal(raw.policy),
        license=raw.license or "",
        source=raw.source or "",
    )
    return Refused(messages.DIRECT, record.id) if record.is_message else Upsert(record)


def _account(raw: _Account) -> AccountUpdate:
    account = raw.account or raw.author
    if not account:
        raise _InvalidError("an account update without `account`")
    if raw.state not in ACCOUNT_STATES:
        raise _InvalidError(
            "unknown account `state`: expected active, deleted, private or opted_out"
        )
    if len(raw.evidence.encode("utf-8", "replace")) > LONGEST_EVIDENCE:
        raise _InvalidError(f"`evidence` is longer than {LONGEST_EVIDENCE} bytes")
    band = raw.age_band if raw.age_band in ("", *AGE_BANDS) else "unknown"
    return AccountUpdate(
        account=account,
        service=raw.service,
        person=raw.person,
        handle=raw.handle,
        kind=raw.kind,
        age_band=band,
        state=raw.state,
        assistant=raw.assistant,
        train_signal="" if raw.policy is None else _signal(raw.policy) or "unset",
        statement=raw.statement,
        evidence=raw.evidence,
        moved_to=raw.moved_to,
    )


def _number(co_authors: list[str] | int | None) -> int:
    return co_authors if isinstance(co_authors, int) else len(co_authors or ())


def _signal(policy: _Policy | None) -> str:
    if policy is None or policy.train in ("unset", None, ""):
        return ""
    return str(policy.train) if policy.train in ("allow", "deny") else "unreadable"


def _check_id(value: str) -> None:
    if not value or len(value) > LONGEST_ID:
        raise _InvalidError(f"`id` is empty or longer than {LONGEST_ID} characters")


def _may_be_message(line: bytes) -> bool:
    """Whether a line we could not read might be a private message: then no byte of it is kept."""
    audiences = _AUDIENCE.findall(line)
    if not audiences or any(each not in (b"public", b"unlisted") for each in audiences):
        return True
    try:
        fields = _decode_message_hint(line)
        if "data" in fields and "type" in fields:
            fields = _decode_message_hint(bytes(fields["data"]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # not even JSON, but every audience in it is public
    return "audience" not in fields
