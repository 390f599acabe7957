"""From verdicts to what trains and what answers: the corpus and retrieval tables kept in step."""

import hashlib
from datetime import datetime
from typing import Final

import msgspec
import polars as pl
from msgspec import Struct

from sayso.content.record import Medium, own_words
from sayso.corpus import cells
from sayso.corpus.admission import Judged
from sayso.corpus.clean import clean
from sayso.corpus.duplicates import first_of_own
from sayso.corpus.language import identify
from sayso.corpus.store import Store, Table
from sayso.corpus.terms import terms
from sayso.corpus.treatment import Treatments
from sayso.corpus.treatment import standing as treatments_of
from sayso.gate.gate import Admitted, admit
from sayso.workspace import Workspace

INDEX_FROM: Final = 1000  # fewer new rows are searched beside the index
_KEYS: Final = dict.fromkeys(("key", "account_key", "exact", "treatment"), pl.UInt64)
_ROW: Final = ("key", "rev", "treatment")  # what makes a row of the corpus out of date
_COLUMNS: Final = (
    "key rev id author account_key service language text media created_at ingested_at print_key url"
).split()


class Prepared(Struct, frozen=True):
    """What there is to train on, and to measure with.

    `training` and `held_out` are frames of order, hash, text, language, person_key, written,
    frozen.
    """

    chains: list[cells.Chain]
    training: pl.DataFrame
    held_out: pl.DataFrame


def prepare(workspace: Workspace, judged: Judged) -> Prepared:
    """Add what is newly admitted to corpus and retrieval, and cut the cells.

    Rows that may not be there any more are left out of the cells here; `tidy` removes them.
    """
    admitted = admit(judged.records)
    with workspace.lock("content", wait=True):
        treatments = treatments_of(workspace)
        _add_to_corpus(workspace, admitted, treatments)
        _add_to_retrieval(workspace, judged, treatments)
    return assemble(workspace, admitted, judged.at, treatments)


def foresee(workspace: Workspace, judged: Judged) -> Prepared:
    """Return what `prepare` would, and write nothing: to see what other verdicts would change."""
    admitted, store = admit(judged.records), Store(workspace)
    treatments = treatments_of(workspace)
    missing = _missing(store.corpus, treatments.beside(admitted.frame))
    more = _corpus_rows(store, missing, treatments) if len(missing) else None
    return assemble(workspace, admitted, judged.at, treatments, more)


def tidy(workspace: Workspace, judged: Judged) -> int:
    """Erase from the disk what may not train, or not answer, any more; return how many rows."""
    store, admitted = Store(workspace), admit(judged.records)
    with workspace.lock("content", wait=True):
        treatments = treatments_of(workspace)
        gone = _drop_stale(store.corpus, treatments.beside(admitted.both))
        answerable = judged.records.filter("answerable")
        gone += _drop_stale(store.retrieval, treatments.beside(answerable))
        gone += _drop_stale(store.vectors, treatments.beside(answerable))
        if gone:
            # An edited record's rows went by its key, the new revision's with the old one's.
            _add_to_corpus(workspace, admitted, treatments)
            _add_to_retrieval(workspace, judged, treatments)
    return gone


def assemble(
    workspace: Workspace,
    admitted: Admitted,
    at: datetime,
    treatments: Treatments | None = None,
    more: pl.DataFrame | None = None,
) -> Prepared:
    """Cut the corpus into cells; a pure function of the tables, the settings and the date.

    `more` are rows as if they were in the corpus.
    """
    settings, store = workspace.settings, Store(workspace)
    wanted = (treatments or treatments_of(workspace)).beside(admitted.both)
    rows = store.corpus.read()
    corpus = (
        (rows if more is None else pl.concat([rows, more.select(rows.columns).cast(rows.schema)]))
        .join(
            wanted.select(*_ROW, "person_key", "print_key", "frozen"),
            on=_ROW,
            how="inner",
        )
        .filter(pl.col("text").str.len_chars() >= settings.corpus.minimum_characters)
        .sort("key")
    )
    order = pl.Series(
        "order",
        [workspace.pseudonyms.number("order", str(key)) for key in corpus["key"]],
        dtype=pl.UInt64,
    )
    digest = pl.Series(
        "hash",
        [
            hashlib.blake2b(f"{key}\n{text}".encode(), digest_size=16).hexdigest()
            for key, text in corpus.select("key", "text").iter_rows()
        ],
        dtype=pl.String,
    )
    corpus = corpus.with_columns(order, digest)
    if len(corpus):
        redundant = _repeats(corpus, store, settings.corpus.near_duplicate)
        corpus = corpus.filter(~redundant)
    rate, share = settings.corpus.sample_rate, settings.cells.held_out
    apart = pl.Series([cells.is_held_out(p, share) for p in corpus["person_key"]], dtype=pl.Boolean)
    sampled = pl.Series([cells.in_sample(o, rate) for o in corpus["order"]], dtype=pl.Boolean)
    training = corpus.filter(~apart & sampled)
    held_out = corpus.filter(apart & ~pl.col("frozen"))
    return Prepared(cells.chains(training, settings.cells, at), training, held_out)


