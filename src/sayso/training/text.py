"""Training one text cell: the whole loop, top to bottom.

An adapter is a pure function of (examples in order, parent, base, recipe, environment).
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from msgspec import Struct

from sayso.errors import SaysoError
from sayso.training.adapters import Matrix, Weights
from sayso.training.lora import LoraModel
from sayso.training.recipe import Recipe


class Trained(Struct, frozen=True):
    """A cell's adapter and what its training saw; loss is nats a token, before each step."""

    weights: dict[str, Matrix]
    tokens: int
    loss: float


def train(
    model: LoraModel,
    sequences: Sequence[list[int]],
    parent: Weights | None,
    recipe: Recipe,
    progress: Callable[[int], None] = lambda tokens: None,
) -> Trained:
    """Train a cell: one pass, constant rate, no dropout, fp32 adapters and optimizer state.

    Args:
        model: the base with adapters; its B matrices are set here, nothing else of it changes.
        sequences: token ids of the cell's examples in manifest order; one person's text each.
        parent: the adapter that the cell continues from, None to start from zero.
        recipe: the constants.
        progress: called after each step with the tokens trained on so far.
    """
    model.set(parent)
    parameters = model.parameters()
    optimizer = torch.optim.Adam(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon,
        foreach=True,
    )
    seen, terms, total = 0, 0, 0.0
    for batch in batches(sequences, recipe.batch_tokens):
        loss, count = model.loss(batch)
        torch.autograd.backward(loss / count)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += sum(map(len, batch))
        terms += count
        total += loss.item()
        progress(seen)
    weights = model.get()
    if not all(torch.isfinite(p).all() for p in parameters):
        raise SaysoError(
            "training diverged: an adapter is no longer finite",
            "lower [training] learning_rate in sayso.toml",
        )
    return Trained(weights, seen, total / max(1, terms))


def batches(sequences: Sequence[list[int]], most: int) -> Iterator[list[list[int]]]:
    """Cut sequences, in order, into batches of at most `most` tokens (one sequence at least)."""
    batch: list[list[int]] = []
    size = 0
    for sequence in sequences:
        if batch and size + len(sequence) > most:
            yield batch
            batch, size = [], 0
        batch.append(sequence)
        size += len(sequence)
    if batch:
        yield batch
