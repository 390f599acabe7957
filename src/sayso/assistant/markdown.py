"""Members' words within Markdown: shown as they stand, with no power over the page."""

import re
from typing import Final

_ACTIVE: Final = re.compile(r"([\[<`\\])")
_AT_LINE_START: Final = re.compile(r"^(\s*)([#>*+-]|\d+[.)])(?=\s)", re.MULTILINE)


def escaped(text: str) -> str:
    """Return a text without links, pictures, HTML, code, headings or lists of its own.

    What only sets a word apart (`*`, `_`) stays: it does no harm, and clients that show plain text
    should see few backslashes.
    """
    return _AT_LINE_START.sub(r"\1\\\2", _ACTIVE.sub(r"\\\1", text))


def quoted(text: str) -> str:
    """Return a text as a block quotation, whatever lines are in it."""
    return "\n".join(f"> {line}".rstrip() for line in escaped(text).splitlines())
