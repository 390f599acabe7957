"""Plain questions about a table, understood to their last word or not at all.

A word of the question means a column, a value, a calculation, a condition, a span of time, or
nothing (`words.FILLERS`). If any is left over, or could mean two things, there is no plan: what is
answered then is what can be asked. So a number is never the answer to another question.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from sayso.assistant.analysis import words
from sayso.assistant.analysis.asked import Asked, Unclear
from sayso.assistant.analysis.conditions import conditions, values
from sayso.assistant.analysis.grouping import groups, ranking, spans
from sayso.assistant.analysis.measuring import put_together
from sayso.assistant.analysis.plans import Plan
from sayso.assistant.analysis.tables import Table
from sayso.assistant.analysis.words import stem


def understand(question: str, tables: Sequence[Table], language: str, today: date) -> Plan | None:
    """Return what a question asks of one of the tables, or None.

    Args:
        question: in German or English.
        tables: of which the one is taken that has all that the question names.
        language: 'de' or 'en', for 1.000 and 1,000.
        today: what 'last week' goes by.
    """
    if len(question) > _LONGEST:
        return None
    plans = []
    for table in tables:
        plan = _read(Asked(question, table, language, today))
        if plan:
            plans.append(plan)
    best = max((plan.mentioned for plan in plans), default=0)
    fitting = [plan for plan in plans if plan.mentioned == best]
    is_clear = len(fitting) == 1 and (best or len(tables) == 1)
    return fitting[0] if is_clear else None


_LONGEST: Final = 300  # characters; what is longer is no plain question, and slow to read
_HOW: Final = {
    "how many": "count",
    "wie viele": "count",
    "wieviele": "count",
    "how much": "sum",
    "wie viel": "sum",
    "wieviel": "sum",
}


def _read(asked: Asked) -> Plan | None:
    try:
        # Each step takes its words out of the question; what comes first outweighs what follows.
        for step in (
            spans,
            ranking,
            groups,
            conditions,
            values,
            _operations,
            _mentions,
            _leftovers,
        ):
            step(asked)
        return put_together(asked)
    except Unclear:
        return None


def _operations(asked: Asked) -> None:
    for at in range(len(asked.tokens)):
        if not asked.free(at):
            continue
        key, pair = asked.key(at), " ".join(asked.keys(at, 2))
        if pair in _HOW or key in _HOW:
            asked.operations.append((at, _HOW[pair if pair in _HOW else key]))
            asked.use(at, 2 if pair in _HOW else 1)
        elif key in words.OPERATIONS and not _is_named_alone(asked, at):
            asked.operations.append((at, words.OPERATIONS[key]))
            asked.use(at)


def _is_named_alone(asked: Asked, at: int) -> bool:
    """Whether a word that could mean a calculation is a column, and another one is asked for."""
    return asked.names.named(asked.key(at)) is not None and bool(asked.operations)


def _mentions(asked: Asked) -> None:
    for at in range(len(asked.tokens)):
        if not asked.free(at):
            continue
        found = asked.names.find(asked.tokens, at)
        if not found or not asked.free(at, found[1]):
            continue
        key = asked.key(at)
        if key in words.FILLERS and asked.names.named(key) is None:
            continue
        asked.use(at, found[1])
        asked.mentioned += 1
        # Two columns are asked for by 'price and quantity'; not by 'price of the quantity'.
        last = max((n for n, c in asked.columns if c.is_number), default=at)
        joined = any(asked.key(n) in words.AND for n in range(last, at))
        if found[0].is_number and last < at and not joined:
            raise Unclear
        asked.columns.append((at, found[0]))


def _leftovers(asked: Asked) -> None:
    for at, token in enumerate(asked.tokens):
        if asked.used[at]:
            continue
        if stem(token.key) in asked.title and token.kind == "word":
            if asked.key(at - 1) in words.WHICH:
                raise Unclear  # 'which sale': a row, and not what is calculated of it
            asked.mentioned += 1
            continue
        is_small = token.key in words.FILLERS | words.ROWS | {",", "&"}
        asks_whom = at == 0 and token.key in words.WHO and not asked.groups
        if asks_whom or not is_small:
            raise Unclear
