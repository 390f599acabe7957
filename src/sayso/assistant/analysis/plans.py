"""What a question asks of one table, and the query that answers it."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from sayso.assistant.analysis.tables import Column, Table, Value, literal, quoted
from sayso.assistant.analysis.times import Span, floor
from sayso.assistant.analysis.words import UNITS, fold

_FUNCTIONS: Final = {
    "sum": "sum({})",
    "mean": "avg({})",
    "median": "median({})",
    "min": "min({})",
    "max": "max({})",
    "different": "count(DISTINCT {})",
}


class Measure(Struct, frozen=True):
    """What is calculated; without a column rows are counted."""

    operation: str
    column: Column | None = None


class Group(Struct, frozen=True):
    """What it is calculated for each of: a column, or the weeks, months … of a column of time."""

    column: Column
    unit: str = ""


class Filter(Struct, frozen=True):
    """A condition that rows must meet."""

    column: Column
    sign: str
    values: tuple[Value, ...] = ()
    span: Span | None = None


class Plan(Struct, frozen=True):
    """A question that was understood to its last word.

    Args:
        table: what it is asked of.
        measures: at least one.
        groups: at most two.
        filters: all must be met.
        top: how many of the groups, the highest (or lowest) first; 0 = all.
        lowest: whether the lowest come first.
        mentioned: how many columns it names.
    """

    table: Table
    measures: tuple[Measure, ...]
    groups: tuple[Group, ...] = ()
    filters: tuple[Filter, ...] = ()
    top: int = 0
    lowest: bool = False
    mentioned: int = 0


def query(plan: Plan) -> str:
    """Return the SELECT of a plan."""
    groups = [_group(group) for group in plan.groups]
    measures = [_measure(plan, measure) for measure in plan.measures]
    named = [*groups, *measures]
    lines = ["SELECT " + ", ".join(f"{sql} AS {quoted(name)}" for sql, name in named)]
    lines.append(f"FROM {quoted(plan.table.name)}")
    conditions = [condition(f) for f in plan.filters if f not in _counted(plan)]
    if plan.top:
        conditions += [f"{quoted(g.column.name)} IS NOT NULL" for g in plan.groups]
    if conditions:
        lines.append("WHERE " + " AND ".join(conditions))
    if groups:
        lines.append("GROUP BY " + ", ".join(str(n) for n in range(1, len(groups) + 1)))
        lines.append("ORDER BY " + ", ".join(_order(plan)))
    if plan.top:
        lines.append(f"LIMIT {plan.top}")
    return "\n".join(lines)


def undated(plan: Plan) -> str:
    """Return a query for what the plan leaves out because its time is not known; '' = nothing."""
    timed = [f for f in plan.filters if f.span and f.column.missing]
    if not timed or len(plan.measures) != 1:
        return ""
    (measure,) = plan.measures
    if measure.operation not in ("count", "sum"):
        return ""
    sql = _measure(plan, measure)[0]
    kept = [condition(f) for f in plan.filters if not f.span]
    open_ones = [" AND ".join(_perhaps(plan.table, f)) for f in timed]
    where = " AND ".join([*kept, *open_ones])
    return f"SELECT {sql} FROM {quoted(plan.table.name)} WHERE {where}"


def _perhaps(table: Table, kept: Filter) -> Iterator[str]:
    """Yield conditions for rows of which it is not known whether they are in a span of time.

    Where a day is not known its month or year may be, in a column that is called so.
    """
    yield f"{quoted(kept.column.name)} IS NULL"
    span = kept.span
    for other in table.columns:
        unit = UNITS.get(fold(other.name), "")
        if span and other.is_time and other != kept.column and unit and not span.month:
            name = quoted(other.name)
            since = f"{name} >= DATE '{floor(span.start, unit)}'" if span.start else "TRUE"
            until = f"{name} < DATE '{span.end}'" if span.end else "TRUE"
            yield f"({name} IS NULL OR ({since} AND {until}))"


def condition(kept: Filter) -> str:  # noqa: PLR0911
    """Return a filter as SQL."""
    name = quoted(kept.column.name)
    if kept.span is not None:
        span = kept.span
        if span.month:
            return f"month({name}) = {span.month}"
        ends = [f"{name} >= DATE '{span.start}'"] if span.start else []
        ends += [f"{name} < DATE '{span.end}'"] if span.end else []
        return " AND ".join(ends)
    if kept.sign in ("=", "<>") and kept.column.kind == "text" and not kept.column.values:
        (value,) = kept.values
        return f"lower({name}) {kept.sign} lower({literal(value)})"
    if kept.sign == "=" and len(kept.values) > 1:
        return f"{name} IN ({', '.join(map(literal, kept.values))})"
    if kept.sign == "<>" and len(kept.values) > 1:
        return f"{name} NOT IN ({', '.join(map(literal, kept.values))})"
    if kept.sign == "between":
        low, high = map(literal, kept.values)
        return f"{name} BETWEEN {low} AND {high}"
    return f"{name} {kept.sign} {literal(kept.values[0])}"


def _counted(plan: Plan) -> list[Filter]:
    """Return the filters that say what a share is of all; those of time say what all is."""
    if plan.groups or not any(measure.operation == "share" for measure in plan.measures):
        return []
    return [f for f in plan.filters if not f.span] or list(plan.filters)


def _group(group: Group) -> tuple[str, str]:
    name = quoted(group.column.name)
    if not group.unit:
        return name, group.column.name
    return f"CAST(date_trunc('{group.unit}', {name}) AS DATE)", group.unit


def _measure(plan: Plan, measure: Measure) -> tuple[str, str]:
    column = quoted(measure.column.name) if measure.column else ""
    title = measure.column.name if measure.column else ""
    if measure.operation == "share":
        amount = f"sum({column})" if column else "count(*)"
        if plan.groups:
            return f"round(100.0 * {amount} / sum({amount}) OVER (), 2)", "percent"
        met = " AND ".join(condition(f) for f in _counted(plan))
        return f"round(100.0 * {amount} FILTER (WHERE {met}) / {amount}, 2)", "percent"
    if measure.operation == "count":
        return "count(*)", "count"
    name = f"{measure.operation}_{title}" if measure.operation != "sum" else title
    if any(title.lower() == group.column.name.lower() for group in plan.groups):
        name = f"{measure.operation}_{title}"
    return _FUNCTIONS[measure.operation].format(column), name


def _order(plan: Plan) -> list[str]:
    """Order days by time, all else by what was calculated, then by name: always the same."""
    places = [str(n) for n in range(1, len(plan.groups) + 1)]
    if not plan.top and any(g.unit or g.column.is_time for g in plan.groups):
        return [f"{place} NULLS LAST" for place in places]
    last = len(plan.groups) + 1
    return [f"{last} {'ASC' if plan.lowest else 'DESC'} NULLS LAST", *places]
