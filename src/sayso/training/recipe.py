"""All that decides a cell's bits besides its examples: hyperparameters and environment."""

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from sayso.settings import Training

# Raise it when a change of the training code changes the bits it yields.
CODE: Final = 1


class Recipe(Struct, frozen=True, kw_only=True):
    """Constants of training; tuned on public text, never on members' records."""

    code: int = CODE
    rank: int
    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    batch_tokens: int
    sequence_tokens: int
    seed: int
    compute: str

    @classmethod
    def of(cls, settings: Training) -> "Recipe":
        """Read the recipe from the settings, with `compute` resolved for this machine."""
        compute = settings.compute
        if compute == "auto":
            compute = (
                "bf16" if "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags() else "fp32"
            )
        return cls(
            rank=settings.rank,
            learning_rate=settings.learning_rate,
            batch_tokens=settings.batch_tokens,
            sequence_tokens=settings.sequence_tokens,
            seed=settings.seed,
            compute=compute,
        )

    @property
    def digest(self) -> str:
        """Hash of the recipe."""
        return _digest(self)


class Environment(Struct, frozen=True, kw_only=True):
    """Where the same recipe yields the same bits: same machine kind, same versions, one thread."""

    machine: str
    cpu: str
    python: str
    torch: str
    transformers: str
    numpy: str
    threads: int = 1

    @property
    def digest(self) -> str:
        """The environment fingerprint."""
        return _digest(self)


def environment() -> Environment:
    """Return this machine's environment."""
    return Environment(
        machine=platform.machine(),
        cpu=_cpu_kind(),
        python=platform.python_version(),
        torch=version("torch"),
        transformers=version("transformers"),
        numpy=version("numpy"),
    )


def merge_weight(adapters: int, settings: Training) -> float:
    """Return λ, a fixed function of the number of adapters summed."""
    if adapters == 0:
        return 0.0
    return float(min(1.0, settings.merge_scale / adapters**settings.merge_exponent))


@lru_cache(maxsize=1)
def _cpu_info() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {"model name": platform.processor()}
    return {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}


def _cpu_flags() -> set[str]:
    return set(_cpu_info().get("flags", "").split())


def _cpu_kind() -> str:
    info = _cpu_info()
    wide = sorted(f for f in _cpu_flags() if f.startswith(("avx", "amx", "fma")))
    named = [info.get(k, "") for k in ("model name", "cpu family", "model")]
    return " ".join([*named, hashlib.blake2b(" ".join(wide).encode(), digest_size=4).hexdigest()])


def _digest(value: Struct) -> str:
    data = msgspec.json.encode(value, order="deterministic")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
