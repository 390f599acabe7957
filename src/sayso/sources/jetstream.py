"""Jetstream, the JSON stream of atproto's network: one message to items.

Version 1 (`/subscribe`, frozen) and version 2 (network.bsky.jetstream.subscribeEvents, 2026) say
the same in other frames; files of recorded messages have one a line. Records are read as in
repositories; a commit's revision orders whatever arrives late. Source: platform-formats C,
lexicon network.bsky.jetstream.subscribeEvents.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from sayso.content.events import AccountUpdate, Delete
from sayso.content.record import HIGHEST_REV
from sayso.rights.signals import atproto
from sayso.rights.signals.model import evidence
from sayso.rights.signals.resolve import verdict
from sayso.sources import bluesky
from sayso.sources.fields import moment
from sayso.sources.items import Item, Rejected, Skipped

SOURCE: Final = "bluesky-jetstream"
EVENTS: Final = "network.bsky.jetstream.subscribeEvents"
# Where accounts speak of themselves; who reads anything of them has to read these.
ALWAYS: Final = (bluesky.PROFILE, *atproto.COLLECTIONS)
COLLECTIONS: Final = (bluesky.POST, *bluesky.REACTIONS, *ALWAYS)
_TID: Final = re.compile(r"[2-7a-j][2-7a-z]{12}")
_DIGITS: Final = str.maketrans(
    "234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv"
)
_CLOCK_BITS: Final = 10
_HANDLE: Final = re.compile(r"[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})+")
_NO_HANDLE: Final = "handle.invalid"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 2**53  # microseconds: the year 2255, where TIDs end


class Message(Struct, frozen=True):
    """One message.

    `place` is its number in the stream: microseconds since 1970 in version 1, `seq` in version 2,
    None for what has none. `notice` is what the server says of the stream ('OutdatedCursor',
    'FutureCursor'), `error` the name of the error with which it ends it.
    """

    items: tuple[Item, ...]
    place: int | None = None
    at: datetime | None = None
    notice: str = ""
    error: str = ""


class _Commit(Struct):
    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Any = None


class _Identity(Struct):
    handle: str | None = None


class _Account(Struct):
    active: bool
    status: str | None = None


class _Event(_Commit):
    """Version 2: a commit's fields lie beside the others."""

    type: str = field(name="$type", default="")
    did: str = ""
    seq: int | None = None
    time: str | None = None
    witnessed: str | None = field(name="witnessedAt", default=None)
    identity: _Identity | None = None
    account: _Account | None = None
    name: str = ""


class _Frame(Struct):
    """Version 1, or the frame around an event of version 2."""

    did: str = ""
    time_us: int | None = None
    kind: str = ""
    commit: _Commit | None = None
    identity: _Identity | None = None
    account: _Account | None = None
    type: str = field(name="$type", default="")
    payload: _Event | None = None
    error: str = ""


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def fits(fields: dict[str, Any]) -> bool:
    """Whether a line is a recorded message of either version, in its frame or without."""
    kind = str(fields.get("$type", ""))
    return (
        {"did", "time_us", "kind"} <= fields.keys()
        or (kind == "message" and isinstance(fields.get("payload"), dict))
        or kind.startswith(f"{EVENTS}#")
    )


def parse(line: bytes, name: str, number: int) -> Iterator[Item]:
    """Read a line of recorded messages (see `lines.Dialect`)."""
    yield from read(line, name, f"line {number}").items


def read(data: bytes, name: str, where: str) -> Message:
    """Read one message; `name` and `where` say where it is if it is bad. Never raises."""
    try:
        frame = _decode_frame(data)
        event = _decode_event(data) if frame.type.startswith(f"{EVENTS}#") else frame.payload
    except msgspec.ValidationError as error:
        reason = str(error)  # names the field and the type, never a value
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = "not a JSON object in UTF-8"
    except RecursionError:
        reason = "nested too deeply"
    else:
        if frame.type == "error":
            return Message((Skipped("notice of the server"),), error=frame.error or "unknown")
        return _first_version(frame, name, where) if event is None else _second(event, name, where)
    return Message((Rejected(name, where, reason),))


def revision_of(tid: str) -> int | None:
    """Return the microseconds since 1970 in a timestamp identifier; None if it is none."""
    if not _TID.fullmatch(tid):
        return None
    return int(tid.translate(_DIGITS), 32) >> _CLOCK_BITS


