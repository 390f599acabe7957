"""Lance tables in the workspace: what was taken in, what trains, what answers.

A delete in Lance only marks rows. `Table.erase` makes it true on disk: the files are rewritten
without them, indexes are rebuilt, and old versions are removed.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import lance
import polars as pl
import pyarrow as pa

from sayso.workspace import Workspace

_MOMENT: Final = pa.timestamp("us", tz="UTC")

RECORDS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("key", pa.uint64()),  # pseudonym of the id
        ("rev", pa.int32()),
        ("service", pa.string()),
        ("surface", pa.string()),
        ("author", pa.string()),
        ("account_key", pa.uint64()),  # 0 = no author
        ("co_authors", pa.int32()),
        ("audience", pa.string()),
        ("created_at", _MOMENT),
        ("ingested_at", _MOMENT),
        ("date_state", pa.string()),
        ("language", pa.string()),
        ("text", pa.string()),
        ("content_warning", pa.string()),
        ("media", pa.string()),  # JSON
        ("reply_to", pa.string()),
        ("reply_key", pa.uint64()),
        ("quote_of", pa.string()),
        ("quote_key", pa.uint64()),
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
        ("rev", pa.int32()),
        ("account_key", pa.uint64()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
        ("masked", pa.string()),  # JSON: counts by kind
        ("exact", pa.uint64()),
    ]
)

RETRIEVAL: Final = pa.schema(
    [
        ("key", pa.uint64()),
        ("rev", pa.int32()),
        ("account_key", pa.uint64()),
        ("id", pa.string()),
        ("handle", pa.string()),
        ("service", pa.string()),
        ("written", _MOMENT),
        ("language", pa.string()),
        ("text", pa.string()),
    ]
)


class Table:
    """One Lance table; rows are found by one column.

    Args:
        path: the table's folder.
        schema: its columns.
        by: the column that names a row.
        full_text: a text column to index, if any.
    """

    def __init__(self, path: Path, schema: pa.Schema, by: str, full_text: str = "") -> None:
        self.path = path
        self.schema = schema
        self.by = by
        self.full_text = full_text

    def open(self) -> Any:
        """Return the newest version as a `lance.LanceDataset`, made empty at first use."""
        if not self.path.exists():
            lance.write_dataset(self.schema.empty_table(), str(self.path), mode="create")
        return lance.dataset(str(self.path))

    def upsert(self, rows: Sequence[dict[str, Any]], newer: str = "") -> tuple[int, int]:
        """Insert rows, or replace those with the same key.

        Args:
            rows: one dictionary a row; keys are unique among them.
            newer: a column; a present row is replaced only by a higher value of it. Empty: never.

        Returns:
            How many rows were inserted and how many replaced.
        """
        if not rows:
            return 0, 0
        merge = self.open().merge_insert(self.by).when_not_matched_insert_all()
        if newer:
            merge = merge.when_matched_update_all(f"source.{newer} > target.{newer}")
        done = merge.execute(pa.Table.from_pylist(list(rows), schema=self.schema))
        return int(done["num_inserted_rows"]), int(done["num_updated_rows"])

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows that are known to be new."""
        if len(frame):
            columns = frame.select(self.schema.names).to_arrow().cast(self.schema)
            lance.write_dataset(columns, str(self.path), schema=self.schema, mode="append")

    def delete(self, keys: Sequence[int]) -> None:
        """Mark rows as deleted; `erase` removes them from the disk."""
        dataset = self.open()
        for start in range(0, len(keys), 10_000):
            listed = ", ".join(str(key) for key in keys[start : start + 10_000])
            dataset.delete(f"key IN ({listed})")

    def remove(self, keys: Sequence[int]) -> int:
        """Delete the rows with these keys and erase them from the disk; return how many."""
        wanted = pl.Series(keys, dtype=pl.UInt64).implode()
        there = self.read(["key"]).filter(pl.col("key").is_in(wanted))["key"].to_list()
        if there:
            self.delete(there)
        if there or self._has_leftovers():
            self.erase()
        return len(there)

    def _has_leftovers(self) -> bool:
        """Whether an erasing was cut off: rows only marked, or files of older versions."""
        fragments = self.open().get_fragments()
        files = sum(len(fragment.data_files()) for fragment in fragments)
        marked = any(fragment.num_deletions for fragment in fragments)
        return marked or len(list((self.path / "data").glob("*.lance"))) > files

    def read(self, columns: Sequence[str] | None = None, where: str = "") -> pl.DataFrame:
        """Return the live rows."""
        table = self.open().to_table(
            columns=list(columns) if columns else None, filter=where or None
        )
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)  # a table, not a single array
        return frame

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


class Store:
    """All tables of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        folder = workspace.content
        self.records = Table(folder / "records.lance", RECORDS, "key")
        self.fingerprints = Table(folder / "fingerprints.lance", FINGERPRINTS, "key")
        self.interactions = Table(folder / "interactions.lance", INTERACTIONS, "key")
        self.corpus = Table(folder / "corpus.lance", CORPUS, "key")
        self.retrieval = Table(folder / "retrieval.lance", RETRIEVAL, "key", full_text="text")
