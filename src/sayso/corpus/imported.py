"""What an import did, counted; and the records it brought, as rows."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Struct, field

from sayso.content.events import AccountUpdate, Delete, Interaction
from sayso.content.record import Record, own_words
from sayso.corpus.columns import FINGERPRINTS, RECORDS
from sayso.corpus.fingerprints import fingerprints
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.workspace import Pseudonyms

# Columns that hold a record's field under the same name.
_PLAIN = [name for name in RECORDS.names if name in Record.__struct_fields__ and name != "media"]
_plain_fields = attrgetter(*_PLAIN)


class Report(Struct):
    """What an import did; `keys` are the pseudonyms of the records it named."""

    source: str = "jsonl"
    files: int = 0
    read: int = 0
    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    interactions: int = 0
    deletions: int = 0
    accounts: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejects_file: str = ""
    keys: "array[int]" = field(default_factory=lambda: array("Q"))

    def note(self, item: Item) -> None:
        """Count what can be told from an item alone; what became of a record is told elsewhere."""
        self.read += 1
        match item:
            case Delete():
                self.deletions += 1
            case Interaction():
                self.interactions += 1
            case AccountUpdate():
                self.accounts += 1
            case Refused():
                count(self.refused, item.kind, item.count)
            case Skipped():
                count(self.skipped, item.reason, item.count)
            case Rejected():
                self.rejected.append(item)


def count(counter: dict[str, int], reason: str, number: int = 1) -> None:
    """Add to a count by reason."""
    counter[reason] = counter.get(reason, 0) + number


class Rows:
    """Records on their way into the tables, as columns.

    Args:
        pseudonyms: of this installation.
        print_key: the secret of the fingerprints.
        seen: [n] records.
        accounts: [n] pseudonyms of their authors.
    """

    def __init__(
        self, pseudonyms: Pseudonyms, print_key: bytes, seen: Sequence[Record], accounts: list[int]
    ) -> None:
        self._pseudonyms = pseudonyms
        self._prints = fingerprints([own_words(r.text, r.media) for r in seen], print_key)
        self._accounts = np.array(accounts, np.uint64)
        number = pseudonyms.number
        exact = self._prints.exact.tolist()
        # One text of one record: a revision with other words has a fingerprint of its own.
        self._print_keys = np.fromiter(
            (number("print", f"{r.id}\n{e}") for r, e in zip(seen, exact, strict=True)), np.uint64
        )

    def fingerprints(self) -> pa.Table:
        """Return rows of the fingerprints of all records, each once."""
        _, first = np.unique(self._print_keys, return_index=True)
        prints = self._prints
        signatures = pa.FixedSizeListArray.from_arrays(
            pa.array(prints.signatures[first].reshape(-1)), prints.signatures.shape[1]
        )
        columns = {
            "key": self._print_keys[first],
            "account_key": self._accounts[first],
            "exact": prints.exact[first],
            "signature": signatures.cast(FINGERPRINTS.field("signature").type),
            "long": prints.long[first],
        }
        return pa.table(columns, schema=FINGERPRINTS)

    def records(self, chosen: dict[int, Record], places: list[int], at: datetime) -> pa.Table:
        """Return rows of records.

        Args:
            chosen: the records by key.
            places: for each, its place among those seen.
            at: the moment they came in.
        """
        records = list(chosen.values())
        fields = list(zip(*map(_plain_fields, records), strict=True)) or [()] * len(_PLAIN)
        columns: dict[str, object] = dict(zip(_PLAIN, fields, strict=True))
        columns |= {
            "key": np.fromiter(chosen, np.uint64),
            "account_key": self._accounts[places],
            "print_key": self._print_keys[places],
            "ingested_at": [at] * len(records),
            "media": [msgspec.json.encode(r.media).decode() if r.media else "[]" for r in records],
            "reply_key": self._keys([r.reply_to for r in records]),
            "quote_key": self._keys([r.quote_of for r in records]),
        }
        return pa.table(columns, schema=RECORDS)

    @staticmethod
    def changed(rows: pa.Table, stored: pl.DataFrame) -> pa.Table:
        """Return those rows that say anything else than what is stored under their key."""
        if not len(rows):
            return rows
        compared = [name for name in RECORDS.names if name not in ("ingested_at", "key")]
        here = pl.DataFrame(pl.from_arrow(rows.select(["key", *compared])))
        both = here.join(stored, on="key", how="left", maintain_order="left", suffix="_stored")
        differs = pl.any_horizontal(
            pl.col(name).ne_missing(pl.col(f"{name}_stored")) for name in compared
        )
        return rows.filter(both.select(differs.alias("differs"))["differs"].to_arrow())

    def _keys(self, ids: list[str]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        number = self._pseudonyms.number
        return np.fromiter((number("record", name) if name else 0 for name in ids), np.uint64)
