"""Claim: a cell trains at 2.5 times the tokens/s of Hugging Face Trainer + PEFT, at the same loss.

Same base, same sequences of real text, same batches of eight, rank 16, all linear layers, one
thread, one epoch. The peer pads to the longest of a batch; we lay sequences end to end. The two run
in alternating order in one run; A differs (the peer trains its own), so losses agree only about.

    python bench/training.py [--json] [--quick]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sayso.settings import Settings, Training
from sayso.training import base
from sayso.training.lora import LoraModel, Tokenizer
from sayso.training.recipe import Recipe
from sayso.training.text import train
from sayso.workspace import Workspace

ROOT = Path(__file__).parents[1]
COMMUNITY = ROOT.parent / "shared" / "data" / "community" / "records.jsonl"
BATCH = 8


def texts(count: int) -> list[str]:
    files = [COMMUNITY] if COMMUNITY.exists() else sorted((ROOT / "sample").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.open(encoding="utf-8")]
    public = [r for r in lines if r.get("audience") == "public" and len(r.get("text") or "") > 80]
    return [record["text"] for record in public[:: max(1, len(public) // count)]][:count]


def ours(folder: Path, compute: str, sequences: list[list[int]]) -> tuple[float, float]:
    recipe = Recipe.of(Training(compute=compute))  # type: ignore[arg-type]
    model = LoraModel(folder, recipe)
    begun = time.perf_counter()
    done = train(model, sequences, None, recipe)
    return done.tokens / (time.perf_counter() - begun), done.loss


def peer(folder: Path, sequences: list[list[int]]) -> tuple[float, float]:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
    model = get_peft_model(model, config)

    def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["ids"]) for row in rows)
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
        begun = time.perf_counter()
        result = trainer.train()
        seconds = time.perf_counter() - begun
    return sum(map(len, sequences)) / seconds, result.training_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer sequences, one round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        made = base.prepare(Workspace.create(Path(home) / "w", Settings()))
        tokenizer = Tokenizer(made.folder)
        found = texts(16 if options.quick else 48)
        sequences = [s for text in found for s in tokenizer.sequences(text, 512)]
        figures: dict[str, list[tuple[float, float]]] = {}
        for turn in range(1 if options.quick else 2):
            runs = [
                ("Trainer + PEFT, fp32", lambda: peer(made.folder, sequences)),
                ("Sayso, fp32", lambda: ours(made.folder, "fp32", sequences)),
                ("Sayso, auto", lambda: ours(made.folder, "auto", sequences)),
            ]
            for name, run in runs if turn % 2 == 0 else runs[::-1]:
                figures.setdefault(name, []).append(run())
    best = {name: max(rows) for name, rows in figures.items()}
    reference = best["Trainer + PEFT, fp32"][0]
    table = Table(title=f"{sum(map(len, sequences))} tokens, one thread")
    for column in ("", "tokens/s", "ratio", "mean loss"):
        table.add_column(column)
    for name, (speed, loss) in best.items():
        table.add_row(name, f"{speed:.0f}", f"{speed / reference:.2f}", f"{loss:.3f}")
    if options.json:
        print(json.dumps({name: {"tokens_per_s": s, "loss": x} for name, (s, x) in best.items()}))
    else:
        Console().print(table)


if __name__ == "__main__":
    main()
