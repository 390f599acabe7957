"""Taking records and events in: streaming, idempotent, and never a private message."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from sayso.content.events import Event
from sayso.corpus import rejects
from sayso.corpus.batch import Batch, Report
from sayso.corpus.store import Store
from sayso.errors import RefusedError
from sayso.gate.keyset import KeySet
from sayso.rights import objections, people, tombstones
from sayso.rights.database import Rights
from sayso.sources import jsonl
from sayso.sources.detect import find_files
from sayso.sources.jsonl import Refused, Rejected
from sayso.workspace import Workspace

BATCH = 4000

Progress = Callable[[str, int, int], None]


def import_paths(
    workspace: Workspace, paths: list[Path], progress: Progress | None = None
) -> Report:
    """Import files and folders of JSON Lines.

    Args:
        workspace: where to.
        paths: files, or folders searched for *.jsonl and *.ndjson.
        progress: called with a file's name, bytes read, bytes in all.

    Raises:
        InputError: a path cannot be read or is no JSON Lines; nothing was imported.
        RefusedError: there was nothing but private messages; nothing was stored.
    """
    found = [find_files(path) for path in paths]
    sources = [file for files, _ in found for file in files]
    report = Report(files=len(sources))
    other = sum(len(others) for _, others in found)
    if other:
        report.skipped["not JSON Lines"] = other
    total, before = sum(file.stat().st_size for file in sources), 0
    for file in sources:
        with file.open("rb") as stream:
            for _ in _take_in(workspace, jsonl.read_stream(stream, file.name), report):
                if progress:
                    progress(file.name, before + stream.tell(), total)
        before += file.stat().st_size
    _finish(workspace, report)
    return report


def import_stream(workspace: Workspace, stream: BinaryIO, name: str, batch: int = BATCH) -> Report:
    """Import lines from an open stream until it ends."""
    report = Report(files=1)
    for _ in _take_in(workspace, jsonl.read_stream(stream, name), report, batch):
        pass
    _finish(workspace, report)
    return report


def _take_in(
    workspace: Workspace,
    items: Iterator[Event | Rejected | Refused],
    report: Report,
    size: int = BATCH,
) -> Iterator[None]:
    rights, store = Rights(workspace), Store(workspace)
    batch: list[Event | Rejected | Refused] = []
    for item in items:
        batch.append(item)
        if len(batch) >= size:
            store_batch(workspace, rights, store, batch, report)
            batch.clear()
            yield
    store_batch(workspace, rights, store, batch, report)
    yield


def store_batch(
    workspace: Workspace,
    rights: Rights,
    store: Store,
    items: Iterable[Event | Rejected | Refused],
    report: Report,
) -> None:
    """Store one batch; a crash at any point is mended by importing the same batch again."""
    batch = Batch(workspace)
    for item in items:
        batch.add(item, report)
    with workspace.lock("content", wait=True):
        gone = batch.known_audiences(store)
        with rights.writing() as connection:
            people.note_authors(connection, workspace.pseudonyms, batch.seen)
            for change in batch.accounts:
                people.apply(connection, workspace.pseudonyms, change)
            objected = KeySet(objections.objectors_in(connection))
            present = tombstones.find(connection, list(batch.records))
            keep, stones = batch.split(objected, present, report)
            tombstones.put(connection, [*stones, *batch.stones(gone)])
            tombstones.lift(connection, [key for key in keep if key in present])
        rows, prints = batch.rows(keep)
        store.fingerprints.upsert(prints)
        inserted, updated = store.records.upsert(rows, newer="rev")
        store.records.remove([*batch.gone, *(stone.key for stone in stones)])
        store.interactions.upsert(batch.interaction_rows(objected))
        if updated:
            store.records.erase()  # an edit's old words go from the disk at once
    report.stored += inserted
    report.updated += updated
    report.unchanged += len(rows) - inserted - updated


def _finish(workspace: Workspace, report: Report) -> None:
    if report.rejected:
        report.rejects_file = str(rejects.write(workspace, report.rejected))
    messages = report.refused.get(tombstones.DIRECT_MESSAGE, 0)
    if messages and messages == report.read:
        raise RefusedError(
            f"all {messages} records are private messages; nothing was stored",
            "Sayso never takes private messages; import posts instead",
        )
