"""Jetstream's messages, both versions: the same items, ordered by the revisions of commits."""

import json
from datetime import UTC, datetime

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.content.events import AccountUpdate, Delete, Interaction, Upsert
from sayso.content.record import HIGHEST_REV
from sayso.rights.signals.model import read_evidence
from sayso.sources import jetstream, lines
from sayso.sources.items import Refused, Rejected, Skipped
from tests.sources.test_bluesky import (
    FULL,
    INTENTS,
    LIKE,
    NO,
    PARENT,
    PREFERENCE,
    YES,
    intents,
    labels,
    posts_only,
    preferences,
)
from tests.sources.test_car import DID, POST
from tests.sources.trees import LOOSE, everything, put, records, with_loose_fields

KEY = "3mpt2aaaaaa22"
REV = "3l3qo2vutsw2b"  # 2024-09-09T19:46:02.251036Z
MICROSECONDS = 1725911162_251036
AT = datetime(2024, 9, 9, 19, 46, 2, 329308, UTC)
DELETED = {"active": False, "status": "deleted", "did": DID, "seq": 1, "time": "x"}


def first(**fields: object):
    """A message of version 1."""
    return {"did": DID, "time_us": 1725911162329308} | fields


def second(kind: str, **fields: object):
    """A message of version 2."""
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": 12345, "did": DID}
    payload |= {"time": "2024-09-09T19:46:02.329308Z"} | fields
    return {"$type": "message", "payload": payload}


def changed(operation: str, collection: str, record: object = None, **more: object):
    """The same commit in both versions."""
    commit = {"rev": REV, "operation": operation, "collection": collection, "rkey": KEY} | more
    if record is not None:
        commit |= {"cid": "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi"}
        commit |= {"record": record}
    return first(kind="commit", commit=commit), second("commit", **commit)


def read(message: object):
    return jetstream.read(json.dumps(message).encode(), "stream", "message 7")


def item_of(message: object):
    (item,) = read(message).items
    return item


def both(*messages: object):
    """What the messages of both versions say alike."""
    one, other = (item_of(message) for message in messages)
    assert one == other
    return one


def rejected(reason: str) -> Rejected:
    return Rejected("stream", "message 7", reason)


def uri(collection: str) -> str:
    return f"at://{DID}/{collection}/{KEY}"


@pytest.mark.parametrize("operation", ["create", "update"])
def test_posts(operation):
    item = both(*changed(operation, "app.bsky.feed.post", POST))
    assert isinstance(item, Upsert)
    assert item.record.id == uri("app.bsky.feed.post")
    assert item.record.rev == MICROSECONDS
    edited = datetime(2024, 9, 9, 19, 46, 2, 251036, UTC) if operation == "update" else None
    assert item.record.edited_at == edited
    assert (item.record.text, item.record.source) == ("low tide", "bluesky-jetstream")


def test_reactions_and_how_they_are_taken_back():
    made = both(*changed("create", "app.bsky.feed.like", LIKE))
    assert isinstance(made, Interaction)
    assert (made.verb, made.object, made.id) == ("like", PARENT, uri("app.bsky.feed.like"))
    gone = both(*changed("delete", "app.bsky.feed.like"))
    assert gone == Delete(made.id, rev=MICROSECONDS)
    shared = both(*changed("create", "app.bsky.feed.repost", LIKE))
    assert isinstance(shared, Interaction)
    assert shared.verb == "share"


def test_a_deletion_without_a_readable_revision_holds_for_good():
    for rev in ("", "yesterday", "zzzzzzzzzzzzz", KEY[:-1]):
        gone = both(*changed("delete", "app.bsky.feed.post", rev=rev))
        assert gone == Delete(uri("app.bsky.feed.post"), rev=HIGHEST_REV)
        made = both(*changed("create", "app.bsky.feed.post", POST, rev=rev))
        assert made == rejected("`rev` is no TID")


@given(st.integers(0, 2**53 - 1), st.integers(0, 1023), st.integers(0, 2**53 - 1))
def test_revisions_are_ordered_as_their_times_are(one, clock, other):
    def tid(microseconds: int) -> str:
        number, digits = microseconds << 10 | clock, "234567abcdefghijklmnopqrstuvwxyz"
        return "".join(digits[number >> shift & 31] for shift in range(60, -5, -5))

    assert jetstream.revision_of(tid(one)) == one
    assert (tid(one) < tid(other)) == (one < other)


@pytest.mark.parametrize("text", ["", "3mpt2aaaaaa2", "3mpt2aaaaaa222", "3mpt2aaaaaa21", "k" * 13])
def test_what_is_no_revision(text):
    assert jetstream.revision_of(text) is None


