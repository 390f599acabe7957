"""Near-duplicates: clusters are exact, independent of order, and only ever grow."""

import json
import math
import random
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.corpus.duplicates import SMALL_GROUP, first_of_own, shared_by_several
from sayso.corpus.fingerprints import (
    PLACES,
    Booleans,
    Numbers,
    Signatures,
    fingerprints,
)
from sayso.errors import UsageError
from tests.conftest import COMMUNITY, KEY, needs_community

POST = (
    "Heute früh lag ein junger Seehund am Nordstrand, vielleicht drei Wochen alt, und schaute "
    "uns an, als hätten wir ihm das Boot geliehen und nicht zurückgebracht."
)


class Fingerprint(NamedTuple):
    exact: int
    signature: Signatures
    long: bool


def fingerprint(text: str, key: bytes) -> Fingerprint:
    made = fingerprints([text], key)
    return Fingerprint(int(made.exact[0]), made.signatures[0], bool(made.long[0]))


def columns(texts: Sequence[str]) -> dict[str, np.ndarray]:
    made = fingerprints(texts, KEY)
    return {"exact": made.exact, "signatures": made.signatures, "long": made.long}


def shared(texts: Sequence[str], people: Sequence[int], threshold: float = 0.8) -> list[bool]:
    rows = columns(texts)
    marked = shared_by_several(people=np.array(people, np.uint64), threshold=threshold, **rows)
    return marked.tolist()


def repeats(texts: Sequence[str], people: Sequence[int], order: Sequence[int]) -> list[bool]:
    rows = columns(texts)
    marked = first_of_own(
        people=np.array(people, np.uint64), order=np.array(order), threshold=0.8, **rows
    )
    return marked.tolist()


def similarity(a: str, b: str) -> float:
    return float((fingerprint(a, KEY).signature == fingerprint(b, KEY).signature).mean())


# Fingerprints


def test_case_punctuation_and_spaces_make_no_difference() -> None:
    one, other = fingerprint("Guten  Morgen, Hafen!", KEY), fingerprint("guten morgen HAFEN", KEY)
    assert one.exact == other.exact
    assert one.signature.tolist() == other.signature.tolist()
    assert one.exact != fingerprint("guten morgen haven", KEY).exact
    assert fingerprint("ﬁsch ﬁsch", KEY).exact == fingerprint("FISCH FISCH", KEY).exact


def test_signs_alone_are_compared_as_they_stand() -> None:
    assert fingerprint("👍", KEY).exact != fingerprint("🎉", KEY).exact
    assert fingerprint("?", KEY).exact != fingerprint("!", KEY).exact


def test_another_key_gives_another_fingerprint() -> None:
    one, other = fingerprint(POST, KEY), fingerprint(POST, KEY[::-1])
    assert one.exact != other.exact
    assert not (one.signature == other.signature).any()


@pytest.mark.parametrize("key", [b"", bytes(65)])
def test_a_key_of_the_wrong_length_is_refused(key: bytes) -> None:
    with pytest.raises(UsageError, match="1 to 64"):
        fingerprint(POST, key)


def test_enough_words() -> None:
    assert not fingerprint("Guten Morgen, ihr lieben Leute", KEY).long
    assert fingerprint("one two three four five six", KEY).long
    assert not fingerprint("今日は天気", KEY).long
    assert fingerprint("今日はとても天気がいいですね散歩しましょう", KEY).long
    # Vowel signs belong to their words: these are five words, not fifteen.
    assert not fingerprint("हिन्दी में लिखना अच्छा लगता", KEY).long


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_has_a_fingerprint_and_always_the_same(text: str) -> None:
    one, other = fingerprint(text, KEY), fingerprint(text, KEY)
    assert 0 <= one.exact < 2**64
    assert one.signature.dtype == np.uint32 and one.signature.shape == (PLACES,)
    assert one.signature.tobytes() == other.signature.tobytes()


@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=60), max_size=12))
def test_a_fingerprint_depends_on_its_own_text_alone(texts: list[str]) -> None:
    together = fingerprints(texts, KEY)
    assert together.signatures.shape == (len(texts), PLACES)
    for at, text in enumerate(texts):
        alone = fingerprint(text, KEY)
        assert alone.exact == together.exact[at]
        assert alone.signature.tobytes() == together.signatures[at].tobytes()
        assert alone.long == together.long[at]


