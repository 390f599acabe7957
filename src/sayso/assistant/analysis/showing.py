"""The answer to a question about tables as Markdown."""

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from sayso.assistant.analysis.plans import Filter, Plan
from sayso.assistant.analysis.tables import Column, Rows, Table, Value
from sayso.assistant.markdown import fenced, in_line


class Analysis(Struct, frozen=True):
    """An answer: one sentence, the first rows, how many more there are, a chart, the query.

    `query` is empty where nothing was asked that is understood: then the rows tell what is there.
    """

    query: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    more_rows: int
    chart: dict[str, Any] | None
    sentence: str
    language: str = "en"


_WORDS: Final = {
    "en": {
        "more": "… and {n} more.",
        "count": "number of rows",
        "sum": "sum of {c}",
        "mean": "average of {c}",
        "median": "median of {c}",
        "min": "lowest {c}",
        "max": "highest {c}",
        "different": "number of different {c}",
        "share": "share in percent",
        "share_of": "share of {c} in percent",
        "per": "by {g}",
        "and": " and ",
        "not": "not ",
        "nothing": "nothing fits",
        "first": "first is {x} with {y}",
        "groups": "{n} groups",
        "rows": "The query gave {n} rows.",
        "undated": "Not in it: {n}, whose time is not known (so precisely).",
        "not_understood": "I did not understand that well enough to calculate it. This is what "
        "there is; ask for example: “{e}”, or write a query after /sql.",
        "profile": ("table", "column", "holds", "filled", "different", "from", "to"),
        "kinds": {"whole": "whole numbers", "number": "numbers", "text": "text", "date": "days",
                  "moment": "moments", "truth": "true or false", "other": "other"},
        "example": "{m} by {g}",
        "sum_word": "total {c}",
        "count_word": "how many rows",
        "day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year",
        "until": "before {d}", "since": "from {d}", "span": "from {a} to before {b}",
        "in_month": "month {n}",
    },
    "de": {
        "more": "… und {n} weitere.",
        "count": "Zahl der Zeilen",
        "sum": "Summe von {c}",
        "mean": "Durchschnitt von {c}",
        "median": "Median von {c}",
        "min": "kleinster Wert von {c}",
        "max": "größter Wert von {c}",
        "different": "Zahl verschiedener {c}",
        "share": "Anteil in Prozent",
        "share_of": "Anteil an {c} in Prozent",
        "per": "je {g}",
        "and": " und ",
        "not": "nicht ",
        "nothing": "nichts passt",
        "first": "vorn liegt {x} mit {y}",
        "groups": "{n} Gruppen",
        "rows": "Die Abfrage ergab {n} Zeilen.",
        "undated": "Nicht dabei: {n}, deren Zeit nicht (so genau) bekannt ist.",
        "not_understood": "Das habe ich nicht sicher genug verstanden, um es zu berechnen. Das ist "
        "da; frag zum Beispiel: „{e}“, oder schreib eine Abfrage hinter /sql.",
        "profile": ("Tabelle", "Spalte", "enthält", "gefüllt", "verschieden", "von", "bis"),
        "kinds": {"whole": "ganze Zahlen", "number": "Zahlen", "text": "Text", "date": "Tage",
                  "moment": "Zeitpunkte", "truth": "wahr oder falsch", "other": "anderes"},
        "example": "{m} je {g}",
        "sum_word": "Summe {c}",
        "count_word": "wie viele Zeilen",
        "day": "Tag", "week": "Woche", "month": "Monat", "quarter": "Quartal", "year": "Jahr",
        "until": "vor {d}", "since": "ab {d}", "span": "von {a} bis vor {b}",
        "in_month": "Monat {n}",
    },
}  # fmt: skip


def markdown(analysis: Analysis) -> str:
    """Return a whole answer; what cells and names hold stays text in it."""
    words: Any = _WORDS[analysis.language]
    parts = [analysis.sentence]
    if analysis.columns and analysis.rows and (len(analysis.rows) > 1 or len(analysis.columns) > 1):
        parts.append(_table(analysis))
    if analysis.more_rows:
        parts.append(words["more"].format(n=number(analysis.more_rows, analysis.language)))
    if analysis.chart is not None:
        # In JSON a backtick and a bracket can be written so that they end nothing.
        data = json.dumps(analysis.chart, ensure_ascii=False)
        safe = data.replace("`", "\\u0060").replace("<", "\\u003c").replace(">", "\\u003e")
        parts.append(f"```vega-lite\n{safe}\n```")
    if analysis.query:
        parts.append(fenced(analysis.query, "sql"))
    return "\n\n".join(parts)


