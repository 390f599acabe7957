"""The few sentences of a post that bear on a question: short enough for a small model to use."""

import math
import re
from collections.abc import Sequence
from itertools import compress
from typing import Final

LONGEST: Final = 320
SHORTEST_STEM: Final = 4

_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
_WORD: Final = re.compile(r"\w+")


def sentences(text: str) -> list[str]:
    """Split a text at sentence ends and line breaks."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def shares(words: Sequence[str], texts: Sequence[str]) -> list[float]:
    """Return how much of some words each text has, from 0 to 1; rare ones count more (idf).

    Args:
        words: in small letters; their number times that of the texts' words is what this costs.
        texts: any.
    """
    bags = [frozenset(_WORD.findall(text.lower())) for text in texts]
    found = [[_has(bag, word) for word in words] for bag in bags]
    weights = [math.log(1 + len(bags) / (1 + sum(column))) for column in zip(*found, strict=True)]
    whole = sum(weights) or 1.0
    return [sum(compress(weights, has)) / whole for has in found]


def around_best(parts: Sequence[str], scores: Sequence[float]) -> str:
    """Return the sentence with the best score and its neighbours, as far as they fit."""
    if not parts:
        return ""
    best = max(range(len(parts)), key=lambda place: (scores[place], -place))
    first, last = best, best
    while True:
        sides = [place for place in (last + 1, first - 1) if 0 <= place < len(parts)]
        fitting = [p for p in sides if _length(parts, min(first, p), max(last, p)) <= LONGEST]
        if not fitting:
            return " ".join(parts[first : last + 1])
        first, last = min(first, fitting[0]), max(last, fitting[0])


def pieces(text: str, longest: int, most: int) -> list[str]:
    """Cut a text at sentence ends into pieces of about so many characters, so many at most."""
    found: list[str] = []
    for part in sentences(text):
        if found and len(found[-1]) + len(part) < longest:
            found[-1] += f" {part}"
        elif len(found) < most:
            found.append(part)
        else:
            break
    return found


def _has(bag: frozenset[str], word: str) -> bool:
    """Whether a word, or another form of it, is there: one begins with the other."""
    return word in bag or any(
        min(len(other), len(word)) >= SHORTEST_STEM
        and (other.startswith(word) or word.startswith(other))
        for other in bag
    )


def _length(parts: Sequence[str], first: int, last: int) -> int:
    return sum(len(part) + 1 for part in parts[first : last + 1])
