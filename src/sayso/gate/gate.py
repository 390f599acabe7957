"""The gate itself: facts in, verdicts out; and the only maker of admitted records."""

from datetime import datetime
from typing import Final

import polars as pl
from msgspec import Struct

from sayso.errors import SaysoError
from sayso.gate.keyset import KeySet
from sayso.gate.policy import Policy
from sayso.gate.rules import ALLOWED, BY_NAME, FACTS, FROZEN, RULES


class Admitted:
    """Records that the gate allowed; nothing else may train. Made by `admit` alone.

    `frozen` are those that nothing but a pending objection speaks against: what is trained on them
    already may stay until it is confirmed, nothing new may be.
    """

    def __init__(self, frame: pl.DataFrame, frozen: pl.DataFrame, *, _token: object) -> None:
        if _token is not _TOKEN:
            raise SaysoError("only the gate admits records", "call sayso.gate.gate.admit")
        self.frame = frame
        self.frozen = frozen

    @property
    def both(self) -> pl.DataFrame:
        """The allowed and the frozen records, told apart by a column `frozen`."""
        return pl.concat(
            [
                self.frame.with_columns(frozen=pl.lit(value=False)),
                self.frozen.with_columns(frozen=pl.lit(value=True)),
            ]
        )


_TOKEN = object()

# Rules decide as numbers, their places in the order; names come last. Strings would cost the most.
_NAMES: Final = pl.Series([*(rule.name for rule in RULES), ALLOWED])
_VERDICTS: Final = pl.Series([*(rule.verdict for rule in RULES), ALLOWED])
_FIRST_TRAINING_ONLY: Final = next(
    (place for place, rule in enumerate(RULES) if rule.training_only), len(RULES)
)
if any(not rule.training_only for rule in RULES[_FIRST_TRAINING_ONLY:]):
    raise SaysoError("rules on training alone must come last: else they would hide the others")


class Finding(Struct, frozen=True):
    """How one rule looked at one record."""

    rule: str
    verdict: str
    fired: bool
    reason: str
    evidence: dict[str, object]


def judge(facts: pl.DataFrame, objectors: KeySet, policy: Policy, at: datetime) -> pl.DataFrame:
    """Give each record its verdict.

    Args:
        facts: one row a record with the columns of `rules.FACTS` but `objected`; others pass
            through untouched.
        objectors: pseudonyms of accounts whose persons object.
        policy: the operator's policy.
        at: the moment the waiting time is measured at, in UTC.

    Returns:
        The rows, in order, with `rule` (the deciding one, 'allowed' if none fired), `verdict`
        (allowed, denied, held), and `answerable`: whether a public answer may quote the record.

    Raises:
        SaysoError: a fact is missing or a rule could not be evaluated; then nothing is judged.
    """
    try:
        with_objections = facts.with_columns(
            pl.Series("objected", objectors.contains(facts["account_key"].to_numpy()))
        )
        decided = with_objections.with_columns(rule=_deciding(policy, at))
        return decided.with_columns(
            rule=pl.lit(_NAMES).gather("rule"),
            verdict=pl.lit(_VERDICTS).gather("rule"),
            # Private posts may train under some policies; they are never shown to others.
            answerable=(pl.col("audience") == "public") & (pl.col("rule") >= _FIRST_TRAINING_ONLY),
        )
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise SaysoError(
            f"the gate could not judge these records ({type(error).__name__}), so none is admitted",
            f"check that the facts have the columns {', '.join(FACTS)}",
        ) from error


def admit(judged: pl.DataFrame) -> Admitted:
    """Return the allowed records of a judged frame."""
    allowed = judged.filter(pl.col("verdict") == ALLOWED)
    return Admitted(allowed, judged.filter(pl.col("rule") == FROZEN), _token=_TOKEN)


def findings(facts: pl.DataFrame, objectors: KeySet, policy: Policy, at: datetime) -> list[Finding]:
    """Return how each rule looked at the one record in `facts`, in deciding order."""
    row = facts.with_columns(
        pl.Series("objected", objectors.contains(facts["account_key"].to_numpy()))
    )
    result = []
    for rule in RULES:
        fired = bool(row.select(rule.fires(policy, at).fill_null(True)).item())
        evidence = {name: row[name].item() for name in rule.evidence}
        result.append(Finding(rule.name, rule.verdict, fired, rule.reason, evidence))
    return result


def counts(judged: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Count the verdicts: {'allowed': {'': n}, 'denied': {rule: n}, 'held': {rule: n}}."""
    table: dict[str, dict[str, int]] = {"allowed": {}, "denied": {}, "held": {}}
    grouped = judged.group_by("verdict", "rule").len().sort("len", "rule", descending=[True, False])
    for verdict, rule, number in grouped.iter_rows():
        table[verdict][rule] = number
    return table


def reason(rule: str) -> str:
    """Say in words why a rule decides as it does."""
    return BY_NAME[rule].reason if rule in BY_NAME else "no rule speaks against it"


def _deciding(policy: Policy, at: datetime) -> pl.Expr:
    """The place of the first rule that fires; one past the last if none does."""
    # The last rule wrapped first, so that the first one that fires wins.
    deciding: pl.Expr = pl.lit(len(RULES), pl.UInt8)
    for place, rule in reversed(list(enumerate(RULES))):
        fires = rule.fires(policy, at).fill_null(True)
        deciding = pl.when(fires).then(pl.lit(place, pl.UInt8)).otherwise(deciding)
    return deciding