def _table(analysis: Analysis) -> str:
    language = analysis.language
    counts = [
        all(row[n] is None or _is_number(row[n]) for row in analysis.rows)
        for n in range(len(analysis.columns))
    ]
    lines = [
        [in_line(name) or " " for name in analysis.columns],
        ["---:" if right else "---" for right in counts],
        *([_cell(value, language) for value in row] for row in analysis.rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Value, language: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return {"de": ("falsch", "wahr")}.get(language, ("false", "true"))[value]
    return number(value, language) if isinstance(value, int | float) else in_line(value)


def number(value: float, language: str) -> str:
    """Return a number as the language writes it, with up to four digits of its fraction."""
    if isinstance(value, float) and abs(value) >= 1e15:
        return f"{value:g}"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")
    # A number that is not 0 is not shown as if it were.
    text = f"{value:.3g}" if value and text.strip("-0.") == "" else text
    return text.translate(str.maketrans(",.", ".,")) if language == "de" else text


def title(plan: Plan, language: str) -> str:
    """Return what is calculated, as Markdown in which names stay text."""
    words: Any = _WORDS[language]
    titles = [_title(measure.operation, measure.column, language) for measure in plan.measures]
    groups = [words.get(g.unit) or _quoted(g.column, language) for g in plan.groups]
    what = words["and"].join(titles)
    if groups:
        what += " " + words["per"].format(g=words["and"].join(groups))
    said = [_said(kept, language) for kept in plan.filters]
    what += f" ({'; '.join(said)})" if said else ""
    return f"{what[0].upper()}{what[1:]}"


def sentence(plan: Plan, rows: Rows, left_out: Value, language: str) -> str:
    """Return what came out, in one sentence that says what was calculated."""
    words: Any = _WORDS[language]
    groups = plan.groups
    found = [row for row in rows.rows if any(cell is not None for cell in row[len(groups) :])]
    if not found:
        result = words["nothing"]
    elif not groups:
        result = words["and"].join(_cell(cell, language) for cell in found[0])
    else:
        result = words["groups"].format(n=number(rows.total, language))
        if not any(g.unit or g.column.is_time for g in plan.groups) or plan.top:
            first = ", ".join(_cell(cell, language) for cell in found[0][: len(groups)])
            amount = _cell(found[0][len(groups)], language)
            result = words["first"].format(x=first, y=f"**{amount}**")
    if not groups and found:
        result = f"**{result}**"
    text = f"{title(plan, language)}: {result}."
    if left_out:
        text += " " + words["undated"].format(n=_cell(left_out, language))
    return text


def _quoted(column: Column, language: str) -> str:
    name = in_line(column.name)
    return f"„{name}“" if language == "de" else f"“{name}”"


def _title(operation: str, column: Column | None, language: str) -> str:
    words: Any = _WORDS[language]
    if operation == "share":
        operation = "share_of" if column else "share"
    return str(words[operation]).format(c=_quoted(column, language) if column else "")


def _said(kept: Filter, language: str) -> str:
    words: Any = _WORDS[language]
    if kept.span is not None:
        span = kept.span
        if span.month:
            return str(words["in_month"]).format(n=span.month)
        if span.start and span.end:
            return str(words["span"]).format(a=span.start, b=span.end)
        key, day = ("since", span.start) if span.start else ("until", span.end)
        return str(words[key]).format(d=day)
    values = ", ".join(_cell(value, language) for value in kept.values)
    sign = {"=": "", "<>": words["not"], "between": ""}.get(kept.sign, in_line(kept.sign) + " ")
    values = values.replace(", ", "–", 1) if kept.sign == "between" else values
    return f"{in_line(kept.column.name)}: {sign}{values}"


def told(rows: Rows, language: str) -> str:
    """Return the sentence for a query that somebody wrote."""
    words: Any = _WORDS[language]
    if rows.total == 1 and len(rows.columns) == 1:
        return f"{in_line(rows.columns[0])}: **{_cell(rows.rows[0][0], language)}**"
    return str(words["rows"]).format(n=number(rows.total, language))


def profile(tables: Sequence[Table], language: str, most: int) -> Analysis:
    """Return what there is to ask about: the columns of all tables."""
    words: Any = _WORDS[language]
    lines: list[tuple[Value, ...]] = [
        (
            f"{table.name} ({number(table.rows, language)})",
            column.name,
            words["kinds"][column.kind],
            table.rows - column.missing,
            column.different,
            column.lowest,
            column.highest,
        )
        for table in tables
        for column in table.columns
    ]
    said = words["not_understood"].format(e=in_line(_example(tables, language)))
    return Analysis(
        "", words["profile"], tuple(lines[:most]), max(0, len(lines) - most), None, said, language
    )


def _example(tables: Sequence[Table], language: str) -> str:
    words: Any = _WORDS[language]
    for table in tables:
        numbers = [column for column in table.columns if column.is_number]
        groups = [c for c in table.columns if c.kind == "text" and 1 < c.different <= 50]
        groups = groups or [c for c in table.columns if c.kind in ("text", "date", "truth")]
        if groups:
            measure = (
                words["sum_word"].format(c=numbers[0].name) if numbers else words["count_word"]
            )
            return str(words["example"].format(m=measure, g=groups[0].name))
    return str(words["count_word"])
