"""The adapter's arithmetic: what plain PEFT computes, and the same bits wherever it is done."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from sayso.errors import SaysoError
from sayso.training.adapters import Matrix, frozen_a, tensor_hash
from sayso.training.lora import LoraModel, Tokenizer
from sayso.training.recipe import Recipe
from sayso.training.text import batches, train

RECIPE = Recipe(
    rank=4, learning_rate=1e-2, batch_tokens=96, sequence_tokens=64, seed=7, compute="fp32"
)
TEXTS = [f"{name} paints the harbour wall at dusk " * 4 for name in ("ada", "bo", "chi")]
VOCABULARY = 257

sequences = st.lists(st.integers(0, VOCABULARY - 1), min_size=2, max_size=40)
unhurried = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Run by a Python of its own: nothing but the arguments is shared with this process.
ELSEWHERE = """
import json, sys
from pathlib import Path
import msgspec
from sayso.training.adapters import frozen_a, tensor_hash
from sayso.training.lora import LoraModel, Tokenizer
from sayso.training.recipe import Recipe
from sayso.training.text import train
folder, recipe = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Recipe)
frozen = {name: frozen_a(name, 4, 32, 7) for name in ("c", "a", "b")}
found = [s for t in sys.argv[3:] for s in Tokenizer(folder).sequences(t, recipe.sequence_tokens)]
trained = train(LoraModel(folder, recipe), found, None, recipe)
print(json.dumps([tensor_hash(frozen), tensor_hash(trained.weights), trained.tokens, trained.loss]))
"""


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> LoraModel:
    return LoraModel(tiny_base, RECIPE)


@pytest.fixture(scope="module")
def peft_model(tiny_base: Path, model: LoraModel) -> Any:
    """Plain PEFT over the plain base, with the same A."""
    leaves = sorted({name.rpartition(".")[2] for name in model.layers})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks transformers for a name it will drop
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=RECIPE.rank, lora_alpha=RECIPE.rank, target_modules=leaves)
        base = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
        made = get_peft_model(base, config).eval()
    with torch.no_grad():
        for name, layer in model.layers.items():
            theirs = made.get_submodule(f"base_model.model.{name}")
            theirs.lora_A["default"].weight.copy_(layer.a)
    return made


def random_weights(model: LoraModel, seed: int = 0) -> dict[str, Matrix]:
    draw = np.random.default_rng(seed)
    return {
        name: (0.05 * draw.standard_normal(b.shape)).astype(np.float32)
        for name, b in model.get().items()
    }


def set_peft(peft_model: Any, weights: dict[str, Matrix]) -> None:
    with torch.no_grad():
        for name, b in weights.items():
            theirs = peft_model.get_submodule(f"base_model.model.{name}")
            theirs.lora_B["default"].weight.copy_(torch.from_numpy(b))


def peft_loss(peft_model: Any, sequence: list[int]) -> Tensor:
    """The sum of one sequence's next-token losses, by the textbook."""
    tokens = torch.tensor(sequence)
    logits = peft_model(input_ids=tokens[None]).logits[0]
    return F.cross_entropy(logits[:-1], tokens[1:], reduction="sum")


def gradients(model: LoraModel, batch: list[list[int]]) -> dict[str, Tensor]:
    loss, count = model.loss(batch)
    torch.autograd.backward(loss / count)
    found = {name: layer.b.grad.clone() for name, layer in model.layers.items()}
    model.model.zero_grad(set_to_none=True)
    return found


@unhurried
@given(batch=st.lists(sequences, min_size=1, max_size=4), seed=st.integers(0, 3))
def test_loss_and_gradients_are_those_of_plain_peft(
    model: LoraModel, peft_model: Any, batch: list[list[int]], seed: int
) -> None:
    weights = random_weights(model, seed)
    model.set(weights)
    set_peft(peft_model, weights)
    terms = sum(len(sequence) - 1 for sequence in batch)
    loss, count = model.loss(batch)
    expected = torch.stack([peft_loss(peft_model, sequence) for sequence in batch]).sum()
    assert count == terms
    assert loss.item() / terms == pytest.approx(expected.item() / terms, abs=1e-5)
    torch.autograd.backward(expected / terms)
    for name, grad in gradients(model, batch).items():
        theirs = peft_model.get_submodule(f"base_model.model.{name}").lora_B["default"].weight
        torch.testing.assert_close(grad, theirs.grad, rtol=1e-4, atol=1e-5)
    peft_model.zero_grad(set_to_none=True)


def test_every_linear_layer_but_the_head_is_trained(model: LoraModel) -> None:
    per_layer = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert {name.rpartition(".")[2] for name in model.layers} == per_layer
    assert len(model.layers) == 2 * len(per_layer)
    trained = {id(parameter) for parameter in model.parameters()}
    assert trained == {id(p) for p in model.model.parameters() if p.requires_grad}


@unhurried
@given(batch=st.lists(sequences, min_size=2, max_size=5))
def test_a_batch_is_the_sum_of_its_sequences(model: LoraModel, batch: list[list[int]]) -> None:
    model.set(random_weights(model))
    together, count = model.loss(batch)
    apart = [model.loss([sequence]) for sequence in batch]
    assert count == sum(terms for _, terms in apart)
    assert together.item() == pytest.approx(sum(loss.item() for loss, _ in apart), abs=1e-4)


