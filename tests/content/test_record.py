"""What flows: times, texts, and what counts as a private message."""

import itertools
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.content.record import (
    AUDIENCES,
    MESSAGE_SURFACES,
    Record,
    normalise_text,
    parse_time,
)

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones))
def test_a_time_with_a_zone_is_read_in_utc(moment):
    assert parse_time(moment.isoformat()) == (moment, "given")
    assert parse_time(moment.isoformat())[0].tzinfo is UTC


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)))
def test_a_time_without_a_zone_counts_as_utc(moment):
    assert parse_time(moment.isoformat(" ")) == (moment.replace(tzinfo=UTC), "given")


@given(st.dates(datetime(1000, 1, 1).date()))
def test_a_bare_day_or_year_counts_as_its_first_moment(day):
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert parse_time(day.isoformat()) == (midnight, "given")
    assert parse_time(f"{day.year}") == (midnight.replace(month=1, day=1), "given")


@given(st.integers(-(10**9), 10**10))
def test_seconds_since_1970(seconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert parse_time(seconds) == (moment, "given")
    assert parse_time(float(seconds)) == (moment, "given")


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_is_absent_and_not_unreadable(value):
    assert parse_time(value) == (None, "absent")


@pytest.mark.parametrize(
    "value",
    [
        *["yesterday", "2026-13-01", "2026-02-30", "0000", "²²²²", " ", "11.09.2026", "1\ud800"],
        *["0001-01-01T00:00:00+14:00", float("nan"), float("inf"), -float("inf"), 10**30],
    ],
)
def test_what_cannot_be_read_is_said_to_be_unreadable(value):
    assert parse_time(value) == (None, "unreadable")


@given(st.one_of(any_text, st.integers(), st.floats()))
def test_no_value_breaks_the_reading_of_times(value):
    moment, state = parse_time(value)
    assert (state == "given") == (moment is not None)
    assert moment is None or moment.utcoffset() == timedelta(0)


@given(any_text)
@example("e\x00\u0301")  # what a control character keeps apart comes together without it
@example("\r\n\r\u0085")
def test_normalised_text_is_stable_composed_and_without_control_characters(text):
    normal = normalise_text(text)
    assert normalise_text(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert {c for c in normal if unicodedata.category(c) == "Cc"} <= {"\n", "\t"}


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_normalising_takes_no_character_away(text):
    assert normalise_text(text) == unicodedata.normalize("NFC", text)


def test_line_breaks_of_all_systems_become_one():
    assert normalise_text("a\r\nb\rc\n\td\x00\x9f") == "a\nb\nc\n\td"


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("surface", ["post", "comment", "story", "image", *MESSAGE_SURFACES])
def test_what_counts_as_a_private_message(surface, audience):
    record = Record(id="1", service="square", surface=surface, audience=audience)
    sent_as_message = surface in MESSAGE_SURFACES
    assert record.is_message == (
        audience == "direct" or (sent_as_message and audience not in ("public", "unlisted"))
    )


@given(st.text(), st.text())
def test_no_other_word_on_the_audience_makes_a_message_public(surface, audience):
    for known, unknown in itertools.product(MESSAGE_SURFACES, [audience.upper(), audience + "x"]):
        record = Record(id="1", service="square", surface=known, audience=unknown)
        assert record.is_message or unknown in ("public", "unlisted")
    assert Record(id="1", service="square", surface=surface, audience="direct").is_message
