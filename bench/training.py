"""Claim: a cell trains at 2.5 times the tokens/s of Hugging Face Trainer + PEFT, at the same loss.

Same base, same sequences of real text, rank 16, all linear layers, one epoch, one thread. The peer
takes batches of eight in fp32 and pads to the longest of each; we lay sequences end to end, fp32
and bf16 (`auto` takes the latter where the CPU has it). They run in alternating order; a ratio is
the median of the rounds'. Losses agree only about: the peer trains its A too, in another order.

    python bench/training.py [--json] [--quick]
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from quiet import wait_until_quiet
from sayso.settings import Settings, Training
from sayso.training import base
from sayso.training.recipe import Recipe
from sayso.workspace import Workspace

ROOT: Final = Path(__file__).parents[1]
COMMUNITY: Final = ROOT.parent / "shared" / "data" / "community" / "records.jsonl"
BATCH: Final = 8
TOLERANCE: Final = 0.05  # of the peer's mean loss
PEER: Final = "Trainer + PEFT, fp32"


class Run(NamedTuple):
    """One training: real tokens a second, mean loss over it, share of padding."""

    speed: float
    loss: float
    padding: float


def texts(count: int) -> list[str]:
    """Public texts of more than 80 characters, taken evenly from all there are."""
    files = [COMMUNITY] if COMMUNITY.exists() else sorted((ROOT / "sample").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.open(encoding="utf-8")]
    public = [r for r in lines if r.get("audience") == "public" and len(r.get("text") or "") > 80]
    return [record["text"] for record in public[:: max(1, len(public) // count)]][:count]


def ours(folder: Path, compute: str, sequences: list[list[int]]) -> Run:
    from sayso.training.lora import LoraModel
    from sayso.training.text import train

    recipe = Recipe.of(Training(compute=compute))  # type: ignore[arg-type]
    model = LoraModel(folder, recipe)
    begun = time.perf_counter()
    done = train(model, sequences, None, recipe)
    return Run(done.tokens / (time.perf_counter() - begun), done.loss, 0.0)


def peer(folder: Path, sequences: list[list[int]]) -> Run:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainingArguments

    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
    model = get_peft_model(model, config)

    slots = 0

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, Any]:
        nonlocal slots
        longest = max(len(row["ids"]) for row in rows)
        slots += longest * len(rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for place, row in enumerate(rows):
            tokens = torch.tensor(row["ids"])
            ids[place, : len(tokens)] = labels[place, : len(tokens)] = tokens
            mask[place, : len(tokens)] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            learning_rate=1e-3,
            lr_scheduler_type="constant",
            max_grad_norm=0,
            weight_decay=0,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        rows = [{"ids": sequence} for sequence in sequences]
        trainer = Trainer(model, arguments, train_dataset=rows, data_collator=collate)  # type: ignore[arg-type]
        trainer.remove_callback(PrinterCallback)
        begun = time.perf_counter()
        result = trainer.train()
        seconds = time.perf_counter() - begun
    tokens = sum(map(len, sequences))
    return Run(tokens / seconds, result.training_loss, 1 - tokens / slots)


def measure(folder: Path, sequences: list[list[int]], rounds: int) -> dict[str, list[Run]]:
    sides = {
        PEER: lambda: peer(folder, sequences),
        "Sayso, fp32": lambda: ours(folder, "fp32", sequences),
        "Sayso, bf16": lambda: ours(folder, "bf16", sequences),
    }
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in sorted(sides, reverse=bool(turn % 2)):
            runs[name].append(sides[name]())
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="fewer sequences, one round")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as home:
        made = base.prepare(Workspace.create(Path(home) / "w", Settings()))
        from sayso.training.lora import Tokenizer  # torch and tqdm only after the conversion

        tokenizer = Tokenizer(made.folder)
        found = texts(16 if options.quick else 40)
        sequences = [s for text in found for s in tokenizer.sequences(text, 512)]
        load_average = wait_until_quiet(0 if options.quick else 4)
        runs = measure(made.folder, sequences, 1 if options.quick else 3)
    figures: dict[str, Any] = {
        "tokens": sum(map(len, sequences)),
        "sequences": len(sequences),
        "load": load_average,
        "auto": Recipe.of(Training()).compute,
        "sides": {
            name: {
                "tokens_per_second": round(statistics.median(run.speed for run in rows), 1),
                "ratio": round(
                    statistics.median(
                        run.speed / theirs.speed
                        for run, theirs in zip(rows, runs[PEER], strict=True)
                    ),
                    2,
                ),
                "loss": round(statistics.mean(run.loss for run in rows), 4),
                "padding": round(statistics.mean(run.padding for run in rows), 3),
            }
            for name, rows in runs.items()
        },
    }
    show(figures, as_json=options.json)


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    title = f"{figures['tokens']} tokens, one thread; load {figures['load']} at the start"
    table = Table("", "tokens/s", "ratio", "mean loss", "padding", title=title)
    reference = figures["sides"][PEER]["loss"]
    for name, side in figures["sides"].items():
        table.add_row(
            name,
            f"{side['tokens_per_second']}",
            f"{side['ratio']}",
            f"{side['loss']:.3f}",
            f"{side['padding']:.1%}",
        )
    console = Console()
    console.print(table)
    worst = max(abs(side["loss"] / reference - 1) for side in figures["sides"].values())
    word = "within" if worst <= TOLERANCE else "OUTSIDE"
    console.print(
        f"losses differ by {worst:.1%}, {word} {TOLERANCE:.0%}; auto is {figures['auto']} here"
    )


if __name__ == "__main__":
    main()
