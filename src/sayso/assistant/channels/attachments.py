"""Pictures and charts of an answer, taken out of its text: messengers send them by themselves."""

import base64
import binascii
import re
from typing import Any, Final

import msgspec

from sayso.assistant.channels.drawing import LARGEST, Draw, drawing
from sayso.assistant.conversation import Picture

MOST_PICTURES: Final = 4  # of one answer: each is a message of its own, and a chart takes a while
MOST_ROWS: Final = 20
# A chart is read as one: what looks like a picture in its data is none.
_FOUND: Final = re.compile(
    r"^```vega-lite[^\n]*\n(?P<spec>.*?)^```[ ]*$"
    r"|!\[(?P<alt>[^\]\n]{0,500})\]\(data:(?P<type>image/(?:png|jpeg));base64,(?P<data>[\w+/=]*)\)",
    re.DOTALL | re.MULTILINE | re.ASCII,
)
_TABLE: Final = re.compile(r"^\|?[ ]*:?-+:?[ ]*\|", re.MULTILINE)


def take_out(markdown: str, draw: Draw | None = None) -> tuple[str, tuple[Picture, ...]]:
    """Return a text without its pictures and charts, and these.

    A chart that cannot be drawn stays as a table of its values.

    Args:
        markdown: an answer, with pictures as `![alt](data:image/png;base64,…)` and charts as fenced
            `vega-lite`.
        draw: makes a PNG of a chart; default: `drawing()`.
    """
    draw = draw or drawing()
    has_table = _TABLE.search(markdown) is not None
    pictures: list[Picture] = []

    def taken(found: re.Match[str]) -> str:
        is_room = len(pictures) < MOST_PICTURES
        if found["spec"] is None:
            picture, instead = _picture(found), found["alt"]
        else:
            spec = _spec(found["spec"])
            picture = _chart(spec, draw if is_room else None)
            instead = "" if has_table else _values(spec)
        if picture is None or not is_room:
            return instead
        pictures.append(picture)
        return ""

    return _FOUND.sub(taken, markdown).strip(), tuple(pictures)


def _picture(found: re.Match[str]) -> Picture | None:
    try:
        data = base64.b64decode(found["data"], validate=True)
    except binascii.Error:
        return None
    return Picture(data, found["type"], found["alt"]) if 0 < len(data) <= LARGEST else None


def _spec(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return {}


def _chart(spec: dict[str, Any], draw: Draw | None) -> Picture | None:
    if draw is None or not spec:
        return None
    try:
        return Picture(draw(spec), "image/png", _title(spec))
    except ValueError:  # it is no chart, or wants data from elsewhere
        return None


def _title(spec: dict[str, Any]) -> str:
    title = spec.get("title")
    words = title.get("text") if isinstance(title, dict) else title
    for said in (spec.get("description"), words):
        if isinstance(said, str):
            return said
    return ""


def _values(spec: dict[str, Any]) -> str:
    data = spec.get("data")
    rows = data.get("values") if isinstance(data, dict) else None
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not rows:
        return ""
    names = list(rows[0])
    cells = [names, ["---"] * len(names)]
    cells += [[str(row.get(name, "")) for name in names] for row in rows[:MOST_ROWS]]
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in row)} |" for row in cells)
