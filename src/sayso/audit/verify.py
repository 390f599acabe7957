"""`sayso verify`: is what is served what the rows say it should be, bit by bit?

1. the ledger's chain is whole;
2. the published release has the tensors that its hash names;
3. the release is the one that follows from the rows as they stand, on its training's date;
4. each adapter has the bytes that its hash names;
5. the release is the sum of its adapters;
6. cells rebuilt from nothing, in an empty store, have the same hashes.
"""

import itertools
import tempfile
from datetime import datetime
from pathlib import Path

from msgspec import Struct, field

from sayso.corpus import admission
from sayso.corpus.prepare import assemble
from sayso.corpus.store import Store
from sayso.errors import IntegrityError, SaysoError
from sayso.gate.gate import admit
from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.base import prepare as prepare_base
from sayso.training.build import Plan, Progress, build, plan
from sayso.training.recipe import Recipe, environment
from sayso.workspace import Workspace


class Check(Struct, frozen=True):
    """One step's outcome; `expected` and `found` where they differ."""

    step: str
    passed: bool
    detail: str = ""


class Verdict(Struct):
    """All steps' outcomes."""

    checks: list[Check] = field(default_factory=list)
    rebuilt: int = 0

    @property
    def passed(self) -> bool:
        """Whether every step passed; an empty verdict has proven nothing."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def add(self, step: str, problem: str = "", detail: str = "") -> None:
        """Note a step; a problem fails it."""
        self.checks.append(Check(step, not problem, problem or detail))


def verify(
    workspace: Workspace,
    cells: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Verdict:
    """Check everything; rebuild the first `cells` cells of the plan, or all if None.

    Raises:
        SaysoError: there is no release to verify.
    """
    verdict = Verdict()
    release = releases.current(workspace)
    if release is None:
        raise SaysoError("there is no release to verify", "run `sayso train` first")

    # 1. the ledger
    with Rights(workspace).reading() as connection:
        try:
            entries, head = ledger.verify(connection)
            verdict.add("ledger", detail=f"{entries} entries, head {head[:16]}…")
        except IntegrityError as error:
            verdict.add("ledger", error.problem)

    # 2. the release's bytes
    try:
        releases.check(workspace, release)
        verdict.add("release", detail=f"{release.name} has the tensors of its hash")
    except IntegrityError as error:
        verdict.add("release", error.problem)

    # 3. the release follows from the rows
    at = datetime.fromisoformat(release.at)
    base, recipe = prepare_base(workspace), Recipe.of(workspace.settings.training)
    judged = admission.judge_all(workspace, at)
    admitted = admit(judged.records)
    prepared = assemble(workspace, admitted, at)
    store = AdapterStore(workspace)
    wanted = plan(prepared.chains, base, recipe, environment(), store.is_whole)
    keys = tuple(planned.key for chain in wanted for planned in chain)
    corpus = Store(workspace).corpus.read(["key", "rev"])
    waiting = len(admitted.frame.join(corpus, on=["key", "rev"], how="anti"))
    same = keys == release.trained_on and not waiting
    verdict.add(
        "plan",
        ""
        if same
        else f"the rows ask for {len(keys)} cells, the release has others: run `sayso train`",
        f"{len(keys)} cells, as the rows ask for",
    )

    # 4. the adapters' bytes
    damaged = [key for key in release.trained_on if not store.is_whole(key)]
    verdict.add(
        "adapters",
        f"{len(damaged)} of {len(release.trained_on)} are damaged or gone" if damaged else "",
        f"{len(release.trained_on)} have the bytes of their hashes",
    )

    # 5. their sum
    if same and not damaged:
        total = releases.expected_hash(workspace, wanted, base, recipe)
        verdict.add(
            "sum",
            "" if total == release.hash else "the release is not the sum of its cells",
            "the release is the sum of its cells",
        )

    # 6. cells from nothing
    some = _first(wanted, cells)
    differing, rebuilt = _rebuild(workspace, some, progress)
    verdict.rebuilt = rebuilt
    verdict.add(
        "rebuild",
        f"{len(differing)} of {rebuilt} rebuilt cells differ" if differing else "",
        f"{rebuilt} cells rebuilt from nothing are bit-identical",
    )
    return verdict


def _rebuild(workspace: Workspace, wanted: Plan, progress: Progress) -> tuple[list[str], int]:
    store = AdapterStore(workspace)
    with tempfile.TemporaryDirectory(prefix="sayso-verify-") as folder:
        empty = Workspace.create(
            Path(folder),
            workspace.settings,
            workspace.secret,
        )
        recipe = Recipe.of(workspace.settings.training)
        made = build(empty, wanted, prepare_base(workspace), recipe, progress)
        differing = [
            n.key for n in made if not store.is_whole(n.key) or store.note(n.key).hash != n.hash
        ]
    return differing, len(made)


def _first(wanted: Plan, cells: int | None) -> Plan:
    """Return the beginnings of chains that hold about `cells` cells in all.

    A chain ends before a cell with frozen examples: nothing trains on those, not even to verify.
    """
    wanted = [
        tuple(itertools.takewhile(lambda planned: not planned.cell.has_frozen, chain))
        for chain in wanted
    ]
    if cells is None:
        return wanted
    taken: Plan = []
    for chain in wanted:
        if cells <= 0:
            break
        taken.append(chain[:cells])
        cells -= len(taken[-1])
    return taken
