"""Lines that are not what they should be: rejected, and never a word of a private one kept."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.content.record import AGE_BANDS, AUDIENCES, MESSAGE_SURFACES
from sayso.sources import lines
from sayso.sources.items import Refused, Rejected

POST = {"id": "post-1", "service": "square", "audience": "public", "text": "low tide"}
SECRET = "zwiebelfisch"


def read(data: bytes) -> list[object]:
    return list(lines.read_stream(io.BytesIO(data), "lines.jsonl", lines.NATIVE))


def one(fields: object) -> object:
    (item,) = read(json.dumps(fields).encode("utf-8", "surrogatepass"))
    return item


MALFORMED = {
    "no JSON": b"hello public there",
    "half a line": b'{"id":"post-1","audience":"public","service":"sq',
    "not UTF-8": b'{"id":"1","service":"s","audience":"public","text":"\xff\xfe"}',
    "NUL": b'{"id":"1","service":"s","audience":"public","text":"\x00"}',
    "a lone surrogate": b'{"id":"1","service":"s","audience":"public","text":"\\ud83d"}',
    "an array": b'[{"id":"1"}]',
    "a number": b"12",
    "null": b"null",
    "text": b'"public"',
    "nothing": b"{}",
    "no id": b'{"service":"s","text":"x"}',
    "an empty id": b'{"id":"","service":"s","text":"x"}',
    "a long id": b'{"id":"%s","service":"s","text":"x"}' % (b"1" * 1025),
    "an id that is a number": b'{"id":1,"service":"s","text":"x"}',
    "no service": b'{"id":"1","text":"x"}',
    "no text and no media": b'{"id":"1","service":"s"}',
    "media that are none": b'{"id":"1","service":"s","media":[]}',
    "media that are text": b'{"id":"1","service":"s","media":"p.png"}',
    "a revision of 0": b'{"id":"1","service":"s","text":"x","rev":0}',
    "a huge revision": b'{"id":"1","service":"s","text":"x","rev":9223372036854775807}',
    "a huger revision": b'{"id":"1","service":"s","text":"x","rev":1' + b"0" * 400 + b"}",
    "half a revision": b'{"id":"1","service":"s","text":"x","rev":1.5}',
    "a date beyond numbers": b'{"id":"1","service":"s","text":"x","created_at":1e999}',
    "a date that is true": b'{"id":"1","service":"s","text":"x","created_at":true}',
    "a text that is a list": b'{"id":"1","service":"s","text":["x"]}',
    "a policy that is text": b'{"id":"1","service":"s","text":"x","policy":"allow"}',
    "deep lists": b'{"id":"1","service":"s","text":"x","y":' + b"[" * 200_000,
    "deep objects": b'{"id":' * 100_000,
    "deep data": b'{"type":"net.content.upsert","data":' + b'{"a":' * 100_000,
    "an unknown event": b'{"type":"net.content.burn","data":{"id":"1"}}',
    "an event without data": b'{"type":"net.content.delete"}',
    "an event of null": b'{"type":"net.content.delete","data":null}',
    "an event of text": b'{"type":"net.content.upsert","data":"{}"}',
    "a type that is a number": b'{"type":1,"data":{}}',
    "a deletion of nothing": b'{"type":"net.content.delete","data":{}}',
    "a deletion of an empty id": b'{"type":"net.content.delete","data":{"id":""}}',
    "an account without a name": b'{"type":"net.account.update","data":{"state":"active"}}',
    "an unknown state": b'{"type":"net.account.update","data":{"account":"a","state":"x"}}',
    "half a reaction": b'{"type":"net.interaction","data":{"actor":"a","verb":"like"}}',
    "a reaction beyond numbers": (
        b'{"type":"net.interaction","data":{"actor":"a","verb":"v","object":"o","value":1e999}}'
    ),
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_line_is_rejected_with_place_and_reason(line):
    good = json.dumps(POST).encode()
    before, item, after = read(good + b"\n" + line + b"\n" + good)
    assert before == after == one(POST)
    assert isinstance(item, Rejected)
    assert (item.file, item.where) == ("lines.jsonl", "line 2")
    assert item.reason
    assert item.raw in (None, line)


def test_a_text_that_is_too_long_is_rejected():
    item = one(POST | {"text": "x" * 1_000_001})
    assert isinstance(item, Rejected)
    assert isinstance(one(POST | {"text": "x" * 1_000_000}), Upsert)


def test_a_public_line_is_kept_for_mending_and_its_reason_says_nothing_of_it():
    line = json.dumps(POST | {"text": [SECRET], "author": SECRET}).encode()
    (item,) = read(line)
    assert item.raw == line
    assert SECRET not in item.reason
    assert "text" in item.reason  # where to look


@pytest.mark.parametrize(("first", "last"), [("public", "direct"), ("direct", "public")])
def test_two_audiences_are_none(first, last):
    line = f'{{"id":"b","service":"s","audience":"{first}","text":"x","audience":"{last}"}}'
    (item,) = read(line.encode())
    assert item == Refused("direct-message", "b") or (
        isinstance(item, Rejected) and item.reason == "a key comes twice" and item.raw is None
    )


@given(st.lists(st.binary(max_size=60)))
def test_no_bytes_break_the_reading(lines):
    items = read(b"\n".join(lines))
    # Of random bytes hardly one is a line; what counts is that each is accounted for.
    whole = b"\n".join(lines).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert len(items) == sum(bool(line.strip()) for line in whole)


KEYS = [
    *("id service rev surface author co_authors audience created_at language lang text".split()),
    *("content_warning media reply_to in_reply_to quote_of policy license source".split()),
    *("deleted_at type data time account person kind age_band state assistant".split()),
    *("actor verb object value unit at reason".split()),
]
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [*AUDIENCES, *MESSAGE_SURFACES, *AGE_BANDS, "net.content.upsert", "net.content.delete"]
    ),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=10)


@settings(max_examples=120)
@given(objects, st.booleans(), st.sampled_from(["upsert", "delete"]))
def test_whatever_becomes_a_record_keeps_its_bounds(fields, whole, kind):
    fields = {"id": "1", "service": "s", "text": ""} | fields if whole else fields
    for value in (fields, {"type": f"net.content.{kind}", "data": fields}):
        (item,) = read(json.dumps(value).encode("utf-8", "surrogatepass"))
        if isinstance(item, Upsert):
            found = item.record
            assert 0 < len(found.id) <= 1024
            assert 1 <= found.rev < 2**31
            assert found.service
            assert found.audience in AUDIENCES
            assert not found.is_message
            assert found.age_band in ("", *AGE_BANDS)
            assert found.train_signal in ("", "allow", "deny", "unreadable")
            assert (found.created_at is None) == (found.date_state != "given")
            "".join([found.id, found.author, found.text, found.service]).encode()  # no surrogates


@given(objects, st.data())
def test_a_line_damaged_anywhere_breaks_nothing(fields, data):
    line = bytearray(json.dumps(POST | fields).encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(line) - 1))
        line[place] = data.draw(st.integers(0, 255))
    assert len(read(bytes(line))) <= 1 + line.count(b"\n")


messages = st.fixed_dictionaries(
    {
        "id": st.just("note-1"),
        "service": st.just("square"),
        "author": st.just("member-1@square"),
        "text": st.text(max_size=20).map(lambda text: text + SECRET),
    },
    optional={"tags": st.lists(st.sampled_from(["direct", "pier"]), max_size=2), "rev": st.just(1)},
)
private = st.one_of(
    st.fixed_dictionaries({"audience": st.just("direct")}),
    st.fixed_dictionaries(
        {
            "surface": st.sampled_from(MESSAGE_SURFACES),
            "audience": st.sampled_from([a for a in AUDIENCES if a not in ("public", "unlisted")]),
        }
    ),
    st.fixed_dictionaries({"surface": st.sampled_from(MESSAGE_SURFACES)}),
)
spoilt = st.sampled_from(
    [{"rev": "first"}, {"text": [SECRET]}, {"media": SECRET}, {"id": ""}, {"policy": SECRET}]
)


@given(messages, private, spoilt, st.booleans(), st.booleans())
def test_a_private_message_that_cannot_be_read_is_not_kept(fields, kind, fault, in_event, first):
    value: object = kind | fields | fault if first else fields | fault | kind
    value = {"type": "net.content.upsert", "data": value} if in_event else value
    item = one(value)
    assert isinstance(item, Rejected)
    assert item.raw is None
    assert SECRET not in item.reason


@given(messages, private, st.booleans(), st.booleans(), st.integers(1, 10_000), st.booleans())
def test_a_private_message_cut_short_is_not_kept(fields, kind, first, in_event, cut, escaped):
    value: object = kind | fields if first else fields | kind
    value = {"type": "net.content.upsert", "data": value} if in_event else value
    line = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    (item,) = read(line[: -min(cut, len(line) - 1)])
    assert isinstance(item, Rejected)
    assert item.raw is None


@pytest.mark.parametrize(
    "more", [{"tags": ["public"]}, {"reply_to_audience": "public"}, {"service": "public"}]
)
def test_a_message_cut_short_is_not_kept_because_it_says_public_elsewhere(more):
    message = POST | more | {"surface": "message", "audience": "friends", "text": SECRET}
    (item,) = read(json.dumps(message).encode()[:-5])
    assert isinstance(item, Rejected)
    assert item.raw is None
