"""Spans of time, rankings and groups in a question."""

from sayso.assistant.analysis import times, words
from sayso.assistant.analysis.asked import Asked, Unclear
from sayso.assistant.analysis.plans import Filter
from sayso.assistant.analysis.tables import Column
from sayso.assistant.analysis.words import fold


def spans(asked: Asked) -> None:
    """Read when: 'in 2024', 'last week'."""
    for at in range(len(asked.tokens)):
        if not asked.free(at) or _is_compared(asked, at):
            continue
        read = times.read(asked.tokens, at, asked.today)
        if not read or not asked.free(at, read[1]):
            continue
        span, taken = read
        column = asked.time_column(span.unit)
        if column is None:
            if (numbered := _numbered_year(asked, span)) is None:
                continue  # 'last week' stays unread
            asked.use(at, taken)
            asked.filters.append(numbered)
            continue
        asked.use(at, taken)
        asked.filters.append(Filter(column, "in", span=span))


def _numbered_year(asked: Asked, span: times.Span) -> Filter | None:
    """Return a year as a number, where the table has years and no days."""
    years = [
        column
        for column in asked.table.columns
        if column.kind == "whole" and words.UNITS.get(fold(column.name)) == "year"
    ]
    if len(years) != 1 or span.unit != "year" or not (span.start and span.end):
        return None
    return (
        Filter(years[0], "=", (span.start.year,)) if span.end.year == span.start.year + 1 else None
    )


def _is_compared(asked: Asked, at: int) -> bool:
    """Whether a number that looks like a year belongs to a column of numbers before it."""
    if asked.tokens[at].kind != "number":
        return False
    before = asked.key(at - 1)
    column = asked.names.named(before) if before else None
    ends = {phrase[-1] for phrase, _ in words.COMPARISONS}
    return bool(column and column.is_number) or before in ends


def ranking(asked: Asked) -> None:
    """Read 'top 5 cities', 'die 3 größten Städte', 'which city has the most revenue'."""
    for at in range(len(asked.tokens)):
        if asked.key(at) in ("top", "bottom", "flop") and _count(asked, at + 1):
            asked.top, asked.lowest = _count(asked, at + 1), asked.key(at) != "top"
            asked.use(at, 2)
            _dimension(asked, at + 2)
            return
        if _count(asked, at) and asked.key(at + 1) in words.MOST | words.LEAST:
            asked.top, asked.lowest = _count(asked, at), asked.key(at + 1) in words.LEAST
            asked.superlative = asked.key(at + 1) not in words.BY_COUNT
            asked.use(at, 2)
            _dimension(asked, at + 2 + (asked.key(at + 2) in ("common", "frequent")))
            return
    for at in range(len(asked.tokens)):
        if asked.key(at) in words.WHICH:
            found = asked.names.find(asked.tokens, at + 1) if asked.free(at + 1) else None
            end = at + 1 + (found[1] if found else 0)
            place = next(
                (n for n in range(end, len(asked.tokens))
                 if asked.key(n) in words.MOST | words.LEAST), -1,
            )  # fmt: skip
            if found and place >= 0 and asked.free(at + 1, found[1]) and asked.free(place):
                asked.top, asked.lowest = 1, asked.key(place) in words.LEAST
                asked.superlative = asked.key(place) not in words.BY_COUNT
                asked.use(at)
                asked.use(place)
                _dimension(asked, at + 1)
                return


def _count(asked: Asked, at: int) -> int:
    text = asked.tokens[at].text if at < len(asked.tokens) else ""
    return int(text) if text.isdecimal() and asked.free(at) and 0 < int(text) <= 1000 else 0


def _dimension(asked: Asked, at: int) -> None:
    """Take the column at a token as what is ranked."""
    at = asked.skip(at)
    found = asked.names.find(asked.tokens, at) if asked.free(at) else None
    if not found or not asked.free(at, found[1]) or found[0].is_number:
        raise Unclear  # 'top 3 prices' are no groups
    asked.group_by(at, *found)


def groups(asked: Asked) -> None:
    """Read for each of what: 'by city and month', 'monatlich'."""
    at = 0
    while at < len(asked.tokens):
        if asked.free(at) and asked.key(at) in words.ADVERBS:
            _unit(asked, at, words.ADVERBS[asked.key(at)])
        elif asked.free(at) and asked.key(at) in words.GROUP:
            begin = asked.skip(at + 1, words.ARTICLES | words.GROUP)
            if _grouped(asked, begin):
                for place in range(at, begin):
                    asked.use(place)
                _more_groups(asked, begin)
        at += 1
    if len(asked.groups) > 2:
        raise Unclear


def _more_groups(asked: Asked, at: int) -> None:
    """Read 'and by month', 'und Stadt' after a group."""
    at = asked.end(at)
    if asked.free(at) and asked.key(at) in words.AND:
        begin = asked.skip(at + 1, words.ARTICLES | words.GROUP)
        if _grouped(asked, begin):
            for place in range(at, begin):
                asked.use(place)


def _grouped(asked: Asked, at: int) -> bool:  # noqa: PLR0911  one for each way to be none
    """Take the unit of time or column at a token as a group, if it is one."""
    if not asked.free(at):
        return False
    found = asked.names.find(asked.tokens, at)
    if found and not asked.free(at, found[1]):
        return False
    if found and found[0].is_number and (asked.top or found[0].different > 50):
        if asked.top and not asked.ranked:
            asked.ranked.append(found[0])
            asked.use(at, found[1])
            asked.mentioned += 1
            return True
        return False
    unit = words.UNITS.get(asked.key(at), "")
    if unit and not (found and _is_exact(asked, found[0], at)) and _unit(asked, at, unit):
        return True
    if not found:
        return False
    asked.group_by(at, *found)
    return True


def _is_exact(asked: Asked, column: Column, at: int) -> bool:
    return asked.names.named(asked.key(at)) is column


def _unit(asked: Asked, at: int, unit: str) -> bool:
    column = asked.time_column(unit)
    if column is None:
        return False
    own = words.UNITS.get(fold(column.name)) == unit
    is_day = unit == "day" and column.kind == "date"
    asked.group_by(at, column, 1, "" if own or is_day else unit)
    return True
