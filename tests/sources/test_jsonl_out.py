"""Records and events as lines: what is written is read back as it was."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.content.record import HIGHEST_REV, Record
from sayso.sources import jsonl_out
from sayso.sources.jsonl import ACCOUNT_STATES, parse_line
from tests.sources.records import ids, moments, names, records, texts


def back(event: object) -> object:
    line = jsonl_out.line(event)  # type: ignore[arg-type]
    assert b"\n" not in line
    return parse_line(line, "lines.jsonl", 1)


@settings(max_examples=300, deadline=None)
@given(records())
def test_every_record_comes_back_as_it_was(record):
    assert back(Upsert(record)) == Upsert(record)
    whole = msgspec.json.encode(jsonl_out.fields(record))
    assert parse_line(whole, "lines.jsonl", 1) == Upsert(record)


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
events = st.one_of(
    st.builds(Delete, ids, texts, st.integers(1, HIGHEST_REV)),
    st.builds(Undelete, ids),
    st.builds(
        Interaction, ids, texts.filter(bool), ids, numbers, texts, st.none() | moments, texts
    ),
    st.builds(
        AccountUpdate,
        ids,
        texts,
        texts,
        texts,
        texts,
        st.sampled_from(["", "adult", "minor", "unknown"]),
        st.sampled_from(ACCOUNT_STATES),
        st.none() | st.booleans(),
        st.sampled_from(["", "allow", "deny", "unreadable", "unset"]),
        texts,
        names,
    ),
)


@settings(max_examples=300, deadline=None)
@given(events)
def test_every_event_comes_back_as_it_was(event):
    assert back(event) == event


def test_a_line_is_as_short_as_what_it_says():
    record = Record(id="1", service="square", age_band="", text="low tide", author="member-1")
    assert json.loads(jsonl_out.line(Upsert(record))) == {
        "id": "1", "rev": 1, "service": "square", "author": "member-1", "text": "low tide",
    }  # fmt: skip


@pytest.mark.parametrize("band", ["", "unknown", "adult", "minor"])
def test_an_age_that_nobody_told_is_not_an_unknown_one(band):
    made = Record(id="1", service="square", age_band=band, text="", created_at=datetime.now(UTC),
                  date_state="given")  # fmt: skip
    assert back(Upsert(made)) == Upsert(made)
