"""The worker: watches the rows and acts on them; the only thing that acts by itself.

New posts reach the answers at once and the weights with the next training. An objection or a
deletion interrupts whatever trains: the release without it comes first.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from msgspec import Struct
from sqlalchemy import select

from sayso.assistant.retrieval import vectors
from sayso.corpus import admission
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store
from sayso.duties import Duties
from sayso.errors import SaysoError, SupersededError, WorkspaceError
from sayso.rights.database import Rights, now
from sayso.rights.tables import changes
from sayso.training.releases import Release
from sayso.training.train import Outcome, train
from sayso.workspace import Workspace

POLL_SECONDS = 0.1
WAIT_SECONDS = 1.0
LONGEST_REST_SECONDS = 1.0
log = logging.getLogger("sayso.worker")


class Marks(Struct, frozen=True):
    """What the rows look like from outside; a change of it is work to do."""

    objections: int
    withdrawals: int
    tombstones: int
    accounts: int
    records: int
    day: str
    settings: int

    def urgent_since(self, before: "Marks") -> bool:
        """Whether something may have to go: an objection, a deletion, a changed account."""
        return (self.objections, self.tombstones, self.accounts) != (
            before.objections,
            before.tombstones,
            before.accounts,
        )


def marks(workspace: Workspace, rights: Rights) -> Marks:
    """Look at the rows; a few counts, some milliseconds."""
    with rights.reading() as connection:
        counted = dict(connection.execute(select(changes.c.what, changes.c.number)).tuples().all())
    return Marks(
        objections=counted.get("objections", 0),
        withdrawals=counted.get("withdrawals", 0),
        tombstones=counted.get("tombstones", 0),
        accounts=counted.get("accounts", 0),
        records=Store(workspace).records.open().version,
        day=f"{now():%Y-%m-%d}",
        settings=workspace.settings_file.stat().st_mtime_ns,
    )


class Calm:
    """Whether no objection came for a while, so that a burst rebuilds each cell once.

    Args:
        quiet: seconds without any.
        longest: seconds after the first one when waiting ends, however many come.
    """

    def __init__(self, quiet: float, longest: float) -> None:
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = float("-inf")

    def disturbed(self) -> None:
        """Note that something had to go."""
        self._last = time.monotonic()
        if self._first == float("-inf"):
            self._first = self._last

    def __call__(self) -> bool:
        """Whether cells may be begun."""
        at = time.monotonic()
        if at - self._last < self._quiet and at - self._first < self._longest:
            return False
        self._first = float("-inf")
        return True


def run(home: Path, stop: threading.Event | None = None) -> None:
    """Work until told to stop, or until the process that started this one is gone."""
    stop = stop or threading.Event()
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to end
    signal.signal(signal.SIGTERM, lambda *_: _end(stop))
    os.nice(10)  # answers come before training
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    workspace = Workspace.open(home)
    rights = Rights(workspace)
    done: Marks | None = None
    unfilled = False
    told = ""
    duties = Duties()
    while not stop.is_set() and os.getppid() == parent:
        duties.look(workspace, rights, now())
        seen = marks(workspace, rights)
        if seen != done:
            workspace = Workspace.open(home)  # with the settings as they are now
            rights = Rights(workspace)
            begun = time.monotonic()
            urgent = done is not None and seen.urgent_since(done)
            try:
                outcome = step(workspace, rights, stop, urgent=urgent)
                log.info(
                    "trained %s cells (%s tokens)", outcome.cells_built, outcome.tokens_trained
                )
                done, told = seen, ""
            except SupersededError:
                _rest(stop, begun)
                continue
            except WorkspaceError as error:
                # A training run by hand holds the lock; its result is ours too.
                if error.problem != told:
                    log.warning("waiting: %s. %s", error.problem, error.hint)
                told = error.problem
                stop.wait(WAIT_SECONDS)
            except SaysoError as error:
                log.error("training failed: %s. %s", error.problem, error.hint)  # noqa: TRY400
                done = seen
            unfilled = True
            if urgent:
                _rest(stop, begun)
        elif unfilled:
            # A few at a time: an objection that comes meanwhile is seen after each.
            unfilled = fill_vectors(workspace)
            continue
        stop.wait(POLL_SECONDS)


def _rest(stop: threading.Event, begun: float) -> None:
    """In a burst of objections, leave half of the time to those that are stored meanwhile."""
    stop.wait(min(time.monotonic() - begun, LONGEST_REST_SECONDS))


def _end(stop: threading.Event) -> None:
    """End now, wherever it is: what is half done is done again after the next start."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stop.set()
    sys.exit(0)


def step(
    workspace: Workspace, rights: Rights, stop: threading.Event, *, urgent: bool = False
) -> Outcome:
    """Bring answers and model in step with the rows as they are now.

    Args:
        workspace: where.
        rights: its rights database.
        stop: set when the worker is to end.
        urgent: whether this is for something that may have to go.
    """
    objecting = workspace.settings.objecting
    calm = Calm(objecting.quiet_seconds, objecting.longest_wait_seconds)
    if urgent:
        calm.disturbed()
    seen = [marks(workspace, rights)]
    # Our own erasing moves the marks too; what counts is what moves after it.
    settled = False

    def changed() -> bool:
        nonlocal settled
        now_seen = marks(workspace, rights)
        before, seen[0] = seen[0], now_seen
        if not settled:
            settled = True
            return now_seen.objections != before.objections
        if now_seen.urgent_since(before):
            calm.disturbed()
            settled = False
            return True
        if now_seen.records != before.records:
            # New posts answer at once, however long the training that they will join takes.
            refresh_answers(workspace)
        return False

    def announce(release: Release) -> None:
        log.info("release %s (%s)", release.name, "full" if release.complete else "interim")

    return train(
        workspace,
        now(),
        on_release=announce,
        interrupted=stop.is_set,
        changed=changed,
        ready=calm,
    )


def refresh_answers(workspace: Workspace) -> None:
    """Bring what answers may quote in step with the records; trains nothing."""
    judged = admission.judge_all(workspace, now())
    prepare(workspace, judged)
    tidy(workspace, judged)
    fill_vectors(workspace)


def fill_vectors(workspace: Workspace) -> bool:
    """Make vectors of some records that have none, the newest; return whether more may be left.

    Without them posts are found by their words alone.
    """
    try:
        return vectors.fill(workspace) > 0
    except SaysoError as error:
        log.warning("no vectors: %s. %s", error.problem, error.hint)
        return False
