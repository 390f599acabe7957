"""A batch of events on its way into the tables: folded, in their order, onto what is stored.

What is left of a record is a function of its events' order alone, not of where batches begin:
a batch knows what is stored of the records it names, and applies each event to that.
"""

from collections.abc import Iterable, KeysView
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from sqlalchemy import Connection

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.content.record import AUDIENCES, HIGHEST_REV, Record
from sayso.corpus.columns import INTERACTIONS
from sayso.corpus.imported import Report, count
from sayso.corpus.store import Store
from sayso.gate.keyset import KeySet
from sayso.rights import people, tombstones
from sayso.rights.tombstones import Tombstone
from sayso.sources.items import Item, Refused
from sayso.workspace import Pseudonyms

# From seen by everybody to seen by nobody; what is unknown yields to whatever is said.
_STRICTNESS: Final = {"unknown": -1} | {name: n for n, name in enumerate(AUDIENCES[:-1])}


class Known(Struct, frozen=True):
    """What the tables hold of a record."""

    rev: int
    account: int
    service: str
    audience: str


class Batch:
    """The events of a batch and what they leave of each record and reaction they name.

    Args:
        pseudonyms: of this installation.
        items: in the order in which they came.
        report: counts what becomes of them.
    """

    def __init__(self, pseudonyms: Pseudonyms, items: Iterable[Item], report: Report) -> None:
        self._pseudonyms = pseudonyms
        self._accounts: dict[str, int] = {}
        self._report = report
        self._items = [(item, self._key_of(item)) for item in items]
        self._named = sorted({key for _, key in self._items if key})
        self._stored: dict[int, Known] = {}
        self._present: dict[int, Tombstone] = {}
        self._deleted: set[int] = set()
        self._minors: set[int] = set()
        self._now: dict[int, Record | Known] = {}
        self._places: dict[int, int] = {}
        self.seen: list[Record] = []
        self.stones: dict[int, Tombstone] = {}
        self.accounts: list[AccountUpdate] = []
        self.interactions: dict[int, Interaction] = {}
        self.undone: set[int] = set()
        self.purged: dict[int, str] = {}
        self.ages: dict[str, str] = {}  # of accounts whose age is told, and what came after

    def account(self, name: str) -> int:
        """Return an account's pseudonym, 0 for none."""
        key = self._accounts.get(name)
        if key is None:
            key = self._accounts[name] = self._pseudonyms.number("account", name) if name else 0
        return key

    def look(self, store: Store, connection: Connection) -> None:
        """Read what is stored of the records that the batch names."""
        for row in store.records.find(
            self._named, ["key", "rev", "account_key", "service", "audience"]
        ).iter_rows():
            self._stored[row[0]] = Known(*row[1:])
        self._present = tombstones.find(connection, self._named)
        self._deleted, self._minors = people.left(connection, self._people())
        self._now = dict(self._stored)
        self.stones = dict(self._present)

    def fold(self) -> None:
        """Apply the events, in their order."""
        for item, key in self._items:
            self._report.note(item)
            match item:
                case Upsert(record=record):
                    self._upsert(key, record)
                case Interaction():
                    self._react(key, item)
                case Delete():
                    self._delete(key, item)
                case Refused() if key:
                    self._report.keys.append(key)
                    self._drop(key, tombstones.DIRECT_MESSAGE, HIGHEST_REV)
                case AccountUpdate():
                    self._change(item)
                case Undelete():
                    if key in self.stones and self.stones[key].reason == tombstones.DELETED:
                        del self.stones[key]

    def block(self, objected: KeySet) -> None:
        """Leave out the records and reactions of those who object."""
        fresh = self.fresh
        blocked = objected.contains(_numbers(self.account(r.author) for r in fresh.values()))
        for (key, record), is_blocked in zip(fresh.items(), blocked, strict=True):
            if is_blocked:
                self._put(key, record, tombstones.OBJECTION, record.rev)
        actors = _numbers(self.account(seen.actor) for seen in self.interactions.values())
        stays_out = objected.contains(actors)
        for key, is_blocked in zip(list(self.interactions), stays_out, strict=True):
            if is_blocked:
                del self.interactions[key]

    @property
    def fresh(self) -> dict[int, Record]:
        """The records that came and stay, by key."""
        return {key: record for key, record in self._now.items() if isinstance(record, Record)}

    def place(self, key: int) -> int:
        """Return which of those `seen` a record that stays came from."""
        return self._places[key]

    @property
    def stored(self) -> KeysView[int]:
        """Keys of those records that were stored before this batch."""
        return self._stored.keys()

    @property
    def new_stones(self) -> list[Tombstone]:
        """Tombstones that this batch sets."""
        return [stone for key, stone in self.stones.items() if self._present.get(key) != stone]

    @property
    def lifted(self) -> list[int]:
        """Keys whose tombstones this batch takes away."""
        return [key for key in self._present if key not in self.stones]

    def _key_of(self, item: Item) -> int:
        match item:
            case Upsert(record=record):
                return self._pseudonyms.number("record", record.id)
            case Delete(id=name) | Undelete(id=name) | Refused(id=name) | Interaction(id=name):
                return self._pseudonyms.number("record", name) if name else 0
        return 0

    def _upsert(self, key: int, record: Record) -> None:
        self._report.keys.append(key)
        self.seen.append(record)
        if record.author and record.age_band == people.MINOR:
            self._leave(record.author, tombstones.MINOR)
        if record.author in self.ages and record.age_band:
            self._note_age(record.author, record.age_band)
        stone = self.stones.get(key)
        if stone and stone.reason in tombstones.FINAL and record.rev <= stone.rev:
            count(self._report.skipped, "deleted before")
            return
        known = self._now.get(key)
        if known is not None:
            if record.rev < known.rev:
                self._report.unchanged += 1
                return
            # Without a newer revision nothing becomes public again: a late copy may say so.
            if (
                record.rev == known.rev
                and _STRICTNESS[record.audience] < _STRICTNESS[known.audience]
            ):
                record = msgspec.structs.replace(record, audience=known.audience)
        if reason := self._left(self.account(record.author)):
            if stone is None or stone.rev < record.rev or stone.reason in tombstones.FINAL:
                self._put(key, record, reason, record.rev)
        else:
            self.stones.pop(key, None)
            self._now[key] = record
            self._places[key] = len(self.seen) - 1

    def _delete(self, key: int, event: Delete) -> None:
        known = self._now.get(key)
        if known is None or known.rev <= event.rev:
            self._drop(key, tombstones.DELETED, event.rev)
        reaction = self._pseudonyms.number("react", event.id)
        self.interactions.pop(reaction, None)
        self.undone.add(reaction)

    def _drop(self, key: int, reason: str, rev: int) -> None:
        old = self.stones.get(key)
        if old and old.reason in tombstones.FINAL:
            if old.rev < rev:
                self.stones[key] = msgspec.structs.replace(old, rev=rev, reason=reason)
            return
        if known := self._now.get(key):
            self._put(key, known, reason, rev)
        elif old:  # what is known of an erased record stays known
            self.stones[key] = msgspec.structs.replace(old, rev=rev, reason=reason)
        else:
            self.stones[key] = Tombstone(key, rev, reason)
        if reason == tombstones.DIRECT_MESSAGE:
            self.stones[key] = msgspec.structs.replace(self.stones[key], audience="direct")

    def _put(self, key: int, known: Record | Known, reason: str, rev: int) -> None:
        account = self.account(known.author) if isinstance(known, Record) else known.account
        self._now.pop(key, None)
        self.stones[key] = Tombstone(key, rev, reason, account, known.service, known.audience)

    def _change(self, change: AccountUpdate) -> None:
        self.accounts.append(change)
        account = self.account(change.account)
        if change.state == "deleted":
            self._leave(change.account, tombstones.ACCOUNT_DELETED)
        elif change.state:
            self._deleted.discard(account)
        if change.age_band == people.MINOR:
            self._leave(change.account, tombstones.MINOR)
        elif change.age_band == "adult":
            self._minors.discard(account)
        if change.age_band:
            self._note_age(change.account, change.age_band)

    def _note_age(self, name: str, band: str) -> None:
        self.ages[name] = people.MINOR if self.account(name) in self._minors else band

    def _leave(self, name: str, reason: str) -> None:
        """Take out everything of an account that was deleted or turns out to be a minor's."""
        account = self.account(name)
        had_left = bool(self._left(account))
        if reason == tombstones.MINOR:
            self._minors.add(account)
        else:
            self._deleted.add(account)
        if had_left and account in self.purged:
            return
        self.purged.setdefault(account, reason)
        for key, record in self.fresh.items():
            if record.author == name:
                self._put(key, record, reason, record.rev)
        self.interactions = {
            key: seen for key, seen in self.interactions.items() if seen.actor != name
        }

    def _left(self, account: int) -> str:
        """Return why nothing of an account is kept; '' for those of which it is."""
        if account in self._minors:
            return tombstones.MINOR
        return tombstones.ACCOUNT_DELETED if account in self._deleted else ""

    def _people(self) -> set[str]:
        """Return the accounts that the batch names."""
        names = {item.record.author for item, _ in self._items if isinstance(item, Upsert)}
        names |= {item.actor for item, _ in self._items if isinstance(item, Interaction)}
        return names | {i.account for i, _ in self._items if isinstance(i, AccountUpdate)}

    def _react(self, key: int, seen: Interaction) -> None:
        stone = self.stones.get(key) if key else None
        if (stone and stone.reason == tombstones.DELETED) or self._left(self.account(seen.actor)):
            return
        name = seen.id or f"{seen.actor}\n{seen.verb}\n{seen.object}\n{seen.at}"
        row = self._pseudonyms.number("react", name)
        self.interactions.setdefault(row, seen)
        self.undone.discard(row)

    def purge(self, store: Store) -> None:
        """Leave tombstones of everything stored by accounts that left in this batch."""
        if not self.purged:
            return
        listed = ", ".join(str(account) for account in sorted(self.purged))
        columns = ["key", "rev", "account_key", "service", "audience"]
        for key, *known in store.records.read(columns, f"account_key IN ({listed})").iter_rows():
            if not isinstance(self._now.get(key), Record) and key not in self.stones:
                self._stored[key] = Known(*known)
                self._put(key, self._stored[key], self.purged[known[1]], known[0])
        theirs = store.interactions.read(["key"], f"account_key IN ({listed})")["key"].to_list()
        self.undone |= set(theirs) - set(self.interactions)

    def reaction_rows(self) -> pa.Table:
        """Rows of the reactions that came and stay."""
        rows = [
            {
                "key": key,
                "account_key": self.account(seen.actor),
                "verb": seen.verb,
                "object_key": self._pseudonyms.number("record", seen.object),
                "value": seen.value,
                "unit": seen.unit,
                "at": seen.at,
            }
            for key, seen in self.interactions.items()
        ]
        return pa.Table.from_pylist(rows, schema=INTERACTIONS)


def _numbers(values: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.fromiter(values, np.uint64)
