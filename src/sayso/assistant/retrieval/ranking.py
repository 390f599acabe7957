"""From candidates to sources: what bears on the question, the best first, nobody too often."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from sayso.assistant.retrieval.question import Question

RANK_CONSTANT: Final = 60  # Cormack, Clarke & Büttcher 2009
# From which share of the question's words, or which cosine, a post bears on it; below, the two
# together may do. Tuned with `bench/retrieval.py`, on its questions without an answer too.
COVERED: Final = 0.45
ALIKE: Final = 0.5
TOGETHER: Final = 0.72
# A model that does not know the question's language finds likeness in how words look: of German
# questions without an answer the English model finds posts up to 0.65 alike.
ALIKE_UNSURE: Final = 0.75
TOGETHER_UNSURE: Final = 1.0
TRUST_UNSURE: Final = 0.25
NEAR: Final = 0.35  # of the best score; what scores less does not bear on the question
HALF_LIFE_DAYS: Final = 180.0
HALF_LIFE_DAYS_NOW: Final = 7.0  # where the question asks for now
SAME: Final = 0.8  # Jaccard similarity of the terms of two posts that say the same
PER_PERSON: Final = 2
FEWEST: Final = 10  # candidates that rarity is judged by; of fewer it says little

Row = dict[str, Any]


class Candidate(Struct):
    """A post that may bear on the question; `covered` is the share of its words that it has."""

    row: Row
    terms: frozenset[str]
    found: tuple[float, ...]  # how surely it has each word of the question
    cosine: float = 0.0
    piece: int | None = None
    covered: float = 0.0
    rank: float = 0.0


def fuse(*rankings: tuple[Iterable[int], float]) -> dict[int, float]:
    """Return keys by their reciprocal ranks in all rankings together, each weighed; best first."""
    fused: dict[int, float] = {}
    for ranking, weight in rankings:
        for place, key in enumerate(ranking, 1):
            fused[key] = fused.get(key, 0.0) + weight / (RANK_CONSTANT + place)
    return dict(sorted(fused.items(), key=lambda item: -item[1]))


def weights(candidates: Sequence[Candidate], words: int) -> list[float]:
    """Weigh each word of a question by how rare it is among the candidates (as idf does)."""
    most = max(FEWEST, len(candidates))
    having = [sum(c.found[place] > 0 for c in candidates) for place in range(words)]
    return [math.log(1 + (most + 1) / (1 + number)) for number in having]


def rank(
    candidates: list[Candidate],
    fused: Mapping[int, float],
    question: Question,
    now: datetime,
    *,
    sure: bool = True,
) -> list[Candidate]:
    """Return the candidates that bear on the question, best first.

    Args:
        candidates: permitted.
        fused: from `fuse`.
        question: what was asked.
        now: the moment that age is counted to.
        sure: whether the embedding model knows the question's language.
    """
    weighed = weights(candidates, len(question.words))
    whole = sum(weighed) or 1.0
    half_life = HALF_LIFE_DAYS_NOW if question.wants_now else HALF_LIFE_DAYS
    least = 0.2 if question.wants_now else 0.95
    for one in candidates:
        one.covered = sum(f * w for f, w in zip(one.found, weighed, strict=True)) / whole
        age = max(0.0, (now - one.row["written"]).total_seconds() / 86400)
        fresh = least + (1 - least) * 0.5 ** (age / half_life)
        sense = max(0.0, one.cosine)
        # Twice as much of the question counts for more than twice as much.
        fits = one.covered**2 + (sense if sure else TRUST_UNSURE * sense)
        one.rank = fused[one.row["key"]] * fits * fresh
    bearing = [one for one in candidates if bears(one, sure=sure)]
    bearing.sort(key=lambda one: -one.rank)
    floor = bearing[0].rank * NEAR if bearing else 0.0
    return [one for one in bearing if one.rank >= floor]


def bears(one: Candidate, *, sure: bool) -> bool:
    """Whether a post bears on the question at all."""
    alike, together = (ALIKE, TOGETHER) if sure else (ALIKE_UNSURE, TOGETHER_UNSURE)
    return one.covered >= COVERED or one.cosine >= alike or one.covered + one.cosine >= together


def choose(
    ranked: Sequence[Candidate], people: Mapping[int, str], question: Question, most: int
) -> list[Candidate]:
    """Choose the best, the same words once, and of nobody more than two who is not asked for.

    Args:
        ranked: best first.
        people: the person of each account, by the account's key.
        question: whom it names.
        most: how many.
    """
    chosen: list[Candidate] = []
    taken: Counter[object] = Counter()
    for one in ranked:
        account = one.row["account_key"]
        person = people.get(account, account)
        named = one.row["handle"].casefold() in question.named
        if (taken[person] >= PER_PERSON and not named) or any(_same(one, c) for c in chosen):
            continue
        taken[person] += 1
        chosen.append(one)
        if len(chosen) == most:
            break
    return chosen


def _same(one: Candidate, other: Candidate) -> bool:
    both = len(one.terms & other.terms)
    return both >= SAME * (len(one.terms) + len(other.terms) - both)
