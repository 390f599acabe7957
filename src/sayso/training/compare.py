"""What another policy would change: verdicts, cells, and what would be trained anew.

Nothing is trained, stored or noted: both policies are judged for the same moment.
"""

from datetime import datetime

from msgspec import Struct

from sayso.corpus import admission
from sayso.corpus.admission import Judged
from sayso.corpus.prepare import foresee
from sayso.gate.policy import Policy
from sayso.training.adapters import AdapterStore
from sayso.training.base import prepare as prepare_base
from sayso.training.build import Planned
from sayso.training.build import plan as plan_cells
from sayso.training.recipe import Recipe, environment
from sayso.workspace import Workspace


class Move(Struct, frozen=True):
    """How many records go from one rule's verdict to another's."""

    before: str
    after: str
    records: int


class Difference(Struct, frozen=True):
    """What a policy would change; names of cells, and what those without an adapter hold.

    A cell is named in `changed` if its key is another: it has other examples, or continues from a
    cell that has.
    """

    before: str
    after: str
    allowed_before: int
    allowed_after: int
    moves: tuple[Move, ...]
    appear: tuple[str, ...]
    vanish: tuple[str, ...]
    changed: tuple[str, ...]
    cells: int
    cells_to_train: int
    examples_to_train: int
    tokens_to_train: int


def compare(workspace: Workspace, at: datetime, other: Policy) -> Difference:
    """Compare the policy in use with another one."""
    from sayso.training.lora import Tokenizer  # loads torch, which hardly any command needs

    now, then = admission.judge_all(workspace, at), admission.judge_all(workspace, at, other)
    base, recipe = prepare_base(workspace), Recipe.of(workspace.settings.training)
    store, versions = AdapterStore(workspace), environment()

    def planned(judged: Judged) -> dict[str, Planned]:
        chains = plan_cells(
            foresee(workspace, judged).chains, base, recipe, versions, store.is_whole
        )
        return {cell.cell.name: cell for chain in chains for cell in chain}

    before, after = planned(now), planned(then)
    new = [cell for cell in after.values() if not store.is_whole(cell.key)]
    examples = [example for cell in new for example in cell.cell.examples]
    tokenizer = Tokenizer(base.folder)
    return Difference(
        before=now.policy.name,
        after=other.name,
        allowed_before=sum(now.counts["allowed"].values()),
        allowed_after=sum(then.counts["allowed"].values()),
        moves=_moves(now, then),
        appear=tuple(sorted(after.keys() - before.keys())),
        vanish=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(n for n in before.keys() & after if before[n].key != after[n].key)),
        cells=len(after),
        cells_to_train=len(new),
        examples_to_train=len(examples),
        tokens_to_train=sum(
            len(sequence)
            for example in examples
            for sequence in tokenizer.sequences(example.text, recipe.sequence_tokens)
        ),
    )


def _moves(before: Judged, after: Judged) -> tuple[Move, ...]:
    both = before.records.select("key", old="rule").join(
        after.records.select("key", new="rule"), on="key"
    )
    counted = both.filter(both["old"] != both["new"]).group_by("old", "new").len()
    rows = counted.sort("len", "old", "new", descending=[True, False, False]).rows()
    return tuple(Move(*row) for row in rows)
