"""Keys name all that an adapter is made of, and nothing else; its file guards every byte."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.corpus.cells import Cell, Example
from sayso.errors import IntegrityError
from sayso.settings import Settings, Training
from sayso.training.adapters import AdapterStore, Matrix, Note, tensor_hash
from sayso.training.base import Base, prepare
from sayso.training.build import plan
from sayso.training.recipe import Environment, Recipe, environment
from sayso.workspace import Workspace

from ..conftest import KEY

RECIPE = Recipe.of(Training(compute="fp32"))
ENVIRONMENT = environment()
BASE = Base(Path("somewhere"), None, "0" * 64)
WEIGHTS: dict[str, Matrix] = {
    "layers.0.down": np.arange(8, dtype=np.float32).reshape(4, 2),
    "layers.0.up": np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2),
}
NOTE = Note("a1" * 16, tensor_hash(WEIGHTS), ("b2" * 16, "c3" * 16), "d4" * 16, 77)


def cell(*hashes: str, period: str = "2026-09") -> Cell:
    examples = tuple(Example(order, digest, "text") for order, digest in enumerate(hashes))
    return Cell("text", 1, period, "all", examples)


def keys(
    *cells: Cell,
    base: Base = BASE,
    recipe: Recipe = RECIPE,
    machine: Environment = ENVIRONMENT,
) -> list[str]:
    """Keys of the cells of one chain."""
    ((*chain,),) = plan([cells], base, recipe, machine)
    return [planned.key for planned in chain]


def other(value: object) -> object:
    """Another value of the same type."""
    return f"{value}x" if isinstance(value, str) else type(value)(value + 1)  # type: ignore[operator, call-arg]


@pytest.mark.parametrize("field", Recipe.__struct_fields__)
def test_every_constant_of_the_recipe_is_in_the_key(field: str) -> None:
    changed = msgspec.structs.replace(RECIPE, **{field: other(getattr(RECIPE, field))})
    assert keys(cell("a"), recipe=changed) != keys(cell("a"))


@pytest.mark.parametrize("field", Environment.__struct_fields__)
def test_every_part_of_the_environment_is_in_the_key(field: str) -> None:
    changed = msgspec.structs.replace(ENVIRONMENT, **{field: other(getattr(ENVIRONMENT, field))})
    assert keys(cell("a"), machine=changed) != keys(cell("a"))


@pytest.mark.parametrize("hashes", [(), ("a",), ("b", "a"), ("a", "b", "c"), ("a", "c"), ("ab",)])
def test_the_manifest_is_in_the_key_order_included(hashes: tuple[str, ...]) -> None:
    assert keys(cell(*hashes)) != keys(cell("a", "b"))


def test_the_base_and_the_modality_are_in_the_key() -> None:
    assert keys(cell("a"), base=Base(BASE.folder, None, "1" * 64)) != keys(cell("a"))
    assert keys(msgspec.structs.replace(cell("a"), modality="image")) != keys(cell("a"))


def test_a_chain_passes_changes_on_to_what_follows_and_never_back() -> None:
    first, second, third = keys(cell("a"), cell("b"), cell("c"))
    assert keys(cell("a"), cell("x"), cell("c"))[0] == first
    assert not {first, second, third} & set(keys(cell("x"), cell("b"), cell("c")))
    assert keys(cell("a"), cell("b")) == [first, second]
    assert keys(cell("b")) != [second]


def test_nothing_else_is_in_the_key() -> None:
    plain = cell("a", "b")
    same = Cell(
        "text", 7, "1999", "1999", tuple(Example(9, digest, "other words") for digest in "ab")
    )
    assert keys(same) == keys(plain)
    assert keys(plain, base=Base(Path("elsewhere"), Path("x.gguf"), BASE.hash)) == keys(plain)
    assert Recipe.of(Training(compute="fp32", workers=7, merge_scale=0.5)) == RECIPE


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_base_that_trains_differently_is_another_base(
    tmp_path: Path, tiny_base: Path, tiny_settings: Settings, file: str
) -> None:
    swap: dict[str, Callable[[bytes], bytes]] = {
        # One letter is another token now, so the same text trains other tokens.
        "tokenizer.json": lambda data: data.replace(b'"a": 65', b'"a": 66', 1),
        "config.json": lambda data: data.replace(b'_eps": 1e-06', b'_eps": 1e-03'),
        "model.safetensors": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    }
    folder = shutil.copytree(tiny_base, tmp_path / "other-base")
    before = (folder / file).read_bytes()
    (folder / file).write_bytes(swap[file](before))
    assert (folder / file).read_bytes() != before
    hashes = []
    for number, base in enumerate((tiny_base, folder)):
        training = msgspec.structs.replace(tiny_settings.training, base=str(base))
        own = msgspec.structs.replace(tiny_settings, training=training)
        hashes.append(prepare(Workspace.create(tmp_path / f"home-{number}", own, KEY)).hash)
    assert hashes[0] != hashes[1]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    """One adapter, as it was put in."""
    store = AdapterStore(Workspace(tmp_path_factory.mktemp("adapters")))
    store.put(NOTE, WEIGHTS)
    return store


def read(store: AdapterStore, data: bytes) -> tuple[Note, str]:
    """What is read if these are the file's bytes."""
    store.path(NOTE.key).write_bytes(data)
    return store.note(NOTE.key), tensor_hash(store.get(NOTE.key))


@pytest.fixture
def whole(store: AdapterStore) -> bytes:
    """The file's bytes, put back for each test."""
    store.put(NOTE, WEIGHTS)
    return store.path(NOTE.key).read_bytes()


def test_what_is_put_in_comes_out(store: AdapterStore, whole: bytes) -> None:
    weights = store.get(NOTE.key)
    assert tensor_hash(weights) == NOTE.hash == tensor_hash(WEIGHTS)
    assert {name: b.dtype for name, b in weights.items()} == dict.fromkeys(WEIGHTS, np.float32)
    assert store.note(NOTE.key) == NOTE
    assert store.keys() == {NOTE.key}
    store.put(NOTE, dict(reversed(WEIGHTS.items())))
    assert store.path(NOTE.key).read_bytes() == whole


def test_an_adapter_under_another_name_or_gone_is_noticed(
    store: AdapterStore, whole: bytes
) -> None:
    moved = "e5" * 16
    store.path(moved).write_bytes(whole)
    for key in (moved, "f6" * 16):
        for ask in (store.get, store.note):
            with pytest.raises(IntegrityError) as caught:
                ask(key)
            assert caught.value.hint
    store.remove({moved, "f6" * 16})
    assert store.keys() == {NOTE.key}


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_is_noticed_or_changes_nothing(
    store: AdapterStore, data: st.DataObject
) -> None:
    store.put(NOTE, WEIGHTS)
    whole = store.path(NOTE.key).read_bytes()
    place, mask = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    damaged = whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :]
    try:
        found = read(store, damaged)
    except IntegrityError:
        return
    assert found == (NOTE, NOTE.hash)


@settings(deadline=None)
@given(data=st.data())
def test_a_file_cut_short_or_grown_is_noticed(store: AdapterStore, data: st.DataObject) -> None:
    store.put(NOTE, WEIGHTS)
    whole = store.path(NOTE.key).read_bytes()
    for wrong in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0"):
        with pytest.raises(IntegrityError):
            read(store, wrong)
