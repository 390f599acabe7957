"""One verdict over all statements: any no wins, what cannot be read is held, then a yes counts."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

from msgspec import Struct

from sayso.rights.signals.model import ALL, Category, Readings, Statement

Answer = Literal["deny", "unreadable", "allow", "unknown"]

# What Sayso does with a record it admits: it trains on it, answers from it, and what answers is a
# generator. A no to one of these, or to mining as such, is a no.
USES: Final[frozenset[Category]] = frozenset(("training", "generative", "inference", "mining"))
# A yes to anything else (being found, being quoted) is no yes to training.
_YES: Final = frozenset(("training", "generative"))
# The signals by which a person says of AI what they want, for themselves: GDPR Art. 21(5). A
# software's default is not among them, since nobody said anything.
_DECLARED: Final = frozenset(("atproto-preference", "atproto-intents", "gpc"))
_ABOUT_AI: Final = frozenset(("#noai", "#noimageai"))


class Verdict(Struct, frozen=True):
    """The answer, and the statements that it rests on, the deciding ones first."""

    answer: Answer
    statements: tuple[Statement, ...]

    @property
    def signal(self) -> str:
        """The answer as records have it in `train_signal`: '' for what nothing was said of."""
        return "" if self.answer == "unknown" else self.answer


def verdict(
    statements: Iterable[Statement],
    *,
    uses: Collection[Category] = USES,
    kind: str = "",
    readings: Readings = ALL,
) -> Verdict:
    """Combine statements (AIPREF vocab-07, Combining Preferences; an unreadable one is no yes).

    Args:
        statements: of any signals, in any order.
        uses: the categories of use that are asked about.
        kind: 'text' leaves out what is said of pictures only; '' and 'image' do not.
        readings: which signals count.
    """
    counted = [
        each
        for each in statements
        if each.signal in readings.signals
        and each.category in uses
        and (each.value != "allow" or each.category in _YES)
        and not (each.scope == "image" and (kind == "text" or each.value == "allow"))
    ]
    for value in ("deny", "unreadable", "allow"):
        deciding = [each for each in counted if each.value == value]
        if deciding:
            rest = [each for each in counted if each.value != value]
            return Verdict(value, (*deciding, *rest))
    return Verdict("unknown", ())


def is_declared(statement: Statement) -> bool:
    """Whether a no is the person's own word on AI, and so an objection."""
    if statement.value != "deny":
        return False
    by_tag = statement.signal == "bio-tag" and statement.raw.casefold() in _ABOUT_AI
    return by_tag or statement.signal in _DECLARED
