"""Finding posts: Sayso beside plain BM25 (tantivy), and milliseconds over a million records.

    .venv/bin/python bench/retrieval.py [--quick] [--data FOLDER] [--keep FOLDER] [--rows N]

*Quality*: the public German and English records of shared/data/community go through import, gate
and preparation, as any would; the questions are those of bench/questions (their words are ours,
the records are named by id). `same` asks in the record's words, `other` in other words, `none` has
no answer. Recall@5, mean reciprocal rank, and support: whether the first passage (of tantivy the
first record) holds a key word of the answer. tantivy has its default tokenizer and its English
stemmer, on the same texts.

*Speed*: records made of the real ones' words, drawn by their frequency; their vectors are random
around 3,000 centres, since making a million with the model takes a day. Questions are real, their
vectors are made, permission is asked. --quick takes an eighth of the records and 60,000 rows.
"""

import argparse
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import lance
import msgspec
import numpy as np
import polars as pl
import psutil
import pyarrow as pa
import tantivy
from rich.console import Console
from rich.table import Table

from sayso.assistant.embedding import Embedder
from sayso.assistant.retrieval import question as questions
from sayso.assistant.retrieval import search, tables, vectors
from sayso.corpus import admission, columns
from sayso.corpus.ingest import import_paths
from sayso.corpus.prepare import prepare
from sayso.corpus.store import Store
from sayso.corpus.terms import terms, words
from sayso.rights import people
from sayso.rights.database import Rights
from sayso.settings import Knowledge, Settings
from sayso.workspace import Workspace

DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "community"
QUESTIONS: Final = Path(__file__).parent / "questions" / "community.tsv"
AT: Final = datetime(2026, 11, 25, tzinfo=UTC)
FIRST: Final = 5
CENTRES: Final = 3000
TIMED: Final = 200
BATCH: Final = 20_000


class Asked(NamedTuple):
    """A question, the record that answers it, and words of the answer."""

    kind: str
    id: str
    keys: list[str]
    text: str


class Found(NamedTuple):
    """A post that a tool found, and what it shows of it."""

    id: str
    passage: str


Tool = Callable[[str], list[Found]]


def read_questions() -> list[Asked]:
    lines = QUESTIONS.read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Asked(kind, record, keys.split("|"), text) for kind, record, keys, text in rows]


def community(home: Path, data: Path, asked: list[Asked], share: int) -> Workspace:
    """A workspace with every so many-th public record, and those that answer a question."""
    workspace = Workspace.create(home, Settings())
    wanted = {one.id for one in asked}
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "records.jsonl"
        with (data / "records.jsonl").open() as lines, chosen.open("w") as file:
            for place, line in enumerate(lines):
                record = msgspec.json.decode(line)
                public = record["audience"] == "public" and record["language"][:2] in ("de", "en")
                if public and (place % share == 0 or record["id"] in wanted):
                    file.write(line)
        import_paths(workspace, [chosen])
    with Rights(workspace).writing() as connection:
        people.attest_adults(connection)
    prepare(workspace, admission.judge_all(workspace, AT))
    while vectors.fill(workspace, 64):
        pass
    return workspace