def _repeats(corpus: pl.DataFrame, store: Store, threshold: float) -> pl.Series:
    prints = store.fingerprints.read(["key", "signature", "long"]).rename({"key": "print_key"})
    joined = corpus.join(prints, on="print_key", how="left", maintain_order="left")
    return pl.Series(
        first_of_own(
            exact=joined["exact"].to_numpy(),
            signatures=joined["signature"].to_numpy(),
            people=joined["person_key"].to_numpy(),
            order=joined["order"].to_numpy(),
            threshold=threshold,
            long=joined["long"].to_numpy(),
        )
    )


def _add_to_corpus(workspace: Workspace, admitted: Admitted, treatments: Treatments) -> None:
    store = Store(workspace)
    missing = _missing(store.corpus, treatments.beside(admitted.frame))
    if len(missing):
        store.corpus.append(_corpus_rows(store, missing, treatments))


def _corpus_rows(store: Store, missing: pl.DataFrame, treatments: Treatments) -> pl.DataFrame:
    exact = dict(store.fingerprints.read(["key", "exact"]).iter_rows())
    rows = [_corpus_row(row, treatments, exact) for row in _records(store, missing)]
    return pl.DataFrame(rows, schema_overrides=_KEYS)


def _add_to_retrieval(workspace: Workspace, judged: Judged, treatments: Treatments) -> None:
    store = Store(workspace)
    answerable = judged.records.filter("answerable")
    missing = _missing(store.retrieval, treatments.beside(answerable))
    if len(missing):
        handles = judged.records.select("key", "handle")
        named = missing.join(handles, on="key")
        rows = [_retrieval_row(row, treatments) for row in _records(store, named)]
        store.retrieval.append(pl.DataFrame(rows, schema_overrides=_KEYS))
        if len(missing) > INDEX_FROM or not store.retrieval.open().list_indices():
            store.retrieval.index()


def _missing(table: Table, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the records that are not in a table yet, or not in this revision and treatment."""
    return wanted.select(_ROW).join(table.read(_ROW), on=_ROW, how="anti")


def _drop_stale(table: Table, wanted: pl.DataFrame) -> int:
    """Erase the rows that are not wanted, or not in this revision and treatment."""
    stale = table.read(_ROW).join(wanted.select(_ROW), on=_ROW, how="anti")
    return table.remove(stale["key"].to_list())


def _records(store: Store, wanted: pl.DataFrame) -> list[dict[str, object]]:
    known = wanted.drop("rev")
    return store.records.read(_COLUMNS).join(known, on="key").sort("key").to_dicts()


def _words(row: dict[str, object]) -> str:
    media = msgspec.json.decode(str(row["media"]), type=tuple[Medium, ...])
    return own_words(str(row["text"]), media)


def _corpus_row(
    row: dict[str, object], treatments: Treatments, exact: dict[int, int]
) -> dict[str, object]:
    declared = str(row["language"])
    cleaned = clean(_words(row), declared)
    text, names = treatments.treat(int(str(row["key"])), cleaned.text)
    masked = cleaned.masked | ({"NAME": names} if names else {})
    return {
        "key": row["key"],
        "rev": row["rev"],
        "account_key": row["account_key"],
        "service": row["service"],
        "written": row["created_at"] or row["ingested_at"],
        "language": identify(text, declared).code,
        "text": text,
        "masked": msgspec.json.encode(masked).decode(),
        "exact": exact[int(str(row["print_key"]))],
        "treatment": row["treatment"],
    }


def _retrieval_row(row: dict[str, object], treatments: Treatments) -> dict[str, object]:
    declared = str(row["language"])
    text, _ = treatments.treat(int(str(row["key"])), clean(_words(row), declared).text)
    language = identify(text, declared).code
    return {
        "key": row["key"],
        "rev": row["rev"],
        "account_key": row["account_key"],
        "id": row["id"],
        "handle": row["handle"],
        "service": row["service"],
        "written": row["created_at"] or row["ingested_at"],
        "language": language,
        "text": text,
        "treatment": row["treatment"],
        "url": row["url"],
        "terms": terms(text, language),
    }
