"""Keyed fingerprints of texts, by which copies are found: many at once, as columns.

A text becomes an exact hash and a MinHash signature of its shingles (Broder 1997, "On the
resemblance and containment of documents"). Case, punctuation and spaces make no difference.
Everything is numpy over the code points of all texts laid end to end: no loop over texts or words.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Final
from unicodedata import is_normalized

import msgspec
import numpy as np
from numpy.typing import NDArray

from sayso.errors import UsageError

PLACES: Final = 64
ENOUGH_WORDS: Final = 6
WORD_SHINGLE: Final = 3
CHARACTER_SHINGLE: Final = 5
# Texts are laid out in runs of about this many characters: they stay in the processor's cache.
RUN: Final = 64 * 1024
_BLOCK: Final = 1024  # shingles whose 64 permutations are looked at together

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.uint64]
Signatures = NDArray[np.uint32]
_Index = NDArray[np.int64]

_WORD: Final = 1
_UNSPACED: Final = 2
_SPACE: Final = 4
# Scripts that write without spaces: Thai and Lao, Burmese, Khmer, kana, Han.
_WITHOUT_SPACES: Final = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


class Fingerprints(msgspec.Struct, frozen=True, eq=False):
    """What is kept of n texts to find their copies; without the key nothing can be read back.

    `exact` [n] hashes the normalised texts, `signatures` [n, 64] are their MinHash, and `long` [n]
    says whether a text has enough words to be anybody's own (everybody says good morning).
    """

    exact: Numbers
    signatures: Signatures
    long: Booleans


def fingerprints(texts: Sequence[str], key: bytes) -> Fingerprints:
    """Return the keyed fingerprints of texts; each depends on its own text and the key alone.

    Shingles are three words, or five characters in scripts without spaces and in texts of fewer
    than six words.

    Args:
        texts: [n] authors' own words.
        key: 1 to 64 secret bytes, the same for all texts that are compared.
    """
    if not 1 <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
        raise UsageError(f"a fingerprint key of {len(key)} bytes; expected 1 to 64 secret bytes")
    constants = _constants(key)
    runs = [_of_run(run, constants) for run in _runs(texts)]
    if not runs:
        empty = np.zeros((0, PLACES), np.uint32)
        return Fingerprints(np.zeros(0, np.uint64), empty, np.zeros(0, np.bool_))
    return Fingerprints(
        np.concatenate([run.exact for run in runs]),
        np.concatenate([run.signatures for run in runs]),
        np.concatenate([run.long for run in runs]),
    )


class _Constants(msgspec.Struct, frozen=True, eq=False):
    """The secret numbers of one key."""

    characters: Numbers  # one number for each code point
    character_base: np.uint64  # odd: a character's place in its word
    word_base: np.uint64  # odd: a word's place in its text
    shingle: Numbers  # [5] odd
    empty: np.uint64
    factors: Signatures  # [64] odd: with these each number has one image
    terms: Signatures  # [64]


class _Words(msgspec.Struct, frozen=True, eq=False):
    """The words of n texts, laid end to end: for each its text, its hash, where it lies."""

    codes: _Index  # all code points
    row: _Index
    hash: Numbers
    start: _Index
    length: _Index
    count: _Index  # [n] words of each text
    first: _Index  # [n] each text's first word
    unspaced: _Index  # [n] characters of scripts without spaces


def _of_run(texts: Sequence[str], constants: _Constants) -> Fingerprints:
    n = len(texts)
    words = _words(texts, constants)
    size = np.bincount(words.row, words.length, n).astype(np.int64) + np.maximum(words.count - 1, 0)
    # Two characters of Chinese or Thai stand for about one word.
    long = words.count + words.unspaced // 2 >= ENOUGH_WORDS
    by_words = long & (2 * words.unspaced < size)
    signatures = np.full((n, PLACES), np.iinfo(np.uint32).max, np.uint32)
    for rows, shingles in (
        _word_shingles(words, by_words, constants),
        _character_shingles(words, ~by_words, constants),
        (np.flatnonzero(words.count == 0), np.full((words.count == 0).sum(), constants.empty)),
    ):
        _lower(signatures, rows, shingles, constants)
    exact = np.zeros(n, np.uint64)
    there = np.flatnonzero(words.count)
    exact[there] = _polynomials(words.hash, words.first[there], constants.word_base)
    return Fingerprints(spread(exact + constants.empty), signatures, long)


def _words(texts: Sequence[str], constants: _Constants) -> _Words:
    joined = "\0".join([*map(_normalised, texts), ""])
    encoded = joined.casefold().encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(encoded, np.uint32).astype(np.int64)
    kinds = _kinds().take(codes)
    ends_of_texts = np.flatnonzero(codes == 0)
    in_word: NDArray[np.uint8] = kinds & np.uint8(_WORD)
    start, length, row = _spans(in_word, ends_of_texts)
    count = np.bincount(row, minlength=len(texts))
    if not count.all():
        # Nothing but signs ('!!!', a row of emoji) is compared as it stands.
        only_signs = np.repeat(count == 0, np.diff(ends_of_texts, prepend=-1))
        in_word |= (only_signs & ((kinds & _SPACE) == 0) & (codes != 0)).view(np.uint8)
        start, length, row = _spans(in_word, ends_of_texts)
        count = np.bincount(row, minlength=len(texts))
    # Each span, then the gap behind it, which is left out.
    bounds = np.stack([start, start + length], axis=1).reshape(-1)
    values = constants.characters.take(codes)
    hashes = _polynomials(values, bounds, constants.character_base)[::2]
    if (kinds & _UNSPACED).any():
        theirs = np.searchsorted(ends_of_texts, np.flatnonzero(kinds & _UNSPACED))
        unspaced = np.bincount(theirs, minlength=len(texts))
    else:
        unspaced = np.zeros(len(texts), np.int64)
    first = np.cumsum(count) - count
    return _Words(codes, row, spread(hashes), start, length, count, first, unspaced)


def _normalised(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", " ")
    return text if is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)


def _spans(in_word: NDArray[np.uint8], ends: _Index) -> tuple[_Index, _Index, _Index]:
    """Return where each run of ones begins, how long it is, and in which text it lies."""
    edges = np.diff(in_word.view(np.int8), prepend=np.int8(0))
    start = np.flatnonzero(edges == 1)
    return start, np.flatnonzero(edges == -1) - start, np.searchsorted(ends, start)


def _polynomials(values: Numbers, starts: _Index, base: np.uint64) -> Numbers:
    """Hash each stretch of values, which reaches to the next start: the sum of value * base^place.

    Powers count from the first value of all and are taken back by the inverse: base is odd, so it
    has one modulo 2^64.
    """
    if not len(starts):
        return np.zeros(0, np.uint64)
    upwards, downwards = _powers(int(base), 1 << (len(values) - 1).bit_length())
    sums = np.add.reduceat(values * upwards[: len(values)], starts)
    return sums * downwards[starts]


@lru_cache(maxsize=16)
def _powers(base: int, count: int) -> tuple[Numbers, Numbers]:
    """Return base^0, base^1, ... and the powers of its inverse, modulo 2^64."""

    def powers(of: int) -> Numbers:
        steps = np.full(count, of, np.uint64)
        steps[0] = 1
        return np.multiply.accumulate(steps)

    return powers(base), powers(pow(base, -1, 2**64))


def _word_shingles(
    words: _Words, wanted: Booleans, constants: _Constants
) -> tuple[_Index, Numbers]:
    """Return the text and the hash of each shingle of three words."""
    place = np.arange(len(words.row)) - words.first[words.row]
    left = words.count[words.row] - place  # words from this one to its text's end
    hashes = _windows(words.hash, left, WORD_SHINGLE, constants)
    begins = np.flatnonzero(wanted[words.row] & ((left >= WORD_SHINGLE) | (place == 0)))
    return words.row[begins], hashes[begins]


def _character_shingles(
    words: _Words, wanted: Booleans, constants: _Constants
) -> tuple[_Index, Numbers]:
    """Return the text and the hash of each shingle of five characters, a space between words."""
    chosen = np.flatnonzero(wanted[words.row])
    start, length, row_of_word = words.start[chosen], words.length[chosen], words.row[chosen]
    ordinal = np.repeat(np.arange(len(length)), length)
    inside = np.arange(len(ordinal)) - (np.cumsum(length) - length)[ordinal]
    # A space stands before each word, the first included.
    spaced = np.full(len(ordinal) + len(length), 0x20)
    spaced[np.arange(len(ordinal)) + ordinal + 1] = words.codes[start[ordinal] + inside]
    row = np.repeat(row_of_word, length + 1)
    size = np.bincount(row, minlength=len(wanted))
    left = np.cumsum(size)[row] - np.arange(len(row))
    hashes = _windows(constants.characters.take(spaced), left, CHARACTER_SHINGLE, constants)
    begins = np.flatnonzero((left >= CHARACTER_SHINGLE) | (left == size[row]))
    return row[begins], hashes[begins]


def _windows(parts: Numbers, left: _Index, size: int, constants: _Constants) -> Numbers:
    """Hash each part with the ones after it, `size` together, but none beyond its text's end."""
    sums = parts * constants.shingle[0]
    for distance in range(1, size):
        inside = left[:-distance] > distance
        sums[:-distance] += np.where(inside, parts[distance:] * constants.shingle[distance], 0)
    return spread(sums)


