"""How far objections have come, and what was released: folded from the ledger.

The ledger only grows, so the fold keeps its place and reads only what is new.
"""

import statistics
import threading
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from sayso.rights import ledger
from sayso.rights.database import Rights

LISTED_RELEASES: Final = 10


class Release(Struct, frozen=True):
    """A published model; kind is 'interim' (cells left out) or 'full' (cells rebuilt)."""

    name: str
    kind: str
    at: datetime


class Progress(Struct, frozen=True):
    """What has happened after an objection; a moment is None until it has come.

    `received_at` is when it came, as a letter days before it was typed; `due_at` is only there if
    the deadline was put off.
    """

    received_at: datetime
    gone_at: datetime | None = None
    gone_with: str = ""
    rebuilt_at: datetime | None = None
    rebuilt_with: str = ""
    withdrawn_at: datetime | None = None
    lapsed_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def steps_done(self) -> int:
        """Steps taken of four: received, kept out of training, gone from serving, rebuilt."""
        # Receipt and the stop of training are one act: the gate reads the row itself.
        return 2 + (self.gone_at is not None) + (self.rebuilt_at is not None)


class Verdicts(Struct, frozen=True):
    """What the last run of the gate decided; of denied and held records by deciding rule."""

    policy: str
    allowed: int
    denied_by: dict[str, int]
    held_by: dict[str, int]

    @property
    def denied(self) -> int:
        """Records that may not be used."""
        return sum(self.denied_by.values())

    @property
    def held(self) -> int:
        """Records of which too little is known, or that still wait."""
        return sum(self.held_by.values())

    @property
    def total(self) -> int:
        """All records that were judged."""
        return self.allowed + self.denied + self.held


class Overview(Struct, frozen=True):
    """What the ledger says in sum; `releases` holds the newest ones, newest first.

    `objections` counts claims, too; those that were not confirmed in time are `lapsed`.
    """

    entries: int
    head: str
    releases: tuple[Release, ...]
    release_count: int
    objections: int
    withdrawn: int
    lapsed: int
    median_seconds: float | None
    verdicts: Verdicts | None


class Board:
    """The fold over the ledger; safe to use from several threads.

    Args:
        rights: the database that holds the ledger.
    """

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._lock = threading.Lock()
        self._reset()

    def progress(self, number: str) -> Progress | None:
        """Return how far an objection has come, None if the ledger knows no such number."""
        with self._lock:
            self._catch_up()
            return self._objections.get(number)

    def overview(self) -> Overview:
        """Return what the ledger says in sum."""
        with self._lock:
            self._catch_up()
            seconds = [
                (p.gone_at - p.received_at).total_seconds()
                for p in self._objections.values()
                if p.gone_at is not None
            ]
            return Overview(
                entries=self._seq,
                head=self._head,
                releases=tuple(reversed(self._releases[-LISTED_RELEASES:])),
                release_count=len(self._releases),
                objections=len(self._objections),
                withdrawn=sum(p.withdrawn_at is not None for p in self._objections.values()),
                lapsed=sum(p.lapsed_at is not None for p in self._objections.values()),
                median_seconds=statistics.median(seconds) if seconds else None,
                verdicts=self._verdicts,
            )

    def released_at(self, name: str) -> datetime | None:
        """Return when a release was published, None if the ledger does not know it."""
        with self._lock:
            self._catch_up()
            return next((r.at for r in reversed(self._releases) if r.name == name), None)

    def _reset(self) -> None:
        self._seq, self._head = 0, ledger.GENESIS
        self._objections: dict[str, Progress] = {}
        # Objections that no full release has taken in yet, with their place in the ledger.
        self._open: dict[str, int] = {}
        self._releases: list[Release] = []
        self._verdicts: Verdicts | None = None

    def _catch_up(self) -> None:
        with self._rights.reading() as connection:
            entries = ledger.read(connection, after=max(self._seq - 1, 0))
            if self._seq:
                last = next(entries, None)
                if last is None or last.hash != self._head:
                    # Another ledger stands here now (a restored back-up): begin again.
                    self._reset()
                    entries = ledger.read(connection)
            for entry in entries:
                self._take(entry)
                self._seq, self._head = entry.seq, entry.hash

    def _take(self, entry: ledger.Entry) -> None:
        at, body = datetime.fromisoformat(entry.at), entry.body
        match entry.kind:
            case "claim":
                self._objections[body["number"]] = Progress(_received(body, at))
            case "objection":
                # Of a claim that is confirmed here it is known already when it came.
                claimed = self._objections.get(body["number"])
                came = claimed.received_at if claimed else _received(body, at)
                self._objections[body["number"]] = Progress(came)
                self._open[body["number"]] = entry.seq
            case "withdrawal":
                self._change(body["number"], withdrawn_at=at)
            case "lapse":
                self._change(body["number"], lapsed_at=at)
            case "extension":
                self._change(body["number"], due_at=datetime.fromisoformat(body["due_at"]))
            case "release":
                release = Release(body["release"], body["kind"], at)
                # One that is noted again, for objections that changed nothing in it, is no other.
                last = self._releases[-1] if self._releases else None
                if last is None or (last.name, last.kind) != (release.name, release.kind):
                    self._releases.append(release)
                # A release names the objections new in it; it heeds all up to its place.
                for number, seq in list(self._open.items()):
                    if seq <= body["up_to"]:
                        self._heeded(number, release)
            case "gate":
                self._verdicts = Verdicts(
                    body["policy"], body["allowed"], body["denied"], body["held"]
                )

    def _heeded(self, number: str, release: Release) -> None:
        if self._objections[number].gone_at is None:
            self._change(number, gone_at=release.at, gone_with=release.name)
        if release.kind == "full":
            self._change(number, rebuilt_at=release.at, rebuilt_with=release.name)
            del self._open[number]

    def _change(self, number: str, **fields: object) -> None:
        if number in self._objections:
            self._objections[number] = replace(self._objections[number], **fields)


def _received(body: dict[str, Any], noted_at: datetime) -> datetime:
    """Return when an objection came: a letter came before it was noted."""
    told = body.get("received_at")
    return datetime.fromisoformat(told) if told else noted_at
