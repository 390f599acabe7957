"""Members' words within Markdown: shown as they stand, with no power over the page."""

import re
from typing import Final

# Control characters could move a terminal's cursor; marks of direction hide what follows.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_MARKS: Final = re.compile(r"([\\`*_\[\]|~!#$^])")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//", "@": "&#64;"}
# Masks, such as [E-MAIL], are no links as long as nothing follows that would make them one.
_ACTIVE: Final = re.compile(r"([<`\\]|\[(?![A-Z-]{2,12}\](?![\[(:])))")
# A carriage return ends a line, too (CommonMark 0.31.2 §2.1).
_RETURNS: Final = re.compile(r"\r\n?")
# Headings, lists, quotations, fences, and lines that make the one above a heading.
_AT_LINE_START: Final = re.compile(
    r"^([^\S\n]*\d*)(>|#(?=[#\s]|\Z)|=(?=[=\s]|\Z)|~(?=~~)|[*+-](?=[\s-]|\Z)|(?<=\d)[.)](?=\s|\Z))",
    re.MULTILINE,
)


def escaped(text: str) -> str:
    """Return a text without links, pictures, HTML, code, headings or lists of its own.

    What only sets a word apart (`*`, `_`) stays: it does no harm, and clients that show plain text
    should see few backslashes.
    """
    lines = _RETURNS.sub("\n", text)
    return _AT_LINE_START.sub(r"\1\\\2", _ACTIVE.sub(r"\\\1", lines))


def quoted(text: str) -> str:
    """Return a text as a block quotation, whatever lines are in it."""
    return "\n".join(f"> {escaped(line)}".rstrip() for line in text.splitlines())


def signed(handle: str, service: str, date: str) -> str:
    """Return who posted something, where and when; a name is of one line, whatever is in it."""
    name = escaped(" ".join(handle.removeprefix("@").split()))
    return f"@{name}, {service}, {date}"


def fenced(text: str, kind: str) -> str:
    """Return a fenced block; its fence is longer than any run of backticks in the text."""
    clean = _HIDDEN.sub("\ufffd", text)
    longest = max((len(run) for run in re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{clean.rstrip(chr(10))}\n{fence}"


def in_line(text: str) -> str:
    """Return a text for one line or cell of a table: no mark, tag or address is one in it."""
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
