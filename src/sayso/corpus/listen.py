"""Following a live source: stored in small batches as it comes, through losses and crashes.

At least once in, exactly once stored: a batch is stored, then its cursor is kept in the workspace's
database, then the source is told. Whoever is killed between two of these begins again with a batch
that is stored already, which changes nothing.
"""

import hashlib
import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Final

from sayso.content.events import Upsert
from sayso.corpus import rejects
from sayso.corpus.imported import Report
from sayso.corpus.ingest import BATCH_CHARACTERS, store_batch
from sayso.corpus.store import Store
from sayso.errors import SaysoError, WorkspaceError
from sayso.rights.database import Rights, now
from sayso.rights.listeners import Keeper
from sayso.sources.items import Item
from sayso.sources.live import Arrived, Feed, LostError
from sayso.workspace import Workspace

FLUSH_SECONDS: Final = 0.5
FLUSH_ITEMS: Final = 500
BEAT_SECONDS: Final = 5.0
FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 60.0
# A connection that lasted so long was good: its loss counts as the first one.
GOOD_SECONDS: Final = 60.0
MOST_REJECTED: Final = 1000
log = logging.getLogger("sayso.listen")


def listen(
    workspace: Workspace,
    feed: Feed,
    stop: threading.Event | None = None,
    *,
    name: str = "",
    endless: bool = False,
    wait: Callable[[float], object] | None = None,
    on_batch: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Store what comes in until the source ends for good or `stop` is set.

    What arrives is stored within about half a second. A lost connection is made again, at first
    after a second, then after ever longer, up to a minute.

    Args:
        workspace: where to.
        feed: the source.
        stop: ends it cleanly, with everything that arrived stored.
        name: tells listeners to the same source apart.
        endless: the report then only counts, and keeps nothing of what came.
        wait: waits some seconds before the next attempt; default: until `stop` at most.
        on_batch: called after each batch with the report so far.

    Raises:
        WorkspaceError: such a listener runs already.
        UsageError: the source refuses us.
    """
    stop = stop or threading.Event()
    name = f"{feed.name} ({name})" if name else feed.name
    with _alone(workspace, name):
        run = _Run(workspace, feed, name, stop, endless, on_batch)
        return run.to_the_end(wait or stop.wait)


class Ending:
    """Whether a listener is to end, and the signal that said so, if any."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.signal: int | None = None

    def note(self, number: int, frame: object) -> None:
        """Take a signal; a second one ends the process as ever."""
        self.signal = number
        self.stop.set()
        signal.signal(number, signal.default_int_handler)


@contextmanager
def ended_by_signals() -> Iterator[Ending]:
    """Let Ctrl-C and SIGTERM end a listener cleanly."""
    ending = Ending()
    before = {n: signal.signal(n, ending.note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Backoff:
    """How long to wait before connecting again: exponentially longer, and half of it by chance.

    So listeners that lost the same server do not all come back at once.

    Args:
        chance: returns a number in [0, 1).
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._longest = FIRST_DELAY

    def after(self, lived: float) -> float:
        """Return the seconds to wait after a connection that lasted `lived` seconds."""
        if lived >= GOOD_SECONDS:
            self._longest = FIRST_DELAY
        seconds = self._longest * (1 + self._chance()) / 2
        self._longest = min(2 * self._longest, LONGEST_DELAY)
        return seconds


@contextmanager
def _alone(workspace: Workspace, name: str) -> Iterator[None]:
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    with ExitStack() as stack:
        try:
            stack.enter_context(workspace.lock(f"listener-{digest}"))
        except WorkspaceError as error:
            raise WorkspaceError(
                f"a listener to {name} runs already in {workspace.home}",
                "`sayso status` shows it; end it, or give this one a --name of its own",
            ) from error
        yield


class _Batch:
    """What arrived and is not stored yet."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.items: list[Item] = []
        self.cursor = ""
        self.at: datetime | None = None
        self._characters = 0
        self._since = time.monotonic()

    def add(self, arrived: Arrived) -> None:
        if not self.arrived:
            self._since = time.monotonic()
        self.arrived.append(arrived)
        self.items += arrived.items
        self.cursor = arrived.cursor or self.cursor
        self.at = max(filter(None, (self.at, arrived.at)), default=None)
        self._characters += sum(
            len(item.record.text) for item in arrived.items if isinstance(item, Upsert)
        )

    @property
    def is_due(self) -> bool:
        return (
            len(self.items) >= FLUSH_ITEMS
            or self._characters >= BATCH_CHARACTERS
            or time.monotonic() - self._since >= FLUSH_SECONDS
        )


class _Run:
    """A listener at work, until it ends."""

    def __init__(
        self,
        workspace: Workspace,
        feed: Feed,
        name: str,
        stop: threading.Event,
        endless: bool,
        on_batch: Callable[[Report], None],
    ) -> None:
        self._workspace = workspace
        self._feed = feed
        self._stop = stop
        self._endless = endless
        self._on_batch = on_batch
        self._rights = Rights(workspace)
        self._store = Store(workspace)
        self._keeper = Keeper(self._rights, name)
        self._report = Report(source=name, files=1)
        self._batch = _Batch()
        self._live_since = 0.0

    def to_the_end(self, wait: Callable[[float], object]) -> Report:
        """Connect again and again."""
        backoff = Backoff()
        try:
            while not self._stop.is_set():
                try:
                    self._connect()
                    break
                except LostError as error:
                    self._flush()
                    lived = time.monotonic() - self._live_since if self._live_since else 0.0
                    seconds = backoff.after(lived)
                    log.warning("%s; connecting again in %.0f s", error.problem, seconds)
                    self._keeper.fail(_told(error), state="waiting")
                    wait(seconds)
        except SaysoError as error:
            self._keeper.fail(_told(error))
            raise
        finally:
            self._keeper.say("stopped")
            self._write_rejected(least=1)
        return self._report

    def _connect(self) -> None:
        """Follow the source over one connection, until it ends or we do."""
        self._live_since = 0.0
        self._keeper.say("connecting")
        parting = threading.Event()
        for arrived in self._feed.follow(self._keeper.cursor, parting):
            if parting.is_set():
                continue  # not stored, so it comes again
            if not self._live_since:
                self._live_since = time.monotonic()
                self._keeper.say("live", connected_at=now())
                log.info("connected: %s", self._feed.name)
            if arrived:
                self._batch.add(arrived)
            if arrived is None or self._batch.is_due or self._stop.is_set():
                self._flush()
            if self._stop.is_set():
                parting.set()  # only now: what was stored can still be settled
            if time.monotonic() - self._keeper.said_at >= BEAT_SECONDS:
                self._keeper.say()
        self._flush()

    def _flush(self) -> None:
        """Store what arrived, keep its cursor, tell the source: in this order."""
        batch, self._batch = self._batch, _Batch()
        if not batch.arrived:
            return
        report = self._report
        before, rejected = report.stored + report.updated, len(report.rejected)
        if batch.items:
            store_batch(self._workspace, self._rights, self._store, batch.items, report)
        self._keeper.keep(batch.cursor, report.stored + report.updated - before, batch.at)
        for arrived in batch.arrived:
            if arrived.settle:
                arrived.settle()
        if fresh := report.rejected[rejected:]:
            self._keeper.fail(f"rejected: {fresh[-1].reason}", len(fresh))
        if self._endless:
            del report.keys[:]
            self._write_rejected(least=MOST_REJECTED)
        self._on_batch(report)

    def _write_rejected(self, least: int) -> None:
        report = self._report
        if len(report.rejected) >= least:
            report.rejects_file = str(rejects.write(self._workspace, report.rejected))
            if self._endless:
                report.rejected.clear()


def _told(error: SaysoError) -> str:
    return f"{type(error).__name__}: {error.problem}"
