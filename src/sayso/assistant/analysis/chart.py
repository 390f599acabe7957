"""Charts as Vega-Lite (version 6), with their data inside and no address of anything else."""

import re
from collections.abc import Sequence
from typing import Any, Final

from sayso.assistant.analysis.tables import Rows, Value

# Okabe and Ito, Color Universal Design (2008): told apart with any kind of colour vision.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_MOST_BARS: Final = 40
_LONGEST: Final = 60
# What begins an address; 'note: x' stays whole, so that it is not one with 'mark: x'.
_ADDRESS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{0,20}:/+|//+|\b(?:javascript|vbscript|data|blob|file|mailto):",
    re.IGNORECASE,
)


def chart(rows: Rows, groups: int, title: str) -> dict[str, Any] | None:
    """Return a chart of a result, or None where it would show nothing.

    Args:
        rows: one or two columns of groups, then one of numbers.
        groups: how many of the columns are groups.
        title: what is drawn.
    """
    if groups not in (1, 2) or len(rows.columns) != groups + 1 or len(rows.rows) < 2:
        return None
    if rows.kinds[-1] not in ("whole", "number") or rows.total > len(rows.rows):
        return None
    timed = [n for n in range(groups) if rows.kinds[n] in ("date", "moment")]
    first = timed[0] if timed else 0
    second = 1 - first if groups == 2 else None
    kept = [
        row for row in rows.rows if row[-1] is not None and (row[first] is not None or not timed)
    ]
    series = {row[second] for row in kept} if second is not None else set()
    if len(kept) < 2 or len(series) > len(COLOURS):
        return None
    if not timed and len({row[first] for row in kept}) > _MOST_BARS:
        return None
    # Columns are called x, y and c: their own names could be read as paths.
    values = []
    for row in kept:
        point: dict[str, Value] = {"x": _label(row[first]), "y": row[-1]}
        if second is not None:
            point["c"] = _label(row[second])
        values.append(point)
    name, amount = _label(rows.columns[first]), _label(rows.columns[-1])
    across: dict[str, Any] = {
        "field": "x",
        "type": "temporal" if timed else "nominal",
        "title": name,
    }
    along: dict[str, Any] = {"field": "y", "type": "quantitative", "title": amount}
    mark: dict[str, Any] = {"type": "line", "point": True} if timed else {"type": "bar"}
    # Bars lie, so that their names can be read; the longest is the first.
    flat = {"y": {**across, "sort": None}, "x": along}
    encoding = {"x": {**across, "scale": {"type": "utc"}}, "y": along} if timed else flat
    if second is None:
        mark["color"] = COLOURS[0]
    else:
        encoding["color"] = {
            "field": "c",
            "type": "nominal",
            "title": _label(rows.columns[second]),
            "scale": {"range": list(COLOURS)},
        }
    mark["tooltip"] = True
    return {
        "title": _label(title),
        "description": _label(title),
        "width": "container",
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
    }


def shape(rows: Rows) -> int:
    """Return how many columns of a query's result are groups: all but the last, if that fits."""
    kinds: Sequence[str] = rows.kinds
    groups = len(kinds) - 1
    if groups in (1, 2) and all(kind in ("text", "date", "moment", "truth") for kind in kinds[:-1]):
        return groups
    return 0


def _label(value: Value) -> str:
    """Return a cell as a label: short, of one line, and no address."""
    if value is None:
        return "–"
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = _ADDRESS.sub("", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
