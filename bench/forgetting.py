"""Claim: an objection is out of what is served in 2 s, and rebuilt in 1/20 of a retraining.

Real records (../shared/data/community, else sample/), their dates moved into one year of 12 months,
are trained at K = 16; then two people object, one after the other: the one with the most examples
and the median one. Measured: seconds until a release without them is served, until the full one is,
and, for comparison, what anybody must do without cells: train everything again from nothing. The
same is reckoned for every person over all records, in tokens to be trained again.

    python bench/forgetting.py [--json] [--quick] [--tiny] [--shards K] [--era year] [--tokens N]

`--tiny` takes a random model of two layers instead of the 135M base, on all records.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from quiet import wait_until_quiet
from sayso.corpus.cells import era_of, period_of, shard_of
from sayso.corpus.ingest import import_paths
from sayso.rights import objections, people
from sayso.rights.database import Rights
from sayso.settings import Cells, Corpus, Settings, Training, dump
from sayso.training.adapters import AdapterStore
from sayso.training.releases import Release
from sayso.training.train import Situation, look, train
from sayso.workspace import Workspace, write_atomically

ROOT: Final = Path(__file__).parents[1]
COMMUNITY: Final = ROOT.parent / "shared" / "data" / "community" / "records.jsonl"
AT: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY: Final = bytes(range(32))
ERAS: Final = ("period", "year")


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as temporary:
        folder = Path(temporary)
        workspace = settle(folder, options)
        situation = look(workspace, AT)
        tokens = count_tokens(situation)
        reckoned = {
            era: reckon(situation, tokens, Cells(shards=options.shards, periods="months", era=era))
            for era in ERAS
        }
        if not options.tiny:
            workspace = sample(workspace, options.tokens / sum(tokens))
        load_average = wait_until_quiet(0 if options.quick else 4)
        whole = train(workspace, AT)
        objected = [object_for(workspace, person) for person in objectors(workspace)]
    figures = {
        "load": load_average,
        "shards": options.shards,
        "era": options.era,
        "base": "tiny" if options.tiny else "smollm2",
        "cells": whole.cells,
        "examples": whole.examples,
        "tokens": whole.tokens_trained,
        "retraining_seconds": round(whole.seconds, 2),
        "objections": [
            done
            | {
                "of_retraining": round(done["rebuilt_seconds"] / whole.seconds, 4),
                "of_tokens": round(done["tokens"] / whole.tokens_trained, 4),
            }
            for done in objected
        ],
        "reckoned_over_all_records": reckoned,
    }
    show(figures, as_json=options.json)


def settle(folder: Path, options: argparse.Namespace) -> Workspace:
    """A workspace with all records, dated in 12 months, of authors attested as adults."""
    sources = [COMMUNITY] if COMMUNITY.exists() else sorted((ROOT / "sample").glob("*.jsonl"))
    with (folder / "records.jsonl").open("wb") as file:
        for source in sources:
            for line in source.read_text("utf-8").splitlines():
                file.write(msgspec.json.encode(in_one_year(json.loads(line))) + b"\n")
    training = Training()
    if options.tiny:
        training = Training(base=str(tiny_base(folder / "tiny")), rank=4, compute="fp32")
    cells = Cells(shards=options.shards, periods="months", era=options.era)
    home = folder / "home"
    workspace = Workspace.create(home, Settings(cells=cells, training=training), KEY)
    import_paths(workspace, [folder / "records.jsonl"])
    with Rights(workspace).writing() as connection:
        people.attest_adults(connection)
    return workspace


def in_one_year(record: dict[str, Any]) -> dict[str, Any]:
    """Move a record into 2025: its month stays; one without a date gets one from its id."""
    if "service" not in record:
        return record
    date = str(record.get("created_at") or "")
    month = int(date[5:7]) if date[5:7].isdigit() else 0
    if not 1 <= month <= 12:
        month = hashlib.blake2b(record["id"].encode()).digest()[0] % 12 + 1
    return record | {"created_at": f"2025-{month:02}-15"}


def sample(workspace: Workspace, rate: float) -> Workspace:
    """Fix the share of records that trains, by the records' own keyed hashes."""
    corpus = Corpus(sample_rate=min(1.0, rate))
    settings = msgspec.structs.replace(workspace.settings, corpus=corpus)
    write_atomically(workspace.settings_file, dump(settings))
    return Workspace.open(workspace.home)


