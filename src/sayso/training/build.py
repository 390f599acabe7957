"""The build system for models: which cells' adapters are missing, and making them in parallel.

A cell's key hashes all that its adapter depends on; an adapter that is there under its key, and
whole, is never trained again.
"""

import hashlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

import msgspec
from msgspec import Struct

from sayso.corpus.cells import Cell, Chain
from sayso.errors import IntegrityError, SaysoError, SupersededError
from sayso.training.adapters import AdapterStore, Note, tensor_hash
from sayso.training.base import Base
from sayso.training.recipe import Environment, Recipe
from sayso.workspace import Workspace

Progress = Callable[[int, int], None]  # (cells done, cells in all)


class Planned(Struct, frozen=True):
    """A cell, its key, and the key of the cell it continues from ('' = none)."""

    cell: Cell
    key: str
    parent: str


Plan = list[tuple[Planned, ...]]  # chains, in a fixed order


class Job(Struct, frozen=True):
    """All that a process needs to train one cell."""

    home: Path
    folder: Path
    recipe: Recipe
    planned: Planned


def plan(
    chains: list[Chain],
    base: Base,
    recipe: Recipe,
    environment: Environment,
    trained: Callable[[str], bool] = lambda key: False,
) -> Plan:
    """Give every cell its key.

    A cell that holds frozen examples is planned as it is if its adapter is there, else without
    them: what is trained stays until the objection is confirmed, nothing new trains on them.

    Args:
        chains: the cells, oldest first.
        base: the base model.
        recipe: the constants.
        environment: the versions that bits depend on.
        trained: whether a key's adapter is there, whole.
    """
    planned = []
    for chain in chains:
        row: list[Planned] = []
        parent = ""
        for cell in chain:
            chosen, key = cell, _key(cell, parent, base, recipe, environment)
            if cell.has_frozen and not trained(key):
                chosen = cell.without_frozen()
                if not chosen.examples:
                    continue
                key = _key(chosen, parent, base, recipe, environment)
            row.append(Planned(chosen, key, parent))
            parent = key
        if row:
            planned.append(tuple(row))
    return planned


def _key(cell: Cell, parent: str, base: Base, recipe: Recipe, environment: Environment) -> str:
    parts = [cell.modality, cell.manifest_hash, parent, base.hash]
    parts += [recipe.digest, environment.digest]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def missing(wanted: Plan, store: AdapterStore) -> list[list[Planned]]:
    """Return for each chain the cells whose adapter is not there, or is damaged, in order."""
    rows = []
    for chain in wanted:
        row = []
        for planned in chain:
            try:
                store.get(planned.key)
            except IntegrityError:
                store.remove({planned.key})
                row.append(planned)
        if row:
            rows.append(row)
    return rows


def build(
    workspace: Workspace,
    wanted: Plan,
    base: Base,
    recipe: Recipe,
    progress: Progress = lambda done, total: None,
    interrupted: Callable[[], bool] = lambda: False,
    renewed: Callable[[], Plan | None] = lambda: None,
    ready: Callable[[], bool] = lambda: True,
    *,
    in_process: bool = False,
) -> list[Note]:
    """Train the missing cells, each in a process of its own, chains side by side.

    Killed at any moment it loses only the cells in work; the next call goes on from there.

    Args:
        workspace: where the adapters are stored.
        wanted: all cells; those whose adapter is there are left alone.
        base: the base model.
        recipe: the constants.
        progress: called with cells done and cells in all.
        interrupted: asked ten times a second; if true, the cells in work are given up.
        renewed: asked ten times a second for a plan in place of this one: cells in work that it
            does not want are given up, the others go on.
        ready: asked before a cell is begun; while false, none is.
        in_process: train one cell after the other in this process: slower, easier to debug; the
            plan is not renewed.

    Returns:
        The notes of the adapters made, in the order in which they were finished.

    Raises:
        SupersededError: `interrupted` said so.
        SaysoError: training failed, or a cell's process was killed.
    """
    queue = missing(wanted, AdapterStore(workspace))
    if in_process:
        jobs = [Job(workspace.home, base.folder, recipe, p) for row in queue for p in row]
        return [_train_here(job, interrupted) for job in jobs]
    # The longest chains first, so that no core idles at the end.
    queue.sort(key=lambda row: -sum(len(p.cell.examples) for p in row))
    total, made = sum(map(len, queue)), list[Note]()
    workers = workspace.settings.training.workers or os.cpu_count() or 1
    # forkserver: children start from a clean process that has loaded the libraries already.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sayso.training.lora", "sayso.training.text"])
    running: dict[int, _Running] = {}
    progress(0, total)
    try:
        while queue or running:
            while queue and len(running) < workers and ready():
                row = queue.pop(0)
                job = Job(workspace.home, base.folder, recipe, row[0])
                cell = _Running(context, job, row[1:])
                running[cell.process.sentinel] = cell
            for sentinel in wait([*running], timeout=0.1):
                cell = running.pop(int(str(sentinel)))
                made.append(cell.result())
                progress(len(made), total)
                if cell.rest:
                    queue.insert(0, cell.rest)
            _give_way(interrupted)
            if (plan := renewed()) is not None:
                queue = _renew(plan, running, AdapterStore(workspace))
                total = len(made) + len(running) + sum(map(len, queue))
    finally:
        for cell in running.values():
            cell.give_up()
    return made


