"""Long texts in pieces that a platform takes: cut where a reader would pause, never in a character.

Characters as their readers see them: a letter with its accents, an emoji with what is joined to it
(Unicode Standard Annex 29, as far as messages need it).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sayso.assistant.channels.rich import Rich

Size = Callable[[int, int], int]
_JOINER: Final = "\u200d"
# The best first: the end of a paragraph, a line, a sentence, a word.
_PAUSES: Final = tuple(re.compile(p) for p in (r"\n{2,}", r"\n", r"[.!?…。！？]+\s+", r"\s+"))


def cut(
    text: str, limit: int, size: Size | None = None, whole: Sequence[tuple[int, int]] = ()
) -> Iterator[tuple[int, int]]:
    """Yield where the pieces of a text begin and end; joined they are the text.

    Args:
        text: the text.
        limit: the largest size of a piece; one character must fit.
        size: how large the part from one place to another is, never less for a longer part;
            default: its number of code points.
        whole: parts (start, end) that stay in one piece if they fit into one, as code.
    """
    size = size or (lambda start, end: end - start)
    start = 0
    while start < len(text):
        end = _furthest(start, len(text), limit, size)
        if end < len(text):
            end = _pause(text, start, end, whole)
        yield start, end
        start = end


def pieces(rich: Rich, limit: int, size: Callable[[Rich], int]) -> list[Rich]:
    """Return a text in pieces of at most this size, without blanks around each; none is empty."""
    whole = [(m.start, m.end) for m in rich.marks if m.kind in ("pre", "code", "link")]
    found = []
    for start, end in cut(rich.text, limit, lambda a, b: size(rich.piece(a, b)), whole):
        part = rich.text[start:end]
        first, last = start + len(part) - len(part.lstrip()), start + len(part.rstrip())
        if first < last:
            found.append(rich.piece(first, last))
    return found


def _furthest(start: int, length: int, limit: int, size: Size) -> int:
    """Return the last place up to which a piece fits; one code point further if none does."""
    # No platform counts a code point as less than one.
    low, high = start + 1, min(length, start + limit)
    while low < high:
        middle = (low + high + 1) // 2
        if size(start, middle) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _pause(text: str, start: int, end: int, whole: Sequence[tuple[int, int]]) -> int:
    for first, last in whole:
        if start < first < end < last:
            return first
    for pattern in _PAUSES:
        # A pause early in the piece would make many small ones.
        ends = [m.end() for m in pattern.finditer(text, start, end) if m.end() > (start + end) // 2]
        ends = [place for place in ends if not any(a < place < b for a, b in whole if a > start)]
        if ends:
            return ends[-1]
    place = end
    while place > start and is_within(text, place):
        place -= 1
    return place if place > start else end


def is_within(text: str, place: int) -> bool:
    """Whether a place lies within what its reader sees as one character."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    flags = 0
    while place - flags > 0 and _is_regional(text[place - flags - 1]):
        flags += 1
    return (
        _JOINER in (before, after)
        or unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # flags of regions
        or (before == "\r" and after == "\n")
        or (_is_regional(after) and flags % 2 == 1)
    )


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
