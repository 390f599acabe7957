"""HTML as it stands in posts, to plain text: what a reader sees, line by line.

A link gives its text: Mastodon hides parts of long addresses, which are shown here, so that the
whole address stands in the text. Line breaks, paragraphs, lists and quotes stay what they are;
scripts, styles and whatever else is not for reading is left out.
"""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

DEEPEST: Final = 200
# Parsers take n² time and memory for tangled markup: unclosed tags are opened again in each
# paragraph. Up to this size that is harmless; beyond it, only what is well-formed is read.
MOST_TANGLED_TAGS: Final = 1000
LONGEST_TANGLED: Final = 100_000

_INLINE: Final = frozenset(
    "a abbr b bdi bdo big cite code del dfn em i ins kbd label mark q rp rt ruby s samp small span "
    "strike strong sub sup time tt u var".split()
)
_LISTS: Final = frozenset({"ul", "ol", "menu"})
_PARAGRAPHS: Final = frozenset(
    "p blockquote pre h1 h2 h3 h4 h5 h6 hr table dl figure section article details".split()
)
_LINES: Final = frozenset(
    "div li dt dd tr caption figcaption address aside center fieldset footer form header main nav "
    "summary".split()
)
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CELLS: Final = frozenset({"td", "th"})
_LEFT_OUT: Final = frozenset(
    "script style template head title noscript iframe noembed noframes textarea select svg math "
    "object audio video".split()
)
_WELL_KNOWN: Final = (_INLINE | _LISTS | _PARAGRAPHS | _LINES) - {"table", "tr", "caption", "form"}
# What servers put there for those that cannot show a quoted post: 'RE: <address>'.
_QUOTE_FALLBACK: Final = "quote-inline"
_PARENTS: Final = {"li": _LISTS, "dt": frozenset({"dl"}), "dd": frozenset({"dl"})}

_SPACES: Final = re.compile(r"[ \t\n\f]+")
_ATTRIBUTES: Final = r"(?:[ \n]++[a-zA-Z-]++(?:=\"[^\"]*+\")?+)*+"
_INLINE_TAGS: Final = re.compile(rf"</?+(?:{'|'.join(sorted(_INLINE))}){_ATTRIBUTES} *+>")
# Stand for tags in text that has none of these.
_PARAGRAPH, _LINE, _NOTHING = "\2", "\3", "\1"
# The whole token, then its text, or a tag's slash, name, attributes and slash.
_TOKENS: Final = re.compile(rf"(([^<]++)|<(/?+)([a-z][a-z0-9]*+)({_ATTRIBUTES}) *+(/?+)>)")
_REFERENCES: Final = {
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "apos": "'",
    "nbsp": "\u00a0",
    "#34": '"',
    "#39": "'",
    "#x27": "'",
    "#x2F": "/",
}


class TangledError(ValueError):
    """HTML that no server writes: too large for markup that is not well-formed."""


def to_text(html: str) -> str:
    """Return the text of a piece of HTML; '' if it has none.

    Raises:
        TangledError: reading it could take too much time and memory.
    """
    html = html.replace("\r\n", "\n").replace("\r", "\n")
    if "<" not in html and "&" not in html and "\0" not in html:
        return _single_spaced(html).strip(" ")
    for quick in (_flat, _well_formed):
        if (text := quick(html)) is not None:
            return text
    return _any(html)