def plain_bm25(rows: Iterator[tuple[str, str]], tokenizer: str) -> Tool:
    """tantivy over ids and texts."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("text", stored=True, tokenizer_name=tokenizer)
    index = tantivy.Index(builder.build())
    writer = index.writer(300_000_000)
    for record, text in rows:
        writer.add_document(tantivy.Document(id=record, text=text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def ask(question: str) -> list[Found]:
        bare = " ".join(re.findall(r"\w+", question.lower()))
        query = index.parse_query(bare, ["text"])
        hits = searcher.search(query, FIRST).hits
        documents = [searcher.doc(address) for _, address in hits]
        return [Found(d["id"][0], d["text"][0]) for d in documents]

    return ask


def ours(workspace: Workspace, embedding: str) -> Tool:
    """Sayso, with or without vectors."""
    workspace = Workspace(workspace.home)
    workspace.settings = msgspec.structs.replace(
        workspace.settings, knowledge=Knowledge(embedding=embedding)
    )
    return lambda text: [Found(s.id, s.excerpt) for s in search(workspace, text, FIRST, AT)]


def judge(tool: Tool, asked: list[Asked]) -> dict[str, tuple[float, float, float]]:
    """Recall@5, MRR and support by kind; of `none` the share that gets an answer, thrice."""
    scores: dict[str, list[tuple[float, float, float]]] = {}
    for one in asked:
        found = tool(one.text)
        if one.kind == "none":
            row = (float(bool(found)),) * 3
        else:
            place = next((n for n, post in enumerate(found, 1) if post.id == one.id), 0)
            first = found[0].passage.casefold() if found else ""
            supported = any(key in first for key in one.keys)
            row = (float(place > 0), 1 / place if place else 0.0, float(supported))
        scores.setdefault(one.kind, []).append(row)
    return {kind: tuple(np.mean(rows, axis=0)) for kind, rows in scores.items()}


def quality(arguments: argparse.Namespace, console: Console) -> None:
    asked = read_questions()
    with tempfile.TemporaryDirectory() as folder:
        kept = arguments.keep and arguments.keep / "community"
        home = kept or Path(folder) / "home"
        done = home.exists()
        share = 8 if arguments.quick else 1
        workspace = Workspace.open(home) if done else community(home, arguments.data, asked, share)
        rows = Store(workspace).retrieval.read(["id", "text"])
        there = set(rows["id"])
        if lost := [one.id for one in asked if one.id and one.id not in there]:
            console.print(f"not among the answerable records: {sorted(set(lost))}")
        asked = [one for one in asked if not one.id or one.id in there]
        tools = {
            "tantivy": plain_bm25(rows.iter_rows(), "default"),
            "tantivy, English stems": plain_bm25(rows.iter_rows(), "en_stem"),
            "Sayso, words alone": ours(workspace, "off"),
            "Sayso": ours(workspace, "minilm"),
        }
        counts = Counter(one.kind for one in asked)
        table = Table(title=f"{len(rows):,} records; {dict(counts)}")
        for head in ("", "same: recall@5, MRR, support", "other: the same", "none: answered"):
            table.add_column(head)
        for name, tool in tools.items():
            found = judge(tool, asked)
            cells = ["  ".join(f"{value:.2f}" for value in found[k]) for k in ("same", "other")]
            table.add_row(name, *cells, f"{found['none'][0]:.2f}")
        console.print(table)
        Embedder.start(workspace).close()


def synthetic(home: Path, data: Path, number: int) -> tuple[Workspace, list[str]]:
    """So many records made of the real ones' words, with vectors, indexed; and questions."""
    workspace = Workspace.create(home, Settings())
    counted: Counter[str] = Counter()
    with (data / "records.jsonl").open() as lines:
        for line in lines:
            record = msgspec.json.decode(line)
            if record["audience"] == "public" and record["language"][:2] in ("de", "en"):
                counted.update(words(record["text"]))
    vocabulary = np.array(list(counted), dtype=object)
    likely = np.array(list(counted.values()), float) / counted.total()
    as_terms = {word: terms(word, "de") for word in counted}
    draw = np.random.default_rng(5)
    store, embedder = Store(workspace), Embedder.start(workspace)
    centres = draw.normal(size=(CENTRES, embedder.width)).astype(np.float32)
    asked: list[str] = []
    for start in range(0, number, BATCH):
        lengths = draw.integers(5, 45, BATCH)
        drawn = vocabulary[draw.choice(len(vocabulary), lengths.sum(), p=likely)]
        bags = np.split(drawn, np.cumsum(lengths)[:-1])
        asked = asked or [" ".join(bag[:7]) for bag in bags[: 2 * TIMED]]
        keys = pl.int_range(start, start + BATCH, eager=True).cast(pl.UInt64) * 7919 + 1
        common = {"key": keys, "rev": 1, "account_key": keys % 5000 + 1, "treatment": 0}
        store.retrieval.append(
            pl.DataFrame(
                common
                | {"id": keys.cast(pl.String), "handle": "m", "service": "s", "language": "de"}
                | {"text": [" ".join(bag) for bag in bags], "url": "", "written": AT}
                | {"terms": [" ".join(as_terms[word] for word in bag) for bag in bags]}
            )
        )
        made = centres[draw.integers(0, CENTRES, BATCH)]
        made = made + 0.9 * draw.normal(size=made.shape).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        flat = pa.FixedSizeListArray.from_arrays(
            pa.array(made.astype(np.float16).ravel()), embedder.width
        )
        rows = pl.DataFrame(common | {"piece": 0, "model": embedder.name}).to_arrow()
        rows = rows.append_column("vector", flat)
        schema = columns.vectors(embedder.width)
        store.vectors.append(rows.select(schema.names).cast(schema))
    return workspace, asked


