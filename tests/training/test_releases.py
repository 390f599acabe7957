"""A release is base + λ·ΣB·A, whole or not at all, and what others load is what was summed."""

import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM

from sayso.errors import IntegrityError, WorkspaceError
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.settings import Settings, Training
from sayso.training import releases
from sayso.training.adapters import AdapterStore, Matrix, frozen_a, tensor_hash
from sayso.training.lora import LoraModel
from sayso.training.recipe import merge_weight
from sayso.training.releases import PREFIX, WEIGHTS, Release
from sayso.training.train import Situation, look, train
from sayso.workspace import Workspace

from .test_exactness import PEOPLE, WORDS, Post, World

AT = datetime(2026, 11, 20, tzinfo=UTC)
TOKENS = torch.arange(5, 45)


@pytest.fixture(scope="module")
def trained(tiny_settings: Settings) -> Iterator[Path]:
    """Five people's posts in three months, trained: some chains of several cells."""
    world = World(tiny_settings)
    for number in range(15):
        words = tuple(f"{word}{number}" for word in WORDS)
        world.act(Post(number, 7 + number // 5, words))
    retrain(world.workspace)
    yield world.workspace.home
    world.close()


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Workspace:
    """A copy of it for each test."""
    return Workspace.open(shutil.copytree(trained, tmp_path / "home"))


def retrain(workspace: Workspace) -> Release:
    return train(workspace, AT, in_process=True).release


def current(workspace: Workspace) -> Release:
    found = releases.current(workspace)
    assert found is not None
    return found


def compose(workspace: Workspace, situation: Situation, available: set[str]) -> Release:
    return releases.compose(
        workspace, situation.plan, situation.base, situation.recipe, AT, available
    )


def plain_peft(base: Path, folder: Path) -> Any:
    """What anybody with PEFT makes of a published folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks transformers for a name it will drop
        from peft import PeftModel

        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        return PeftModel.from_pretrained(model, folder).eval()


def logits(model: LoraModel) -> Tensor:
    with torch.no_grad():
        hidden = model.body(
            input_ids=TOKENS[None],
            position_ids=torch.arange(len(TOKENS))[None],
            use_cache=False,
            lengths=[len(TOKENS)],
        ).last_hidden_state[0]
    return hidden @ model.head.t()


def summed(workspace: Workspace, release: Release) -> dict[str, Matrix]:
    """λ·ΣB of the adapters that a release names, from the store."""
    store = AdapterStore(workspace)
    total: dict[str, Matrix] = {}
    for key in release.cells:
        for name, b in store.get(key).items():
            total[name] = total.get(name, np.zeros_like(b)) + b
    return {name: b * np.float32(release.merge_weight) for name, b in total.items()}


def test_a_release_in_plain_peft_is_the_sum_of_its_cells(
    workspace: Workspace, tiny_base: Path
) -> None:
    release = current(workspace)
    assert len(release.cells) > 1
    assert len(release.trained_on) > len(release.cells)
    model = LoraModel(tiny_base, look(workspace, AT).recipe)
    model.set(summed(workspace, release))
    with torch.no_grad():
        theirs = plain_peft(tiny_base, workspace.releases / release.name)(TOKENS[None])
    torch.testing.assert_close(theirs.logits[0], logits(model), rtol=1e-5, atol=1e-5)
    model.set(None)
    assert not torch.allclose(theirs.logits[0], logits(model), rtol=1e-5, atol=1e-5)


def test_a_release_is_named_by_the_hash_of_its_tensors(workspace: Workspace) -> None:
    release, recipe = current(workspace), look(workspace, AT).recipe
    tensors = releases.tensors_of(workspace.releases / release.name)
    assert tensor_hash(tensors) == release.hash
    assert release.name == f"sayso-{release.hash[:12]}"
    for name, b in summed(workspace, release).items():
        a = tensors[f"{PREFIX}{name}.lora_A.weight"]
        assert np.array_equal(a, frozen_a(name, recipe.rank, a.shape[1], recipe.seed))
        assert np.array_equal(tensors[f"{PREFIX}{name}.lora_B.weight"], b)
    assert release.examples == 15
    assert release.merge_weight == merge_weight(len(release.cells), workspace.settings.training)
    assert datetime.fromisoformat(release.at) == AT
    assert releases.read(workspace, release.name) == release


def test_a_release_without_cells_is_the_base(workspace: Workspace, tiny_base: Path) -> None:
    for person in PEOPLE:
        objections.receive(Rights(workspace), person)
    empty = retrain(workspace)
    assert (empty.cells, empty.trained_on, empty.examples) == ((), (), 0)
    assert empty.complete
    assert empty.merge_weight == 0
    model = LoraModel(tiny_base, look(workspace, AT).recipe)
    with torch.no_grad():
        theirs = plain_peft(tiny_base, workspace.releases / empty.name)(TOKENS[None])
    torch.testing.assert_close(theirs.logits[0], logits(model), rtol=1e-5, atol=1e-5)


def test_pruning_keeps_the_served_release_and_the_wanted_adapters(workspace: Workspace) -> None:
    store = AdapterStore(workspace)
    release = current(workspace)
    for name in ("sayso-000000000000", "sayso-half-written"):
        (workspace.releases / name).mkdir()
    wanted = set(release.trained_on[1:])
    assert releases.prune(workspace, wanted) == (1, 2)
    assert store.keys() == wanted
    assert {path.name for path in workspace.releases.iterdir()} == {release.name, "current"}
    assert current(workspace) == release
    assert releases.prune(workspace, wanted) == (0, 0)


def long_chain(situation: Situation) -> list[str]:
    return [planned.key for planned in max(situation.plan, key=len)]


@pytest.mark.parametrize("how", ["damaged", "gone", "not-wanted"])
def test_without_a_chains_tip_its_unbroken_beginning_counts(workspace: Workspace, how: str) -> None:
    store = AdapterStore(workspace)
    situation, release = look(workspace, AT), current(workspace)
    *beginning, tip = long_chain(situation)
    assert beginning
    available = set(release.trained_on)
    if how == "not-wanted":
        available.remove(tip)
    elif how == "gone":
        store.remove({tip})
    else:
        data = store.path(tip).read_bytes()
        store.path(tip).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    shorter = compose(workspace, situation, available)
    assert not shorter.complete
    assert shorter.trained_on == tuple(key for key in release.trained_on if key != tip)
    assert shorter.cells == tuple(beginning[-1] if key == tip else key for key in release.cells)
    assert shorter.hash != release.hash
    releases.check(workspace, shorter)
    # A training mends it, to the bit.
    assert retrain(workspace) == release


def test_without_a_chains_beginning_nothing_of_it_counts(workspace: Workspace) -> None:
    situation, release = look(workspace, AT), current(workspace)
    chain = long_chain(situation)
    shorter = compose(workspace, situation, set(release.trained_on) - {chain[0]})
    assert not set(shorter.trained_on) & set(chain)
    assert len(shorter.cells) == len(release.cells) - 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_tensors_are_noticed_and_published_anew(workspace: Workspace, damage: str) -> None:
    release = current(workspace)
    path = workspace.releases / release.name / WEIGHTS
    whole = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(whole[:-7] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(IntegrityError) as caught:
        releases.check(workspace, release)
    assert "sayso train" in caught.value.hint
    assert retrain(workspace) == release
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", ["note cut", "note gone", "folder gone", "pointer empty"])
def test_a_damaged_release_says_what_to_do_and_that_helps(
    workspace: Workspace, damage: str
) -> None:
    release = current(workspace)
    folder = workspace.releases / release.name
    match damage:
        case "note cut":
            (folder / releases.NOTE).write_bytes(b'{"name": "sayso')
        case "note gone":
            (folder / releases.NOTE).unlink()
        case "folder gone":
            shutil.rmtree(folder)
        case "pointer empty":
            (workspace.releases / "current").write_bytes(b"")
    with pytest.raises(WorkspaceError) as caught:
        releases.current(workspace)
    assert "sayso train" in caught.value.hint
    assert retrain(workspace) == release
    assert current(workspace) == release


@given(st.integers(1, 10_000), st.floats(0.01, 3), st.floats(0, 1))
def test_the_merge_weight_is_a_falling_function_of_the_number(
    adapters: int, scale: float, exponent: float
) -> None:
    training = Training(merge_scale=scale, merge_exponent=exponent)
    weight = merge_weight(adapters, training)
    assert 0 < weight <= 1
    assert merge_weight(adapters + 1, training) <= weight
    assert merge_weight(0, training) == 0
    other = msgspec.structs.replace(training, seed=1, learning_rate=0.5)
    assert merge_weight(adapters, other) == weight
