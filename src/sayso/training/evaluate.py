"""Held-out loss: how well the base and the release foresee people who are in no training set."""

import multiprocessing
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct

from sayso.corpus.prepare import Prepared
from sayso.training import releases
from sayso.training.base import Base
from sayso.training.recipe import Recipe
from sayso.training.releases import Release
from sayso.workspace import Workspace

CHUNK: Final = 8
_LORA_B: Final = ".lora_B.weight"


class LanguageLoss(Struct, frozen=True):
    """Loss in nats a token over one language's held-out text."""

    language: str
    tokens: int
    before: float
    after: float


class Evaluation(Struct, frozen=True):
    """Loss of base and release on the same held-out people, in nats a token."""

    release: str
    people: int
    tokens: int
    before: float
    after: float
    languages: tuple[LanguageLoss, ...]


class _Task(Struct, frozen=True):
    folder: Path
    recipe: Recipe
    weights: Path | None
    texts: tuple[tuple[str, str], ...]  # (language, text)


def evaluate(
    workspace: Workspace,
    prepared: Prepared,
    base: Base,
    recipe: Recipe,
    release: Release,
    most_tokens: int = 6000,
) -> Evaluation | None:
    """Measure base and release side by side; None if nobody is held out.

    Args:
        workspace: where the release lies.
        prepared: its held-out people's texts; they are measured in the order of their keyed
            hashes until about `most_tokens` tokens.
        base: the base model.
        recipe: how it is run.
        release: what is measured against the base.
        most_tokens: about four characters make a token; more only takes longer.
    """
    rows = prepared.held_out.sort("order")
    if not len(rows):
        return None
    fitting = (rows["text"].str.len_bytes().cum_sum() <= most_tokens * 3).sum()
    rows = rows.head(max(1, int(fitting)))
    texts = tuple(rows.select("language", "text").iter_rows())
    folder = workspace.releases / release.name
    parts = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    tasks = [
        _Task(base.folder, recipe, weights, part)
        for weights in (None, folder)
        for part in _join(parts, 2)
    ]
    workers = workspace.settings.training.workers or os.cpu_count() or 1
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        results = list(pool.map(_measure, tasks))
    before, after = _merge(results[:2]), _merge(results[2:])
    languages = tuple(
        LanguageLoss(language, count, total / count, after[language][0] / count)
        for language, (total, count) in sorted(before.items(), key=lambda item: -item[1][1])
    )
    tokens = sum(row.tokens for row in languages)
    return Evaluation(
        release=release.name,
        people=rows["person_key"].n_unique(),
        tokens=tokens,
        before=sum(row.before * row.tokens for row in languages) / tokens,
        after=sum(row.after * row.tokens for row in languages) / tokens,
        languages=languages,
    )


def draw(evaluation: Evaluation, path: Path) -> None:
    """Draw the losses before and after, per language, as a PNG or SVG."""
    from matplotlib.figure import Figure

    rows = [r for r in evaluation.languages if r.tokens >= 100][:14][::-1] or list(
        evaluation.languages
    )
    figure = Figure(figsize=(7.2, 1.4 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        axes.plot([row.after, row.before], [place, place], color="#c9d3d8", lw=3, zorder=1)
    places = range(len(rows))
    axes.scatter([r.before for r in rows], places, color="#8a979e", label="base", zorder=2)
    axes.scatter([r.after for r in rows], places, color="#0b7a75", label="release", zorder=3)
    axes.set_yticks(list(places), [f"{r.language}  ({r.tokens} tokens)" for r in rows])
    axes.set_xlabel("held-out loss, nats a token (lower is better)")
    axes.set_title(
        f"{evaluation.people} people the model never saw: "
        f"{evaluation.before:.3f} → {evaluation.after:.3f}",
        loc="left",
        fontsize=11,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _join(parts: list[tuple[tuple[str, str], ...]], ways: int) -> list[tuple[tuple[str, str], ...]]:
    return [tuple(row for part in parts[way::ways] for row in part) for way in range(ways)]


def _merge(
    results: list[dict[str, tuple[float, int]]],
) -> dict[str, tuple[float, int]]:
    merged: dict[str, tuple[float, int]] = {}
    for result in results:
        for language, (total, count) in result.items():
            old = merged.get(language, (0.0, 0))
            merged[language] = old[0] + total, old[1] + count
    return merged


def _measure(task: _Task) -> dict[str, tuple[float, int]]:
    """Return summed loss and number of terms by language; runs in a process of its own."""
    import torch

    from sayso.training.lora import LoraModel, Tokenizer

    model, tokenizer = LoraModel(task.folder, task.recipe), Tokenizer(task.folder)
    if task.weights is not None:
        tensors = releases.tensors_of(task.weights)
        model.set(
            {
                name.removeprefix(releases.PREFIX).removesuffix(_LORA_B): value
                for name, value in tensors.items()
                if name.endswith(_LORA_B)
            }
        )
    sequences: dict[str, list[list[int]]] = defaultdict(list)
    for language, text in task.texts:
        sequences[language] += tokenizer.sequences(text, task.recipe.sequence_tokens)
    result = {}
    with torch.no_grad():
        for language, found in sequences.items():
            total, count = 0.0, 0
            for start in range(0, len(found), CHUNK):
                loss, terms = model.loss(found[start : start + CHUNK])
                total, count = total + loss.item(), count + terms
            if count:
                result[language] = total, count
    return result
