"""Markdown as messengers take it: plain text, and marks that say what is bold, code or a link."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from msgspec import Struct

Kind = Literal["bold", "italic", "strike", "code", "pre", "link"]
SCHEMES: Final = ("https://", "http://", "mailto:")
LONGEST: Final = 30_000  # characters: an answer is longer only if it is made to flood a chat
WIDEST: Final = 40  # characters of a column of a table that shorter cells are filled up to
WORD_JOINER: Final = "\u2060"  # invisible, and no part of a name
# What Mastodon or Telegram takes for a call, and more; a name within an address is none. Letters of
# other alphabets, and signs such as ², do not keep a name from being one everywhere.
_CALL: Final = re.compile(
    r"https?://(?:[^\s@]{0,500}[=/A-Za-z0-9_]@)+|(?<![A-Za-z0-9_])(?P<call>@)(?=\w)", re.IGNORECASE
)
_INLINE: Final[dict[str, Kind]] = {"strong": "bold", "em": "italic", "s": "strike"}
# HTML is text like other text: nothing that a post says becomes markup.
_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


class Mark(Struct, frozen=True):
    """What a part of a text is: characters `start` to `end` (exclusive).

    `value` is a link's address, or the language of preformatted text.
    """

    start: int
    end: int
    kind: Kind
    value: str = ""


class Rich(Struct, frozen=True):
    """A text without any markup, and its marks in the order in which they begin."""

    text: str
    marks: tuple[Mark, ...] = ()

    def piece(self, start: int, end: int) -> "Rich":
        """Return a part of it, with the marks as far as they reach into it."""
        marks = (
            Mark(max(m.start, start) - start, min(m.end, end) - start, m.kind, m.value)
            for m in self.marks
            if m.start < end and m.end > start
        )
        return Rich(self.text[start:end], tuple(marks))

    def without_calls(self) -> "Rich":
        """Return it so that the names in it call nobody of that name."""
        places = [found.end() for found in _CALL.finditer(self.text) if found["call"]]
        marks = (
            Mark(
                m.start + bisect_left(places, m.start),
                m.end + bisect_left(places, m.end),
                m.kind,
                m.value,
            )
            for m in self.marks
        )
        calm = _CALL.sub(lambda m: f"@{WORD_JOINER}" if m["call"] else m[0], self.text)
        return Rich(calm, tuple(marks))

    def wrapped(self, signs: dict[Kind, tuple[str, str]]) -> str:
        """Return the text with signs before and after what is marked; other marks are left out."""
        inserts: dict[int, str] = {}
        for mark in self.marks:
            opening, closing = signs.get(mark.kind, ("", ""))
            inserts[mark.start] = inserts.get(mark.start, "") + opening
            # Marks lie within each other: what begins later ends first.
            inserts[mark.end] = closing + inserts.get(mark.end, "")
        places = sorted({0, len(self.text), *inserts})
        cuts = zip(places, [*places[1:], len(self.text)], strict=True)
        return "".join(inserts.get(start, "") + self.text[start:end] for start, end in cuts)


def read(markdown: str, *, spelled_links: bool) -> Rich:
    """Read Markdown (CommonMark, with tables and strikethrough).

    Args:
        markdown: the text.
        spelled_links: write a link's address after its words, for who cannot mark links.
    """
    clean = markdown.encode("utf-8", "replace").decode()
    writer = _Writer(spelled_links)
    writer.blocks(SyntaxTreeNode(_PARSER.parse(clean)))
    return writer.done()


class _Writer:
    """The text so far; breaks are held back until more words come."""

    def __init__(self, spelled_links: bool) -> None:
        self._spelled_links = spelled_links
        self._parts: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._breaks = 0
        self._prefix = ""
        self._at_line_start = True

    def done(self) -> Rich:
        marks = tuple(sorted(self._marks, key=lambda m: (m.start, -m.end)))
        said = Rich("".join(self._parts), marks)
        if self._length <= LONGEST:
            return said
        cut = said.piece(0, LONGEST - 2)
        return Rich(f"{cut.text} …", cut.marks)

    def blocks(self, node: SyntaxTreeNode, gap: int = 2) -> None:
        for child in node.children:
            self._block(child, gap)
            self._breaks = max(self._breaks, gap)

    def _block(self, node: SyntaxTreeNode, gap: int) -> None:
        match node.type:
            case "heading":
                with self._marked("bold"):
                    self._inlines(node)
            case "paragraph":
                self._inlines(node)
            case "fence" | "code_block":
                with self._marked("pre", node.info.split(" ")[0] if node.info else ""):
                    self._write(node.content.rstrip("\n"))
            case "blockquote":
                with self._indented("> ", "> "):
                    self.blocks(node, gap)
            case "bullet_list" | "ordered_list":
                first = int(node.attrs.get("start", 1))
                for number, item in enumerate(node.children, first):
                    sign = "• " if node.type == "bullet_list" else f"{number}. "
                    with self._indented(sign, " " * len(sign)):
                        self.blocks(item, 1)
                    self._breaks = max(self._breaks, 1)
            case "table":
                with self._marked("pre"):
                    self._write(_table(node))
            case "hr":
                self._write("—")
            case _:
                self._inlines(node)

    def _inlines(self, node: SyntaxTreeNode) -> None:
        for child in node.children:
            match child.type:
                case "text" | "html_inline":
                    self._write(child.content)
                case "softbreak" | "hardbreak":
                    self._write("\n")
                case "code_inline":
                    with self._marked("code"):
                        self._write(child.content)
                case "strong" | "em" | "s":
                    with self._marked(_INLINE[child.type]):
                        self._inlines(child)
                case "link":
                    self._link(child, str(child.attrs.get("href", "")))
                case "image":
                    self._write(child.content)
                    self._spell(str(child.attrs.get("src", "")), child.content)
                case _:
                    self._inlines(child)

    def _link(self, node: SyntaxTreeNode, address: str) -> None:
        begun = self._length
        if self._spelled_links or not address.startswith(SCHEMES):
            self._inlines(node)
            self._spell(address, "".join(self._parts)[begun:].strip())
            return
        with self._marked("link", address):
            self._inlines(node)

    def _spell(self, address: str, said: str) -> None:
        if address.startswith(SCHEMES) and address != said:
            self._write(f" ({address})" if said else address)

    def _write(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            if number:
                self._put("\n")
                self._at_line_start = True
            if line:
                self._begin()
                self._put(line)

    def _begin(self) -> None:
        """Write what was held back, and what stands at the beginning of a line."""
        if self._breaks and self._parts:
            self._put("\n" * self._breaks)
            self._at_line_start = True
        self._breaks = 0
        if self._at_line_start:
            self._put(self._prefix)
            self._at_line_start = False

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    @contextmanager
    def _marked(self, kind: Kind, value: str = "") -> Iterator[None]:
        self._begin()
        start = self._length
        yield
        if self._length > start:
            self._marks.append(Mark(start, self._length, kind, value))

    @contextmanager
    def _indented(self, sign: str, later: str) -> Iterator[None]:
        outer = self._prefix
        self._begin()
        self._put(sign)
        self._prefix = outer + later
        yield
        self._prefix = outer


def _table(node: SyntaxTreeNode) -> str:
    """Return a table as lines, its columns below each other."""
    rows = [
        [_words(cell) for cell in row.children] for part in node.children for row in part.children
    ]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    lines = (
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _words(node: SyntaxTreeNode) -> str:
    if node.type in ("text", "code_inline", "html_inline"):
        return node.content
    return "".join(_words(child) for child in node.children)