def _renew(
    wanted: Plan, running: dict[int, "_Running"], store: AdapterStore
) -> list[list[Planned]]:
    """Give up what is in work for nothing; return what is to be begun, by chain."""
    keys = {planned.key for chain in wanted for planned in chain}
    for sentinel, cell in list(running.items()):
        cell.rest = []
        if cell.key not in keys:
            running.pop(sentinel).give_up()
    in_work = {cell.key: cell for cell in running.values()}
    queue = []
    for row in missing(wanted, store):
        if row[0].key in in_work:
            in_work[row[0].key].rest = row[1:]
        else:
            queue.append(row)
    return queue


def _give_way(interrupted: Callable[[], bool]) -> None:
    if interrupted():
        raise SupersededError(
            "training stopped for something more urgent", "`sayso train` goes on from there"
        )


def _train_here(job: Job, interrupted: Callable[[], bool]) -> Note:
    _give_way(interrupted)
    return train_cell(job)


_NOTHING = object()


class _Running:
    """A cell in work in its own process, and the rest of its chain."""

    def __init__(self, context: ForkServerContext, job: Job, rest: list[Planned]) -> None:
        self.rest = rest
        self._job = job
        self._answer, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(job, theirs), daemon=True)
        self.process.start()
        theirs.close()

    @property
    def key(self) -> str:
        """The key of the cell in work."""
        return self._job.planned.key

    def give_up(self) -> None:
        """End the process; its cell is not stored."""
        self.process.kill()
        self.process.join()

    def result(self) -> Note:
        """Return the note of what the ended process made, or raise what it failed with."""
        try:
            answer = self._answer.recv() if self._answer.poll() else _NOTHING
        except EOFError:
            answer = _NOTHING
        self.process.join()
        if answer is None:
            return AdapterStore(Workspace(self._job.home)).note(self._job.planned.key)
        if isinstance(answer, SaysoError):
            raise answer
        raise SaysoError(
            f"a training process ended with code {self.process.exitcode} before its cell was done"
            + (" (killed, perhaps for want of memory)" if answer is _NOTHING else f" ({answer})"),
            "run `sayso train` again; it goes on where it stopped",
        )


def _end_with_parent() -> None:
    """End when the training run is killed: what it trains may be objected to by then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(job: Job, answer: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        train_cell(job)
        answer.send(None)  # not the note: it may be longer than a pipe holds
    except SaysoError as error:
        answer.send(error)
    except Exception as error:
        # The type alone: a message could quote what is being trained on.
        answer.send(type(error).__name__)
        sys.exit(1)


def train_cell(job: Job) -> Note:
    """Train one cell and store its adapter; one thread."""
    # Imported here: the parent process needs no torch.
    from sayso.training.lora import LoraModel, Tokenizer
    from sayso.training.text import train

    store = AdapterStore(Workspace(job.home))
    parent = store.get(job.planned.parent) if job.planned.parent else None
    tokenizer = Tokenizer(job.folder)
    sequences = [
        sequence
        for example in job.planned.cell.examples
        for sequence in tokenizer.sequences(example.text, job.recipe.sequence_tokens)
    ]
    trained = train(LoraModel(job.folder, job.recipe), sequences, parent, job.recipe)
    note = Note(
        key=job.planned.key,
        hash=tensor_hash(trained.weights),
        manifest=job.planned.cell.manifest,
        parent=job.planned.parent,
        tokens=trained.tokens,
    )
    store.put(note, trained.weights)
    return note
