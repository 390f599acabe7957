"""What is done to records' words before they train or answer: names that are to be masked."""

import hashlib
from collections.abc import Mapping
from typing import Final

import polars as pl

from sayso.corpus.naming import Finder, Keyed, mask
from sayso.rights import names
from sayso.rights.database import Rights
from sayso.workspace import Pseudonyms, Workspace

UNTREATED: Final = 0


class Treatments:
    """The names to mask in each record; a record's words are a pure function of it and of them.

    Args:
        pseudonyms: of this installation.
        by_record: for each record's key the hashes of names, with how many words they have.
    """

    def __init__(
        self, pseudonyms: Pseudonyms, by_record: Mapping[int, frozenset[tuple[int, int]]]
    ) -> None:
        self._by_record = by_record
        self._finder = Finder(
            pseudonyms, {Keyed(*each) for found in by_record.values() for each in found}
        )

    def number(self, key: int) -> int:
        """Return a number that changes with the names to mask in a record; 0 for none."""
        found = self._by_record.get(key)
        if found is None:
            return UNTREATED
        listed = ",".join(str(hashed) for hashed, _ in sorted(found))
        return int.from_bytes(hashlib.blake2b(listed.encode(), digest_size=8).digest(), "big") | 1

    def treat(self, key: int, text: str) -> tuple[str, int]:
        """Return a record's cleaned words with the names masked, and how many were.

        Where it was decided to mask but no name is known, nothing of the record is left.
        """
        found = self._by_record.get(key)
        if found is None:
            return text, 0
        return mask(text, self._finder, {hashed for hashed, _ in found}) if found else ("", 0)

    def beside(self, records: pl.DataFrame) -> pl.DataFrame:
        """Add the column `treatment` (u64) to records, by their key."""
        if not self._by_record:
            return records.with_columns(treatment=pl.lit(UNTREATED, dtype=pl.UInt64))
        rows = {key: self.number(key) for key in self._by_record}
        schema = {"key": pl.UInt64, "treatment": pl.UInt64}
        known = pl.DataFrame({"key": list(rows), "treatment": list(rows.values())}, schema=schema)
        joined = records.join(known, on="key", how="left", maintain_order="left")
        return joined.with_columns(pl.col("treatment").fill_null(UNTREATED))


def standing(workspace: Workspace) -> Treatments:
    """Return what is to be masked as it is decided now."""
    with Rights(workspace).reading() as connection:
        return Treatments(workspace.pseudonyms, names.masks(connection))
