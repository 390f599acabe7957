"""JSON Lines: what records and events say, and where one line ends and the next begins."""

import io
import json
from datetime import UTC, datetime

import pytest

from sayso.content.events import AccountUpdate, Delete, Interaction, Upsert
from sayso.content.record import MESSAGE_SURFACES, Medium
from sayso.sources import lines
from sayso.sources.items import Refused, Rejected
from sayso.sources.lines import LONGEST_LINE
from tests.conftest import COMMUNITY, SAMPLE, needs_community

POST = {"id": "post-1", "service": "square", "audience": "public", "text": "low tide"}


def read(data: bytes) -> list[object]:
    return list(lines.read_stream(io.BytesIO(data), "lines.jsonl", lines.NATIVE))


def one(fields: object) -> object:
    (item,) = read(json.dumps(fields).encode())
    return item


def record(**fields: object):
    item = one(POST | fields)
    assert isinstance(item, Upsert), item
    return item.record


def event(kind: str, **data: object) -> object:
    return one({"type": f"net.{kind}", "time": "2026-09-11T07:15:00Z", "data": data})


def test_a_whole_record():
    found = record(
        rev=3,
        surface="comment",
        author="member-1@square",
        co_authors=["member-2@square", "member-3@square"],
        created_at="2026-09-11T09:15:00+02:00",
        language="de",
        text="Niedrig\r\nwasser\x00 e\u0301",
        content_warning="tides",
        media=[{"path": "p.png", "alt": "a pier", "license": "CC0-1.0", "width": 96}],
        reply_to="post-0",
        quote_of="post-9",
        license="CC0-1.0",
        source="forum",
        policy={"train": "deny"},
    )
    assert (found.id, found.rev, found.service, found.surface) == ("post-1", 3, "square", "comment")
    assert (found.author, found.co_authors) == ("member-1@square", 2)
    assert found.created_at == datetime(2026, 9, 11, 7, 15, tzinfo=UTC)
    assert (found.date_state, found.language, found.text) == ("given", "de", "Niedrig\nwasser é")
    assert found.media == (Medium(path="p.png", alt="a pier", license="CC0-1.0"),)
    assert (found.reply_to, found.quote_of, found.content_warning) == ("post-0", "post-9", "tides")
    assert (found.train_signal, found.license, found.source) == ("deny", "CC0-1.0", "forum")


def test_other_names_of_the_same_things():
    found = record(lang=["gl", "es"], in_reply_to="post-0", created_at="1890")
    assert (found.language, found.reply_to) == ("gl", "post-0")
    assert found.created_at == datetime(1890, 1, 1, tzinfo=UTC)
    assert record(lang="sv").language == "sv"
    assert record(lang=[]).language == ""
    assert record(created_at=1_789_000_000).date_state == "given"
    author = {"id": "member-1", "kind": "bot", "age_band": "minor", "followers": 9}
    found = record(author=author)
    assert (found.author, found.kind, found.age_band) == ("member-1", "bot", "minor")


def test_what_is_not_said_stays_unsaid():
    found = one({"id": "1", "service": "s", "text": ""}).record
    assert (found.author, found.age_band, found.kind, found.language) == ("", "", "", "")
    assert (found.audience, found.date_state, found.train_signal) == ("unknown", "absent", "")
    nulls = dict.fromkeys(["author", "audience", "created_at", "language", "media", "policy"])
    assert one({"id": "1", "service": "s", "text": ""} | nulls).record == found


@pytest.mark.parametrize("audience", ["Public", "everyone", "", "public "])
def test_an_audience_we_do_not_know_is_unknown(audience):
    assert record(audience=audience).audience == "unknown"


@pytest.mark.parametrize(
    ("train", "signal"),
    [("allow", "allow"), ("deny", "deny"), ("unset", ""), (None, ""), ("", "")]
    + [(word, "unreadable") for word in ("Deny", "no", False, True, 0, ["deny"], {"a": 1})],
)
def test_a_word_on_training_is_read_or_unreadable(train, signal):
    assert record(policy={"train": train}).train_signal == signal


def test_an_age_we_do_not_know_is_unknown():
    assert record(author={"id": "a", "age_band": "17"}).age_band == "unknown"
    assert event("account.update", account="a", age_band="17").age_band == "unknown"


