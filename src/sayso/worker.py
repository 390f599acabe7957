"""The worker: watches the rows and acts on them; the only thing that acts by itself.

New posts reach the answers at once and the weights with the next training. An objection or a
deletion interrupts whatever trains: the release without it comes first.
"""

import logging
import os
import signal
import threading
from pathlib import Path

from msgspec import Struct
from sqlalchemy import func, select

from sayso.corpus import admission
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store
from sayso.errors import SaysoError, SupersededError, WorkspaceError
from sayso.rights.database import Rights, now
from sayso.rights.tables import changes, objections, tombstones
from sayso.training.releases import Release
from sayso.training.train import Outcome, train
from sayso.workspace import Workspace

POLL_SECONDS = 0.1
WAIT_SECONDS = 1.0
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
    changed = select(changes.c.number).where(changes.c.what == "accounts").scalar_subquery()
    counts = select(
        select(func.count()).select_from(objections).scalar_subquery(),
        select(func.count(objections.c.withdrawn_at)).scalar_subquery(),
        select(func.count()).select_from(tombstones).scalar_subquery(),
        func.coalesce(changed, 0),
    )
    with rights.reading() as connection:
        one = connection.execute(counts).one()
    return Marks(
        objections=one[0],
        withdrawals=one[1],
        tombstones=one[2],
        accounts=one[3],
        records=Store(workspace).records.open().version,
        day=f"{now():%Y-%m-%d}",
        settings=workspace.settings_file.stat().st_mtime_ns,
    )


def run(home: Path, stop: threading.Event | None = None) -> None:
    """Work until told to stop, or until the process that started this one is gone."""
    stop = stop or threading.Event()
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to end
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    os.nice(10)  # answers come before training
    workspace = Workspace.open(home)
    rights = Rights(workspace)
    done: Marks | None = None
    told = ""
    while not stop.is_set() and os.getppid() == parent:
        seen = marks(workspace, rights)
        if seen != done:
            workspace = Workspace.open(home)  # with the settings as they are now
            try:
                step(workspace, rights, stop)
                done, told = seen, ""
            except SupersededError:
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
        stop.wait(POLL_SECONDS)


def step(workspace: Workspace, rights: Rights, stop: threading.Event) -> Outcome:
    """Bring answers and model in step with the rows as they are now."""
    begun = marks(workspace, rights)
    # Our own erasing moves the marks too; what counts is what moves after it.
    settled: list[Marks] = []

    def interrupted() -> bool:
        seen = marks(workspace, rights)
        if not settled:
            settled.append(seen)
        urgent = seen.urgent_since(settled[0]) or seen.objections != begun.objections
        if not urgent and seen.records != settled[-1].records:
            # New posts answer at once, however long the training that they will join takes.
            refresh_answers(workspace)
            settled.append(seen)
        return stop.is_set() or urgent

    def announce(release: Release) -> None:
        log.info("release %s (%s)", release.name, "full" if release.complete else "interim")

    return train(workspace, now(), on_release=announce, interrupted=interrupted)


def refresh_answers(workspace: Workspace) -> None:
    """Bring what answers may quote in step with the records; trains nothing."""
    judged = admission.judge_all(workspace, now())
    prepare(workspace, judged)
    tidy(workspace, judged)