@pytest.mark.parametrize(
    ("account", "state"),
    [
        (DELETED, "deleted"),
        ({"active": False, "status": "takendown"}, "private"),
        ({"active": False, "status": "suspended"}, "private"),
        ({"active": False, "status": "deactivated"}, "private"),
        ({"active": False, "status": "of a later version"}, "private"),
        ({"active": False}, "private"),
        ({"active": True}, "active"),
        ({"active": True, "status": "throttled"}, "active"),
    ],
)
def test_accounts(account, state):
    update = both(first(kind="account", account=account), second("account", account=account))
    assert update == AccountUpdate(DID, "bluesky", state=state)


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("member-1.example", AccountUpdate(DID, "bluesky", handle="member-1.example")),
        ("handle.invalid", Skipped("identity without a handle")),
        ("no handle", Skipped("identity without a handle")),
        ("", Skipped("identity without a handle")),
        (None, Skipped("identity without a handle")),
    ],
)
def test_identities(handle, expected):
    identity = {"did": DID, "seq": 1, "time": "x"} | ({"handle": handle} if handle else {})
    both_say = first(kind="identity", identity=identity), second("identity", identity=identity)
    assert both(*both_say) == expected


@pytest.mark.parametrize(
    ("operation", "collection", "key", "record", "signal"),
    [
        ("create", PREFERENCE, "self", NO, "deny"),
        ("create", PREFERENCE, "self", YES, "allow"),
        ("update", PREFERENCE, "self", [], "unreadable"),
        ("update", PREFERENCE, "self", preferences(embedding=True), "unreadable"),
        ("delete", PREFERENCE, "self", None, "unset"),
        ("create", PREFERENCE, KEY, posts_only(training=False), "deny"),
        # Whether an override may loosen what another record says is seen in the whole alone.
        ("create", PREFERENCE, KEY, posts_only(training=True), ""),
        ("delete", PREFERENCE, KEY, None, "unset"),
        ("create", INTENTS, "self", intents(syntheticContentGeneration=False), "deny"),
        ("create", INTENTS, "self", intents(syntheticContentGeneration=True), "allow"),
        ("create", INTENTS, "self", intents(protocolBridging=False), ""),
        ("update", INTENTS, "self", intents(protocolBridging=False), "unset"),
        ("delete", INTENTS, "self", None, "unset"),
        ("delete", INTENTS, "did:web:other.example", None, "unset"),
    ],
)
def test_signals(operation, collection, key, record, signal):
    item = both(*changed(operation, collection, record, rkey=key))
    name = f"{collection}/{key}"
    update = AccountUpdate(DID, "bluesky", train_signal=signal, statement=name)
    if not signal:
        assert item == Skipped("not content")
        return
    assert isinstance(item, AccountUpdate)
    assert replace(item, evidence="") == update
    # What stood there is kept, but of what is gone nothing stands anywhere.
    kept = {each.value for each in read_evidence(item.evidence)}
    assert (signal in kept) == (signal != "unset")


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"displayName": "Member One"}, Skipped("not content")),
        ({"labels": labels("bot")}, AccountUpdate(DID, "bluesky", kind="bot")),
        (
            {"labels": labels("!no-unauthenticated")},
            AccountUpdate(DID, "bluesky", state="private"),
        ),
        ({"labels": 1}, AccountUpdate(DID, "bluesky", state="private")),
    ],
)
def test_profiles(profile, expected):
    name = "app.bsky.actor.profile"
    assert both(*changed("update", name, profile, rkey="self")) == expected
    assert both(*changed("delete", name, rkey="self")) == Skipped("not content")


def test_what_is_no_content():
    assert both(*changed("create", "app.bsky.graph.follow", {})) == Skipped("not content")
    assert both(*changed("create", "chat.bsky.convo.message", {})) == Refused(
        "bluesky-chat", uri("chat.bsky.convo.message")
    )
    declared = both(*changed("update", "chat.bsky.actor.declaration", {}, rkey="self"))
    assert declared == Skipped("not content")


def test_what_the_server_says_of_itself():
    assert item_of(second("sync", rev=REV, blocks="…")) == Skipped("sync marker")
    told = read(second("info", name="FutureCursor", message="starts at the tip"))
    assert (told.notice, told.items) == ("FutureCursor", (Skipped("notice of the server"),))
    ended = read({"$type": "error", "error": "ConsumerTooSlow", "message": "…"})
    assert (ended.error, ended.items) == ("ConsumerTooSlow", (Skipped("notice of the server"),))
    later = second("of-a-later-version")
    assert both(first(kind="of-a-later-version"), later) == Skipped("unknown kind of event")


