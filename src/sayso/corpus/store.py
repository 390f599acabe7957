"""Lance tables in the workspace: what was taken in, what trains, what answers.

A delete in Lance only marks rows. `Table.erase` makes it true on disk: the files are rewritten
without them, indexes are rebuilt, and old versions are removed.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import lance
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sayso.corpus.columns import (
    CORPUS,
    FINGERPRINTS,
    INTERACTIONS,
    RECORDS,
    RETRIEVAL,
    vectors,
)
from sayso.errors import WorkspaceError
from sayso.workspace import Workspace

MOST_FRAGMENTS: Final = 64  # many small files are slow to read; then they become one
MANY_ROWS: Final = 50_000  # fewer are looked through faster than an index of them is kept
WIDTH: Final = 384  # of the vectors of all-MiniLM-L6-v2

# Terms come ready made; nothing is to be taken apart or left out.
_TERMS: Final = {
    "base_tokenizer": "whitespace",
    "lower_case": False,
    "stem": False,
    "remove_stop_words": False,
    "ascii_folding": False,
    "max_token_length": 200,
    "with_position": False,
}


class Table:
    """One Lance table; `key` names a row.

    Args:
        path: the table's folder.
        schema: its columns.
        full_text: a column of terms with spaces between to index, if any.
        nearest: a column of vectors to index, if any.
    """

    def __init__(
        self, path: Path, schema: pa.Schema, full_text: str = "", nearest: str = ""
    ) -> None:
        self.path = path
        self.schema = schema
        self.full_text = full_text
        self.nearest = nearest

    def open(self) -> Any:
        """Return the newest version as a `lance.LanceDataset`, made empty at first use.

        Raises:
            WorkspaceError: it was made by another version of Sayso.
        """
        if not self.path.exists():
            with contextlib.suppress(OSError):  # another process may make it at the same moment
                lance.write_dataset(self.schema.empty_table(), str(self.path), mode="create")
        dataset = lance.dataset(str(self.path))
        if dataset.schema.names != self.schema.names:
            raise WorkspaceError(
                f"the table {self.path.name} was made by another version",
                "make a new workspace (SAYSO_HOME) and import again",
            )
        return dataset

    def find(self, keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
        """Return the rows with these keys: only they are read, not the whole table."""
        parts = [pl.DataFrame(schema=_frame_schema(self.schema, columns))]
        parts += [self.read(columns, chosen, few=True) for chosen in _chosen(self._present(keys))]
        return pl.concat(parts)

    def _present(self, keys: Sequence[int]) -> list[int]:
        """Return those of the keys that live rows have; reads nothing for none."""
        if not len(keys):
            return []
        # Not np.isin: it would sort or hash the table's keys, at twenty times the cost.
        wanted, there = np.unique(np.array(keys, np.uint64)), self._keys()
        place = np.minimum(np.searchsorted(wanted, there), len(wanted) - 1)
        return there[wanted[place] == there].tolist()  # type: ignore[no-any-return]

    def _keys(self) -> NDArray[np.uint64]:
        """Return the keys of all live rows."""
        return self.open().to_table(columns=["key"])["key"].to_numpy()  # type: ignore[no-any-return]

    def append(self, rows: pa.Table | pl.DataFrame) -> None:
        """Add rows that are known to be new."""
        if not len(rows):
            return
        if isinstance(rows, pl.DataFrame):
            rows = rows.select(self.schema.names).to_arrow().cast(self.schema)
        lance.write_dataset(rows, str(self.path), schema=self.schema, mode="append")
        dataset = self.open()
        if len(dataset.get_fragments()) > MOST_FRAGMENTS:
            dataset.optimize.compact_files()

    def append_missing(self, rows: pa.Table) -> int:
        """Add those rows whose keys are not there yet; return how many."""
        new = rows.filter(~np.isin(rows["key"].to_numpy(), self._keys())) if len(rows) else rows
        self.append(new)
        return len(new)

    def replace(self, rows: pa.Table) -> None:
        """Replace the rows that have the keys of these, in one step."""
        if len(rows):
            self.open().merge_insert("key").when_matched_update_all().execute(rows)

    def delete(self, keys: Sequence[int]) -> int:
        """Mark the rows with these keys as deleted and return how many; `erase` makes it true."""
        there = self._present(keys)
        dataset = self.open()
        for chosen in _chosen(there):
            dataset.delete(chosen)
        return len(there)

    def remove(self, keys: Sequence[int]) -> int:
        """Delete the rows with these keys and erase them from the disk; return how many."""
        gone = self.delete(keys)
        if gone or self._has_leftovers():
            self.erase()
        return gone

    def _has_leftovers(self) -> bool:
        """Whether an erasing was cut off: rows only marked, or files of older versions."""
        fragments = self.open().get_fragments()
        files = sum(len(fragment.data_files()) for fragment in fragments)
        marked = any(fragment.num_deletions for fragment in fragments)
        return marked or len(list((self.path / "data").glob("*.lance"))) > files

    def read(
        self, columns: Sequence[str] | None = None, where: str = "", *, few: bool = False
    ) -> pl.DataFrame:
        """Return the live rows.

        Args:
            columns: which; all if None.
            where: a filter of Lance.
            few: whether it lets few rows through: then only theirs is read of the other columns.
        """
        return _frame(
            self.open().to_table(
                columns=list(columns) if columns else None,
                filter=where or None,
                late_materialization=few or None,
            )
        )

    def index(self) -> None:
        """Build the full-text index anew, so that it holds no word of a row that is gone."""
        dataset = self.open()
        rows = dataset.count_rows()
        many = rows >= MANY_ROWS
        kept = {self.full_text} if rows else set()
        # Compacting takes the codes of rows that are gone out of the vectors' index.
        kept |= {"key", self.nearest} if many else set()
        for index in dataset.list_indices():
            if index["fields"][0] not in kept:
                dataset.drop_index(index["name"])
        if self.full_text and rows:
            dataset.create_scalar_index(self.full_text, "INVERTED", replace=True, **_TERMS)
            if many:
                dataset.create_scalar_index("key", "BTREE", replace=True)

    def index_vectors(self) -> None:
        """Index the vectors, if they are many, or add those that are not in the index yet.

        IVF_PQ (Jégou et al. 2011): clustered, and each shortened to a byte for eight dimensions.
        """
        dataset = self.open()
        if not self.nearest or (rows := dataset.count_rows()) < MANY_ROWS:
            return
        if not dataset.list_indices():
            dataset.create_index(
                self.nearest,
                "IVF_PQ",
                metric="dot",
                num_partitions=int(rows**0.5),
                num_sub_vectors=self.schema.field(self.nearest).type.list_size // 8,
                sample_rate=64,
            )
            return
        statistics = dataset.stats.index_stats(f"{self.nearest}_idx")
        if statistics["num_unindexed_rows"] > MANY_ROWS // 5:
            dataset.optimize.optimize_indices()

    def erase(self) -> None:
        """Make deletions physical: rewrite files, rebuild indexes, remove old versions."""
        dataset = self.open()
        dataset.optimize.compact_files(materialize_deletions_threshold=0.0)
        self.index()
        self.open().cleanup_old_versions(
            older_than=timedelta(0), delete_unverified=True, error_if_tagged_old_versions=False
        )


def _chosen(keys: Sequence[int]) -> Iterator[str]:
    """Yield filters for rows with these keys, each of a length that is parsed quickly."""
    for start in range(0, len(keys), 10_000):
        yield f"key IN ({', '.join(map(str, keys[start : start + 10_000]))})"


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # a table, not a single array
    return frame


def _frame_schema(schema: pa.Schema, columns: Sequence[str]) -> pl.Schema:
    return _frame(pa.schema([schema.field(name) for name in columns]).empty_table()).schema


class Store:
    """All tables of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        folder = workspace.content
        self.records = Table(folder / "records.lance", RECORDS)
        self.fingerprints = Table(folder / "fingerprints.lance", FINGERPRINTS)
        self.interactions = Table(folder / "interactions.lance", INTERACTIONS)
        self.corpus = Table(folder / "corpus.lance", CORPUS)
        self.retrieval = Table(folder / "retrieval.lance", RETRIEVAL, full_text="terms")
        self.vectors = Table(folder / "vectors.lance", vectors(WIDTH), nearest="vector")
