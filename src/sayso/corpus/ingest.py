"""Taking records and events in: streaming, idempotent, and never a private message."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from sayso.content.events import AccountUpdate, Delete, Event, Interaction, Upsert
from sayso.content.record import Record
from sayso.corpus.duplicates import Fingerprint, fingerprint
from sayso.corpus.store import Store
from sayso.errors import RefusedError
from sayso.gate.keyset import KeySet
from sayso.rights import objections, people, tombstones
from sayso.rights.database import Rights, now
from sayso.rights.tombstones import Tombstone
from sayso.sources import jsonl
from sayso.sources.detect import find_files
from sayso.sources.jsonl import Refused, Rejected
from sayso.workspace import Workspace

BATCH = 4000
FOREVER = 2**31 - 1

Progress = Callable[[str, int, int], None]


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
    keys: set[int] = field(default_factory=set)


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
    batch = _Batch(workspace)
    for item in items:
        batch.add(item, report)
    with workspace.lock("content", wait=True):
        objected = KeySet(objections.objectors(rights))
        gone = batch.known_audiences(store)
        with rights.writing() as connection:
            people.note_authors(connection, workspace.pseudonyms, list(batch.records.values()))
            for change in batch.accounts:
                people.apply(connection, workspace.pseudonyms, change)
            present = tombstones.find(connection, list(batch.records))
            keep, stones = batch.split(objected, present, report)
            tombstones.put(connection, [*stones, *batch.stones(gone)])
            tombstones.lift(connection, [key for key in keep if key in present])
        rows, prints = batch.rows(keep)
        store.fingerprints.upsert(prints)
        inserted, updated = store.records.upsert(rows, newer="rev")
        gone_now = [*batch.gone, *(stone.key for stone in stones)]
        if gone_now:
            store.records.delete(gone_now)
        store.interactions.upsert(batch.interaction_rows(objected))
        if updated or gone:
            # An edit's old words and a deleted record's go from the disk at once.
            store.records.erase()
    report.stored += inserted
    report.updated += updated
    report.unchanged += len(rows) - inserted - updated


class _Batch:
    """A batch's events, the last word on each record kept."""

    def __init__(self, workspace: Workspace) -> None:
        self._pseudonyms = workspace.pseudonyms
        self._print_key = (workspace.keys / "pseudonym.key").read_bytes()
        self._at: datetime = now()
        self.seen: list[Record] = []
        self.records: dict[int, Record] = {}
        self.gone: dict[int, str] = {}
        self.accounts: list[AccountUpdate] = []
        self.interactions: list[Interaction] = []

    def key(self, record_id: str) -> int:
        return self._pseudonyms.number("record", record_id) if record_id else 0

    def account(self, name: str) -> int:
        return self._pseudonyms.number("account", name) if name else 0

    def add(self, item: Event | Rejected | Refused, report: Report) -> None:
        report.read += 1
        match item:
            case Upsert(record=record):
                key = self.key(record.id)
                report.keys.add(key)
                old = self.records.get(key)
                self.seen.append(record)
                if key not in self.gone and (old is None or record.rev > old.rev):
                    self.records[key] = record
            case Delete():
                report.deletions += 1
                self.drop(self.key(item.id), tombstones.DELETED)
            case Refused():
                key = self.key(item.id)
                report.keys.add(key)
                _count(report.refused, tombstones.DIRECT_MESSAGE)
                self.drop(key, tombstones.DIRECT_MESSAGE)
            case AccountUpdate():
                report.accounts += 1
                self.accounts.append(item)
            case Interaction():
                report.interactions += 1
                self.interactions.append(item)
            case Rejected():
                report.rejected.append(item)

    def drop(self, key: int, reason: str) -> None:
        self.records.pop(key, None)
        self.gone.setdefault(key, reason)

    def known_audiences(self, store: Store) -> dict[int, tuple[int, str]]:
        """For stored records that go now: their account and audience."""
        if not self.gone:
            return {}
        listed = ", ".join(str(key) for key in self.gone)
        frame = store.records.read(["key", "account_key", "audience"], f"key IN ({listed})")
        return {key: (account, audience) for key, account, audience in frame.iter_rows()}

    def stones(self, known: dict[int, tuple[int, str]]) -> list[Tombstone]:
        return [
            Tombstone(
                key,
                FOREVER,
                reason,
                known.get(key, (0, ""))[0],
                "",
                self._audience(key, reason, known),
            )
            for key, reason in self.gone.items()
        ]

    @staticmethod
    def _audience(key: int, reason: str, known: dict[int, tuple[int, str]]) -> str:
        return (
            "direct" if reason == tombstones.DIRECT_MESSAGE else known.get(key, (0, "unknown"))[1]
        )

    def split(
        self, objected: KeySet, present: dict[int, Tombstone], report: Report
    ) -> tuple[list[int], list[Tombstone]]:
        """Divide the records into those to store and the tombstones of those that stay out."""
        keep, stones = [], []
        keys = list(self.records)
        accounts = np.array([self.account(self.records[k].author) for k in keys], dtype=np.uint64)
        blocked: npt.NDArray[np.bool_] = objected.contains(accounts)
        for key, account, is_blocked in zip(keys, accounts.tolist(), blocked, strict=True):
            record, stone = self.records[key], present.get(key)
            if stone and stone.reason in tombstones.FINAL:
                _count(report.skipped, "deleted before")
            elif is_blocked:
                stones.append(
                    Tombstone(
                        key,
                        record.rev,
                        tombstones.OBJECTION,
                        account,
                        record.service,
                        record.audience,
                    )
                )
            else:
                keep.append(key)
        return keep, stones

    def rows(self, keep: list[int]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        """Rows of the records to store, and fingerprints of all that came, whoever objects."""
        prints: dict[int, dict[str, object]] = {}
        for record in self.seen:
            mark = fingerprint(training_text(record), self._print_key)
            key = self._print(record, mark)
            prints[key] = {
                "key": key,
                "account_key": self.account(record.author),
                "exact": mark.exact,
                "signature": mark.signature,
                "long": mark.long,
            }
        return [self._row(key, self.records[key]) for key in keep], list(prints.values())

    def _print(self, record: Record, mark: Fingerprint) -> int:
        return self._pseudonyms.number("print", f"{record.id}\n{mark.exact}")

    def _row(self, key: int, record: Record) -> dict[str, object]:
        mark = fingerprint(training_text(record), self._print_key)
        fields = {name: getattr(record, name) for name in Record.__struct_fields__}
        return fields | {
            "key": key,
            "account_key": self.account(record.author),
            "print_key": self._print(record, mark),
            "ingested_at": self._at,
            "media": msgspec.json.encode(record.media).decode(),
            "reply_key": self.key(record.reply_to),
            "quote_key": self.key(record.quote_of),
        }

    def interaction_rows(self, objected: KeySet) -> list[dict[str, object]]:
        rows = {}
        for seen in self.interactions:
            account = self.account(seen.actor)
            if objected.contains(np.array([account], dtype=np.uint64))[0]:
                continue
            key = self._pseudonyms.number(
                "react", f"{seen.actor}\n{seen.verb}\n{seen.object}\n{seen.at}"
            )
            rows[key] = {
                "key": key,
                "account_key": account,
                "verb": seen.verb,
                "object_key": self.key(seen.object),
                "value": seen.value,
                "unit": seen.unit,
                "at": seen.at,
            }
        return list(rows.values())


def training_text(record: Record) -> str:
    """The author's own words in a record: its text and the alt texts of its media."""
    return "\n".join(part for part in (record.text, *(m.alt for m in record.media)) if part)


def _count(counter: dict[str, int], reason: str) -> None:
    counter[reason] = counter.get(reason, 0) + 1


def _finish(workspace: Workspace, report: Report) -> None:
    if report.rejected:
        report.rejects_file = str(_write_rejects(workspace, report.rejected))
    messages = report.refused.get(tombstones.DIRECT_MESSAGE, 0)
    if messages and messages == report.read:
        raise RefusedError(
            f"all {messages} records are private messages; nothing was stored",
            "Sayso never takes private messages; import posts instead",
        )


def _write_rejects(workspace: Workspace, rejected: list[Rejected]) -> Path:
    workspace.rejects.mkdir(exist_ok=True)
    path = workspace.rejects / f"{now():%Y%m%dT%H%M%S%f}.jsonl"
    with path.open("xb") as file:
        for line in rejected:
            fields = {"file": line.file, "line": line.line, "reason": line.reason}
            if line.raw is not None:
                fields["raw"] = line.raw.decode("utf-8", "backslashreplace")
            file.write(msgspec.json.encode(fields) + b"\n")
    return path
