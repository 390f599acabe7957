"""Near-duplicates: the same text by several people, and a person's own repeats.

A text becomes a keyed fingerprint: an exact hash and a MinHash signature of its shingles
(Broder 1997, "On the resemblance and containment of documents"). Two texts are near-duplicates
if their signatures agree in at least `threshold` of the places; clusters are the connected
components of that relation. They depend on the set of fingerprints alone: not on the order of the
rows, nor on when each arrived, and another row can join clusters but never part them.
"""

import hashlib
import math
import re
import unicodedata
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sayso.errors import UsageError

PLACES: Final = 64
ENOUGH_WORDS: Final = 6
WORD_SHINGLE: Final = 3
CHARACTER_SHINGLE: Final = 5
# In a group of up to this many texts every pair may be compared; larger ones are split further.
SMALL_GROUP: Final = 512
# A larger group that agrees in three bands (at 0.8: about 13 places) is wordings of one template.
BANDS_OF_A_TEMPLATE: Final = 3

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.uint64]
Signatures = NDArray[np.uint32]
_Rows = NDArray[np.int64]

_NOT_IN_WORDS: Final = re.compile(r"(?:[^\w\s]|_)+")
# Scripts that write without spaces: Thai to Burmese, Khmer, kana, Han.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


class Fingerprint(msgspec.Struct, frozen=True, eq=False):
    """What is kept of a text to find its copies; without the key nothing can be read back.

    `exact` is a hash of the normalised text, `signature` [64] its MinHash, and `long` says whether
    the text has enough words to be anybody's own (everybody says good morning).
    """

    exact: int
    signature: Signatures
    long: bool


def fingerprint(text: str, key: bytes) -> Fingerprint:
    """Return the keyed fingerprint of a text (BLAKE2b, RFC 7693; MinHash, Broder 1997).

    Case, punctuation and spaces make no difference. Shingles are three words, or five characters
    in scripts without spaces and in texts of fewer than six words.

    Args:
        text: an author's own words.
        key: 1 to 64 secret bytes, the same for all texts that are compared.
    """
    if not 1 <= len(key) <= hashlib.blake2b.MAX_KEY_SIZE:
        raise UsageError(f"a fingerprint key of {len(key)} bytes; expected 1 to 64 secret bytes")
    words = _words(text)
    folded = " ".join(words)
    unspaced = len(_UNSPACED.findall(folded))
    # Two characters of Chinese or Thai stand for about one word.
    long = len(words) + unspaced // 2 >= ENOUGH_WORDS
    if long and 2 * unspaced < len(folded):
        count = max(1, len(words) - WORD_SHINGLE + 1)
        shingles = {" ".join(words[i : i + WORD_SHINGLE]) for i in range(count)}
    else:
        count = max(1, len(folded) - CHARACTER_SHINGLE + 1)
        shingles = {folded[i : i + CHARACTER_SHINGLE] for i in range(count)}
    data = folded.encode("utf-8", "surrogatepass")
    exact = hashlib.blake2b(data, digest_size=8, key=key, person=b"exact").digest()
    return Fingerprint(int.from_bytes(exact, "big"), _minhash(shingles, key), long)


def shared_by_several(
    *, exact: Numbers, signatures: Signatures, people: Numbers, long: Booleans, threshold: float
) -> Booleans:
    """Mark, in [n] booleans, the texts whose cluster of near-duplicates has several people.

    Once a row is marked, no further row can unmark it. Texts without enough words are exempt: they
    are never marked and link nothing.

    Args:
        exact: [n] hashes of the normalised texts.
        signatures: [n, 64].
        people: [n] keyed hashes of each text's person.
        long: [n] whether the text has enough words.
        threshold: share of the signature's places that must agree, above 0.5 to 1.
    """
    _check(threshold, exact, signatures, people, long)
    rows = np.flatnonzero(long)
    _, first, text_of_row = np.unique(exact[rows], return_index=True, return_inverse=True)
    clusters = _clusters(signatures[rows][first], np.zeros(len(first), np.uint64), threshold)
    cluster_of_row = clusters[text_of_row]
    lowest = np.full(len(first), np.iinfo(np.uint64).max, np.uint64)
    highest = np.zeros(len(first), np.uint64)
    np.minimum.at(lowest, cluster_of_row, people[rows])
    np.maximum.at(highest, cluster_of_row, people[rows])
    marked = np.zeros(len(exact), np.bool_)
    marked[rows] = (lowest < highest)[cluster_of_row]
    return marked


