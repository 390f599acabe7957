"""Names in texts, found by keyed hashes: what is looked for is not kept, only recognised.

A name becomes the hashes of its words in a row, in every way that it is commonly written; a text is
searched for rows of words with these hashes. Case, accents, German umlauts, hyphens, apostrophes
and titles make no difference, nor does an English or German s at the end. In scripts without spaces
each character counts as a word.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct

from sayso.errors import UsageError
from sayso.workspace import Pseudonyms

MASK: Final = "[NAME]"
LONGEST_NAME: Final = 100
MOST_WORDS: Final = 8
SHORTEST_WORD: Final = 3  # of a name or a context that is one word alone
TITLES: Final = frozenset(
    "dr prof professor mr mrs ms miss mx sir dame lady lord frau herr fr hr fräulein dipl ing med "
    "mme mlle monsieur madame señor señora sr sra don doña dott ing".split()
)

# The upper bits of a hash are those of its first word, so that a text with none of the first words
# is passed over without hashing its rows of words.
_WHOLE_BITS: Final = 40
_WHOLE: Final = (1 << _WHOLE_BITS) - 1
_MOST_PASSED: Final = 200_000
_KINDS: Final = "E-MAIL MENTION IBAN CARD IP ID PHONE NAME".split()
# What may stand between the words of a name.
_GAP: Final = re.compile(r"[\s\-\u2010-\u2013.,_'\u2019\u00b7\u30fb\u30a0=]{0,3}")
_HYPHEN: Final = re.compile(r"[\-\u2010-\u2013]")
_APOSTROPHES: Final = "'\u2018\u2019\u02bc\uff07"
_INVISIBLE: Final = "\u00ad\u200b-\u200d\u2060\ufeff"
# Han, kana, hangul, Thai, Lao, Khmer and Myanmar: written without spaces, or with endings attached.
_SPACELESS: Final = (
    "\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ec0-\u0ec6"
    "\u1000-\u102a\u103f\u1780-\u17b3"
)
_UMLAUTS: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "æ": "ae", "œ": "oe", "å": "aa"}
_OTHERS: Final = {"ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
_LETTERS: Final = str.maketrans(_UMLAUTS | _OTHERS)
_DROPPED: Final = re.compile(
    rf"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\s{_APOSTROPHES}{_INVISIBLE}]"
)
_SHORT_UMLAUT: Final = re.compile(r"(?<=[aou])e|(?<=a)a")


class Span(Struct, frozen=True):
    """Where a name stands in a text, and which."""

    start: int
    end: int
    hash: int


class Keyed(Struct, frozen=True, order=True):
    """One way to write a name: the keyed hash of its words, and how many they are."""

    hash: int
    words: int


def plain(word: str) -> str:
    """Return a word as it is compared: without case, accents and apostrophes, ä as ae."""
    if word.isascii():
        return word.lower().replace("'", "")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    bare = unicodedata.normalize("NFD", folded.translate(_LETTERS))
    return unicodedata.normalize("NFC", _DROPPED.sub("", bare))


def words_of(name: str) -> list[str]:
    """Return the words of a name as they are compared, without titles before it."""
    return [word for word, _ in _parts(name)]


def is_spaceless(text: str) -> bool:
    """Whether there are characters in a text that count as words of their own."""
    return re.search(f"[{_SPACELESS}]", text) is not None


def keyed(pseudonyms: Pseudonyms, name: str) -> list[Keyed]:
    """Return the hashes of all ways in which a name is commonly written.

    Raises:
        UsageError: it has no word, or too many of them.
    """
    if len(name) > LONGEST_NAME or len(words_of(name)) > MOST_WORDS:
        raise UsageError(
            f"a name has at most {MOST_WORDS} words and {LONGEST_NAME} characters",
            "give the name alone, and other words as context",
        )
    if not words_of(name):
        raise UsageError("a name needs letters, got none", "write it as others do")
    return sorted({Keyed(_hash(pseudonyms, each), len(each)) for each in _writings(name)})


class Finder:
    """Finds names in texts.

    Args:
        pseudonyms: of this installation, with which the names were hashed.
        names: what to find.
    """

    def __init__(self, pseudonyms: Pseudonyms, names: Iterable[Keyed]) -> None:
        self._pseudonyms = pseudonyms
        self._hashes = {name.hash: name.words for name in names}
        self._lengths = sorted(set(self._hashes.values()))
        self._firsts = {name >> _WHOLE_BITS for name in self._hashes}
        self._words: dict[str, bool] = {}  # words: whether a name may begin with them
        self._passed: set[str] = set()  # pieces of text, as spaces part them, with no such word

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def find(self, text: str) -> list[Span]:
        """Return where names stand in a text, by their beginnings; they may overlap."""
        pieces = text.split() if self._hashes else ()
        if self._passed.issuperset(pieces) or not self._look_at(set(pieces) - self._passed):
            return []
        found = list(_token(text.isascii()).finditer(text))
        return sorted(self._spans(text, found), key=lambda span: (span.start, span.end))

    def _look_at(self, pieces: set[str]) -> bool:
        """Return whether a name may begin in any of these pieces; remember those where none may."""
        if len(self._passed) > _MOST_PASSED:
            self._passed, self._words = set(), {}
        begin = set()
        for piece in pieces:
            simple = piece.isascii() and piece.isalpha()
            words = (piece,) if simple else _token(piece.isascii()).findall(piece)
            if any(map(self._may_begin, words)):
                begin.add(piece)
        self._passed |= pieces - begin
        return bool(begin)

    def _may_begin(self, word: str) -> bool:
        """Whether a word, or what is left without its s, is the first of a name."""
        may = self._words.get(word)
        if may is None:
            firsts, number = self._firsts, self._pseudonyms.number
            may = any(number("name", form) >> _WHOLE_BITS in firsts for form, _ in _forms(word))
            self._words[word] = may
        return may

    def _spans(self, text: str, found: list[re.Match[str]]) -> Iterator[Span]:
        for place, first in enumerate(found):
            if not self._may_begin(first[0]):
                continue
            before: list[str] = []
            for count in range(1, self._lengths[-1] + 1):
                last = found[place + count - 1]
                if count in self._lengths:
                    for form, cut in _forms(last[0]):
                        hashed = _hash(self._pseudonyms, (*before, form))
                        if self._hashes.get(hashed) == count:
                            yield Span(first.start(), last.end() - cut, hashed)
                            break
                if place + count == len(found) or not _adjacent(text, last, found[place + count]):
                    break
                before.append(plain(last[0]))


def mask(text: str, finder: Finder, names: Collection[int]) -> tuple[str, int]:
    """Replace names by [NAME]; return the text, in which none is found any more, and how many.

    A pure function of text and names; masking a masked text changes nothing.

    Args:
        text: any text.
        finder: that knows these names, and perhaps others.
        names: hashes of those to mask.
    """
    masked = 0
    # A mask can bring words together that make a name, so this ends when there is none any more.
    while spans := [span for span in finder.find(text) if span.hash in names]:
        pieces, done = [], 0
        for start, end in _joined(spans):
            pieces += [text[done:start], MASK]
            done = end
            masked += 1
        text = "".join(pieces) + text[done:]
    return text, masked


def _joined(spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """Yield spans from left to right, those that overlap as one."""
    start = end = -1
    for span in spans:
        if span.start >= end:
            if end >= 0:
                yield start, end
            start, end = span.start, span.end
        end = max(end, span.end)
    if end >= 0:
        yield start, end


def _hash(pseudonyms: Pseudonyms, words: tuple[str, ...]) -> int:
    first = pseudonyms.number("name", words[0])
    if len(words) == 1:
        return first
    return first & ~_WHOLE | pseudonyms.number("name", " ".join(words)) & _WHOLE


def _forms(word: str) -> list[tuple[str, int]]:
    """Return how a word is compared, and without its s; and the characters that are left out."""
    if word in _BARRIERS:
        return []
    whole = plain(word)
    forms = [(whole, 0)] if whole else []
    if word[-1] in "sS" and len(whole) > 1:
        if word[-2:-1] and word[-2] in _APOSTROPHES:
            forms.append((whole[:-1], 2))
        elif len(whole) > SHORTEST_WORD:
            forms.append((whole[:-1], 1))
    return forms


def _adjacent(text: str, one: re.Match[str], other: re.Match[str]) -> bool:
    gap = _GAP.fullmatch(text, one.end(), other.start())
    return gap is not None and one[0] not in _BARRIERS and other[0] not in _BARRIERS


_BARRIERS: Final = frozenset(f"[{kind}]" for kind in _KINDS)
_BARRIER: Final = rf"\[(?:{'|'.join(_KINDS)})\]"
_ASCII_TOKEN: Final = re.compile(rf"{_BARRIER}|[A-Za-z0-9]++(?:'[A-Za-z0-9]++)*+")


@lru_cache(maxsize=2)
def _token(ascii_only: bool) -> re.Pattern[str]:
    """Return what finds the words of a text, and masks, which stand between words."""
    if ascii_only:
        return _ASCII_TOKEN
    marks = _marks() + _INVISIBLE
    letters = rf"(?:[^\W_{_SPACELESS}]++[{marks}]*+)++"
    return re.compile(
        rf"{_BARRIER}|[{_SPACELESS}][{marks}]*+|{letters}(?:[{_APOSTROPHES}]{letters})*+"
    )


def _marks() -> str:
    """Return the ranges of all combining marks, for a class of characters."""
    points = [n for n in range(0x300, 0x20000) if unicodedata.category(chr(n))[0] == "M"]
    ranges = []
    for _, group in itertools.groupby(enumerate(points), lambda pair: pair[1] - pair[0]):
        run = [point for _, point in group]
        ranges.append(f"{chr(run[0])}-{chr(run[-1])}")
    return "".join(ranges)


def _parts(name: str) -> list[tuple[str, bool]]:
    """Return a name's words, and for each whether a hyphen joins it to the one before."""
    found = [m for m in _token(ascii_only=False).finditer(name) if m[0] not in _BARRIERS]
    while len(found) > 1 and found[0][0].casefold() in TITLES:
        found = found[1:]
    parts: list[tuple[str, bool]] = []
    end = 0
    for each in found:
        if word := plain(each[0]):
            joined = bool(parts) and _HYPHEN.fullmatch(name, end, each.start()) is not None
            parts.append((word, joined))
            end = each.end()
    return parts


def _writings(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the rows of words as which a name may stand in a text."""
    parts = _parts(name)
    apart = tuple(word for word, _ in parts)
    joined: list[str] = []
    for word, hyphen in parts:
        joined[len(joined) - hyphen :] = [joined[-1] + word if hyphen else word]
    rows = {apart, tuple(joined)}
    if not is_spaceless("".join(apart)):
        rows |= {(row[-1], *row[:-1]) for row in rows}  # Brandt, Lena
        rows.add(("".join(apart),))  # #LenaBrandt
    for row in rows:
        yield from itertools.product(*map(_with_umlauts, row))


def _with_umlauts(word: str) -> set[str]:
    """Return a word and how it is written where umlauts are only left out: mueller, muller."""
    return {word, _SHORT_UMLAUT.sub("", word)}