def speed(arguments: argparse.Namespace, console: Console) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = (arguments.keep or Path(folder)) / f"rows-{arguments.rows}"
        begun = time.perf_counter()
        workspace, asked = synthetic(home, arguments.data, arguments.rows)
        written = time.perf_counter()
        store = Store(workspace)
        store.retrieval.index()
        by_words = time.perf_counter()
        store.vectors.index_vectors()
        console.print(
            f"{arguments.rows:,} rows written in {written - begun:.0f} s, words indexed in "
            f"{by_words - written:.0f} s, vectors in {time.perf_counter() - by_words:.0f} s"
        )
        embedder = Embedder.start(workspace)
        for question in asked[TIMED:]:  # indexes into memory
            search(workspace, question, FIRST, AT)
        read = [questions.read(question) for question in asked[:TIMED]]
        made = embedder.embed(asked[:TIMED])
        retrieval = store.retrieval
        keys = [list(tables.by_words(retrieval, one.terms, 40)) for one in read]
        wanted = "key account_key handle written text terms".split()
        parts = {
            "Sayso, all of it": lambda n: search(workspace, asked[n], FIRST, AT),
            "of it: by words": lambda n: tables.by_words(retrieval, read[n].terms, 40),
            "of it: vector of the question": lambda n: embedder.embed([asked[n]]),
            "of it: by sense": lambda n: tables.by_sense(store.vectors, made[n], embedder.name, 40),
            "of it: reading 40 posts": lambda n: tables.by_key(retrieval, keys[n], wanted),
        }
        texts = retrieval.read(["id", "text"]).iter_rows()
        peer = plain_bm25(texts, "default")
        parts["tantivy, BM25 alone, in memory"] = lambda n: peer(asked[n])
        table = Table(title=f"milliseconds, {arguments.rows:,} records, {TIMED} questions")
        for head in ("", "p50", "p95", "p99"):
            table.add_column(head)
        for name, part in parts.items():
            table.add_row(name, *(f"{value:.1f}" for value in timed(part)))
        console.print(table)
        embedder.close()


def timed(part: Callable[[int], object]) -> list[float]:
    taken = []
    for number in range(TIMED):
        begun = time.perf_counter()
        part(number)
        taken.append(1000 * (time.perf_counter() - begun))
    return list(np.percentile(taken, [50, 95, 99]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", type=Path, help="folder for the workspaces; used again")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--part", choices=["quality", "speed", "both"], default="both")
    arguments = parser.parse_args()
    arguments.rows = arguments.rows or (60_000 if arguments.quick else 1_000_000)
    console = Console()
    console.print(f"load {psutil.getloadavg()[0]:.1f}, Lance {lance.__version__}")
    if arguments.part != "speed":
        quality(arguments, console)
    if arguments.part != "quality":
        speed(arguments, console)


if __name__ == "__main__":
    main()
