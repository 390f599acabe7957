"""Taking records and events in: streaming, idempotent, and never a private message."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from sayso.content.events import AccountUpdate, Upsert
from sayso.corpus import depicted, impostors, rejects
from sayso.corpus.batch import Batch
from sayso.corpus.imported import Report, Rows, count
from sayso.corpus.numbered import resolved
from sayso.corpus.store import Store
from sayso.errors import RefusedError, UsageError
from sayso.gate.keyset import KeySet
from sayso.rights import declared, ledger, objections, people, tombstones
from sayso.rights.database import Rights, now
from sayso.sources import lines, pictures
from sayso.sources.archive import Member
from sayso.sources.detect import Export, find
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.workspace import Workspace

BATCH: Final = 8000
# A batch ends early when its texts are longer than this together: memory stays flat.
BATCH_CHARACTERS: Final = 4_000_000
_NESTED: Final = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")

Progress = Callable[[str, int, int], None]


class Declared(msgspec.Struct, frozen=True):
    """The operator's word on records whose audience nothing tells, with the reason for it."""

    audience: str
    because: str


def look_through(paths: list[Path], progress: Progress | None = None) -> list[Export]:
    """Open what lies at these paths and read documents through once, storing nothing.

    So damage anywhere is found before anything is stored.

    Raises:
        InputError: a path cannot be read, is damaged, could harm, or holds nothing known.
        RefusedError: there is nothing but private messages.
    """
    exports = find(paths)
    content = refused = 0
    for export in exports:
        for item in export.read():
            refused += item.count if isinstance(item, Refused) else 0
            content += _is_content(item)
            if content and export.lines_only:
                break  # lines are taken one by one; a damaged one is rejected by itself
            if progress and (content + refused) % 5000 == 0:
                progress(f"{export.tree.name} (looking through)", _bytes_read(export), 0)
    if refused and not content:
        raise _only_messages(refused)
    return exports


def import_paths(
    workspace: Workspace, paths: list[Path], progress: Progress | None = None
) -> Report:
    """Look through and import files, folders and archives."""
    return import_exports(workspace, look_through(paths, progress), progress)


def import_exports(
    workspace: Workspace,
    exports: list[Export],
    progress: Progress | None = None,
    declared: Declared | None = None,
) -> Report:
    """Import what was looked through.

    Args:
        workspace: where to.
        exports: from `look_through`.
        progress: called with a name, bytes read, bytes in all.
        declared: the operator's word on records of unknown audience; it is noted in the ledger.
    """
    report = Report(source=", ".join(dict.fromkeys(s.name for e in exports for s in e.sources)))
    if declared:
        _note_declared(workspace, declared)
    for export in exports:
        total = sum(member.size for member in export.tree.members if member.used)
        items = pictures.heeded(export.read(), export.tree)
        for _ in _take_in(workspace, _declare(items, declared), report):
            if progress:
                progress(export.tree.name, _bytes_read(export), total)
        report.files += sum(member.used for member in export.tree.members)
        for member in export.tree.members:
            if not member.used:
                count(report.skipped, _unused(member))
    if report.rejected:
        report.rejects_file = str(rejects.write(workspace, report.rejected))
    return report


def import_stream(workspace: Workspace, stream: BinaryIO, name: str, batch: int = BATCH) -> Report:
    """Import lines from an open stream until it ends."""
    report = Report(files=1)
    for _ in _take_in(workspace, lines.read_stream(stream, name), report, batch):
        pass
    if report.rejected:
        report.rejects_file = str(rejects.write(workspace, report.rejected))
    messages = sum(report.refused.values())
    if messages and messages == report.read:
        raise _only_messages(messages)
    return report


def _only_messages(number: int) -> RefusedError:
    return RefusedError(
        f"there is nothing but private messages ({number}); nothing was stored",
        "Sayso never takes private messages; import posts instead",
    )