def _first_version(frame: _Frame, name: str, where: str) -> Message:
    item = _item(frame.did, frame.kind, frame, frame.commit, name, where)
    at = frame.time_us
    known = at is not None and 0 < at < _LATEST
    return Message((item,), at if known else None, _moment(at) if at and known else None)


def _second(event: _Event, name: str, where: str) -> Message:
    kind = event.type.rpartition("#")[2]
    if kind == "info":
        return Message((Skipped("notice of the server"),), notice=event.name)
    at, _ = moment(event.witnessed or event.time)
    place = event.seq if event.seq is not None and event.seq >= 0 else None
    return Message((_item(event.did, kind, event, event, name, where),), place, at)


def _item(
    did: str, kind: str, event: _Frame | _Event, commit: _Commit | None, name: str, where: str
) -> Item:
    if not bluesky.is_did(did):
        return Rejected(name, where, "`did` is no DID")
    if kind == "commit" and commit is not None:
        return _committed(did, commit, name, where)
    if kind == "account" and event.account is not None:
        return AccountUpdate(did, bluesky.SERVICE, state=_state(event.account))
    if kind == "identity" and event.identity is not None:
        return _named(did, event.identity.handle or "")
    if kind in ("commit", "account", "identity"):
        return Rejected(name, where, "an event without what it is about")
    # After a sync marker, records of the repository may be missing, or too many.
    return Skipped("sync marker" if kind == "sync" else "unknown kind of event")


def _state(account: _Account) -> str:
    if account.active:
        return "active"
    # Taken down, suspended, deactivated: not there for the public, whatever the word for it.
    return "deleted" if account.status == "deleted" else "private"


def _named(did: str, handle: str) -> AccountUpdate | Skipped:
    if not _HANDLE.fullmatch(handle) or handle == _NO_HANDLE:
        return Skipped("identity without a handle")
    return AccountUpdate(did, bluesky.SERVICE, handle=handle)


def _committed(did: str, commit: _Commit, name: str, where: str) -> Item:
    collection, key = commit.collection, commit.rkey
    if commit.operation not in ("create", "update", "delete"):
        return Rejected(name, where, "unknown `operation`: expected create, update or delete")
    if bluesky.is_content(collection):
        return _content(did, commit, name, where)
    if collection in atproto.COLLECTIONS:
        return _signalled(did, commit)
    if collection == bluesky.PROFILE and key == "self" and commit.operation != "delete":
        return _profile(did, commit.record)
    return bluesky.passed_over(bluesky.Origin(did, SOURCE), collection, key)


def _content(did: str, commit: _Commit, name: str, where: str) -> Item:
    collection, key = commit.collection, commit.rkey
    rev = revision_of(commit.rev)
    if commit.operation == "delete" and bluesky.is_key(key):
        uri = bluesky.Origin(did, SOURCE).uri(collection, key)
        return Delete(uri, rev=rev or HIGHEST_REV)
    if commit.operation == "delete":
        return Rejected(name, where, "`rkey` is no record key")
    if not rev:
        return Rejected(name, where, "`rev` is no TID")
    edited_at = _moment(rev) if commit.operation == "update" else None
    origin = bluesky.Origin(did, SOURCE, rev=rev, edited_at=edited_at)
    return bluesky.content(origin, collection, key, commit.record, name, where)


def _signalled(did: str, commit: _Commit) -> AccountUpdate | Skipped:
    """Return what a change of a record on AI changes."""
    collection, key = commit.collection, commit.rkey
    said = []
    if commit.operation != "delete":
        said = atproto.streamed(collection, key, commit.record)
    signal = verdict(said).signal
    if not signal and commit.operation != "create":
        signal = "unset"  # taken back, or now about something else
    if not signal:
        return Skipped(bluesky.NOT_CONTENT)
    return AccountUpdate(
        did,
        bluesky.SERVICE,
        train_signal=signal,
        statement=f"{collection}/{key}",
        evidence=evidence(said) if said else "",
    )


def _profile(did: str, fields: Any) -> AccountUpdate | Skipped:
    """Return what a profile changes.

    Posts come without their account's profile, so who asks not to be shown to everybody is private
    as a whole; that ends with an account event or by hand, for a label that is not there says
    nothing of other reasons.
    """
    audience, kind = bluesky.profile(fields)
    state = "" if audience == "public" else "private"
    if not (kind or state):
        return Skipped(bluesky.NOT_CONTENT)
    return AccountUpdate(did, bluesky.SERVICE, kind=kind, state=state)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