def test_places_and_moments():
    one, other = changed("create", "app.bsky.feed.post", POST)
    assert (read(one).place, read(one).at) == (1725911162329308, AT)
    assert (read(other).place, read(other).at) == (12345, AT)
    witnessed = second("commit", witnessedAt="2024-09-09T19:46:02.329308Z", time="1999-01-01")
    assert read(witnessed).at == AT
    assert (read(first(time_us=0)).place, read(first(time_us=2**60)).at) == (None, None)
    assert read(second("commit", seq=-1)).place is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (first(did="member", kind="commit"), "`did` is no DID"),
        (first(kind="commit"), "an event without what it is about"),
        (second("identity"), "an event without what it is about"),
        (changed("merge", "app.bsky.feed.post", POST)[0], "unknown `operation`: expected create, "),
        (changed("create", "app.bsky.feed.post")[1], "not a record: expected an object"),
        (changed("delete", "app.bsky.feed.post", rkey="")[0], "`rkey` is no record key"),
        (
            changed("create", "app.bsky.feed.post", POST, rkey="x" * 1100)[0],
            "its name is no record key",
        ),
        (first(kind="account", account={}), "Object missing required field `active` - at `$.acc"),
        ([], "Expected `object`, got `array`"),
        (second("commit", seq="1"), "Expected `int | null`, got `str` - at `$.payload.seq`"),
    ],
)
def test_what_cannot_be_taken_says_why(message, reason):
    item = item_of(message)
    assert isinstance(item, Rejected)
    assert item.reason.startswith(reason)
    assert item.raw is None


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{", b'{"did":"\\ud800"}', b"[" * 100_000, b'{"did":"a",']
)
def test_bytes_that_are_no_message(data):
    (item,) = jetstream.read(data, "stream", "message 7").items
    assert isinstance(item, Rejected)


def lines_of(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_recorded_streams_are_known_by_their_first_line(version, tmp_path):
    def recorded(*commits: object) -> list[object]:
        frames = [commit[min(version, 1)] for commit in commits]
        return [frame["payload"] for frame in frames] if version == 2 else frames

    data = lines_of(
        *recorded(
            changed("create", "app.bsky.feed.post", POST),
            changed("delete", "app.bsky.feed.like"),
        )
    )
    files = {"a.jsonl": data, "b.ndjson.zst": zstandard.compress(data)}
    found = everything(put(tmp_path, files))
    assert len(records(found)) == 2
    assert sum(isinstance(item, Delete) for item in found) == 2
    assert len(found) == 4
    alone = everything(put(tmp_path / "alone", {"stream": data}) / "stream")
    assert len(alone) == 2


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        (first(kind="identity"), True),
        (second("info", name="OutdatedCursor"), True),
        (second("info")["payload"], True),
        ({"$type": "message", "payload": "x"}, False),
        ({"$type": "app.bsky.feed.post", "text": "x"}, False),
        ({"id": "1", "text": "x"}, False),
        ({"did": DID, "kind": "commit"}, False),
        ({"$type": 1}, False),
    ],
)
def test_which_lines_are_its_own(fields, fits):
    assert jetstream.fits(fields) is fits
    found = lines.dialect_of(json.dumps(fields).encode() + b"\n{}")
    assert (found is not None and found.name == "bluesky") is fits


COMMIT = {"rev": REV, "operation": "create", "collection": "app.bsky.feed.post", "rkey": KEY}
WHOLE = st.one_of(
    with_loose_fields(first(kind="commit", commit=COMMIT | {"record": FULL})),
    st.builds(lambda commit: first(kind="commit", commit=commit), with_loose_fields(COMMIT)),
    st.builds(
        lambda collection, record: first(
            kind="commit", commit=COMMIT | {"collection": collection, "record": record}
        ),
        st.sampled_from(jetstream.COLLECTIONS),
        st.one_of(LOOSE, with_loose_fields(FULL), with_loose_fields(LIKE), with_loose_fields(NO)),
    ),
    with_loose_fields(first(kind="account", account=DELETED)),
    with_loose_fields(second("commit", **COMMIT, record=FULL)),
    st.builds(
        lambda payload: {"$type": "message", "payload": payload},
        with_loose_fields(second("commit", **COMMIT, record=FULL)["payload"]),
    ),
    with_loose_fields(second("account", account=DELETED)["payload"]),
)


@given(st.one_of(LOOSE, WHOLE))
def test_no_fields_break_the_reading(message):
    data = json.dumps(message).encode()
    read = jetstream.read(data, "stream", "message 7")
    assert len(read.items) == 1
    assert list(jetstream.parse(data, "stream", 7))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reading(data):
    assert len(jetstream.read(data, "stream", "message 7").items) == 1
