"""The language of a text: what is declared wins, the rest is detected or left undetermined."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.corpus.language import Identified, identify, primary_subtag
from tests.conftest import COMMUNITY, needs_community

GERMAN = "Das Wetter an der Küste ist heute wieder einmal ganz anders als angekündigt."


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_at", "de"),
        ("  en-GB ", "en"),
        ("zh-Hant-TW", "zh"),
        ("deu", "de"),
        ("ger", "de"),
        ("swe", "sv"),
        ("iw", "he"),
        ("nds", "nds"),
        ("sr-Latn", "sr"),
    ],
)
def test_a_declared_tag_is_normalised_and_wins(tag: str, code: str) -> None:
    assert identify(GERMAN, tag) == Identified(code, "declared")


@pytest.mark.parametrize(
    "tag", ["", "german", "xx", "und", "mul", "zxx", "qaa", "x-home", "de AT", "de,en", "-", "d"]
)
def test_what_is_no_language_tag_is_ignored(tag: str) -> None:
    assert primary_subtag(tag) == ""
    assert identify(GERMAN, tag) == Identified("de", "detected")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GERMAN, "de"),
        ("Guten Morgen", "de"),
        ("はい", "ja"),
        ("The tide tables are wrong again, please check them before you leave.", "en"),
        ("Hon kommer från Göteborg och tycker om att segla på sommaren.", "sv"),
        ("Nästa vecka börjar kören igen.", "sv"),
        ("Bu sabah iskelede kimse yoktu, çay bile soğumuştu.", "tr"),
        ("Mañá pola mañá imos á praia coas nenas e co can.", "gl"),
        ("今日は天気がいいですね。", "ja"),
        ("בוקר טוב לכולם, מה שלומכם היום?", "he"),
        (f"https://example.org/this/is/the/english/page {GERMAN} @english_member_with_name", "de"),
    ],
)
def test_detects(text: str, code: str) -> None:
    assert identify(text) == Identified(code, "detected")


@pytest.mark.parametrize(
    "text", ["", "   ", "12:30", "!!!", "👍👍", "https://example.org/", "ok", "haha 1"]
)
def test_is_undetermined_when_unsure(text: str) -> None:
    assert identify(text) == Identified("und", "none")


@given(st.text(st.characters(exclude_categories=()), max_size=60), st.text(max_size=8))
def test_takes_any_text(text: str, declared: str) -> None:
    found = identify(text, declared)
    assert found.source in ("declared", "detected", "none")
    assert (found.code == "und") == (found.source == "none")
    assert 2 <= len(found.code) <= 3 and found.code.islower()
    assert identify(text, found.code).code == found.code


def test_unreadable_characters_do_not_hide_the_language() -> None:
    for sign in ("\x00", "\x85", "\ud800", "\ufdd0", "\uffff", "\U0010fffe"):
        assert identify(f"{sign}{GERMAN}{sign}").code == "de"


@needs_community
def test_real_posts_and_languages_it_does_not_know() -> None:
    def read(name: str) -> list[dict[str, str]]:
        lines = (COMMUNITY / name).read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    sources = {"tatoeba", "parlamint-at", "parlamint-tr", "parlamint-es-ga", "oasst1"}
    posts = [post for post in read("records.jsonl") if post["source"] in sources]
    right = sum(identify(p["text"]).code == primary_subtag(p["language"]) for p in posts)
    assert right / len(posts) > 0.96

    articles = read("langid_udhr.jsonl")
    rare = [a for a in articles if len(a["language"]) == 3]
    unsure = sum(identify(a["text"]).code == "und" for a in rare)
    assert unsure / len(rare) > 0.6

    short = [p["text"] for p in posts if len(p["text"]) < 80]
    start = time.perf_counter()
    for text in short:
        identify(text)
    assert len(short) / (time.perf_counter() - start) > 10_000  # bench/language_id.py measures
