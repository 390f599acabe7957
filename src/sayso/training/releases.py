"""Releases: base + λ·Σ adapters, published as one standard PEFT adapter and a GGUF adapter."""

import hashlib
import itertools
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct, structs
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from sayso.errors import IntegrityError, WorkspaceError
from sayso.training.adapters import AdapterStore, Matrix, frozen_a, tensor_hash
from sayso.training.base import Base
from sayso.training.build import Plan
from sayso.training.gguf import write_lora
from sayso.training.recipe import Recipe, merge_weight
from sayso.workspace import Workspace, sync_folder, write_atomically

PREFIX: Final = "base_model.model."
WEIGHTS: Final = "adapter_model.safetensors"
GGUF: Final = "adapter.gguf"
NOTE: Final = "release.json"


class Release(Struct, frozen=True, kw_only=True):
    """A published model; `hash` is the hash of its tensors, and its name begins with it.

    `at` is the training's date; `cells` names the adapters summed, in order; `trained_on` all
    cells that went into them, `names` what these are called on the grid.
    """

    name: str
    hash: str
    at: str
    complete: bool
    base: str
    merge_weight: float
    cells: tuple[str, ...]
    trained_on: tuple[str, ...]
    examples: int
    gguf: str = ""  # hash of the file that llama.cpp serves
    names: tuple[str, ...] = ()


def compose(
    workspace: Workspace,
    wanted: Plan,
    base: Base,
    recipe: Recipe,
    at: datetime,
    available: set[str],
) -> Release:
    """Sum the adapters that are there and publish the result, whole or not at all.

    Of each chain the longest unbroken beginning counts, so a release without a person is there
    before the cells they were in are rebuilt. A release that is served already stays as it is.
    """
    if (same := _served_already(workspace, wanted, base, available)) is not None:
        return same
    begun, summed = _sum(wanted, available, AdapterStore(workspace))
    release = _outline(workspace, begun, base, complete=begun == wanted)
    tensors = _tensors(summed, release.merge_weight, base, recipe)
    digest = tensor_hash(tensors)
    release = structs.replace(release, name=f"sayso-{digest[:12]}", hash=digest, at=at.isoformat())
    return _publish(workspace, release, tensors, base, recipe)


def _outline(workspace: Workspace, begun: Plan, base: Base, *, complete: bool) -> Release:
    """Return all of a release that its plan tells, without name, hashes and date."""
    tips = [chain[-1] for chain in begun if chain]
    return Release(
        name="",
        hash="",
        at="",
        complete=complete,
        base=base.hash,
        merge_weight=merge_weight(len(tips), workspace.settings.training),
        cells=tuple(tip.key for tip in tips),
        trained_on=tuple(planned.key for chain in begun for planned in chain),
        names=tuple(planned.cell.name for chain in begun for planned in chain),
        examples=sum(len(planned.cell.examples) for chain in begun for planned in chain),
    )


def _served_already(
    workspace: Workspace, wanted: Plan, base: Base, available: set[str]
) -> Release | None:
    """Return the current release if it is the whole of this plan, and undamaged."""
    keys = {planned.key for chain in wanted for planned in chain}
    try:
        served = current(workspace)
        # Only a cell's key tells of the recipe.
        if served is None or not keys or not keys <= available:
            return None
        outline = _outline(workspace, wanted, base, complete=True)
        if structs.replace(served, name="", hash="", at="", gguf="") != outline:
            return None
        if bool(served.gguf) != (base.gguf is not None):
            return None
        check(workspace, served)
        store = AdapterStore(workspace)
        if not all(store.is_whole(key) for key in served.cells):
            return None
    except (WorkspaceError, IntegrityError):
        return None
    return served


def expected_hash(workspace: Workspace, wanted: Plan, base: Base, recipe: Recipe) -> str:
    """Return the hash of the sum of these cells' adapters, which must all be there and whole."""
    keys = {planned.key for chain in wanted for planned in chain}
    begun, summed = _sum(wanted, keys, AdapterStore(workspace))
    weight = merge_weight(len([c for c in begun if c]), workspace.settings.training)
    return tensor_hash(_tensors(summed, weight, base, recipe))


def current(workspace: Workspace) -> Release | None:
    """Return the release that is served, None before the first."""
    pointer = workspace.releases / "current"
    if not pointer.exists():
        return None
    return read(workspace, pointer.read_text().strip())


def read(workspace: Workspace, name: str) -> Release:
    """Return a release's note.

    Raises:
        WorkspaceError: there is no such release.
    """
    try:
        data = (workspace.releases / name / NOTE).read_bytes()
        return msgspec.json.decode(data, type=Release)
    except (OSError, msgspec.MsgspecError) as error:
        raise WorkspaceError(f"no release {name}", "`sayso train` makes one") from error


