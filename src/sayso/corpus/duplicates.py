"""Near-duplicates: the same text by several people, and a person's own repeats.

Two texts are near-duplicates if the signatures of their fingerprints agree in at least
`threshold` of the places; clusters are the connected components of that relation. They depend on
the set of fingerprints alone: not on the order of the rows, nor on when each arrived, and another
row can join clusters but never part them.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sayso.corpus.fingerprints import PLACES, Booleans, Numbers, Signatures, spread
from sayso.errors import UsageError

# In a group of up to this many texts every pair may be compared; larger ones are split further.
SMALL_GROUP: Final = 512
# A larger group that agrees in three bands (at 0.8: about 13 places) is wordings of one template.
BANDS_OF_A_TEMPLATE: Final = 3

_Rows = NDArray[np.int64]


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
        weights = spread(np.arange(1, PLACES + 1, dtype=np.uint64)) | np.uint64(1)
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
            keys = spread(groups) + self.bands[band][rows]
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
