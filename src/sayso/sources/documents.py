"""JSON documents of any size, read piece by piece: memory holds one piece, never the document.

document = Document(stream, "posts.json")
for key in document.entries():            # at an object: enter it
    if key == "orderedItems":
        for _ in document.elements():  # at an array: enter it
            post = document.value()    # one whole piece
    else:
        document.skip()
"""

import codecs
import io
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, Final

from msgspec import Struct

from sayso.errors import InputError

READ_SIZE: Final = 256 * 1024
LONGEST_PIECE: Final = 32 * 1024 * 1024
DEEPEST: Final = 200
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"[-+.0-9eE]+")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_decode = json.JSONDecoder().raw_decode


class UnreadableError(Exception):
    """One piece cannot be taken; the reader stands behind it and can go on.

    Args:
        where: its place, as in `items.Rejected`.
        reason: why, without its words.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where = where
        self.reason = reason


class Document:
    """A JSON document, pulled from a binary stream.

    Whoever enters an object or array takes (`value`) or passes over (`skip`) each part of it.

    Args:
        stream: UTF-8, with or without a byte order mark.
        name: what errors call it.

    Raises:
        InputError: the document is not JSON in UTF-8, is cut short, is nested too deeply or has a
            piece that is too long; the message tells the place.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._before = 0  # characters that left the buffer
        self._ended = False
        self._depth = 0

    @property
    def where(self) -> str:
        """The place that the reader stands at."""
        return f"character {self._before + self._at}"

    def kind(self) -> str:
        """What comes next: '{', '[', '"', or another first character of a value."""
        return self._next()

    def entries(self) -> Iterator[str]:
        """Enter an object and yield its keys; after each, its value must be taken or skipped."""
        self._enter("{")
        first = True
        while self._more("}", first):
            first = False
            if self._next() != '"':
                raise self._broken("expected a key")
            key: str = self._piece()[0]
            self._take(":", "expected a colon")
            yield key

    def elements(self) -> Iterator[int]:
        """Enter an array and yield the number of each element, which must be taken or skipped."""
        self._enter("[")
        number = 0
        while self._more("]", number == 0):
            yield number
            number += 1

    def value(self) -> Any:
        """Take the next value whole.

        Raises:
            UnreadableError: it holds text that is no Unicode (a lone surrogate).
        """
        self._next()
        where = self.where
        value, start = self._piece()
        if _SURROGATE.search(self._text, start, self._at) and not _is_unicode(value):
            raise UnreadableError(where, "it holds a lone surrogate, which is no Unicode text")
        return value

    def skip(self) -> None:
        """Pass over the next value, whatever its size."""
        match self._next():
            case "{" if self.value_in_buffer() is None:
                for _ in self.entries():
                    self.skip()
            case "[" if self.value_in_buffer() is None:
                for _ in self.elements():
                    self.skip()
            case "{" | "[":
                pass
            case _:
                self._piece()

    def value_in_buffer(self) -> Any:
        """Take an object or array if it lies in the buffer as a whole: many times faster.

        Otherwise return None; then nothing was taken.
        """
        try:
            value, self._at = _decode(self._text, self._at)
        except (ValueError, RecursionError):
            return None
        return value

    def end(self) -> None:
        """Make sure that nothing follows the document's value."""
        if self._peek():
            raise self._broken("something follows the end of the document")

    def _enter(self, bracket: str) -> None:
        if self._next() != bracket:
            raise self._broken(f"expected {bracket}")
        self._at += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._broken(f"nested more than {DEEPEST} deep")

    def _more(self, closing: str, first: bool) -> bool:
        """Whether another part follows in the array or object that was entered."""
        if self._next() == closing:
            self._at += 1
            self._depth -= 1
            return False
        if not first:
            self._take(",", f"expected a comma or {closing}")
        return True

    def _take(self, sign: str, expected: str) -> None:
        if self._next() != sign:
            raise self._broken(expected)
        self._at += 1

    def _next(self) -> str:
        return self._peek() or self._raise_short()

    def _raise_short(self) -> str:
        raise self._broken("it is cut short")

    def _peek(self) -> str:
        """Return the next character that is no space, '' at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it matches nothing at all, too
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def _piece(self) -> tuple[Any, int]:
        """Take one whole value; return it and where in the buffer it began."""
        while True:
            reason, cut_off = "it is cut short", True
            try:
                value, end = _decode(self._text, self._at)
                # A number at the buffer's end may go on.
                if self._ends_before_the_buffer() or not self._read():
                    start, self._at = self._at, end
                    return value, start
                continue
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated")
                cut_off = unterminated or error.pos > len(self._text) - 12
                reason = reason if unterminated else "it is not JSON"
            except RecursionError:
                raise self._broken("nested too deeply") from None
            except ValueError:
                raise self._broken("a number with too many digits") from None
            if len(self._text) - self._at > LONGEST_PIECE:
                raise self._broken(f"one value is longer than {LONGEST_PIECE} characters")
            if not cut_off or not self._read():
                raise self._broken(reason)

    def _ends_before_the_buffer(self) -> bool:
        number = _NUMBER.match(self._text, self._at)
        return number is None or number.end() < len(self._text)

    def _read(self) -> bool:
        """Read on; False at the end."""
        if self._ended:
            return False
        # Twice as much each time one value does not fit, or reading it would take n² steps.
        size = max(READ_SIZE, len(self._text) - self._at)
        try:
            data = self._stream.read(size)
            more = self._utf8.decode(data, final=not data)
        except UnicodeDecodeError:
            raise self._broken("it is not UTF-8 text") from None
        self._ended = not data
        self._before += self._at
        self._text = self._text[self._at :] + more
        self._at = 0
        return not self._ended

    def _broken(self, reason: str) -> InputError:
        return InputError(
            f"{self._name} cannot be read as JSON at {self.where}: {reason}; nothing was imported",
            "export or copy the file again",
        )


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class Outline(Struct, frozen=True):
    """What a document begins like.

    `root` is '{', '[' or '' (no JSON); `keys` those of the root object as far as they were seen,
    `first` those of the first object in a root array (or in the first array of the root object).
    """

    root: str = ""
    keys: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def outline(head: bytes) -> Outline:
    """Tell what a document is from its first bytes, which may end anywhere."""
    document = Document(io.BytesIO(head), "head")
    keys: list[str] = []
    first: list[str] = []
    root = ""
    try:
        root = document.kind()
        if root == "[":
            first += _first_keys(document)
        elif root == "{":
            for key in document.entries():
                keys.append(key)
                if document.kind() != "[" or first:
                    document.skip()
                elif isinstance(known := document.value_in_buffer(), list):
                    first += known[0] if known and isinstance(known[0], dict) else ()
                else:
                    first += _first_keys(document)
                    break  # the head ends inside this array
    except InputError:
        pass  # the head ends here; what was seen is what counts
    return Outline(root if root in ("{", "[") else "", tuple(keys), tuple(first))


def _first_keys(document: Document) -> Iterator[str]:
    """Yield the keys of an array's first element; the reader stays inside the array."""
    for _ in document.elements():
        if document.kind() == "{":
            for key in document.entries():
                yield key
                document.skip()
        return
