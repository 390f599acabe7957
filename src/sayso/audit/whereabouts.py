"""Where single records are: in the cells of the served model, in which releases, in the answers."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
from msgspec import Struct

from sayso.corpus.cells import period_of, shard_of
from sayso.corpus.store import Store
from sayso.errors import IntegrityError, WorkspaceError
from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.training import lineage, releases
from sayso.training.adapters import AdapterStore
from sayso.training.releases import Release
from sayso.workspace import Workspace


class Published(Struct, frozen=True):
    """A release, and when it was published."""

    name: str
    at: datetime


class Span(Struct, frozen=True):
    """Releases that hold a record: from one up to, but not with, another; None = still."""

    since: Published | None
    until: Published | None


class Where(Struct, frozen=True):
    """Where one record is.

    `cell` names the part of the served release that was trained on it ('' = none), `served` that
    release; `prepared` is its text in the corpus, as it trains, None if it is not there.
    """

    cell: str = ""
    served: str = ""
    spans: tuple[Span, ...] = ()
    prepared: str | None = None
    answers: bool = False


def find(
    workspace: Workspace, rights: Rights, person: str, keys: Sequence[int]
) -> dict[int, Where]:
    """Return where these records of one person are; a few dozen at a time."""
    if not keys:
        return {}
    chosen, store = f"key IN ({', '.join(map(str, keys))})", Store(workspace)
    spans = _spans(rights, lineage.spans(workspace, chosen))
    answers = set(store.retrieval.read(["key"], chosen)["key"])
    prepared = store.corpus.read(["key", "text", "written"], chosen, few=True)
    texts = {key: (text, written) for key, text, written in prepared.iter_rows()}
    served = _Served(workspace, person)
    found = {}
    for key in keys:
        text, written = texts.get(key, (None, None))
        cell = served.cell_of(key, text, written) if text is not None and written else ""
        name = served.name if cell else ""
        found[key] = Where(cell, name, spans.get(key, ()), text, key in answers)
    return found


class _Served:
    """The served release, asked for the cells of one person."""

    def __init__(self, workspace: Workspace, person: str) -> None:
        self._settings = workspace.settings.cells
        self._adapters = AdapterStore(workspace)
        self._person = workspace.pseudonyms.number("person", person)
        self._release = _current(workspace)
        self._manifests: dict[str, frozenset[str]] = {}

    @property
    def name(self) -> str:
        """What it is called; '' if there is none."""
        return self._release.name if self._release else ""

    def cell_of(self, key: int, text: str, written: datetime) -> str:
        """Return the cell that was trained on exactly this text of a record; '' for none."""
        release = self._release
        if release is None:
            return ""
        shard = shard_of(self._person, self._settings.shards)
        at = datetime.fromisoformat(release.at)
        period = period_of(written.astimezone(UTC), at, self._settings.periods)
        cell = f"text/{shard:04d}/{period}"
        digest = hashlib.blake2b(f"{key}\n{text}".encode(), digest_size=16).hexdigest()
        return cell if digest in self._manifest(release, cell) else ""

    def _manifest(self, release: Release, cell: str) -> frozenset[str]:
        if cell not in self._manifests:
            adapters = dict(zip(release.names, release.trained_on, strict=False))
            try:
                note = self._adapters.note(adapters[cell])
                self._manifests[cell] = frozenset(note.manifest)
            except (KeyError, IntegrityError):  # not trained, or trained anew at this moment
                self._manifests[cell] = frozenset()
        return self._manifests[cell]


def _current(workspace: Workspace) -> Release | None:
    try:
        return releases.current(workspace)
    except WorkspaceError:
        return None  # it is just being replaced


def _spans(rights: Rights, found: pl.DataFrame) -> dict[int, tuple[Span, ...]]:
    places = {place for name in ("since", "until") for place in found[name].drop_nulls()}
    with rights.reading() as connection:
        published: dict[int | None, Published] = {
            entry.seq: Published(entry.body["release"], datetime.fromisoformat(entry.at))
            for place in places
            for entry in ledger.read(connection, place - 1, place, "release")
        }
    spans: dict[int, tuple[Span, ...]] = {}
    for key, since, until in found.sort("since").select("key", "since", "until").iter_rows():
        span = Span(published.get(since), published.get(until))
        spans[key] = (*spans.get(key, ()), span)
    return spans