def objectors(workspace: Workspace) -> list[str]:
    """The person with the most examples, and the median one, by an account's name."""
    keys = look(workspace, AT).prepared.training["person_key"]
    ranked = keys.value_counts().sort("count", "person_key", descending=True)["person_key"]
    with Rights(workspace).reading() as connection:
        named = connection.exec_driver_sql("SELECT DISTINCT person FROM accounts").scalars()
        number = workspace.pseudonyms.number
        names = {number("person", person): person for person in named}
    return [names[ranked[0]], names[ranked[len(ranked) // 2]]]


def object_for(workspace: Workspace, person: str) -> dict[str, Any]:
    """Object, and wait for the release without them and for the full one."""
    before = look(workspace, AT).prepared.training["person_key"]
    key = workspace.pseudonyms.number("person", person)
    begun, served = time.monotonic(), list[float]()
    objections.receive(Rights(workspace), person, channel="bench")

    def serve(release: Release) -> None:
        store = AdapterStore(workspace)
        assert all(store.path(cell).exists() for cell in release.trained_on)
        served.append(time.monotonic() - begun)

    done = train(workspace, AT, on_release=serve)
    return {
        "examples": int((before == key).sum()),
        "gone_seconds": round(served[0], 2),
        "rebuilt_seconds": round(time.monotonic() - begun, 2),
        "cells": done.cells_built,
        "tokens": done.tokens_trained,
    }


def count_tokens(situation: Situation) -> list[int]:
    """Tokens of each example of the training frame."""
    from sayso.training.lora import Tokenizer

    tokenizer, longest = Tokenizer(situation.base.folder), situation.recipe.sequence_tokens
    texts = situation.prepared.training["text"]
    return [sum(map(len, tokenizer.sequences(text, longest))) for text in texts]


def reckon(situation: Situation, tokens: list[int], settings: Cells) -> dict[str, Any]:
    """Share of all tokens that must be trained again when a person goes, over all people."""
    frame = situation.prepared.training.with_columns(tokens=pl.Series(tokens, dtype=pl.Int64))
    size: dict[tuple[int, str, str], int] = {}
    places: dict[int, set[tuple[int, str, str]]] = {}
    for person, written, count in frame.select("person_key", "written", "tokens").iter_rows():
        period = period_of(written, AT, settings.periods)
        cell = shard_of(person, settings.shards), era_of(period, settings.era), period
        size[cell] = size.get(cell, 0) + count
        places.setdefault(person, set()).add(cell)
    shares = [again(cells, size) / sum(tokens) for cells in places.values()]
    low, high = np.quantile(shares, [0.5, 0.95])
    return {
        "people": len(shares),
        "cells": len(size),
        "tokens": sum(tokens),
        "median": round(float(low), 4),
        "of_95_in_100": round(float(high), 4),
        "worst": round(max(shares), 4),
    }


def again(cells: Iterable[tuple[int, str, str]], size: dict[tuple[int, str, str], int]) -> int:
    """Tokens of these cells and of all that continue from them."""
    first: dict[tuple[int, str], str] = {}
    for shard, era, period in cells:
        first[shard, era] = min(first.get((shard, era), period), period)
    return sum(
        count
        for (shard, era, period), count in size.items()
        if (shard, era) in first and period >= first[shard, era]
    )


def tiny_base(folder: Path) -> Path:
    """A random Llama of two layers with a byte tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    symbols = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({symbol: n for n, symbol in enumerate(symbols)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(symbols), hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="train on 1,500 tokens")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, all records")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--era", choices=ERAS, default="year")
    parser.add_argument("--tokens", type=int, default=16_000)
    options = parser.parse_args()
    if options.quick:
        options.tokens = min(options.tokens, 1500)
    return options


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    title = (
        f"{figures['cells']} cells (K = {figures['shards']}, 12 months, era {figures['era']}), "
        f"{figures['tokens']:,} tokens, base {figures['base']}; load {figures['load']} at the start"
    )
    table = Table(
        "", "examples", "gone, s", "whole again, s", "cells", "of the time", "of the tokens",
        title=title,
    )  # fmt: skip
    for name, done in zip(("most examples", "median person"), figures["objections"], strict=True):
        table.add_row(
            name,
            f"{done['examples']}",
            f"{done['gone_seconds']}",
            f"{done['rebuilt_seconds']}",
            f"{done['cells']}",
            f"1/{1 / done['of_retraining']:.1f}",
            f"{done['of_tokens']:.2%}",
        )
    all_of_it = f"{figures['retraining_seconds']}"
    cells, examples = f"{figures['cells']}", f"{figures['examples']}"
    table.add_row("retraining everything", examples, "", all_of_it, cells, "1", "100%")
    console = Console()
    console.print(table)
    for era, all_of_them in figures["reckoned_over_all_records"].items():
        console.print(
            f"over all records (era {era}, {all_of_them['tokens']:,} tokens, "
            f"{all_of_them['people']:,} people, {all_of_them['cells']} cells) an objection trains "
            f"again: median {all_of_them['median']:.2%}, 19 of 20 people at most "
            f"{all_of_them['of_95_in_100']:.2%}, worst {all_of_them['worst']:.2%}"
        )


if __name__ == "__main__":
    main()
