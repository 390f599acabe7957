"""Spans of time in a question: 'in 2024', 'im März', 'last week', 'seit dem 1.2.2024'."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from msgspec import Struct

from sayso.assistant.analysis.words import MONTHS, UNITS, Token, fold

_LAST: Final = {fold(w) for w in "last letzte letzten letzter letztes vergangene vergangenen "
                "vergangenes previous past vorige vorigen voriges".split()}  # fmt: skip
_THIS: Final = {fold(w) for w in "this diese dieser diesem diesen dieses current aktuelle "
                "aktuellen aktuellem".split()}  # fmt: skip
_SINCE: Final = {fold(w) for w in "seit since ab from".split()}
_AFTER: Final = {fold(w) for w in "nach after".split()}
_BEFORE: Final = {fold(w) for w in "vor before".split()}
_UNTIL: Final = {fold(w) for w in "bis until till through".split()}
_BETWEEN: Final = {fold(w) for w in "zwischen between von from".split()}
_AND: Final = {fold(w) for w in "und and bis to until".split()}
_SMALL: Final = {fold(w) for w in "in im am on dem den der the of since "
                 "during während".split()}  # fmt: skip
_DAYS: Final = {"heute": 0, "today": 0, "gestern": 1, "yesterday": 1, "vorgestern": 2}


class Span(Struct, frozen=True):
    """From a day up to, but without, another; None = open. `unit` is what it is one of.

    `month` alone, without a year, is that month of any year.
    """

    start: date | None = None
    end: date | None = None
    unit: str = ""
    month: int = 0


def read(found: Sequence[Token], at: int, today: date) -> tuple[Span, int] | None:  # noqa: PLR0911
    """Return the span that begins at a token and how many tokens it takes, if there is one."""
    first = found[at].key
    two = found[at + 1].key if at + 1 < len(found) else ""
    if first in _BETWEEN and (pair := _between(found, at + 1, today)):
        return pair
    if first in _SINCE | _AFTER | _BEFORE | _UNTIL and (point := _point(found, at + 1, today)):
        span, taken = point
        if span.month:  # 'since March' leaves the year open
            return None
        if first in _SINCE:
            return Span(span.start, None, span.unit), taken + 1
        if first in _AFTER:
            return Span(span.end, None, span.unit), taken + 1
        end = span.start if first in _BEFORE else span.end
        return Span(None, end, span.unit), taken + 1
    if first in _DAYS:
        day = today - timedelta(days=_DAYS[first])
        return Span(day, day + timedelta(days=1), "day"), 1
    if first in _LAST and found[at + 1 : at + 2]:
        if two in UNITS:
            return _last(UNITS[two], today), 2
        if two.isdecimal() and at + 2 < len(found) and found[at + 2].key in UNITS:
            return _last_ones(int(two), UNITS[found[at + 2].key], today), 3
    if first in _THIS and two in UNITS:
        start = floor(today, UNITS[two])
        return Span(start, following(start, UNITS[two]), UNITS[two]), 2
    return _point(found, at, today)


def _point(found: Sequence[Token], at: int, today: date) -> tuple[Span, int] | None:  # noqa: PLR0911
    """Read a day, month or year, after small words."""
    skipped = 0
    while at + skipped < len(found) and found[at + skipped].key in _SMALL:
        skipped += 1
    # 'in the year 2024', 'im Monat März'; not 'by month in 2024'.
    if at + skipped + 1 < len(found):
        unit, then = UNITS.get(found[at + skipped].key), found[at + skipped + 1]
        skipped += (unit == "year" and _year(then) > 0) or (unit == "month" and then.key in MONTHS)
    if at + skipped >= len(found):
        return None
    here, taken = found[at + skipped], skipped + 1
    after = found[at + taken] if at + taken < len(found) else None
    if here.kind == "day" and (day := _day(here.text)):
        return Span(day, day + timedelta(days=1), "day"), taken
    if here.key in MONTHS and here.kind == "word":
        month = MONTHS[here.key]
        if after and (year := _year(after)):
            start = date(year, month, 1)
            return Span(start, following(start, "month"), "month"), taken + 1
        # 'may' and 'august' are words of their own; a month that is meant stands after 'in'.
        return (Span(month=month, unit="month"), taken) if skipped else None
    if year := _year(here):
        return Span(date(year, 1, 1), date(year + 1, 1, 1), "year"), taken
    if here.key in ("q1", "q2", "q3", "q4") and after and (year := _year(after)):
        start = date(year, 3 * int(here.key[1]) - 2, 1)
        return Span(start, following(start, "quarter"), "quarter"), taken + 1
    return None


def _between(found: Sequence[Token], at: int, today: date) -> tuple[Span, int] | None:
    one = _point(found, at, today)
    if not one or at + one[1] >= len(found) or found[at + one[1]].key not in _AND:
        return None
    two = _point(found, at + one[1] + 1, today)
    if not two or one[0].month or two[0].month:
        return None
    unit = one[0].unit if one[0].unit == two[0].unit else ""
    return Span(one[0].start, two[0].end, unit), one[1] + two[1] + 2


def _year(token: Token) -> int:
    text = token.text
    return int(text) if len(text) == 4 and text.isdecimal() and 1900 <= int(text) < 2200 else 0


def _day(text: str) -> date | None:
    try:
        if "-" in text:
            return date.fromisoformat(text)
        day, month, year = map(int, text.split("."))
        return date(year, month, day)
    except ValueError:
        return None


def _last(unit: str, today: date) -> Span:
    end = floor(today, unit)
    return Span(floor(end - timedelta(days=1), unit), end, unit)


def _last_ones(number: int, unit: str, today: date) -> Span:
    """Return the last n days up to and with today, or n whole weeks, months, years before now."""
    number = min(number, 10_000)
    if unit == "day":
        return Span(today - timedelta(days=number - 1), today + timedelta(days=1))
    start = end = floor(today, unit)
    for _ in range(min(number, 1000)):
        if start.year < 1900:
            break
        start = floor(start - timedelta(days=1), unit)
    return Span(start, end, unit)


def floor(day: date, unit: str) -> date:
    """Return the first day of the day's week (Monday), month, quarter or year."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "month":
        return day.replace(day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit == "year" else day


def following(start: date, unit: str) -> date:
    """Return the first day of the next one."""
    days = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    return floor(start + timedelta(days=days), unit)