def first_of_own(
    *,
    exact: Numbers,
    signatures: Signatures,
    people: Numbers,
    order: NDArray[np.generic],
    threshold: float,
    long: Booleans | None = None,
) -> Booleans:
    """Mark, in [n] booleans, a person's repeats: all but the first of each cluster of their texts.

    What is marked of a person's rows is a function of that person's rows alone.

    Args:
        exact, signatures, people, threshold: as above.
        order: [n] keys that sort a person's texts, different for each.
        long: [n] whether the text has enough words; those without repeat only what is exactly
            equal. None: all count as long.
    """
    _check(threshold, exact, signatures, people, order, *(() if long is None else (long,)))
    pairs = np.stack([people, exact], axis=1, dtype=np.uint64)
    _, first, text_of_row = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    compared = np.arange(len(first)) if long is None else np.flatnonzero(long[first])
    clusters = np.arange(len(first))
    chosen = first[compared]
    clusters[compared] = compared[_clusters(signatures[chosen], people[chosen], threshold)]
    cluster_of_row = clusters[text_of_row.reshape(-1)]
    by_order = np.lexsort((order, cluster_of_row))
    ordered = cluster_of_row[by_order]
    redundant = np.zeros(len(exact), np.bool_)
    redundant[by_order[1:]] = ordered[1:] == ordered[:-1]
    return redundant


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Nothing but signs ('!!!', a row of emoji) is compared as it stands.
    return _NOT_IN_WORDS.sub(_keep_marks, folded).split() or folded.split()


def _keep_marks(match: re.Match[str]) -> str:
    signs = match[0]
    if signs.isascii():
        return " "
    # Vowel signs of Devanagari, Thai and others are no \w, but they are part of their words.
    return "".join(sign if unicodedata.category(sign)[0] == "M" else " " for sign in signs)


def _minhash(shingles: set[str], key: bytes) -> Signatures:
    blake2b, data = hashlib.blake2b, (s.encode("utf-8", "surrogatepass") for s in shingles)
    digests = b"".join([blake2b(each, digest_size=8, key=key).digest() for each in data])
    hashes = np.frombuffer(digests, dtype="<u8")[:, None]
    factors, terms = _permutations(key)
    lowest = np.full(PLACES, np.iinfo(np.uint64).max, np.uint64)
    for at in range(0, len(hashes), 4096):  # bounds the memory for very long texts
        lowest = np.minimum(lowest, (hashes[at : at + 4096] * factors + terms).min(axis=0))
    signature: Signatures = (lowest >> np.uint64(32)).astype(np.uint32)
    return signature