def test_long_texts_reach_over_several_runs() -> None:
    texts = [" ".join(f"w{n}x{m}" for m in range(40_000)) for n in range(3)]
    together = fingerprints(texts, KEY)
    assert len(set(together.exact.tolist())) == 3
    assert together.signatures[1].tobytes() == fingerprint(texts[1], KEY).signature.tobytes()


@given(st.integers(0, 200), st.randoms(use_true_random=False))
def test_signatures_estimate_the_jaccard_similarity(changed: int, chance: random.Random) -> None:
    words = [f"w{chance.random()}" for _ in range(200)]
    edited = words.copy()
    for at in chance.sample(range(200), changed):
        edited[at] += "x"
    a = {tuple(words[i : i + 3]) for i in range(198)}
    b = {tuple(edited[i : i + 3]) for i in range(198)}
    jaccard = len(a & b) / len(a | b)
    estimate = similarity(" ".join(words).replace(".", ""), " ".join(edited).replace(".", ""))
    assert abs(estimate - jaccard) <= 6 * math.sqrt(0.25 / PLACES)


# Texts


def test_the_same_text_by_several_people() -> None:
    copy = POST.replace("drei Wochen", "DREI Wochen") + "!!"
    assert shared(
        [POST, copy, "etwas ganz anderes, das nur einer so geschrieben hat"], [1, 2, 1]
    ) == [
        True,
        True,
        False,
    ]
    assert shared([POST, POST], [1, 1]) == [False, False]


def test_a_slightly_edited_copy_counts() -> None:
    words = [f"wort{n}" for n in range(120)]
    edited = [*words[:60], "anders", *words[61:]]
    assert shared([" ".join(words), " ".join(edited)], [1, 2]) == [True, True]


def test_everybody_says_good_morning() -> None:
    assert shared(["Guten Morgen!"] * 3, [1, 2, 3]) == [False] * 3


def test_copies_in_scripts_without_spaces() -> None:
    text = "今日はとても天気がいいので、港まで散歩して魚のパンを食べましょう"
    assert shared([text, text + "。"], [1, 2]) == [True, True]


def test_a_person_keeps_the_first_of_their_repeats() -> None:
    texts = [POST, POST + "!", "Guten Morgen", "guten morgen!", "Guten Abend", POST]
    marked = repeats(texts, [1, 1, 1, 1, 1, 2], [5, 3, 2, 1, 4, 0])
    assert marked == [True, False, True, False, False, False]


def test_nothing_in_nothing_out() -> None:
    assert shared([], []) == repeats([], [], []) == []


def test_wrong_columns_are_refused() -> None:
    rows = columns([POST])
    with pytest.raises(UsageError, match=r"above 0\.5 to 1"):
        shared_by_several(people=np.array([1], np.uint64), threshold=0.5, **rows)
    with pytest.raises(UsageError, match="expected"):
        shared_by_several(people=np.array([1, 2], np.uint64), threshold=0.8, **rows)


# Invariants, over signatures drawn directly


