"""From verdicts to what trains and what answers: the corpus and retrieval tables kept in step."""

import hashlib
from datetime import datetime

import msgspec
import polars as pl
from msgspec import Struct

from sayso.content.record import Medium
from sayso.corpus import cells
from sayso.corpus.admission import Judged
from sayso.corpus.clean import clean
from sayso.corpus.duplicates import first_of_own
from sayso.corpus.language import identify
from sayso.corpus.store import Store, Table
from sayso.gate.gate import Admitted, admit
from sayso.workspace import Workspace


class Prepared(Struct, frozen=True):
    """What there is to train on, and to measure with.

    `training` and `held_out` are frames of order, hash, text, language, person_key, written.
    """

    chains: list[cells.Chain]
    training: pl.DataFrame
    held_out: pl.DataFrame


def prepare(workspace: Workspace, judged: Judged) -> Prepared:
    """Bring corpus and retrieval in step with the verdicts and cut the cells.

    Rows that may not be there any more are erased from the disk, not only marked.
    """
    admitted = admit(judged.records)
    with workspace.lock("content", wait=True):
        _sync_corpus(workspace, admitted)
        sync_retrieval(workspace, judged)
    return assemble(workspace, admitted, judged.at)


def assemble(workspace: Workspace, admitted: Admitted, at: datetime) -> Prepared:
    """Cut the corpus into cells; a pure function of the tables, the settings and the date."""
    settings, store = workspace.settings, Store(workspace)
    corpus = (
        store.corpus.read()
        .join(admitted.frame.select("key", "person_key", "print_key"), on="key", how="inner")
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
    return Prepared(cells.chains(training, settings.cells, at), training, corpus.filter(apart))


def _repeats(corpus: pl.DataFrame, store: Store, threshold: float) -> pl.Series:
    prints = store.fingerprints.read(["key", "signature", "long"]).rename({"key": "print_key"})
    joined = corpus.join(prints, on="print_key", how="left", maintain_order="left")
    return pl.Series(
        first_of_own(
            exact=joined["exact"].to_numpy(),
            signatures=joined["signature"].list.to_array(64).to_numpy()
            if joined["signature"].dtype == pl.List
            else joined["signature"].to_numpy(),
            people=joined["person_key"].to_numpy(),
            order=joined["order"].to_numpy(),
            threshold=threshold,
        )
    )


def _sync_corpus(workspace: Workspace, admitted: Admitted) -> None:
    store = Store(workspace)
    wanted = admitted.frame.select("key", "rev")
    missing = _drop_stale(store.corpus, wanted)
    if len(missing):
        rows = _records(
            store,
            missing,
            [
                "key",
                "rev",
                "account_key",
                "service",
                "language",
                "text",
                "media",
                "created_at",
                "ingested_at",
                "print_key",
            ],
        )
        exact = dict(store.fingerprints.read(["key", "exact"]).iter_rows())
        store.corpus.append(
            pl.DataFrame(
                [_corpus_row(row, exact) for row in rows],
                schema_overrides={"exact": pl.UInt64, "key": pl.UInt64, "account_key": pl.UInt64},
            )
        )


def sync_retrieval(workspace: Workspace, judged: Judged) -> None:
    """Make the retrieval table hold the answerable records, and nothing else on its disk pages."""
    store = Store(workspace)
    answerable = judged.records.filter("answerable").select("key", "rev")
    missing = _drop_stale(store.retrieval, answerable)
    if len(missing):
        rows = _records(
            store,
            missing,
            [
                "key",
                "rev",
                "account_key",
                "id",
                "author",
                "service",
                "language",
                "text",
                "media",
                "created_at",
                "ingested_at",
            ],
        )
        store.retrieval.append(
            pl.DataFrame(
                [_retrieval_row(row) for row in rows],
                schema_overrides={"key": pl.UInt64, "account_key": pl.UInt64},
            )
        )
        if len(missing) > 1000:
            store.retrieval.index()


def _drop_stale(table: Table, wanted: pl.DataFrame) -> pl.DataFrame:
    """Erase the rows that are not wanted (any more, or in this revision); return what misses."""
    present = table.read(["key", "rev"])
    stale = present.join(wanted, on=["key", "rev"], how="anti")
    table.remove(stale["key"].to_list())
    return wanted.join(present, on=["key", "rev"], how="anti")


def _records(store: Store, wanted: pl.DataFrame, columns: list[str]) -> list[dict[str, object]]:
    frame = store.records.read(columns).join(wanted.select("key"), on="key", how="semi")
    return frame.sort("key").to_dicts()


def _own_words(row: dict[str, object]) -> str:
    media = msgspec.json.decode(str(row["media"]), type=tuple[Medium, ...])
    return "\n".join(part for part in (str(row["text"]), *(m.alt for m in media)) if part)


def _corpus_row(row: dict[str, object], exact: dict[int, int]) -> dict[str, object]:
    declared = str(row["language"])
    cleaned = clean(_own_words(row), declared)
    return {
        "key": row["key"],
        "rev": row["rev"],
        "account_key": row["account_key"],
        "service": row["service"],
        "written": row["created_at"] or row["ingested_at"],
        "language": identify(cleaned.text, declared).code,
        "text": cleaned.text,
        "masked": msgspec.json.encode(cleaned.masked).decode(),
        "exact": exact[int(str(row["print_key"]))],
    }


def _retrieval_row(row: dict[str, object]) -> dict[str, object]:
    declared = str(row["language"])
    text = clean(_own_words(row), declared).text
    return {
        "key": row["key"],
        "rev": row["rev"],
        "account_key": row["account_key"],
        "id": row["id"],
        "handle": str(row["author"]).partition("@")[0],
        "service": row["service"],
        "written": row["created_at"] or row["ingested_at"],
        "language": identify(text, declared).code,
        "text": text,
    }
