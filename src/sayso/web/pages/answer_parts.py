"""An answer's Markdown for pages without scripts: words as they stand, pictures, charts as tables.

The page's script renders all of Markdown; this only keeps what nobody can read as text (a picture's
bytes, a chart's specification) from standing there as text.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

MOST_ROWS: Final = 200
# As the page's script shows them: pictures within the answer alone, never from elsewhere.
_SPECIAL: Final = re.compile(
    r"!\[(?P<alt>[^\]\n]{0,500})\]\((?P<picture>data:image/(?:png|jpeg|gif|webp);base64,[\w+/=]+)\)"
    r"|^(?P<fence>`{3,}|~{3,})vega-?lite[^\n]*\n(?P<chart>.*?)^(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)


class Part(Struct, frozen=True):
    """A piece of an answer: words, a picture (`text` says what it shows), or a chart's rows."""

    text: str = ""
    quoted: bool = False
    picture: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def parts_of(markdown: str) -> list[Part]:
    """Return an answer's pieces in their order."""
    parts, at = [], 0
    for found in _SPECIAL.finditer(markdown):
        parts += _words(markdown[at : found.start()])
        if found["picture"]:
            parts.append(Part(found["alt"], picture=found["picture"]))
        else:
            parts.append(_table(found["chart"]) or Part(found[0]))
        at = found.end()
    return parts + _words(markdown[at:])


def _words(text: str) -> list[Part]:
    if not text.strip():
        return []
    lines = text.strip("\n").splitlines()
    # What is quoted comes as Markdown, which the page's script would render.
    quoted = all(line.startswith(">") for line in lines)
    if quoted:
        lines = [line.removeprefix(">").strip() for line in lines]
    return [Part("\n".join(lines), quoted)]


def _table(chart: str) -> Part | None:
    try:
        rows = [row for row in _rows(msgspec.json.decode(chart)) if isinstance(row, dict)]
    except (msgspec.DecodeError, RecursionError):
        return None
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    cells = (tuple(str(row.get(name, "")) for name in columns) for row in rows[:MOST_ROWS])
    return Part(columns=columns, rows=tuple(cells)) if rows else None


def _rows(part: Any) -> Iterator[Any]:
    """Yield the rows of all data within a specification."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "values" and isinstance(value, list):
                yield from value
            else:
                yield from _rows(value)
    elif isinstance(part, list):
        for value in part:
            yield from _rows(value)
