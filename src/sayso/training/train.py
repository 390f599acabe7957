"""`sayso train`: from the rows as they stand to the release that follows from them.

There is no forgetting as such: posts, edits, deletions, objections and withdrawals all only change
the input. What is out of date is rebuilt; what may not be served any more goes first.
"""

import time
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct, field
from sqlalchemy import select

from sayso.corpus import admission
from sayso.corpus.cells import examples_of
from sayso.corpus.erase import erase, mark
from sayso.corpus.prepare import Prepared, prepare, tidy
from sayso.errors import IntegrityError, WorkspaceError
from sayso.rights import ledger, steps
from sayso.rights.database import Rights
from sayso.rights.tables import ledger as ledger_table
from sayso.training import lineage, releases
from sayso.training.adapters import AdapterStore, Note
from sayso.training.base import Base
from sayso.training.base import prepare as prepare_base
from sayso.training.build import Plan, Progress, build
from sayso.training.build import plan as plan_cells
from sayso.training.recipe import Recipe, environment
from sayso.training.releases import Release
from sayso.workspace import Workspace

OnRelease = Callable[[Release], None]


class Outcome(Struct, kw_only=True):
    """What a training run did; seconds are wall time."""

    release: Release
    interim: Release | None = None
    cells: int = 0
    cells_built: int = 0
    tokens_trained: int = 0
    examples: int = 0
    pruned: int = 0
    built: list[Note] = field(default_factory=list)
    seconds_to_interim: float = 0.0
    seconds: float = 0.0


class Situation(Struct):
    """Everything that a run needs to know of the moment it runs for."""

    judged: admission.Judged
    prepared: Prepared
    plan: Plan
    base: Base
    recipe: Recipe
    ledger_seq: int

    @property
    def keys(self) -> set[str]:
        """Keys of all cells of the plan."""
        return {planned.key for chain in self.plan for planned in chain}


def train(
    workspace: Workspace,
    at: datetime,
    progress: Progress = lambda done, total: None,
    on_release: OnRelease = lambda release: None,
    interrupted: Callable[[], bool] = lambda: False,
    changed: Callable[[], bool] = lambda: False,
    ready: Callable[[], bool] = lambda: True,
    *,
    in_process: bool = False,
) -> Outcome:
    """Bring the served model in step with the rows; idempotent and incremental.

    Args:
        workspace: where.
        at: the training's date; waiting times and periods are measured from it.
        progress: called with cells done and cells in all.
        on_release: called as soon as a release may be served, the interim one included.
        interrupted: asked while cells train; if true, the run ends with `SupersededError`.
        changed: asked while cells train; if true, something may have to go: the rows are looked
            at again, a release without it is published, and cells in vain are given up.
        ready: asked before a cell is begun; while false, none is.
        in_process: train the cells in this process, one after the other.

    Raises:
        SupersededError: `interrupted` said so; what was finished is kept.
        WorkspaceError: another run holds the lock.
    """
    begun = time.monotonic()
    with workspace.lock("train"):
        lineage.catch_up(workspace)
        situation, interim = _let_go(workspace, at, on_release)
        to_interim = time.monotonic() - begun

        def renewed() -> Plan | None:
            nonlocal situation
            if not changed():
                return None
            situation, _ = _let_go(workspace, at, on_release)
            return situation.plan

        built = build(
            workspace,
            situation.plan,
            situation.base,
            situation.recipe,
            progress,
            interrupted,
            renewed,
            ready,
            in_process=in_process,
        )
        wanted = situation.keys
        release = _release(workspace, situation, wanted)
        on_release(release)
        _clear(workspace, situation, release)
        _remember(workspace, situation, release)
        pruned, _ = releases.prune(workspace, wanted)
    return Outcome(
        release=release,
        interim=interim,
        cells=len(wanted),
        cells_built=len(built),
        tokens_trained=sum(note.tokens for note in built),
        examples=release.examples,
        pruned=pruned,
        built=built,
        seconds_to_interim=to_interim,
        seconds=time.monotonic() - begun,
    )


def _let_go(
    workspace: Workspace, at: datetime, on_release: OnRelease
) -> tuple[Situation, Release | None]:
    """Look, and let go of what may not be used any more: out of what is served, then erased.

    Returns:
        The situation, and the release without what went, if there was any need of one.
    """
    situation = look(workspace, at)
    interim = None
    if _holds_what_went(workspace, situation):
        available = AdapterStore(workspace).keys() & situation.keys
        interim = _release(workspace, situation, available)
        on_release(interim)
        _clear(workspace, situation, interim)
        _remember(workspace, situation, interim)
        releases.prune(workspace, situation.keys)
    # Out of the gate already, and out of what is served; now out of the bytes.
    erase(workspace)
    tidy(workspace, situation.judged)
    steps.removed(Rights(workspace), situation.ledger_seq)
    return situation, interim


def look(workspace: Workspace, at: datetime) -> Situation:
    """Judge all records and plan the cells; trains nothing and erases nothing."""
    with Rights(workspace).reading() as connection:
        newest = ledger_table.c.seq.desc()
        seq = connection.scalar(select(ledger_table.c.seq).order_by(newest).limit(1)) or 0
    mark(workspace)
    judged = admission.judge_all(workspace, at)
    admission.note(workspace, judged)
    prepared = prepare(workspace, judged)
    base = prepare_base(workspace)
    recipe = Recipe.of(workspace.settings.training)
    there = AdapterStore(workspace).is_whole
    planned = plan_cells(prepared.chains, base, recipe, environment(), there)
    return Situation(judged, prepared, planned, base, recipe, seq)


def _clear(workspace: Workspace, situation: Situation, release: Release) -> None:
    """Note for the objections that a release heeds that it is without them."""
    steps.cleared(
        Rights(workspace),
        situation.ledger_seq,
        release.name,
        release.hash,
        complete=release.complete,
    )


def _remember(workspace: Workspace, situation: Situation, release: Release) -> None:
    """Note what a release that is served by now was trained on, for people who ask later."""
    lineage.note(workspace, release, situation.plan, situation.prepared.training)


def _holds_what_went(workspace: Workspace, situation: Situation) -> bool:
    """Whether the served release was trained on an example that may not train any more."""
    try:
        served = releases.current(workspace)
    except WorkspaceError:
        return True  # its note is damaged, so what it was trained on cannot be told
    if served is None:
        return False
    store, may = AdapterStore(workspace), examples_of(situation.prepared.chains)
    try:
        return any(not may.issuperset(store.note(key).manifest) for key in served.trained_on)
    except IntegrityError:
        # What it was trained on cannot be told any more: then it must not be served.
        return True


def _release(workspace: Workspace, situation: Situation, available: set[str]) -> Release:
    release = releases.compose(
        workspace,
        situation.plan,
        situation.base,
        situation.recipe,
        situation.judged.at,
        available,
    )
    rights = Rights(workspace)
    with rights.writing() as connection:
        last = ledger.last(connection, "release")  # the one that heeds most: trainings queue
        before = int(last.body["up_to"]) if last else 0
        new = ledger.read(connection, before, situation.ledger_seq, "objection")
        body = {
            "release": release.name,
            "hash": release.hash,
            "kind": "full" if release.complete else "interim",
            "cells": len(release.trained_on),
            "examples": release.examples,
            "objections": [entry.body["number"] for entry in new],
            "up_to": situation.ledger_seq,
        }
        # A training that changes nothing says nothing.
        if last is None or body != last.body | {"objections": [], "up_to": body["up_to"]}:
            ledger.append(connection, "release", body)
    return release
