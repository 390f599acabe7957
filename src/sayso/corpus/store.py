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

from sayso.errors import WorkspaceError
from sayso.workspace import Workspace

MOST_FRAGMENTS: Final = 64  # many small files are slow to read; then they become one
_MOMENT: Final = pa.timestamp("us", tz="UTC")

RECORDS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("key", pa.uint64()),  # pseudonym of the id
        ("rev", pa.int64()),
        ("service", pa.string()),
        ("surface", pa.string()),
        ("author", pa.string()),
        ("account_key", pa.uint64()),  # 0 = no author
        ("co_authors", pa.int32()),
        ("audience", pa.string()),
        ("audience_source", pa.string()),
        ("created_at", _MOMENT),
        ("ingested_at", _MOMENT),
        ("date_state", pa.string()),
        ("edited_at", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("content_warning", pa.string()),
        ("sensitive", pa.bool_()),
        ("media", pa.string()),  # JSON
        ("reply_to", pa.string()),
        ("reply_key", pa.uint64()),
        ("quote_of", pa.string()),
        ("quote_key", pa.uint64()),
        ("container", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("tags", pa.list_(pa.string())),
        ("url", pa.string()),
        ("train_signal", pa.string()),
        ("print_key", pa.uint64()),  # its row in the fingerprints
        ("license", pa.string()),
        ("source", pa.string()),
    ]
)

# Kept when a record goes, or else an objection would bring a copied text back (keyed: no text).
FINGERPRINTS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("account_key", pa.uint64()),
        ("exact", pa.uint64()),
        ("signature", pa.list_(pa.uint32(), 64)),
        ("long", pa.bool_()),
    ]
)

INTERACTIONS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("account_key", pa.uint64()),  # of who reacted
        ("verb", pa.string()),
        ("object_key", pa.uint64()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("at", _MOMENT),
    ]
)

CORPUS: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("rev", pa.int64()),
        ("account_key", pa.uint64()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("masked", pa.string()),  # JSON: counts by kind
        ("exact", pa.uint64()),
        ("treatment", pa.uint64()),  # which names were masked; 0 = none
    ]
)

RETRIEVAL: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("rev", pa.int64()),
        ("account_key", pa.uint64()),
        ("id", pa.string()),
        ("handle", pa.string()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("treatment", pa.uint64()),
    ]
)


class Table:
    """One Lance table; `key` names a row.

    Args:
        path: the table's folder.
        schema: its columns.
        full_text: a text column to index, if any.
    """

    def __init__(self, path: Path, schema: pa.Schema, full_text: str = "") -> None:
        self.path = path
        self.schema = schema
        self.full_text = full_text

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
        if self.full_text and dataset.count_rows():
            dataset.create_scalar_index(
                self.full_text,
                "INVERTED",
                replace=True,
                base_tokenizer="icu",
                stem=False,
                remove_stop_words=False,
                ascii_folding=True,
                with_position=False,
            )
        elif self.full_text and dataset.list_indices():
            dataset.drop_index(f"{self.full_text}_idx")

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
        self.retrieval = Table(folder / "retrieval.lance", RETRIEVAL, full_text="text")
