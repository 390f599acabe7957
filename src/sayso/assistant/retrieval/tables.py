"""The tables as questions see them: opened once, looked up by words, by sense and by key.

Opening a table and reading an index for the first time takes far longer than a question, so both
stay in memory until something was erased: then the indexes in memory are dropped with it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import lance
import numpy as np
from lance.query import MatchQuery
from numpy.typing import NDArray

from sayso.corpus.store import Table

INDEX_BYTES: Final = 2 << 30
METADATA_BYTES: Final = 256 << 20
# Clusters looked into, of about as many as the square root of the rows; and how many times more
# candidates are compared by their whole vectors.
PROBED: Final = 12
REFINED: Final = 2
MOST_LANGUAGES: Final = 6
Result = TypeVar("Result")
Row = dict[str, Any]

_opened: Final[dict[Path, Any]] = {}
_spoken: Final[dict[Path, tuple[frozenset[str], tuple[str, ...]]]] = {}
_opening: Final = threading.Lock()


def by_words(table: Table, terms: str, most: int) -> dict[int, float]:
    """Return BM25 (Robertson & Zaragoza 2009, as Lance computes it) by key, best first.

    Args:
        table: with a column of terms.
        terms: with spaces between; any of them may be there.
        most: how many.
    """

    def look(dataset: Any) -> dict[int, float]:
        if not dataset.count_rows():
            return {}
        hits = dataset.scanner(
            full_text_query=MatchQuery(terms, table.full_text),
            limit=most,
            columns=["key", "_score"],
        ).to_table()
        return dict(zip(hits["key"].to_pylist(), hits["_score"].to_pylist(), strict=True))

    return reading(table, look)


def by_sense(
    table: Table, vector: NDArray[np.float32], model: str, most: int
) -> dict[int, tuple[float, int]]:
    """Return the cosine and the piece of the text that is nearest, by key, best first.

    Args:
        table: with a column of vectors of length 1.
        vector: of the question, length 1.
        model: which made it; rows of another are left out.
        most: how many pieces.
    """

    def look(dataset: Any) -> dict[int, tuple[float, int]]:
        if dataset.schema.field(table.nearest).type.list_size != len(vector):
            return {}
        hits = dataset.scanner(
            nearest={
                "column": table.nearest,
                "q": vector,
                "k": most,
                "metric": "dot",
                "nprobes": PROBED,
                "refine_factor": REFINED,
            },
            columns=["key", "piece", "model", "_distance"],
        ).to_table()
        found: dict[int, tuple[float, int]] = {}
        for row in hits.to_pylist():
            if row["model"] == model:
                found.setdefault(row["key"], (1.0 - row["_distance"], row["piece"]))
        return found

    return reading(table, look)


def by_key(table: Table, keys: Sequence[int], columns: Sequence[str]) -> dict[int, Row]:
    """Return the rows that have these keys, by key."""
    if not keys:
        return {}
    chosen = f"key IN ({', '.join(map(str, keys))})"

    def look(dataset: Any) -> dict[int, Row]:
        rows = dataset.to_table(
            columns=list(columns), filter=chosen, late_materialization=True
        ).to_pylist()
        return {row["key"]: row for row in rows}

    return reading(table, look)


def languages(table: Table) -> tuple[str, ...]:
    """Return the languages that most of the texts are in, as of when they were last indexed."""

    def look(dataset: Any) -> tuple[str, ...]:
        indexes = frozenset(str(index["uuid"]) for index in dataset.list_indices())
        known = _spoken.get(table.path)
        if known is None or known[0] != indexes:
            column = dataset.to_table(columns=["language"])["language"].to_pylist()
            common = Counter(column).most_common(MOST_LANGUAGES)
            known = _spoken[table.path] = (indexes, tuple(code for code, _ in common))
        return known[1]

    return reading(table, look)


def reading(table: Table, look: Callable[[Any], Result]) -> Result:
    """Look into the newest version of a table; once more, if its files went away meanwhile."""
    try:
        return look(_newest(table))
    except (OSError, ValueError):
        _opened.pop(table.path, None)
        return look(_newest(table))


def _newest(table: Table) -> Any:
    known = _opened.get(table.path)
    if known is not None and known.latest_version == known.version:
        return known
    with _opening:
        if known is None:
            table.open()  # makes or checks it
        session = known.session() if known is not None else None
        dataset = _open(table, session)
        if known is not None and not _only_grew(known, dataset):
            dataset = _open(table, None)
        _opened[table.path] = dataset
        return dataset


def _open(table: Table, session: Any) -> Any:
    session = session or lance.Session(
        index_cache_size_bytes=INDEX_BYTES, metadata_cache_size_bytes=METADATA_BYTES
    )
    return lance.dataset(str(table.path), session=session)


def _only_grew(before: Any, after: Any) -> bool:
    """Whether all indexes and files of before are still there."""
    kept = {str(index["uuid"]) for index in after.list_indices()}
    files = {fragment.fragment_id for fragment in after.get_fragments()}
    return kept.issuperset(str(index["uuid"]) for index in before.list_indices()) and (
        files.issuperset(fragment.fragment_id for fragment in before.get_fragments())
    )
