"""Storing what requests hand in: one thread, and one batch for all that wait at the same time.

A batch costs about the same for one record as for a thousand, so many small requests together are
as quick as one large one. The web only stores; the worker acts on what is stored.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from starlette.exceptions import HTTPException

from sayso.content.events import Upsert
from sayso.corpus import impostors
from sayso.corpus.imported import Report, count
from sayso.corpus.ingest import store_batch
from sayso.corpus.store import Store
from sayso.rights import tombstones
from sayso.rights.database import Rights, now
from sayso.sources.items import Item
from sayso.workspace import Workspace

MOST_WAITING: Final = 200
MOST_ITEMS: Final = 4000  # of one batch, unless one request alone brings more


class _Part:
    """What one request hands in, and what became of it."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.report: Report | None = None
        self.shared = False


Storing = Callable[[Workspace, Rights, Store, Iterable[Item], Report], None]


class Intake:
    """The one door through which the web stores records.

    Args:
        workspace: where to.
        rights: its rights.
        storing: stores one batch.
    """

    def __init__(
        self, workspace: Workspace, rights: Rights, storing: Storing = store_batch
    ) -> None:
        self._workspace = workspace
        self._rights = rights
        self._store = Store(workspace)
        self._storing = storing
        self._thread = ThreadPoolExecutor(1, "sayso-intake")
        self._lock = threading.Lock()
        self._waiting: deque[_Part] = deque()

    async def store(self, items: Sequence[Item]) -> Report:
        """Store items; they are on the disk when this returns.

        Returns:
            What became of these items alone.

        Raises:
            HTTPException: 429; too many wait already.
        """
        if not items:
            return Report()
        if len(self._waiting) >= MOST_WAITING:
            raise HTTPException(429, "too many requests wait", headers={"Retry-After": "1"})
        part = _Part(items)
        with self._lock:
            self._waiting.append(part)
            turn = asyncio.wrap_future(self._thread.submit(self._turn, part))
        await asyncio.wait([turn])
        if turn.exception() and part.shared:
            # Something of another request's may be to blame, so it is tried once more by itself.
            turn = asyncio.wrap_future(self._thread.submit(self._turn, part))
        return await turn

    def _turn(self, part: _Part) -> Report:
        """Store a part and those that wait behind it, unless it was stored with an earlier one."""
        if part.report is None:
            self._commit(self._group(part))
        assert part.report is not None  # it was in the group
        return part.report

    def _group(self, first: _Part) -> list[_Part]:
        group, number = [first], len(first.items)
        with self._lock:
            if first not in self._waiting:  # it was in a batch that failed
                return group
            self._waiting.remove(first)
            while self._waiting and number + len(self._waiting[0].items) <= MOST_ITEMS:
                group.append(self._waiting.popleft())
                number += len(group[-1].items)
        for part in group:
            part.shared = len(group) > 1
        return group

    def _commit(self, group: list[_Part]) -> None:
        report, started = Report(), now()
        for part in group:  # so that each is told what was refused of its own
            part.items = impostors.refused(self._rights, part.items)
        before = self._stored(group) if len(group) > 1 else {}
        items = [item for part in group for item in part.items]
        self._storing(self._workspace, self._rights, self._store, items, report)
        reports = [report] if len(group) == 1 else self._shares(group, before, started)
        for part, share in zip(group, reports, strict=True):
            part.report = share

    def _shares(
        self, group: list[_Part], before: dict[int, datetime], started: datetime
    ) -> list[Report]:
        """Tell what became of each part of a batch; what two name counts for the first."""
        after = self._stored(group)
        keys = [self._keys(part) for part in group]
        with self._rights.reading() as connection:
            gone = [key for key in set().union(*keys) if key not in after]
            stones = tombstones.find(connection, gone)
        told: set[int] = set()
        reports = []
        for part, named in zip(group, keys, strict=True):
            report = Report()
            for item in part.items:
                report.note(item)
            for key in named:
                if key not in after:
                    if key in stones and stones[key].reason in tombstones.FINAL:
                        count(report.skipped, "deleted before")
                elif key in told or after[key] < started:
                    report.unchanged += 1
                elif key in before:
                    report.updated += 1
                else:
                    report.stored += 1
                told.add(key)
            reports.append(report)
        return reports

    def _stored(self, group: list[_Part]) -> dict[int, datetime]:
        """Return the records of a batch that are stored, and when each was written."""
        keys = sorted(set().union(*(self._keys(part) for part in group)))
        return dict(self._store.records.find(keys, ["key", "ingested_at"]).iter_rows())

    def _keys(self, part: _Part) -> dict[int, None]:
        number = self._workspace.pseudonyms.number
        upserts = (item for item in part.items if isinstance(item, Upsert))
        return dict.fromkeys(number("record", item.record.id) for item in upserts)
