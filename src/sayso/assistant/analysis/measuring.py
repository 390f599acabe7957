"""What is calculated: the plan of a question whose words are all read."""

from itertools import pairwise
from typing import Final

from sayso.assistant.analysis import words
from sayso.assistant.analysis.asked import Asked, Unclear
from sayso.assistant.analysis.plans import Group, Measure, Plan
from sayso.assistant.analysis.tables import Column
from sayso.assistant.analysis.words import stem

_OF_ROWS: Final = frozenset(("mean", "median", "min", "max"))
_MONEY: Final = ("eur", "euro", "usd", "dollar", "chf", "gbp")


def put_together(asked: Asked) -> Plan:
    """Return what is asked; raises Unclear where that is not one thing."""
    names = list(dict.fromkeys(operation for _, operation in asked.operations))
    _check_joined(asked)
    columns = list(dict.fromkeys(column for _, column in asked.columns))
    columns += asked.ranked
    counting = {"different", "share", "count"}.intersection(names)
    if counting and {"mean", "median", "min", "max"}.intersection(names):
        raise Unclear  # 'average number of …': of what, over what?
    if "different" in names:
        names = ["different"]
    elif "share" in names:
        names = ["share"]
    elif "count" in names:  # 'how many in all'
        names = [name for name in names if name != "sum"]
    measures = _measures(asked, names, columns)
    _check(asked, measures)
    return Plan(
        asked.table, tuple(measures), tuple(asked.groups), tuple(asked.filters),
        asked.top, asked.lowest, asked.mentioned,
    )  # fmt: skip


def _check_joined(asked: Asked) -> None:
    """Refuse 'average of the highest price': two calculations of one another."""
    told = [(at, name) for at, name in asked.operations if name in _OF_ROWS]
    for (one, name), (two, other) in pairwise(told):
        if name != other and not any(asked.key(n) in words.AND for n in range(one, two)):
            raise Unclear


def _check(asked: Asked, measures: list[Measure]) -> None:
    """Refuse what can be read in two ways, or would be answered by something else."""
    calculated = [measure.column for measure in measures if measure.column]
    compared = [f.column for f in asked.filters if f.sign not in ("=", "<>", "in")]
    stated = [f.column for f in asked.filters if f.sign == "="]
    spans = [f.span for f in asked.filters if f.span]
    whole_spans = [span for span in spans if span.start and span.end]
    months = [span for span in spans if span.month]
    rows = [m.operation for m in measures if m.column in _standing_for_rows(asked)]
    unclear = (
        not measures,
        any(group.column in calculated for group in asked.groups),
        # 'top 3 in each city' are not the first three of all.
        asked.top and len(asked.groups) != 1,
        # A sum in Kiel and another in Lübeck; 2024 beside 2025.
        len(set(stated)) < len(stated) or len(whole_spans) > 1 or len(months) > 1,
        # 'cities with revenue over 100': of a row, or of the city?
        any(column in compared for column in calculated) and bool(asked.groups),
        compared and any(m.operation == "different" for m in measures),
        # Rows that stand for many have no average.
        {"mean", "median", "min", "max", "different"}.intersection(rows),
    )
    if any(unclear):
        raise Unclear


def _measures(asked: Asked, names: list[str], columns: list[Column]) -> list[Measure]:
    numbers = [column for column in columns if column.is_number]
    others = [column for column in columns if not column.is_number]
    if names == ["different"]:
        if len(columns) != 1:
            raise Unclear
        return [Measure("different", columns[0])]
    if names == ["share"]:
        return _share(asked, numbers, others)
    if names == ["count"]:
        return _counted(asked, numbers, others)
    if not names:
        return _unnamed(asked, numbers, others)
    if (others and numbers) or (len(names) > 1 and len(numbers) > 1):
        raise Unclear
    if others:  # the earliest day, the last name
        if set(names) - {"min", "max"} or any(column.kind == "truth" for column in others):
            raise Unclear
        return [Measure(name, column) for name in names for column in others]
    if not numbers:
        numbers = _only_number(asked)
    return [
        Measure(name, None if name == "count" else column) for name in names for column in numbers
    ]


def _only_number(asked: Asked) -> list[Column]:
    numbers = [column for column in asked.table.columns if column.is_number]
    if len(numbers) != 1:
        raise Unclear
    return numbers


def _share(asked: Asked, numbers: list[Column], others: list[Column]) -> list[Measure]:
    if len(numbers) > 1 or len(others) > 1:
        raise Unclear
    if others:
        asked.groups.append(Group(others[0]))
    if not asked.groups and not asked.filters:
        raise Unclear
    if len(asked.groups) > 1:
        raise Unclear
    counted = numbers or _standing_for_rows(asked)
    return [Measure("share", counted[0] if counted else None)]


def _standing_for_rows(asked: Asked) -> list[Column]:
    """Return the column that counts, where each row stands for many, as `posts` in `posts`."""
    return [c for c in asked.table.columns if c.kind == "whole" and c.name == asked.table.name]


def _counted(asked: Asked, numbers: list[Column], others: list[Column]) -> list[Measure]:
    if len(numbers) + len(others) > 1:
        raise Unclear
    if numbers:  # how many posts, how many inhabitants: a column that counts
        if numbers[0].kind != "whole":
            raise Unclear
        return [Measure("sum", numbers[0])]
    if others and _is_counted(asked, others[0]):
        return [Measure("different", others[0])]
    # 'how many employees were hired in 2020': not how many different days that was on.
    if others and not any(f.span and f.column is others[0] for f in asked.filters):
        raise Unclear
    counted = _standing_for_rows(asked)
    return [Measure("sum", counted[0])] if counted else [Measure("count")]


def _is_counted(asked: Asked, column: Column) -> bool:
    """Whether nothing but small words stands between 'how many' and a column."""
    begin = next((at for at, name in asked.operations if name == "count"), -1)
    end = next((at for at, mentioned in asked.columns if mentioned is column), begin)
    between = [asked.key(n) for n in range(begin, end)]
    return not any(stem(key) in asked.title for key in between)


def _unnamed(asked: Asked, numbers: list[Column], others: list[Column]) -> list[Measure]:
    """Read what names no calculation: 'revenue by city', 'which city has the most posts'."""
    if others:
        raise Unclear
    if not asked.groups:
        if len(numbers) != 1 or not _adds_up(numbers[0]):
            raise Unclear
        return [Measure("sum", numbers[0])]
    if not numbers:
        if not asked.top or asked.superlative:
            raise Unclear
        return _counted(asked, [], [])
    made = []
    for column in numbers:
        extreme = asked.top and not _adds_up(column)
        made.append(Measure(("min" if asked.lowest else "max") if extreme else "sum", column))
    return made


def _adds_up(column: Column) -> bool:
    said = [part for part in words.parts(column.name.partition("(")[0]) if part not in _MONEY]
    return bool(said) and stem(said[-1]) in words.ADDITIVE  # a unit price is a price