@unhurried
@given(mine=sequences, others=st.lists(sequences, min_size=2, max_size=2), first=st.booleans())
def test_no_token_sees_another_persons_sequence(
    model: LoraModel, mine: list[int], others: list[list[int]], first: bool
) -> None:
    def hidden(batch: list[list[int]]) -> Tensor:
        """What the model makes of my sequence in this batch: [tokens, width]."""
        lengths = [len(sequence) for sequence in batch]
        with torch.no_grad():
            found: Tensor = model.body(
                input_ids=torch.tensor([*chain(*batch)])[None],
                position_ids=torch.cat([torch.arange(n) for n in lengths])[None],
                use_cache=False,
                lengths=lengths,
            ).last_hidden_state[0]
        return found[: len(mine)] if first else found[-len(mine) :]

    model.set(random_weights(model))
    alone = hidden([mine])
    for other in others:
        beside = hidden([mine, other] if first else [other, mine])
        torch.testing.assert_close(beside, alone, rtol=1e-5, atol=1e-5)


def test_setting_and_getting_weights(model: LoraModel) -> None:
    weights = random_weights(model, 5)
    model.set(weights)
    got = model.get()
    assert tensor_hash(got) == tensor_hash(weights)
    next(iter(got.values()))[:] = 1  # a copy: the model does not feel it
    assert tensor_hash(model.get()) == tensor_hash(weights)
    model.set(None)
    assert all(not b.any() for b in model.get().values())


def test_a_missing_matrix_is_not_passed_over(model: LoraModel) -> None:
    weights = random_weights(model)
    weights.pop(next(iter(weights)))
    with pytest.raises(KeyError):
        model.set(weights)


@given(
    names=st.lists(st.text(max_size=8), min_size=2, max_size=4, unique=True),
    rank=st.integers(1, 8),
    width=st.integers(1, 64),
    seed=st.integers(0, 2**40),
)
def test_frozen_a_depends_on_its_name_and_seed_alone(
    names: list[str], rank: int, width: int, seed: int
) -> None:
    drawn = {name: frozen_a(name, rank, width, seed) for name in names}
    again = {name: frozen_a(name, rank, width, seed) for name in reversed(names)}
    assert tensor_hash(drawn) == tensor_hash(again)
    assert all(a.shape == (rank, width) and a.dtype == np.float32 for a in drawn.values())
    different = [*drawn.values(), frozen_a(names[0], rank, width, seed + 1)]
    assert len({a.tobytes() for a in different}) == len(different)


def test_frozen_a_has_the_variance_of_one_over_its_width() -> None:
    a = frozen_a("some.layer", 64, 400, 7)
    assert a.std() == pytest.approx(1 / 20, rel=0.05)
    assert abs(a.mean()) < 0.002


def test_another_process_yields_the_same_bits(tiny_base: Path, model: LoraModel) -> None:
    recipe = json.dumps({name: getattr(RECIPE, name) for name in RECIPE.__struct_fields__})
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tiny_base), recipe, *TEXTS],
        env=os.environ | {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    frozen = {name: frozen_a(name, 4, 32, 7) for name in ("a", "b", "c")}
    tokenizer = Tokenizer(tiny_base)
    found = [s for text in TEXTS for s in tokenizer.sequences(text, RECIPE.sequence_tokens)]
    here = [train(model, found, None, RECIPE) for _ in range(2)]
    assert {tensor_hash(trained.weights) for trained in here} == {json.loads(run.stdout)[1]}
    assert json.loads(run.stdout) == [
        tensor_hash(frozen),
        tensor_hash(here[0].weights),
        sum(map(len, found)),
        here[0].loss,
    ]
    # A control: other texts are other bits.
    assert tensor_hash(train(model, found[1:], None, RECIPE).weights) != json.loads(run.stdout)[1]


def test_training_lowers_the_loss_and_goes_on_from_a_parent(model: LoraModel) -> None:
    found = [list(range(10, 60))] * 12
    seen: list[int] = []
    first = train(model, found, None, RECIPE, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == first.tokens == sum(map(len, found))
    second = train(model, found, first.weights, RECIPE)
    assert second.loss < first.loss
    assert tensor_hash(train(model, found, None, RECIPE).weights) == tensor_hash(first.weights)


def test_training_that_diverges_is_an_error(model: LoraModel) -> None:
    wild = Recipe(
        rank=4, learning_rate=1e30, batch_tokens=64, sequence_tokens=64, seed=7, compute="fp32"
    )
    with pytest.raises(SaysoError, match="diverged") as caught:
        train(model, [list(range(2, 60))] * 4, None, wild)
    assert "learning_rate" in caught.value.hint


@given(
    lengths=st.lists(st.integers(1, 50), max_size=30),
    most=st.integers(1, 80),
)
def test_batches_keep_order_and_limit(lengths: Sequence[int], most: int) -> None:
    found = [[number] * length for number, length in enumerate(lengths)]
    cut = list(batches(found, most))
    assert [sequence for batch in cut for sequence in batch] == found
    sizes = [sum(map(len, batch)) for batch in cut]
    assert all(size <= most or len(batch) == 1 for size, batch in zip(sizes, cut, strict=True))
    assert all(size + len(after[0]) > most for size, after in zip(sizes, cut[1:], strict=False))


@given(text=st.text(min_size=1, max_size=200), longest=st.integers(2, 64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_text_is_cut_into_sequences_and_ends_with_the_end(
    tiny_base: Path, text: str, longest: int
) -> None:
    tokenizer = Tokenizer(tiny_base)
    whole = tokenizer.sequences(text, 10_000)[0]
    assert len(whole) == len(text.encode()) + 1
    assert whole[-1] == 0
    cut = tokenizer.sequences(text, longest)
    assert all(2 <= len(sequence) <= longest for sequence in cut)
    assert [*chain(*cut)] == whole[: sum(map(len, cut))]
    assert len(whole) - sum(map(len, cut)) <= 1  # an end all by itself foresees nothing
