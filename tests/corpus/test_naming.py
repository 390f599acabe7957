"""Names are found however they are commonly written, and what is masked is found no more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.corpus.naming import Finder, keyed, mask, words_of
from sayso.errors import UsageError
from sayso.workspace import Pseudonyms
from tests.conftest import KEY

PSEUDONYMS = Pseudonyms(KEY)
MASKED = [
    ("Lena Brandt", "Gestern sah Lena Brandt das Boot", "Gestern sah [NAME] das Boot"),
    ("Lena Brandt", "LENA BRANDT; lena brandt", "[NAME]; [NAME]"),
    ("Lena Brandt", "Brandt, Lena (Hafen)", "[NAME] (Hafen)"),
    ("Lena Brandt", "#LenaBrandt kommt", "#[NAME] kommt"),
    ("Lena Brandt", "Lena Brandts Boot", "[NAME]s Boot"),
    ("Lena Brandt", "Lena Brandt's boat, Lena Brandt’s dog", "[NAME]'s boat, [NAME]’s dog"),
    ("Frau Dr. Lena Brandt", "Dr. Lena Brandt", "Dr. [NAME]"),
    ("Lena Brandt", "Lena\u00a0Bran\u00addt", "[NAME]"),
    ("Lena Brandt", "Ｌｅｎａ Ｂｒａｎｄｔ", "[NAME]"),
    ("Jörg Müller", "Joerg Mueller; Jorg Muller; JÖRG MÜLLER", "[NAME]; [NAME]; [NAME]"),
    ("Joerg Mueller", "Jörg Müller", "[NAME]"),
    ("Zoë Núñez", "Zoe Nunez und Zoë Núñez", "[NAME] und [NAME]"),
    ("Anna-Lena O'Brien", "Anna Lena O’Brien; Annalena O'Brien", "[NAME]; [NAME]"),
    ("Straßer Uwe", "Uwe Strasser", "[NAME]"),
    ("田中 太郎", "昨日田中太郎さんと", "昨日[NAME]さんと"),
    ("김민수", "김민수는 학교에", "[NAME]는 학교에"),
    ("Анна Ёлкина", "анна елкина", "[NAME]"),
]
KEPT = [
    ("Lena Brandt", "Lena. Und das Brandtuch, Lena und Brandt"),
    ("Lena Brandt", "Helena Brandt; Lena Brandtner"),
    ("Lena Brandt", "Lena\n\n\n\n\nBrandt"),
    ("Lena Brandt", "Lena [NAME] Brandt"),
    ("Hans Muster", "Han Muster"),
    ("Michael Bauer", "Micha El Bauer"),
]


def finder_of(*names: str) -> tuple[Finder, set[int]]:
    found = [each for name in names for each in keyed(PSEUDONYMS, name)]
    return Finder(PSEUDONYMS, found), {each.hash for each in found}


def masked(text: str, *names: str) -> str:
    return mask(text, *finder_of(*names))[0]


@pytest.mark.parametrize(("name", "text", "expected"), MASKED)
def test_a_name_is_masked_as_it_is_commonly_written(name, text, expected):
    assert masked(text, name) == expected


@pytest.mark.parametrize(("name", "text"), KEPT)
def test_what_is_another_name_stays(name, text):
    assert masked(text, name) == text


def test_only_the_names_that_are_asked_for_are_masked():
    finder, _ = finder_of("Lena Brandt", "Otto Kern")
    wanted = {each.hash for each in keyed(PSEUDONYMS, "Otto Kern")}
    assert mask("Lena Brandt und Otto Kern", finder, wanted) == ("Lena Brandt und [NAME]", 1)


def test_a_mask_is_no_word_of_a_name():
    assert masked("[NAME] name [MENTION]", "name", "mention") == "[NAME] [NAME] [MENTION]"


@pytest.mark.parametrize("name", ["", "…", "a b c d e f g h i", "x" * 101])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError):
        keyed(PSEUDONYMS, name)


def test_the_hashes_tell_nothing_without_the_key():
    other = Pseudonyms(bytes(32))
    assert not {k.hash for k in keyed(other, "Lena Brandt")} & finder_of("Lena Brandt")[1]


words = st.sampled_from(
    "Lena Brandt lena BRANDT's Brandts Müller mueller o’brien s S 田 中 김 [NAME] [MENTION] name "
    "- , . ' ’ \n x ß ﬁ İ é e\u0301 \u00ad \u200d กำ เ ﷺ ㍿ ǆ ŉ".split(" ")
)
texts = st.one_of(st.text(), st.lists(words).map("".join), st.lists(words).map(" ".join))
names = st.lists(
    st.one_of(
        st.lists(words, min_size=1, max_size=4).map(" ".join), st.text(min_size=1, max_size=12)
    ).filter(lambda name: 0 < len(words_of(name)) <= 8 and len(name) <= 100),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(text=texts, named=names)
def test_a_masked_text_holds_no_name_and_is_masked_once(text: str, named: list[str]):
    finder, hashes = finder_of(*named)
    spans = finder.find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert {span.hash for span in spans} <= hashes
    once, count = mask(text, finder, hashes)
    assert finder.find(once) == []
    assert mask(once, finder, hashes) == (once, 0)
    assert bool(count) == bool(spans)


written = st.lists(st.text("abkäöüßéñжя田김ก", min_size=2, max_size=4), min_size=1, max_size=2)


@settings(max_examples=200, deadline=None)
@given(name=written.map(" ".join), around=st.tuples(texts, texts))
def test_a_name_is_found_where_it_stands(name: str, around: tuple[str, str]):
    finder, _ = finder_of(name)
    start = len(around[0]) + 3
    found = finder.find(f"{around[0]} … {name} … {around[1]}")
    assert (start, start + len(name)) in {(span.start, span.end) for span in found}


@settings(max_examples=100, deadline=None)
@given(given_texts=st.lists(texts, max_size=6), named=names)
def test_what_was_looked_at_before_makes_no_difference(given_texts: list[str], named: list[str]):
    used, _ = finder_of(*named)
    for text in given_texts:
        assert used.find(text) == finder_of(*named)[0].find(text)
