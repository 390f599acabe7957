"""A release as a llama.cpp LoRA file (GGUF), so that llama.cpp serves it over the base's own GGUF.

File format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Names and keys of an
adapter are those of llama.cpp's `convert_lora_to_gguf.py`.
"""

import logging
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sayso.errors import InputError, MissingPartError, UsageError
from sayso.workspace import sync_folder

Matrix = NDArray[np.float32]

# llama.cpp stores the rotary dimensions of these architectures as pairs, Hugging Face as halves.
_PERMUTED: Final = frozenset({"llama"})
# Linear layers of these are the same matrices in both formats.
_PLAIN: Final = frozenset({"gemma2", "gemma3", "phi3", "qwen2", "qwen3", "starcoder2"})

# struct codes of the GGUF value types 0 to 12; 8 is a string and 9 an array.
_SCALARS: Final = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_STRING: Final = 8
_ARRAY: Final = 9


class Header(NamedTuple):
    """What a GGUF file says before its weights.

    `values` holds the metadata but for its arrays (vocabulary, merges); `shapes` the tensors'
    shapes in numpy's order: [d_out, d_in] for a linear layer.
    """

    values: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """Read metadata and shapes; 40 times faster than `gguf.GGUFReader`, which decodes every array.

    Raises:
        InputError: the file is missing, cut short, or no little-endian GGUF of version 2 or 3.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Cursor(data).header()
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise InputError(
            f"{path} cannot be read as GGUF ({error}), expected a GGUF file of version 2 or 3",
            "give the base model's .gguf file",
        ) from error


def write_lora(path: Path, base: Path, adapter: Mapping[str, tuple[Matrix, Matrix]]) -> None:
    """Write an adapter as a LoRA that llama.cpp adds to `base` at scale 1; same input, same bytes.

    Args:
        path: where to; the old file or the new one is there at any time, nothing between.
        base: the base model's GGUF file; gives the architecture, the names and the shapes.
        adapter: for each weight matrix (`model.layers.0.self_attn.q_proj`) A [rank, d_in] and
            B [d_out, rank], float32, with delta W = B @ A; one rank for all.

    Raises:
        InputError: `base` is not GGUF, or its architecture is not known here.
        UsageError: a matrix has no place in the base, or a wrong shape, type or value.
        MissingPartError: the package `gguf` is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingPartError(
            "the package `gguf` is not installed", "pip install 'sayso[train]'"
        ) from error
    logging.getLogger("gguf").setLevel(logging.WARNING)  # it tells of each file it writes

    header = read_header(base)
    architecture = str(header.values.get("general.architecture", ""))
    if architecture not in _PERMUTED | _PLAIN:
        raise InputError(
            f"{base.name} has the architecture {architecture!r}, expected one of "
            f"{', '.join(sorted(_PERMUTED | _PLAIN))}",
            "choose another base model (training.base in sayso.toml)",
        )
    known = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    blocks = _number(header, f"{architecture}.block_count")
    names = gguf.get_tensor_name_map(known[architecture], blocks)

    writer = gguf.GGUFWriter(None, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    # llama.cpp scales B @ A by alpha / rank.
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(_rank(adapter)))
    for name in sorted(adapter):
        a, b = adapter[name]
        tensor = f"{names.get_name(name)}.weight"
        _check(name, a, b, header.shapes.get(tensor))
        if architecture in _PERMUTED:
            b = _paired(b, _heads(name, architecture, header))
        writer.add_tensor(f"{tensor}.lora_a", np.ascontiguousarray(a))
        writer.add_tensor(f"{tensor}.lora_b", np.ascontiguousarray(b))
    write_atomically(path, writer)


def _number(header: Header, key: str) -> int:
    if not isinstance(value := header.values.get(key), int):
        raise InputError(f"the base's GGUF has {value!r} as {key}, expected one number")
    return value


def _rank(adapter: Mapping[str, tuple[Matrix, Matrix]]) -> int:
    ranks = {a.shape[0] for a, _ in adapter.values()}
    if len(ranks) != 1 or 0 in ranks:
        raise UsageError(f"the adapter has the ranks {sorted(ranks)}, expected one for all")
    return int(ranks.pop())


def _check(name: str, a: Matrix, b: Matrix, shape: tuple[int, ...] | None) -> None:
    if shape is None:
        raise UsageError(
            f"the adapter changes {name!r}, which the base's GGUF does not have",
            "write the adapter for the base model that it was trained on",
        )
    if a.ndim != 2 or b.ndim != 2 or (b.shape[0], a.shape[1]) != shape:
        raise UsageError(f"{name}: A is {a.shape} and B {b.shape}, expected delta W of {shape}")
    if a.shape[0] != b.shape[1]:
        raise UsageError(f"{name}: A has rank {a.shape[0]} and B {b.shape[1]}, expected the same")
    for label, matrix in (("A", a), ("B", b)):
        if matrix.dtype != np.float32:
            raise UsageError(f"{name}: {label} is {matrix.dtype}, expected float32")
        if not np.isfinite(matrix).all():
            raise UsageError(f"{name}: {label} has values that are not finite")


def _heads(name: str, architecture: str, header: Header) -> int:
    """Rotary heads in the rows of a matrix; 0 = none."""
    heads = _number(header, f"{architecture}.attention.head_count")
    if name.endswith(".q_proj"):
        return heads
    if name.endswith(".k_proj"):
        return int(header.values.get(f"{architecture}.attention.head_count_kv", heads))
    return 0


def _paired(b: Matrix, heads: int) -> Matrix:
    """Reorder rows from rotary halves to rotary pairs.

    As `LlamaModel.permute` of llama.cpp's `convert_hf_to_gguf.py` does with the base's weights;
    delta W = B @ A has B's row order, so A stays.
    """
    if heads == 0:
        return b
    return b.reshape(heads, 2, -1, b.shape[1]).swapaxes(1, 2).reshape(b.shape)


def write_atomically(path: Path, writer: Any) -> None:
    """Write what a `gguf.GGUFWriter` holds; a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            writer.write_header_to_file(temporary)
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


class _Cursor:
    """Reads a GGUF file's head from its start."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> Header:
        magic, version, tensors, pairs = self._take("4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"it starts with {magic!r}, version {version}")
        values = {}
        for _ in range(pairs):
            key = self._string()
            value = self._value(self._take("I")[0])
            if value is not None:
                values[key] = value
        shapes = {}
        for _ in range(tensors):
            name = self._string()
            dimensions = self._take("I")[0]
            shapes[name] = tuple(reversed(self._take(f"{dimensions}Q")))
            self._take("IQ")
        return Header(values, shapes)

    def _take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def _string(self) -> str:
        (length,) = self._take("Q")
        return bytes(self._take(f"{length}s")[0]).decode()

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._take(_SCALARS[kind])[0]
        of, length = self._take("IQ")
        if of in _SCALARS:
            self._at += length * struct.calcsize(f"<{_SCALARS[of]}")
        elif of == _STRING:
            at, length_at = self._at, struct.Struct("<Q").unpack_from
            for _ in range(length):
                at += 8 + length_at(self._data, at)[0]
            self._at = at
        else:
            for _ in range(length):
                self._value(of)
        return None
