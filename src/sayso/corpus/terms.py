"""The terms that a text is found by: word stems, the ends of compounds, pairs of characters.

They are made here, of one text and its language alone, and not by the index: so each record is
stemmed in its own language, and an index says nothing of records that are gone. A question goes
through the same hands; whatever it holds, only letters and digits come out, so there is no syntax
that a question could reach.

Stems are Snowball's (https://snowballstem.org). Scripts without spaces are cut into overlapping
pairs, as Lucene's CJKAnalyzer does: that needs no dictionary and misses no word.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import Stemmer

LONGEST: Final = 32  # characters; what is longer is no word
# Parts of compounds that have terms of their own, and from what length a word can be one.
SHORTEST_PART: Final = 4
LONGEST_PART: Final = 14
SHORTEST_COMPOUND: Final = 7
_REST: Final = 3  # characters that must be left beside a part

_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german",
    "el": "greek", "en": "english", "es": "spanish", "et": "estonian", "eu": "basque",
    "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian",
    "ne": "nepali", "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# Languages that write compounds in one word; short texts of no known language may be in one.
COMPOUNDING: Final = frozenset("de nl sv da nb nn no fi et hu is lb af fy fo und".split())

# Marks are no \w, but belong to the word before them (vowels of Thai, Hindi, Arabic …).
_MARKS: Final = "".join(
    letter for letter in map(chr, range(0x300, 0xFE30)) if unicodedata.category(letter)[0] == "M"
)
_WORD: Final = re.compile(f"[\\w{_MARKS}]+")
# Thai, Lao, Tibetan, Burmese, Khmer; kana, Han, Hangul.
_UNSPACED: Final = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_DIACRITIC: Final = re.compile("[\u0300-\u036f]")


def words(text: str) -> Iterator[str]:
    """Yield the words of a text, folded: composed, lower case, `_` counts as a space.

    A run of a script without spaces is one word.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    for token in _WORD.findall(folded):
        yield from _RUN.findall(token)


def terms(text: str, language: str) -> str:
    """Return a text's terms, with spaces between: what the full-text index holds.

    Args:
        text: of a record.
        language: BCP 47 primary subtag, 'und' if unknown.
    """
    return " ".join(_terms(words(text), language))


def _terms(found: Iterable[str], language: str) -> Iterator[str]:
    compounds = language in COMPOUNDING
    for word in found:
        if is_unspaced(word):
            yield from pairs(word)
            yield from _HAN.findall(word) if len(word) > 1 else ()
        else:
            stemmed = stem(word, language)
            yield stemmed
            if compounds and len(stemmed) >= SHORTEST_COMPOUND and stemmed.isalpha():
                # A stemmer knows no seams: of `strassenfest` it takes the `est`.
                yield from dict.fromkeys([*ends(stemmed), *ends(plain(word))])


def is_unspaced(word: str) -> bool:
    """Whether a word of `words` is a run of a script without spaces."""
    return _IS_UNSPACED.match(word) is not None


def pairs(run: str) -> list[str]:
    """Return the overlapping pairs of characters in a run; a single one is itself."""
    return [run[n : n + 2] for n in range(len(run) - 1)] or [run]


def ends(stemmed: str) -> Iterator[str]:
    """Yield what a compound may begin and end with: `fahrrad-`, `-werkstatt`, and more.

    No dictionary tells which of them are words: those that are none are not asked for.
    """
    longest = min(LONGEST_PART, len(stemmed) - _REST)
    for length in range(SHORTEST_PART, longest + 1):
        yield f"{stemmed[:length]}-"
        yield f"-{stemmed[-length:]}"


@lru_cache(maxsize=100_000)
def stem(word: str, language: str) -> str:
    """Return a word's stem without diacritics; only the diacritics go in an unknown language."""
    algorithm = _STEMMERS.get(language)
    if algorithm is not None:
        word = _stemmer(algorithm).stemWord(word[:LONGEST])
    return plain(word)


def plain(word: str) -> str:
    """Return a word without the diacritics of Latin, Greek and Cyrillic letters."""
    if word.isascii():
        return word[:LONGEST]
    bare = _DIACRITIC.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare)[:LONGEST]


@lru_cache
def _stemmer(algorithm: str) -> Stemmer.Stemmer:
    # Its own cache is not safe in several threads; ours is.
    return Stemmer.Stemmer(algorithm, 0)