class Rows:
    """Random signatures: families around a few bases, people, and texts without enough words."""

    def __init__(self, seed: int, n: int, alike: float, families: int = 4) -> None:
        draw = np.random.default_rng(seed)
        bases = draw.integers(0, 2**32, (families, PLACES), dtype=np.uint32)
        self.signatures: Signatures = bases[draw.integers(0, families, n)]
        changed = draw.random((n, PLACES)) > alike
        self.signatures[changed] = draw.integers(0, 2**32, int(changed.sum()), dtype=np.uint32)
        # Some texts are there several times.
        again = draw.integers(0, n, n // 4)
        self.exact: Numbers = np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        self.exact[: len(again)] = self.exact[again]
        self.signatures[: len(again)] = self.signatures[again]
        _, first, same = np.unique(self.exact, return_index=True, return_inverse=True)
        self.signatures = self.signatures[first][same]
        self.long: Booleans = (draw.random(len(first)) > 0.1)[same]
        self.people: Numbers = draw.integers(0, max(1, n // 2), n).astype(np.uint64)
        self.order = draw.permutation(n)

    def columns(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        names = ("exact", "signatures", "people", "long")
        return {name: getattr(self, name)[rows] for name in names}

    def shared(self, rows: np.ndarray, threshold: float = 0.8) -> Booleans:
        return shared_by_several(threshold=threshold, **self.columns(rows))

    def repeats(self, rows: np.ndarray, threshold: float = 0.8) -> Booleans:
        return first_of_own(order=self.order[rows], threshold=threshold, **self.columns(rows))

    def clusters(self, threshold: float, *, own: bool) -> list[set[int]]:
        """The definition, pair by pair: for people (own) or for all."""
        needed, found = math.ceil(threshold * PLACES), list[set[int]]()
        for row in range(len(self.exact)):
            near = (self.signatures == self.signatures[row]).sum(axis=1) >= needed
            near &= self.long & self.long[row]
            near |= (self.exact == self.exact[row]) & (self.long | own)
            if own:
                near &= self.people == self.people[row]
            if not near.any():
                continue
            joined = [c for c in found if not c.isdisjoint(np.flatnonzero(near).tolist())]
            found = [c for c in found if c not in joined]
            found.append(set(np.flatnonzero(near).tolist()).union(*joined))
        return found


SEEDS = st.integers(0, 2**32 - 1)
ALIKE = st.sampled_from([0.5, 0.8, 0.87, 0.9, 0.95, 1.0])
THRESHOLDS = st.sampled_from([0.51, 0.6, 0.75, 0.8, 0.9, 1.0])


@given(SEEDS, st.integers(1, 60), ALIKE, THRESHOLDS)
def test_clusters_are_those_of_the_definition(
    seed: int, n: int, alike: float, threshold: float
) -> None:
    rows, every = Rows(seed, n, alike), np.arange(n)
    several, redundant = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for cluster in rows.clusters(threshold, own=False):
        members = sorted(cluster)
        several[members] = len(set(rows.people[members].tolist())) > 1
    for cluster in rows.clusters(threshold, own=True):
        members = sorted(cluster, key=lambda row: rows.order[row])
        redundant[members[1:]] = True
    assert rows.shared(every, threshold).tolist() == several.tolist()
    assert rows.repeats(every, threshold).tolist() == redundant.tolist()


# Families larger than SMALL_GROUP go through the second and third bands, and count as templates.
SIZES = st.integers(1, 80) | st.integers(2 * SMALL_GROUP, 4 * SMALL_GROUP)


@given(SEEDS, SIZES, st.sampled_from([0.75, 0.82, 0.87, 0.9, 0.95]), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_the_order_of_rows_makes_no_difference(
    seed: int, n: int, alike: float, families: int
) -> None:
    rows, every = Rows(seed, n, alike, families), np.arange(n)
    shuffled = np.random.default_rng(seed).permutation(n)
    assert rows.shared(shuffled).tolist() == rows.shared(every)[shuffled].tolist()
    assert rows.repeats(shuffled).tolist() == rows.repeats(every)[shuffled].tolist()


@given(SEEDS, SIZES, st.sampled_from([0.75, 0.82, 0.87, 0.9, 0.95]), st.integers(1, 4), st.data())
@settings(deadline=None, max_examples=40)
def test_further_rows_never_unmark_a_shared_text(
    seed: int, n: int, alike: float, families: int, data: st.DataObject
) -> None:
    rows = Rows(seed, n, alike, families)
    early = np.arange(data.draw(st.integers(0, n)))
    before, after = rows.shared(early), rows.shared(np.arange(n))
    assert not (before & ~after[early]).any()


@given(SEEDS, SIZES, ALIKE, st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_repeats_depend_on_the_persons_own_rows_alone(
    seed: int, n: int, alike: float, families: int
) -> None:
    rows = Rows(seed, n, alike, families)
    rows.people %= np.uint64(3)
    together = rows.repeats(np.arange(n))
    for person in range(3):
        own = np.flatnonzero(rows.people == person)
        assert rows.repeats(own).tolist() == together[own].tolist()


@pytest.mark.parametrize("alike", [0.6, 0.7, 0.9, 0.95])
def test_one_huge_family_costs_seconds(alike: float) -> None:
    rows = Rows(7, 25_000, alike, families=1)
    start = time.perf_counter()
    rows.shared(np.arange(25_000))
    rows.repeats(np.arange(25_000))
    # All pairs would take many minutes; this takes one or two seconds.
    assert time.perf_counter() - start < 60


@needs_community
def test_real_posts() -> None:
    lines = (COMMUNITY / "records.jsonl").read_text("utf-8").splitlines()
    posts = [post for post in map(json.loads, lines) if post.get("text") and "author" in post]
    authors = {author: at for at, author in enumerate(sorted({p["author"] for p in posts}))}
    marked = shared([p["text"] for p in posts], [authors[p["author"]] for p in posts])
    found = [p for p, is_shared in zip(posts, marked, strict=True) if is_shared]
    # The oath that every member of the Austrian parliament is asked to take.
    assert any("Treue der Republik" in p["text"] for p in found)
    assert 5 < len(found) < 100