def _lower(signatures: Signatures, rows: _Index, shingles: Numbers, constants: _Constants) -> None:
    """Lower each text's signature to the least image of its shingles under each permutation."""
    upper = (shingles >> np.uint64(32)).astype(np.uint32)
    space = np.empty((_BLOCK, PLACES), np.uint32)
    for at in range(0, len(rows), _BLOCK):
        block = rows[at : at + _BLOCK]
        starts = np.flatnonzero(np.concatenate([[True], block[1:] != block[:-1]]))
        images = space[: len(block)]
        np.multiply(upper[at : at + _BLOCK, None], constants.factors, out=images)
        images += constants.terms
        there = block[starts]
        signatures[there] = np.minimum(signatures[there], np.minimum.reduceat(images, starts))


def _runs(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start, size = 0, 0
    for at, text in enumerate(texts):
        size += len(text) + 1
        if size >= RUN:
            yield texts[start : at + 1]
            start, size = at + 1, 0
    if start < len(texts):
        yield texts[start:]


@lru_cache(maxsize=4)
def _constants(key: bytes) -> _Constants:
    def stream(person: bytes, count: int) -> Numbers:
        blocks = [
            hashlib.blake2b(number.to_bytes(4, "big"), key=key, person=person).digest()
            for number in range(-(-count // 8))
        ]
        return np.frombuffer(b"".join(blocks), "<u8")[:count].astype(np.uint64)

    odd = np.uint64(1)
    secret = stream(b"fingerprint", 16)
    factors, terms = stream(b"minhash", 2 * PLACES).reshape(2, PLACES).astype(np.uint32)
    codes = np.arange(0x110000, dtype=np.uint64)
    return _Constants(
        characters=spread(codes * (secret[0] | odd) + secret[1]),
        character_base=secret[2] | odd,
        word_base=secret[3] | odd,
        shingle=secret[4:9] | odd,
        empty=secret[9],
        factors=factors | np.uint32(1),
        terms=terms,
    )


@cache
def _kinds() -> NDArray[np.uint8]:
    """What each code point is: part of a word, of an unspaced script, a space."""
    kinds = np.zeros(0x110000, np.uint8)
    # Beyond these lie only unassigned and private code points.
    for code in (*range(0x33480), *range(0xE0100, 0xE01F0)):
        character = chr(code)
        # Vowel signs of Devanagari, Thai and others are no letters, but part of their words.
        if character.isalnum() or unicodedata.category(character)[0] == "M":
            kinds[code] = _WORD
        elif character.isspace():
            kinds[code] = _SPACE
    for lowest, highest in _WITHOUT_SPACES:
        part = kinds[lowest : highest + 1]
        part[part == _WORD] |= _UNSPACED
    return kinds


def spread(numbers: Numbers) -> Numbers:
    """A fixed bijection that spreads numbers over all 64 bits (SplitMix64's last steps)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