def tensors_of(folder: Path) -> dict[str, Matrix]:
    """Read a published release's tensors.

    Raises:
        IntegrityError: the file is damaged.
    """
    try:
        tensors: dict[str, Matrix] = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise IntegrityError(
            f"release {folder.name} is damaged: its weights cannot be read",
            "`sayso train` publishes it anew",
        ) from error
    return tensors


def check(workspace: Workspace, release: Release) -> None:
    """Compare a release's published tensors with its hash.

    Raises:
        IntegrityError: they differ.
    """
    found = tensor_hash(tensors_of(workspace.releases / release.name))
    if found != release.hash:
        raise IntegrityError(
            f"release {release.name} has tensors with hash {found[:16]}…, "
            f"expected {release.hash[:16]}…",
            "`sayso train` publishes it anew",
        )
    if release.gguf and _file_hash(workspace.releases / release.name / GGUF) != release.gguf:
        raise IntegrityError(
            f"release {release.name}: {GGUF} is not the file that was published",
            "`sayso train` publishes it anew",
        )


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def prune(workspace: Workspace, keep_cells: set[str]) -> tuple[int, int]:
    """Remove adapters outside `keep_cells` and all releases but the current one.

    Returns:
        How many adapters and releases went.
    """
    store = AdapterStore(workspace)
    adapters = store.keys() - keep_cells
    store.remove(adapters)
    store.sweep()
    now = current(workspace)
    old = [
        folder
        for folder in workspace.releases.iterdir()
        if folder.is_dir() and (now is None or folder.name != now.name)
    ]
    for folder in old:
        shutil.rmtree(folder)
    return len(adapters), len(old)


def _sum(wanted: Plan, available: set[str], store: AdapterStore) -> tuple[Plan, dict[str, Matrix]]:
    """Sum the last adapter of each chain's unbroken beginning, in the plan's order.

    A damaged adapter counts as missing; it is removed, and its chain ends before it.
    """
    begun: Plan = []
    summed: dict[str, Matrix] = {}
    for chain in wanted:
        there = list(itertools.takewhile(lambda planned: planned.key in available, chain))
        while there:
            try:
                tip = store.get(there[-1].key)
            except IntegrityError:
                store.remove({there.pop().key})
                continue
            for name, b in tip.items():
                summed[name] = summed[name] + b if name in summed else b
            break
        begun.append(tuple(there))
    return begun, summed


def _tensors(
    summed: dict[str, Matrix], weight: float, base: Base, recipe: Recipe
) -> dict[str, Matrix]:
    """Return A and λ·ΣB of every module under PEFT's names."""
    tensors: dict[str, Matrix] = {}
    for name, width, height in _modules(base):
        b = summed.get(name, np.zeros((height, recipe.rank), np.float32)) * np.float32(weight)
        tensors[f"{PREFIX}{name}.lora_A.weight"] = frozen_a(name, recipe.rank, width, recipe.seed)
        tensors[f"{PREFIX}{name}.lora_B.weight"] = np.ascontiguousarray(b)
    return tensors


def _modules(base: Base) -> list[tuple[str, int, int]]:
    """Names, input and output widths of the base's linear layers, without loading its weights."""
    skipped = ("embed_tokens", "lm_head", "norm")
    with safe_open(base.folder / "model.safetensors", framework="numpy") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return [
        (name.removesuffix(".weight"), shape[1], shape[0])
        for name, shape in sorted(shapes.items())
        if len(shape) == 2 and name.endswith(".weight") and not any(s in name for s in skipped)
    ]


def _publish(
    workspace: Workspace,
    release: Release,
    tensors: dict[str, Matrix],
    base: Base,
    recipe: Recipe,
) -> Release:
    folder = workspace.releases / release.name
    write_atomically(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    write_atomically(folder / "adapter_config.json", msgspec.json.encode(_peft(tensors, recipe)))
    if base.gguf is not None:
        names = sorted({name.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for name in tensors})
        pairs = {
            name: (
                tensors[f"{PREFIX}{name}.lora_A.weight"],
                tensors[f"{PREFIX}{name}.lora_B.weight"],
            )
            for name in names
        }
        write_lora(folder / GGUF, base.gguf, pairs)
        release = structs.replace(release, gguf=_file_hash(folder / GGUF))
    write_atomically(folder / NOTE, msgspec.json.encode(release))
    write_atomically(workspace.releases / "current", release.name.encode())
    sync_folder(workspace.releases)
    return release


def _peft(tensors: dict[str, Matrix], recipe: Recipe) -> dict[str, Any]:
    modules = {name.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for name in tensors}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "",
        "r": recipe.rank,
        "lora_alpha": recipe.rank,  # λ is folded into B, so the scale is one
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": sorted({name.rpartition(".")[2] for name in modules}),
        "modules_to_save": None,
    }
