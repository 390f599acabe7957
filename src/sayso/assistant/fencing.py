"""Words of others within our Markdown: they stay words, whatever marks are in them."""

import re
from typing import Final

# Control characters could move a terminal's cursor; marks of direction hide what follows.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_MARKS: Final = re.compile(r"([\\`*_\[\]|~!#$^])")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//", "@": "&#64;"}


def fenced(text: str, kind: str) -> str:
    """Return a fenced block; its fence is longer than any run of backticks in the text."""
    clean = _HIDDEN.sub("\ufffd", text)
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{clean.rstrip(chr(10))}\n{fence}"


def plain(text: str) -> str:
    """Return a text for one line or cell: no mark of Markdown, tag or address is one in it."""
    line = " ".join(_HIDDEN.sub("\ufffd", text.replace("\r", " ")).split())
    for mark, entity in _ENTITIES.items():
        line = line.replace(mark, entity)
    line = _MARKS.sub(r"\\\1", line)
    # What stands without a scheme is taken for an address, too; an item or line begins so.
    line = re.sub(r"(?i)\bwww\.", "www&#46;", line)
    return re.sub(r"^([-+=]|\d+[.)])(?=\s|$|[-=])", _first, line)


def _first(match: re.Match[str]) -> str:
    mark = match.group(1)
    return f"{mark[:-1]}\\{mark[-1]}"
