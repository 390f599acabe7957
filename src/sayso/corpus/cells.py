"""Cells: the corpus as a grid of people and time; a manifest is a cell's ordered examples.

A pure function of the admitted, cleaned records, the settings and the training's date. Nothing
here looks at one person's records to decide about another's, but for the cell they share.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import polars as pl
from msgspec import Struct, structs

from sayso.settings import Cells

_SHARE_BITS: Final = 32


class Example(Struct, frozen=True):
    """One person's text; `hash` names its content, `order` places it within its cell.

    `frozen` while an objection to it is pending: only what is trained already may hold it.
    """

    order: int
    hash: str
    text: str
    frozen: bool = False


class Cell(Struct, frozen=True):
    """One square of the grid; `era` groups the periods that continue from one another."""

    modality: str
    shard: int
    period: str
    era: str
    examples: tuple[Example, ...]

    @property
    def name(self) -> str:
        """A readable name: modality/shard/period."""
        return f"{self.modality}/{self.shard:04d}/{self.period}"

    @property
    def manifest(self) -> tuple[str, ...]:
        """The ordered content hashes: all that training sees, in the order it sees it."""
        return tuple(example.hash for example in self.examples)

    @property
    def has_frozen(self) -> bool:
        """Whether there is an example that nothing new may train on."""
        return any(example.frozen for example in self.examples)

    def without_frozen(self) -> "Cell":
        """Return the cell with those examples alone that may train now."""
        free = tuple(example for example in self.examples if not example.frozen)
        return structs.replace(self, examples=free)

    @property
    def manifest_hash(self) -> str:
        """Hash of the manifest."""
        return hashlib.blake2b("\n".join(self.manifest).encode(), digest_size=16).hexdigest()


Chain = tuple[Cell, ...]


def period_of(written: datetime, at: datetime, periods: str) -> str:
    """Return the period of a date, seen from the training's date.

    'calendar': days within the training's month, months within its year, years before. So a
    record is trained three times in its life, and a day's training costs that day.
    """
    month = f"{written:%Y-%m}"
    if periods == "months" or (written.year == at.year and month < f"{at:%Y-%m}"):
        return month
    return f"{written:%Y}" if written.year < at.year else f"{written:%Y-%m-%d}"


def era_of(period: str, era: str) -> str:
    """Return what a period's cells may continue from: cells of the same era and shard."""
    return {"period": period, "year": period[:4], "forever": "all"}[era]


def shard_of(person_key: int, shards: int) -> int:
    """Return a person's shard: their pseudonym alone decides."""
    return person_key % shards


def is_held_out(person_key: int, share: float) -> bool:
    """Whether this person never trains but measures the loss; other bits than the shard's."""
    return bool((person_key >> _SHARE_BITS) / 2**_SHARE_BITS < share)


def in_sample(order: int, rate: float) -> bool:
    """Whether a record falls into the trained share, by its own keyed hash alone."""
    return bool(order < rate * 2**64)


def chains(corpus: pl.DataFrame, settings: Cells, at: datetime) -> list[Chain]:
    """Cut the corpus into cells and order them into chains, oldest cell first.

    Args:
        corpus: rows with order (u64), hash, text, person_key (u64), written, frozen; held-out
            people and records outside the sample are left out by the caller.
        settings: the grid.
        at: the training's date.

    Returns:
        Chains in a fixed order (shard, era).
    """
    squares: dict[tuple[int, str], list[Example]] = defaultdict(list)
    for order, digest, text, frozen, person, written in corpus.select(
        "order", "hash", "text", "frozen", "person_key", "written"
    ).iter_rows():
        square = shard_of(person, settings.shards), period_of(written, at, settings.periods)
        squares[square].append(Example(order, digest, text, frozen))
    grouped: dict[tuple[int, str], list[Cell]] = defaultdict(list)
    for (shard, period), examples in sorted(squares.items()):
        ordered = tuple(sorted(examples, key=lambda example: (example.order, example.hash)))
        era = era_of(period, settings.era)
        grouped[shard, era].append(Cell("text", shard, period, era, ordered))
    return [tuple(cells) for _, cells in sorted(grouped.items())]


def examples_of(found: Iterable[Chain]) -> set[str]:
    """Return the content hashes of all examples in these chains."""
    return {digest for chain in found for cell in chain for digest in cell.manifest}
