"""Was this text trained on? Answered for anybody who has it, and telling nothing else.

Three answers: it is in the model that is served now, it was in earlier ones, or neither. Only what
anybody could read is answered for: else whoever guesses what was said among few could have the
guess confirmed. That something *was* inside does not tell why it is not any more: an objection, a
deletion, an edit and a waiting time look the same. Nothing of a question is kept.
"""

import math
import threading
from typing import Final, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from sayso.corpus.fingerprints import PLACES, Booleans, Numbers, Signatures, fingerprints
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.training import lineage
from sayso.workspace import Workspace

Answer = Literal["now", "before", "never"]

LEAST_WORDS: Final = 8
LEAST_CHARACTERS: Final = 40
LONGEST: Final = 50_000
_FEW: Final = 2000  # signatures that are looked up one by one; more are read in one go
_BATCH: Final = 65_536
_MOST_PIECES: Final = 32
# Beyond those places that may differ, as many again must agree before a text is looked at closer.
_MUST_AGREE: Final = 8


def is_enough(text: str) -> bool:
    """Whether a text is long enough to be anybody's own: common phrases tell of nobody."""
    words = text.split()
    return len(words) >= LEAST_WORDS or sum(map(len, words)) >= LEAST_CHARACTERS


class Trained:
    """All texts that were ever trained on, by fingerprints in memory: 256 bytes and a few each.

    A text is near another if their signatures differ in at most d of 64 places. So of any d + 8
    places at least 8 agree, and comparing these columns alone leaves next to nothing to compare
    whole: faster than an index, exact, and the same work whatever the answer.

    Args:
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        needed = math.ceil(workspace.settings.corpus.near_duplicate * PLACES)
        self._needed = needed
        self._looked_at = min(PLACES, PLACES - needed + _MUST_AGREE)
        self._lock = threading.Lock()
        self._version = -1
        self._release = 0
        self._pieces: list[Signatures] = []  # each [64, n]: places lie side by side
        self._prints = np.zeros(0, np.uint64)  # of the columns of all pieces
        self._rows = _Rows.none()

    def of_text(self, text: str) -> Answer:
        """Answer for a text: this one, or nearly the same."""
        key = self._workspace.secret
        signature = fingerprints([text], key).signatures[0]
        with self._lock:
            self._catch_up()
            pieces, prints, rows = list(self._pieces), self._prints, self._rows
        near: list[NDArray[np.int64]] = []
        start = 0
        for piece in pieces:
            near.append(start + self._near(piece, signature))
            start += piece.shape[1]
        found = prints[np.concatenate(near)] if near else prints[:0]
        return rows.answer(np.isin(rows.prints, found))

    def of_link(self, link: str) -> Answer:
        """Answer for a post by its id or its address."""
        link = link.strip()
        record = np.uint64(self._workspace.pseudonyms.number("record", link))
        address = np.uint64(lineage.url_key(self._workspace, link))
        with self._lock:
            self._catch_up()
            rows = self._rows
        same = (rows.urls == address) & (address != 0)
        return rows.answer((rows.records == record) | same)

    def warm(self) -> None:
        """Read what is there, so that the first question need not wait for it."""
        with self._lock:
            self._catch_up()

    def _near(self, piece: Signatures, signature: Signatures) -> NDArray[np.int64]:
        agree = np.zeros(piece.shape[1], np.uint8)
        for place in range(self._looked_at):
            agree += piece[place] == signature[place]
        may_differ = PLACES - self._needed
        maybe = np.flatnonzero(agree >= self._looked_at - may_differ)
        same = (piece[:, maybe] == signature[:, None]).sum(axis=0)
        near: NDArray[np.int64] = maybe[same >= self._needed]
        return near

    def _catch_up(self) -> None:
        """Read what releases have changed since the last question."""
        table = lineage.table(self._workspace)
        version = int(table.open().version)
        if version == self._version:
            return
        changed = table.read(where=f"release > {self._release}").sort("release")
        if len(changed):
            self._release = int(changed["release"][-1])
        last = changed.filter("public").group_by("key", "print_key", maintain_order=True).last()
        self._add(np.setdiff1d(last["print_key"].to_numpy(), self._prints))
        self._rows = self._rows.after(last)
        self._version = version

    def _add(self, missing: Numbers) -> None:
        """Read the signatures of these fingerprints."""
        if not len(missing):
            return
        store, columns = Store(self._workspace).fingerprints, ["key", "signature"]
        if len(missing) > _FEW:
            wanted = KeySet(missing)
            batches = store.open().to_batches(columns=columns, batch_size=_BATCH)
            frames = [_chosen(batch, wanted) for batch in batches]
        else:
            frames = [store.find(missing.tolist(), columns)]
        pieces = [frame for frame in frames if len(frame)]
        if not pieces:
            return
        self._pieces += [_places(frame["signature"]) for frame in pieces]
        if len(self._pieces) > _MOST_PIECES:
            self._pieces = [np.concatenate(self._pieces, axis=1)]
        self._prints = np.concatenate([self._prints, *(f["key"].to_numpy() for f in pieces)])


def _places(signatures: pl.Series) -> Signatures:
    """Return signatures as [64, n]: each place's numbers lie side by side."""
    return np.ascontiguousarray(signatures.to_numpy().reshape(len(signatures), PLACES).T)


def _chosen(batch: pa.RecordBatch, wanted: KeySet) -> pl.DataFrame:
    rows = batch.filter(pa.array(wanted.contains(batch["key"].to_numpy())))
    return pl.DataFrame(pl.from_arrow(rows))


class _Rows:
    """What was ever inside, [n] each: pseudonyms, and whether it is inside now."""

    def __init__(self, prints: Numbers, records: Numbers, urls: Numbers, inside: Booleans) -> None:
        self.prints, self.records, self.urls, self.inside = prints, records, urls, inside

    @classmethod
    def none(cls) -> "_Rows":
        numbers = np.zeros(0, np.uint64)
        return cls(numbers, numbers, numbers, np.zeros(0, np.bool_))

    def after(self, last: pl.DataFrame) -> "_Rows":
        """Return them after changes: rows with key, print_key, url_key, inside, each once."""
        maybe = np.flatnonzero(np.isin(self.records, last["key"].to_numpy()))
        known = pl.DataFrame(
            {"place": maybe, "key": self.records[maybe], "print_key": self.prints[maybe]}
        )
        placed = last.join(known, on=["key", "print_key"], how="left")
        again = placed.drop_nulls("place")
        inside = self.inside.copy()
        inside[again["place"].to_numpy()] = again["inside"].to_numpy()
        new = placed.filter(pl.col("place").is_null())
        return _Rows(
            np.concatenate([self.prints, new["print_key"].to_numpy()]),
            np.concatenate([self.records, new["key"].to_numpy()]),
            np.concatenate([self.urls, new["url_key"].to_numpy()]),
            np.concatenate([inside, new["inside"].to_numpy()]),
        )

    def answer(self, chosen: Booleans) -> Answer:
        """Answer by those rows that are the same or nearly the same."""
        if bool((chosen & self.inside).any()):
            return "now"
        return "before" if bool(chosen.any()) else "never"