def test_an_event_without_a_revision_is_ordered_by_its_edit_or_its_time():
    unnumbered = {name: value for name, value in POST.items() if name != "rev"}
    sent = event("content.update", **unnumbered)
    edited = event("content.update", **unnumbered, edited_at="2026-09-11T07:14:00Z")
    assert isinstance(sent, Upsert) and isinstance(edited, Upsert)
    assert sent.record.rev == datetime(2026, 9, 11, 7, 15, tzinfo=UTC).timestamp() * 1000
    assert edited.record.rev == sent.record.rev - 60_000
    bare = one(unnumbered)
    assert isinstance(bare, Upsert) and bare.record.rev == 1


def test_events():
    numbered = POST | {"rev": 3}
    assert event("content.upsert", **numbered) == one(numbered)
    assert event("content.update", **numbered) == one(numbered)
    assert event("content.delete", id="post-1") == Delete("post-1")
    assert one(POST | {"deleted_at": "2026-09-12"}) == Delete("post-1")
    told = event("account.update", author="member-1", state="private", assistant=True)
    assert told == AccountUpdate("member-1", state="private", assistant=True)
    moment = datetime(2026, 9, 11, 7, 15, tzinfo=UTC)
    liked = event("interaction", actor="member-1", verb="like", object="post-1")
    assert liked == Interaction("member-1", "like", "post-1", at=moment)
    dwelt = {"actor": "a", "verb": "dwell", "object": "b", "value": 2, "unit": "s", "at": 0}
    start = datetime(1970, 1, 1, tzinfo=UTC)
    assert event("interaction", **dwelt) == Interaction("a", "dwell", "b", 2.0, "s", start)


@pytest.mark.parametrize("surface", MESSAGE_SURFACES)
def test_messages_are_refused_with_their_id_alone(surface):
    for audience in ("direct", "friends", "group", None, "Public"):
        message = POST | {"surface": surface, "audience": audience}
        assert one(message) == Refused("direct-message", "post-1")
        assert event("content.upsert", **message) == Refused("direct-message", "post-1")
    assert isinstance(one(POST | {"surface": surface}), Upsert)  # a public channel


def test_lines_are_counted_as_an_editor_does():
    good = json.dumps(POST).encode()
    items = read(b"\xef\xbb\xbf" + good + b"\r\n\r\n  \t\n" + good + b" \r\nx\r\n" + good)
    assert items[:2] == [one(POST)] * 2
    assert isinstance(items[2], Rejected)
    assert items[2].where == "line 5"
    assert items[3:] == [one(POST)]


def test_a_byte_order_mark_is_one_in_the_first_line_only():
    good = json.dumps(POST).encode()
    first, second = read(b"\xef\xbb\xbf" + good + b"\n\xef\xbb\xbf" + good)
    assert first == one(POST)
    assert isinstance(second, Rejected)


@pytest.mark.parametrize("length", [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_as_long_as_may_be_hides_no_line_after_it(length, end):
    good = json.dumps(POST).encode()
    first, second = read(good + b" " * (length - len(good)) + end + good)
    assert second == one(POST)
    assert first == one(POST) or (isinstance(first, Rejected) and first.raw is None)


@pytest.mark.parametrize("times", [1, 2])
def test_a_line_that_is_too_long_is_passed_over_whole(times):
    good = json.dumps(POST).encode()
    item, after = read(b"{" * (times * LONGEST_LINE + 2) + b"\n" + good)
    assert item == Rejected("lines.jsonl", "line 1", f"line longer than {LONGEST_LINE} bytes")
    assert after == one(POST)


def test_every_line_of_the_sample_can_be_read():
    for path in sorted(SAMPLE.glob("*.jsonl")):
        items = read(path.read_bytes())
        assert not [item for item in items if isinstance(item, Rejected)], path.name


@needs_community
def test_every_real_record_can_be_read_and_no_letter_is():
    path = COMMUNITY / "records.jsonl"
    kinds = [json.loads(line) for line in path.read_bytes().splitlines()]
    for fields, item in zip(kinds, read(path.read_bytes()), strict=True):
        wanted = Refused if fields["audience"] == "direct" else Upsert
        assert isinstance(item, wanted), fields["id"]
        if isinstance(item, Upsert):
            assert item.record.date_state == ("given" if fields.get("created_at") else "absent")
            assert item.record.co_authors == len(fields.get("co_authors", []))