def _take_in(
    workspace: Workspace, items: Iterator[Item], report: Report, size: int = BATCH
) -> Iterator[None]:
    rights, store = Rights(workspace), Store(workspace)
    batch: list[Item] = []
    characters = 0
    for item in items:
        batch.append(item)
        if isinstance(item, Upsert):
            characters += len(item.record.text)
        if len(batch) >= size or characters >= BATCH_CHARACTERS:
            store_batch(workspace, rights, store, batch, report)
            batch.clear()
            characters = 0
            yield
    store_batch(workspace, rights, store, batch, report)
    yield


def store_batch(
    workspace: Workspace, rights: Rights, store: Store, items: Iterable[Item], report: Report
) -> None:
    """Store one batch; a crash at any point is mended by importing the same batch again."""
    with workspace.lock("content", wait=True):
        known = resolved(workspace, rights, store, list(items))
        batch = Batch(workspace.pseudonyms, impostors.refused(rights, known), report)
        with rights.writing() as connection:
            batch.look(store, connection)
            batch.fold()
            people.note_authors(connection, workspace.pseudonyms, batch.seen)
            for change in batch.accounts:
                declared.apply(connection, rights, change)
            people.set_ages(connection, batch.ages)
            batch.block(KeySet(objections.objectors_in(connection)))
            batch.purge(store)
            tombstones.put(connection, batch.new_stones)
            tombstones.lift(connection, batch.lifted)
            depicted.note_records(connection, workspace, batch.fresh, batch.stones)
        print_key = workspace.secret
        accounts = [batch.account(record.author) for record in batch.seen]
        rows = Rows(workspace.pseudonyms, print_key, batch.seen, accounts)
        store.fingerprints.append_missing(rows.fingerprints())
        _store_records(store, batch, rows, report)
        store.interactions.append_missing(batch.reaction_rows())


def _store_records(store: Store, batch: Batch, rows: Rows, report: Report) -> None:
    fresh, at = batch.fresh, now()
    new = {key: record for key, record in fresh.items() if key not in batch.stored}
    known = {key: record for key, record in fresh.items() if key in batch.stored}
    store.records.append(rows.records(new, [batch.place(key) for key in new], at))
    changed = rows.changed(
        rows.records(known, [batch.place(key) for key in known], at),
        store.records.find(list(known), store.records.schema.names),
    )
    # What was made of them goes first: a crash in between must not leave it, and the new revision
    # may have the old one's number.
    for derived in (store.corpus, store.retrieval, store.vectors):
        derived.delete(changed["key"].to_pylist())
    store.records.replace(changed)
    # Also what has its tombstone from before: a crash may have come between it and this.
    gone = [key for key in batch.stones if key in batch.stored]
    store.records.remove(gone)
    store.interactions.remove(sorted(batch.undone))
    if len(changed):
        store.records.erase()  # an edit's old words go from the disk at once
    report.stored += len(new)
    report.updated += len(changed)
    report.unchanged += len(known) - len(changed)


def _declare(items: Iterator[Item], declared: Declared | None) -> Iterator[Item]:
    for item in items:
        if declared and isinstance(item, Upsert) and item.record.audience == "unknown":
            yield Upsert(
                msgspec.structs.replace(
                    item.record, audience=declared.audience, audience_source="operator"
                )
            )
        else:
            yield item


def _note_declared(workspace: Workspace, declared: Declared) -> None:
    if not declared.because.strip():
        raise UsageError(
            "the audience of records that tell none was declared without a reason",
            "say why with --because, for the ledger",
        )
    with Rights(workspace).writing() as connection:
        ledger.append(connection, "audience", msgspec.to_builtins(declared))


def _is_content(item: Item) -> bool:
    return not isinstance(item, Refused | Rejected | Skipped | AccountUpdate)


def _bytes_read(export: Export) -> int:
    return sum(member.bytes_read for member in export.tree.members if member.used)


def _unused(member: Member) -> str:
    if member.name.lower().endswith(_NESTED):
        return "archive inside the archive, not opened"
    return "picture or video without a post" if member.is_media else "file of no use"