@lru_cache(maxsize=16)
def _permutations(key: bytes) -> tuple[Numbers, Numbers]:
    """The secret permutations x -> factor * x + term of the 64-bit numbers, [64] each.

    With an odd factor every number has one image, so each shingle is equally likely to be lowest.
    """
    stream = b"".join(
        hashlib.blake2b(bytes([block]), key=key, person=b"minhash").digest()
        for block in range(2 * PLACES * 8 // hashlib.blake2b.MAX_DIGEST_SIZE)
    )
    numbers = np.frombuffer(stream, dtype="<u8").reshape(2, PLACES).astype(np.uint64)
    return numbers[0] | np.uint64(1), numbers[1]


def _clusters(signatures: Signatures, apart: Numbers, threshold: float) -> _Rows:
    """Return [n] the lowest row of each row's cluster; rows that differ in `apart` never link.

    Two signatures that differ in at most d places agree in at least three of d + 3 bands, so every
    near-duplicate pair meets in some group: none is missed, whatever the rows' order. A group too
    large to compare all its pairs is split by a second and a third band; if it is still too large,
    its texts count as one. That rule too only ever adds links as rows are added.
    """
    linker = _Linker(signatures, math.ceil(threshold * PLACES))
    linker.link(np.arange(len(signatures)), apart, next_band=0, agreed=1)
    return linker.root


class _Linker:
    """Union-find over signatures that agree in at least `needed` places."""

    def __init__(self, signatures: Signatures, needed: int) -> None:
        self.signatures = np.ascontiguousarray(signatures)
        self.needed = needed
        self.root = np.arange(len(signatures))
        weights = _mixed(np.arange(1, PLACES + 1, dtype=np.uint64)) | np.uint64(1)
        count = min(PLACES - needed + BANDS_OF_A_TEMPLATE, PLACES)
        self.bands = [
            (self.signatures[:, places] * weights[places]).sum(axis=1, dtype=np.uint64)
            for places in np.array_split(np.arange(PLACES), count)
        ]

    def link(self, rows: _Rows, groups: Numbers, next_band: int, agreed: int) -> None:
        """Link the near-duplicates among `rows` that have the same `groups` number.

        `agreed` is the number of bands that rows of one group will share after the next one.
        """
        for band in range(next_band, len(self.bands)):
            keys = _mixed(groups) + self.bands[band][rows]
            order = np.argsort(keys, kind="stable")
            sorted_rows, start, size = rows[order], *_runs(keys[order])
            self._verify(sorted_rows, sorted_rows[start])
            # What is one cluster by now needs no further comparison.
            roots = self.root[sorted_rows]
            parted = np.zeros(len(rows), np.bool_)
            np.logical_or.at(parted, start, roots != roots[start])
            open_rows = parted[start]
            small = open_rows & (size <= SMALL_GROUP)
            self._compare_all(sorted_rows[small], start[small])
            large = open_rows & (size > SMALL_GROUP)
            if agreed == BANDS_OF_A_TEMPLATE:
                self._union(sorted_rows[large], sorted_rows[start[large]])
            elif large.any():
                self.link(sorted_rows[large], keys[order][large], band + 1, agreed + 1)

    def _compare_all(self, rows: _Rows, group: _Rows) -> None:
        """Link the near-duplicates among rows with equal `group`, which lie side by side."""
        place = np.arange(len(rows))
        for distance in range(1, SMALL_GROUP):
            place = place[place + distance < len(rows)]
            place = place[group[place] == group[place + distance]]
            if not len(place):
                return
            self._verify(rows[place], rows[place + distance])

    def _verify(self, a: _Rows, b: _Rows) -> None:
        """Link the pairs that agree in enough places."""
        undecided = self.root[a] != self.root[b]
        a, b = a[undecided], b[undecided]
        for at in range(0, len(a), 32768):
            x, y = a[at : at + 32768], b[at : at + 32768]
            agree = (self.signatures[x] == self.signatures[y]).sum(axis=1)
            self._union(x[agree >= self.needed], y[agree >= self.needed])

    def _union(self, a: _Rows, b: _Rows) -> None:
        """Join the clusters of each pair; `root` stays each cluster's lowest row."""
        while True:
            x, y = self.root[a], self.root[b]
            differ = x != y
            if not differ.any():
                return
            a, b, x, y = a[differ], b[differ], x[differ], y[differ]
            np.minimum.at(self.root, np.maximum(x, y), np.minimum(x, y))
            while not np.array_equal(higher := self.root[self.root], self.root):
                self.root = higher


def _runs(keys: Numbers) -> tuple[_Rows, _Rows]:
    """Return, for each of the sorted keys, its run's start and length."""
    change = np.r_[True, keys[1:] != keys[:-1]] if len(keys) else np.zeros(0, np.bool_)
    starts = np.flatnonzero(change)
    lengths = np.diff(np.r_[starts, len(keys)])
    return np.repeat(starts, lengths), np.repeat(lengths, lengths)


def _mixed(numbers: Numbers) -> Numbers:
    """A fixed bijection that spreads numbers over all 64 bits (SplitMix64's last steps)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _check(
    threshold: float, exact: Numbers, signatures: Signatures, *columns: NDArray[np.generic]
) -> None:
    if not 0.5 < threshold <= 1:
        raise UsageError(
            f"near-duplicate threshold {threshold}, expected above 0.5 to 1",
            "set corpus.near_duplicate in sayso.toml",
        )
    n = len(exact)
    if signatures.shape != (n, PLACES) or any(column.shape != (n,) for column in columns):
        raise UsageError(
            f"fingerprint columns {[signatures.shape, *(column.shape for column in columns)]} "
            f"beside {n} hashes, expected [{n}, {PLACES}] and [{n}]"
        )
