"""CloudEvents: every form of one event says the same, and nothing slips in beside it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.sources import jsonl
from sayso.sources.cloudevents import parse
from sayso.sources.items import Item, Refused, Rejected

POST = {"id": "post-1", "service": "square", "audience": "public", "text": "low tide"}
CONTEXT = {"specversion": "1.0", "source": "/square", "id": "e-1"}
MARKER = "zwiebelfisch"


def read(body: object, **attributes: str) -> list[Item]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(parse(raw, attributes, "body", 7))


def event(kind: str, data: object = None, **more: object) -> dict[str, object]:
    return CONTEXT | {"type": f"net.{kind}"} | ({} if data is None else {"data": data}) | more


def one(body: object, **attributes: str) -> Item:
    (item,) = read(body, **attributes)
    return item


def reason(body: object, **attributes: str) -> str:
    item = one(body, **attributes)
    assert isinstance(item, Rejected), item
    return item.reason


def test_a_structured_event_as_the_specification_writes_it():
    # The example of the JSON format, section 3.2, with our type and data.
    body = b"""{
        "specversion" : "1.0",
        "type" : "net.content.upsert",
        "source" : "/mycontext",
        "subject": null,
        "id" : "C234-1234-1234",
        "time" : "2018-04-05T17:31:00Z",
        "comexampleextension1" : "value",
        "comexampleothervalue" : 5,
        "datacontenttype" : "application/json",
        "data" : {"id": "post-1", "service": "square", "audience": "public", "text": "low tide"}
    }"""
    item = one(body)
    assert isinstance(item, Upsert)
    assert (item.record.id, item.record.text) == ("post-1", "low tide")
    assert item.record.created_at == datetime(2018, 4, 5, 17, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("content.delete", {"id": "post-1"}, Delete("post-1")),
        ("content.undelete", {"id": "post-1"}, Undelete("post-1")),
        (
            "account.update",
            {"account": "member-1@square", "state": "deleted"},
            AccountUpdate("member-1@square", state="deleted"),
        ),
        (
            "interaction",
            {"actor": "member-1@square", "verb": "like", "object": "post-1"},
            Interaction("member-1@square", "like", "post-1", at=datetime(2026, 9, 11, tzinfo=UTC)),
        ),
        ("content.upsert", POST | {"audience": "direct"}, Refused("direct-message", "post-1")),
    ],
)
def test_every_type_in_every_form(kind, data, expected):
    time = {"time": "2026-09-11T00:00:00Z"}
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    assert one(event(kind, data, **time)) == expected
    assert one(event(kind, **time, data_base64=encoded)) == expected
    assert one(data, **CONTEXT, type=f"net.{kind}", **time) == expected
    assert read([event(kind, data, **time)] * 2) == [expected] * 2
    assert one({"type": f"net.{kind}", "data": data} | time) == expected


def test_bare_records_and_envelopes_alone_and_in_an_array():
    expected = jsonl.parse_line(json.dumps(POST).encode(), "", 1)
    assert one(POST) == expected
    assert read([POST, {"type": "net.content.upsert", "data": POST}]) == [expected] * 2
    assert read([]) == []


@pytest.mark.parametrize("empty", [b"", b"  ", b"null", b"{}", b'""'])
@pytest.mark.parametrize("kind", ["content.delete", "content.undelete"])
def test_the_subject_names_what_is_deleted_where_there_is_no_data(kind, empty):
    expected = Delete("post-1") if kind == "content.delete" else Undelete("post-1")
    assert one(empty, **CONTEXT, type=f"net.{kind}", subject="post-1") == expected
    if empty.strip():
        assert one(event(kind, json.loads(empty), subject="post-1")) == expected
    assert "no data" in reason(event(kind))
    assert "no data" in reason(event("account.update", subject="post-1"))


def test_data_names_the_record_rather_than_the_subject():
    assert one(event("content.delete", {"id": "post-1"}, subject="post-2")) == Delete("post-1")


def test_the_events_time_dates_only_what_says_nothing_of_its_own():
    def dated(**fields: object) -> tuple[datetime | None, str]:
        item = one(event("content.upsert", POST | fields, time="2026-09-11T09:15:00+02:00"))
        assert isinstance(item, Upsert)
        return item.record.created_at, item.record.date_state

    assert dated() == (datetime(2026, 9, 11, 7, 15, tzinfo=UTC), "given")
    assert dated(created_at="2026-01-01") == (datetime(2026, 1, 1, tzinfo=UTC), "given")
    assert dated(created_at="some day") == (None, "unreadable")
    # An edit's time is not the moment its record was made.
    assert dated(edited_at="2026-09-11T07:15:00Z") == (None, "absent")


def test_a_time_that_cannot_be_read_is_no_absent_one():
    item = one(event("content.upsert", POST, time="some day"))
    assert isinstance(item, Upsert)
    assert (item.record.created_at, item.record.date_state) == (None, "unreadable")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (event("content.upsert", POST, specversion="0.3"), "specversion"),
        (event("content.upsert", POST, specversion=1), "specversion"),
        ({"specversion": "1.0", "data": POST}, "type"),
        (event("content.upsert", POST, id=""), "`id` is empty"),
        (event("content.upsert", POST, source=""), "`source` is empty"),
        (event("content.burn", POST), "unknown event type"),
        ({**event("content.upsert", POST), "type": "com.example.other"}, "unknown event type"),
        (event("content.upsert", POST, datacontenttype="text/xml"), "datacontenttype"),
        (event("content.upsert", POST, data_base64="e30="), "both"),
        (event("content.upsert", data_base64="%%%"), "base64"),
        (event("content.upsert", data_base64="bm8="), "not a JSON object"),
        (event("content.upsert", "words"), "object"),
        (event("content.upsert", [POST]), "not a JSON object"),
        (event("content.upsert"), "no data"),
        (b"{", "not a JSON object in UTF-8"),
        (b'{"id":"\xff"}', "not a JSON object in UTF-8"),
        (b'"words"', "object"),
        (b"", "not a JSON object in UTF-8"),
        (b"[{}", "not a JSON array in UTF-8"),
        (b"[" * 100_000, "not a JSON array in UTF-8"),
        (b'{"data":' * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_taken_says_why(body, told):
    item = one(body)
    assert isinstance(item, Rejected)
    assert told in item.reason
    assert (item.file, item.where) == ("body", "line 7")


def test_an_array_names_the_place_of_what_it_rejects():
    found = read([POST, 7, event("content.burn", POST), POST])
    assert [type(item) for item in found] == [Upsert, Rejected, Rejected, Upsert]
    assert [item.where for item in found if isinstance(item, Rejected)] == ["item 2", "item 3"]


def test_data_in_binary_mode_cannot_change_its_envelope():
    smuggled = json.dumps(POST).encode() + b',"type":"net.content.delete"'
    assert "not a JSON object" in reason(smuggled, **CONTEXT, type="net.content.upsert")


@pytest.mark.parametrize("missing", ["specversion", "type", "source", "id"])
def test_binary_mode_wants_its_attributes(missing):
    attributes = CONTEXT | {"type": "net.content.upsert"}
    del attributes[missing]
    assert missing in reason(POST, **attributes)


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "text/json",
                   "application/vnd.square+json"],
)  # fmt: skip
def test_data_of_any_json_type(media_type):
    kind = {"type": "net.content.upsert", "datacontenttype": media_type}
    assert isinstance(one(POST, **CONTEXT, **kind), Upsert)


identifiers = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1)
records = st.fixed_dictionaries(
    {"id": identifiers, "service": identifiers, "text": st.text()},
    optional={
        "audience": st.sampled_from(["public", "direct", "followers", "?"]),
        "surface": st.sampled_from(["post", "comment", "message"]),
        "created_at": st.sampled_from(["2026-01-01", "?", None]),
        "rev": st.integers(-1, 2**63),
        "author": identifiers,
        "other": st.text(),
    },
)
deletions = st.fixed_dictionaries({"id": st.text()})
events = st.one_of(
    st.tuples(st.just("net.content.upsert"), records),
    st.tuples(st.just("net.content.delete"), deletions),
    st.tuples(identifiers, records),
)


@given(events, st.none() | st.just("2026-09-11T07:15:00Z"))
def test_all_forms_of_an_event_say_the_same(given_event, time):
    kind, data = given_event
    attributes: dict[str, str] = CONTEXT | {"type": kind} | ({"time": time} if time else {})
    whole: dict[str, Any] = attributes | {"data": data}
    item = one(whole)
    assert one(data, **attributes) == item
    (batched,) = read([whole])
    if isinstance(item, Rejected):
        assert isinstance(batched, Rejected)
        assert (batched.reason, batched.raw) == (item.reason, item.raw)
    else:
        assert batched == item


@given(records)
def test_an_undated_event_is_what_its_data_is(data):
    line = json.dumps({"type": "net.content.upsert", "data": data}).encode()
    expected, found = jsonl.parse_line(line, "body", 7), one(event("content.upsert", data))
    if isinstance(expected, Rejected):
        assert isinstance(found, Rejected)
        assert found.reason == expected.reason
    else:
        assert found == expected


@given(records, st.sampled_from(["net.content.upsert", "net.content.delete"]))
def test_what_others_write_is_read(data, kind):
    made = CloudEvent(CONTEXT | {"type": kind, "datacontenttype": "application/json"}, data)
    structured = sdk.to_structured(made, JSONFormat())
    binary = sdk.to_binary(made, JSONFormat())
    attributes = {
        name.removeprefix("ce-"): value
        for name, value in binary.headers.items()
        if name.startswith("ce-")
    }
    assert one(structured.body) == one(binary.body, **attributes)


@settings(max_examples=300)
@given(st.binary(), st.booleans())
@example(b'{"specversion":"1.0"', False)
@example(b'[{"id":"\xed\xa0\x80"}]', False)
def test_whatever_comes_nothing_is_raised(body, is_binary):
    attributes = CONTEXT | {"type": "net.content.upsert"} if is_binary else {}
    for item in parse(body, attributes, "body", 1):
        assert isinstance(item, Rejected)


@given(records, st.integers(0, 200))
def test_no_byte_of_a_private_message_is_kept_with_a_reject(data, cut):
    message = data | {"audience": "direct", "text": MARKER, "rev": 0}
    whole = json.dumps(event("content.upsert", message)).encode()
    for body in (whole, whole[: -cut - 1]):
        for item in read(body):
            assert isinstance(item, Rejected | Refused)
            assert MARKER not in str(item)


@pytest.mark.parametrize(
    "body",
    [
        POST | {"co_authors": 10**12},
        POST | {"co_authors": -1},
        POST | {"rev": 2**63},
        {"type": "net.content.delete", "data": {"id": "post-1", "rev": 2**63}},
        {"type": "net.content.delete", "data": {"id": "post-1", "rev": 0}},
    ],
)
def test_numbers_that_no_table_holds_are_rejected(body):
    assert "out of range" in reason(body)
