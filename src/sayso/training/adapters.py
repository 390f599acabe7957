"""Adapters: one frozen, seeded A per weight matrix, shared by all cells; only B is trained.

So the weighted sum of any number of adapters is one adapter of the same rank: (λ·ΣB)·A
(FFA-LoRA, arXiv 2403.12313, for the frozen A).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sayso.errors import IntegrityError
from sayso.workspace import Workspace, write_atomically

Matrix = npt.NDArray[np.float32]
Weights = Mapping[str, Matrix]  # module name → B [d_out, rank]

SUFFIX: Final = ".safetensors"


def frozen_a(module: str, rank: int, width: int, seed: int) -> Matrix:
    """Return the frozen A [rank, width] of a weight matrix, N(0, 1/width).

    Drawn by a counter-based generator (Philox) keyed by seed and name: the same everywhere, and
    independent of everything else that is ever drawn.
    """
    digest = hashlib.blake2b(f"{seed}/{module}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8")
    draw = np.random.Generator(np.random.Philox(key=key))
    matrix: Matrix = (draw.standard_normal((rank, width)) / np.sqrt(width)).astype(np.float32)
    return matrix


def tensor_hash(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """Hash of the canonical bytes: sorted names, type, shape, little-endian values."""
    hasher = hashlib.blake2b(digest_size=32)
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        hasher.update(f"{name}\0{little.dtype.str}\0{little.shape}\0".encode())
        hasher.update(little.tobytes())
    return hasher.hexdigest()


class Note(Struct, frozen=True):
    """What an adapter's file says of itself: its key, its tensors' hash, what it was trained on."""

    key: str
    hash: str
    manifest: tuple[str, ...]
    parent: str = ""
    tokens: int = 0


class AdapterStore:
    """Adapters of cells, content-addressed: the file's name is the key of all that went in."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.models / "adapters"

    def path(self, key: str) -> Path:
        """Where a cell's adapter lies."""
        return self.folder / f"{key}{SUFFIX}"

    def keys(self) -> set[str]:
        """Keys of all adapters there are."""
        return {path.stem for path in self.folder.glob(f"*{SUFFIX}")}

    def put(self, note: Note, weights: Weights) -> None:
        """Write an adapter whole or not at all."""
        text = msgspec.json.encode(note).decode()
        # One entry: safetensors writes several in no fixed order.
        header = {"sayso": f"{_check(text)} {text}"}
        write_atomically(self.path(note.key), save(dict(weights), metadata=header))

    def note(self, key: str) -> Note:
        """Read what an adapter's file says of itself.

        Raises:
            IntegrityError: it cannot be read, or is another's.
        """
        return self._read(key, weights=False)[0]

    def get(self, key: str) -> dict[str, Matrix]:
        """Read an adapter and check every byte of its tensors against its hash.

        Raises:
            IntegrityError: the file is damaged.
        """
        note, weights = self._read(key, weights=True)
        if tensor_hash(weights) != note.hash:
            raise _damaged(key)
        return weights

    def is_whole(self, key: str) -> bool:
        """Whether an adapter is there with every byte of its hash."""
        try:
            self.get(key)
        except IntegrityError:
            return False
        return True

    def remove(self, keys: set[str]) -> None:
        """Remove adapters that no release may use any more."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a killed write left behind; nobody may be writing."""
        for half in self.folder.glob(".*.tmp"):
            half.unlink(missing_ok=True)

    def _read(self, key: str, *, weights: bool) -> tuple[Note, dict[str, Matrix]]:
        try:
            with safe_open(self.path(key), framework="numpy") as file:
                header = file.metadata() or {}
                check, _, text = header["sayso"].partition(" ")
                if check != _check(text):
                    raise _damaged(key)
                note = msgspec.json.decode(text, type=Note)
                names = file.keys() if weights else ()
                tensors = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
            raise _damaged(key) from error
        if note.key != key:
            raise _damaged(key)
        return note, tensors


def _check(note: str) -> str:
    return hashlib.blake2b(note.encode(), digest_size=16).hexdigest()


def _damaged(key: str) -> IntegrityError:
    return IntegrityError(
        f"adapter {key} is damaged: its bytes do not have the hash that it was stored with",
        "`sayso train` rebuilds it",
    )
