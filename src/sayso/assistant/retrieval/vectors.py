"""Filling the table of vectors: what has none yet gets one, the newest posts first."""

import shutil
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from sayso.assistant import passages
from sayso.assistant.embedding import OFF, Embedder
from sayso.corpus import columns
from sayso.corpus.store import Store, Table
from sayso.workspace import Workspace

AT_ONCE: Final = 16  # records; about a second of one core
LONGEST_PIECE: Final = 800  # characters: all of them are read in any language with spaces
MOST_PIECES: Final = 8  # of one record

_STATE: Final = ["key", "rev", "treatment"]  # what makes a vector out of date


def pieces(text: str) -> list[str]:
    """Cut a text into the pieces that get a vector each."""
    return passages.pieces(text, LONGEST_PIECE, MOST_PIECES)


def fill(workspace: Workspace, most: int = AT_ONCE) -> int:
    """Make vectors of records that have none; return how many records were looked at.

    Call it until it returns 0. It holds no lock while the model works, so nobody waits for it.

    Raises:
        MissingPartError: the embedding model is not installed.
        SaysoError: the model's process broke off.
    """
    if workspace.settings.knowledge.embedding == OFF:
        return 0
    embedder = Embedder.start(workspace)
    store = Store(workspace)
    table = _table(workspace, store, embedder)
    there = table.read(_STATE).unique()
    missing = (
        store.retrieval.read([*_STATE, "account_key", "written"])
        .join(there, on=_STATE, how="anti")
        .sort("written", descending=True)
        .head(most)
    )
    if not len(missing):
        table.index_vectors()
        return 0
    texts = store.retrieval.find(missing["key"].to_list(), ["key", "rev", "treatment", "text"])
    rows = missing.join(texts, on=_STATE).with_columns(
        pl.col("text").map_elements(pieces, return_dtype=pl.List(pl.String)).alias("pieces")
    )
    # A text of nothing but spaces has no piece, and is not asked for again.
    rows = rows.with_columns(
        pl.when(pl.col("pieces").list.len() == 0).then([" "]).otherwise("pieces").alias("pieces")
    ).explode("pieces")
    vectors = embedder.embed(rows["pieces"].to_list())
    with workspace.lock("content", wait=True):
        # What went away meanwhile must not come back.
        still = store.retrieval.find(missing["key"].to_list(), _STATE)
        kept = rows.with_row_index("place").join(still, on=_STATE, how="semi")
        table.append(_rows(kept, vectors[kept["place"].to_numpy()], embedder))
    return len(missing)


def _table(workspace: Workspace, store: Store, embedder: Embedder) -> Table:
    """Return the table for this model's vectors; those of another model go."""
    table = Table(store.vectors.path, columns.vectors(embedder.width), nearest="vector")
    first = table.open().head(1, columns=["model"])["model"].to_pylist()
    width = table.open().schema.field("vector").type.list_size
    if width != embedder.width or (first and first != [embedder.name]):
        with workspace.lock("content", wait=True):
            shutil.rmtree(table.path)
            table.open()
    return table


def _rows(kept: pl.DataFrame, vectors: np.ndarray, embedder: Embedder) -> pa.Table:
    schema = columns.vectors(embedder.width)
    flat = pa.array(vectors.astype(np.float16).ravel())
    of_record = kept.select(pl.int_range(pl.len()).over("key").cast(pl.Int32))
    return pa.table(
        {
            "key": kept["key"].to_arrow(),
            "rev": kept["rev"].to_arrow(),
            "account_key": kept["account_key"].to_arrow(),
            "treatment": kept["treatment"].to_arrow(),
            "piece": of_record.to_series().to_arrow(),
            "model": pa.array([embedder.name] * len(kept)),
            "vector": pa.FixedSizeListArray.from_arrays(flat, embedder.width),
        },
        schema=schema,
    )