class _Page:
    """The text so far; breaks are held back until more words come."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0
        self._bullet = ""
        self._quotes = self._quotes_before = 0
        self._lists = 0
        self._verbatim = 0

    def start(self, tag: str) -> None:
        """Enter an element."""
        if tag in _INLINE:
            return
        if tag == "br":
            self._breaks = min(self._breaks + 1, 2)
        elif tag in _LISTS:
            self._break(1 if self._lists else 2)
            self._lists += 1
        elif tag in _CELLS:
            self.words(" ")
        else:
            self._break(2 if tag in _PARAGRAPHS else tag in _LINES)
            self._quotes += tag == "blockquote"
            self._verbatim += tag == "pre"
            if tag == "li":
                self._bullet = "- "

    def end(self, tag: str) -> None:
        """Leave an element."""
        if tag in _INLINE:
            return
        if tag in _LISTS:
            self._lists -= 1
            self._break(1 if self._lists else 2)
            return
        self._break(2 if tag in _PARAGRAPHS else tag in _LINES)
        self._quotes -= tag == "blockquote"
        self._verbatim -= tag == "pre"
        if tag == "li":
            self._bullet = ""

    def words(self, text: str) -> None:
        """Add text; runs of spaces count as one, but not in `pre`."""
        if self._verbatim:
            self._lines(text)
            return
        text = _single_spaced(text)
        fresh = self._breaks or not self._parts
        if text.startswith(" ") and (fresh or self._parts[-1].endswith(" ")):
            text = text[1:]
        if text:
            if fresh:
                self._new_line()
            self._parts.append(text)

    def text(self) -> str:
        """Return all of it."""
        return "".join(self._parts).strip(" \n")

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)

    def _lines(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            self._breaks += number > 0
            if line:
                if self._breaks or not self._parts:
                    self._new_line()
                self._parts.append(line)

    def _new_line(self) -> None:
        if self._parts:
            self._parts[-1] = self._parts[-1].rstrip(" ")
            between = ">" * min(self._quotes, self._quotes_before)
            self._parts.append(("\n" + between) * (self._breaks - 1) + "\n")
        quoted = ">" * self._quotes + " " if self._quotes else ""
        self._parts.append(quoted + self._bullet)
        self._bullet, self._breaks, self._quotes_before = "", 0, self._quotes


def _flat(html: str) -> str | None:
    """Read what has only paragraphs, line breaks and inline tags, as most posts; None for else.

    How such tags are nested makes no difference to the text.
    """
    marked = "\0" in html or _NOTHING in html or _PARAGRAPH in html or _LINE in html
    if marked or _QUOTE_FALLBACK in html:
        return None
    # Not by nothing, or what stands around a tag could become one.
    text = _INLINE_TAGS.sub(_NOTHING, html)
    text = text.replace("<p>", _PARAGRAPH).replace("</p>", _PARAGRAPH)
    text = text.replace("<br>", _LINE).replace("<br/>", _LINE).replace("<br />", _LINE)
    plain = None if "<" in text else _without_references(text.replace(_NOTHING, ""))
    if plain is None:
        return None
    paragraphs = (_lines_of(part) for part in plain.split(_PARAGRAPH))
    return "\n\n".join(part for part in paragraphs if part)


def _lines_of(paragraph: str) -> str:
    lines = [_single_spaced(line).strip(" ") for line in paragraph.split(_LINE)]
    text = "\n".join(lines).strip("\n")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def _single_spaced(text: str) -> str:
    # Most text has nothing to mend, which is found much faster than done.
    uneven = "  " in text or "\n" in text or "\t" in text or "\f" in text
    return _SPACES.sub(" ", text) if uneven else text


def _well_formed(html: str) -> str | None:
    """Read what is properly nested and has only well-known tags; None for all else."""
    page, stack, read, after_pre = _Page(), [""], 0, False
    for token, text, closing, tag, attributes, closed in _TOKENS.findall(html):
        read += len(token)
        if text:
            plain = _without_references(text)
            if plain is None:
                return None
            page.words(plain.removeprefix("\n") if after_pre else plain)
        elif closing:
            if stack.pop() != tag or attributes or closed:
                return None
            if tag not in _INLINE:
                page.end(tag)
        elif tag == "br":
            page.start(tag)
        elif closed or _QUOTE_FALLBACK in attributes or not _may_open(tag, stack):
            return None
        else:
            stack.append(tag)
            if tag not in _INLINE:
                page.start(tag)
        after_pre = tag == "pre" and not closing
    # What is no token was passed over.
    return page.text() if read == len(html) and len(stack) == 1 else None


def _may_open(tag: str, stack: list[str]) -> bool:
    """Whether an element may stand here without a parser closing or moving another for it."""
    if tag not in _WELL_KNOWN or tag == "hr" or len(stack) > DEEPEST:
        return False
    if tag in _INLINE:
        return tag != "a" or "a" not in stack
    if "p" in stack or (tag in _HEADINGS and stack[-1] in _HEADINGS):
        return False
    return tag not in _PARENTS or stack[-1] in _PARENTS[tag]


def _without_references(text: str) -> str | None:
    """Resolve the character references that servers write; None if there are others."""
    if "\0" in text:
        return None
    if "&" not in text:
        return text
    first, *rest = text.split("&")
    for number, part in enumerate(rest):
        name, ends, words = part.partition(";")
        if not ends or name not in _REFERENCES:
            return None
        rest[number] = _REFERENCES[name] + words
    return first + "".join(rest)


def _any(html: str) -> str:
    """Read any HTML as browsers do."""
    if len(html) > LONGEST_TANGLED or html.count("<") > MOST_TANGLED_TAGS:
        raise TangledError
    root = LexborHTMLParser(html).root
    page = _Page()
    node = root and root.first_child
    # Never by recursion: nesting may be deeper than Python's stack.
    while node is not None:
        inside = _enter(node, page)
        if inside is not None:
            node = inside
            continue
        while node is not None and node.next is None:
            page.end(node.tag or "")
            node = node.parent
        if node is not None:
            page.end(node.tag or "")
            node = node.next
    return page.text()


def _enter(node: LexborNode, page: _Page) -> LexborNode | None:
    """Write what a node itself says; return its first child, None if there is none to read."""
    tag = node.tag or ""
    if node.is_text_node:
        page.words(node.text_content or "")
        return None
    if not node.is_element_node:
        return None
    page.start(tag)
    if tag == "img":
        page.words(node.attributes.get("alt") or "")
    if tag in _LEFT_OUT or _QUOTE_FALLBACK in (node.attributes.get("class") or "").split():
        return None
    return node.first_child
