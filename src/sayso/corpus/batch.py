"""A batch of events on its way into the tables: the last word on each record, as rows."""

from array import array
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from sayso.content.events import AccountUpdate, Delete, Event, Interaction, Upsert
from sayso.content.record import Record
from sayso.corpus.duplicates import Fingerprint, fingerprint
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.rights import tombstones
from sayso.rights.database import now
from sayso.rights.tombstones import Tombstone
from sayso.sources.jsonl import Refused, Rejected
from sayso.workspace import Workspace

FOREVER = 2**31 - 1


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


class Batch:
    """A batch's events, the last word on each record kept."""

    def __init__(self, workspace: Workspace) -> None:
        self._pseudonyms = workspace.pseudonyms
        self._print_key = (workspace.keys / "pseudonym.key").read_bytes()
        self._at: datetime = now()
        self.seen: list[Record] = []
        self.records: dict[int, Record] = {}
        self.gone: dict[int, str] = {}
        self._dropped: dict[int, tuple[int, str]] = {}
        self.accounts: list[AccountUpdate] = []
        self.interactions: list[Interaction] = []

    def key(self, record_id: str) -> int:
        """Return a record's pseudonym, 0 for none."""
        return self._pseudonyms.number("record", record_id) if record_id else 0

    def account(self, name: str) -> int:
        """Return an account's pseudonym, 0 for none."""
        return self._pseudonyms.number("account", name) if name else 0

    def add(self, item: Event | Rejected | Refused, report: Report) -> None:
        """Take in one item and count it."""
        report.read += 1
        match item:
            case Upsert(record=record):
                key = self.key(record.id)
                report.keys.append(key)
                old = self.records.get(key)
                self.seen.append(record)
                if key not in self.gone and (old is None or record.rev > old.rev):
                    self.records[key] = record
            case Delete():
                report.deletions += 1
                self.drop(self.key(item.id), tombstones.DELETED)
            case Refused():
                key = self.key(item.id)
                report.keys.append(key)
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
        """Note that a record goes, and why."""
        record = self.records.pop(key, None)
        if record and key not in self.gone:
            self._dropped[key] = (self.account(record.author), record.audience)
        self.gone.setdefault(key, reason)

    def known_audiences(self, store: Store) -> dict[int, tuple[int, str]]:
        """For stored records that go now: their account and audience."""
        if not self.gone:
            return {}
        listed = ", ".join(str(key) for key in self.gone)
        frame = store.records.read(["key", "account_key", "audience"], f"key IN ({listed})")
        stored = {key: (account, audience) for key, account, audience in frame.iter_rows()}
        return stored | self._dropped

    def stones(self, known: dict[int, tuple[int, str]]) -> list[Tombstone]:
        """Return the tombstones of the records that go."""
        made = []
        for key, reason in self.gone.items():
            account, audience = known.get(key, (0, "unknown"))
            if reason == tombstones.DIRECT_MESSAGE:
                audience = "direct"
            made.append(Tombstone(key, FOREVER, reason, account, "", audience))
        return made

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
        """Rows of the reactions, but for those of people who object."""
        rows: dict[int, dict[str, object]] = {}
        for seen in self.interactions:
            account = self.account(seen.actor)
            if objected.contains(np.array([account], dtype=np.uint64))[0]:
                continue
            key = self._pseudonyms.number(
                "react", f"{seen.actor}\n{seen.verb}\n{seen.object}\n{seen.at}"
            )
            rows.setdefault(
                key,
                {
                    "key": key,
                    "account_key": account,
                    "verb": seen.verb,
                    "object_key": self.key(seen.object),
                    "value": seen.value,
                    "unit": seen.unit,
                    "at": seen.at,
                },
            )
        return list(rows.values())


def training_text(record: Record) -> str:
    """The author's own words in a record: its text and the alt texts of its media."""
    return "\n".join(part for part in (record.text, *(m.alt for m in record.media)) if part)


def _count(counter: dict[str, int], reason: str) -> None:
    counter[reason] = counter.get(reason, 0) + 1
