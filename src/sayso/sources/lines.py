"""Files and streams with one JSON object a line: whose they are is told by their first line."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
import zstandard
from msgspec import Struct

from sayso.errors import InputError
from sayso.sources import activitystreams, jetstream, jsonl, mastodon_lines, reddit
from sayso.sources.archive import Member, Tree
from sayso.sources.items import Item, Rejected

LONGEST_LINE: Final = 16 * 1024 * 1024
ZSTD: Final = b"\x28\xb5\x2f\xfd"
GZIP: Final = b"\x1f\x8b"
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Dialect(Struct, frozen=True):
    """One kind of lines.

    `fits` looks at the fields of a line; `parse` takes a line, the file's name and the line's
    number, and never raises.
    """

    name: str
    fits: Callable[[dict[str, Any]], bool]
    parse: Callable[[bytes, str, int], Iterator[Item]]


def _native(line: bytes, name: str, number: int) -> Iterator[Item]:
    yield jsonl.parse_line(line, name, number)


def _is_native(fields: dict[str, Any]) -> bool:
    named = str(fields.get("type", "")).startswith("net.") or "specversion" in fields
    return named or ("id" in fields and bool({"service", "text", "media"} & fields.keys()))


NATIVE: Final = Dialect("jsonl", _is_native, _native)
# The strongest mark first; what is nobody else's is Sayso's own.
DIALECTS: Final = (
    Dialect("activitystreams", activitystreams.fits, activitystreams.parse_line),
    Dialect("bluesky", jetstream.fits, jetstream.parse),
    Dialect("mastodon", mastodon_lines.fits, mastodon_lines.parse),
    Dialect("reddit-dump", reddit.fits, reddit.parse),
    NATIVE,
)


def dialect_of(head: bytes) -> Dialect | None:
    """Return the dialect of lines that begin so; None if they are no lines of JSON objects.

    What is nobody else's is Sayso's own: its parser says what each line lacks.
    """
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        fields = _decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Damaged, or longer than the head; a document over several lines begins '{' alone.
        return NATIVE if first.startswith(b'{"') and rest.lstrip().startswith(b'{"') else None
    found = next((dialect for dialect in DIALECTS if dialect.fits(fields)), None)
    return found or (NATIVE if rest.strip() else None)


def read(tree: Tree, dialect: Dialect) -> Iterator[Item]:
    """Read the line files of a tree that are in a dialect; accounts before their posts."""
    members = [m for m in tree.members if _is_in(dialect, m, tree)]
    members.sort(key=lambda m: m.file_name.partition(".")[0] != "accounts")
    for member in members:
        with member.open() as stream:
            yield from read_stream(_inflated(stream, member), member.name, dialect)


def claims(tree: Tree, dialect: Dialect) -> bool:
    """Whether any file of a tree is lines in a dialect."""
    return any(_is_in(dialect, member, tree) for member in tree.members)


def read_stream(stream: BinaryIO, name: str, dialect: Dialect | None = None) -> Iterator[Item]:
    """Read lines from an open stream; the dialect is told by the first, unless it is given."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while not line.endswith(b"\n") and (line := stream.readline(LONGEST_LINE)):
                pass
            yield Rejected(name, f"line {number}", f"line longer than {LONGEST_LINE} bytes")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if stripped := line.strip():
            dialect = dialect or dialect_of(stripped) or NATIVE
            yield from dialect.parse(stripped, name, number)


def _is_in(dialect: Dialect, member: Member, tree: Tree) -> bool:
    """Whether a file is lines in a dialect: by its name in a folder, alone by what is in it."""
    named = member.name.lower().endswith((".jsonl", ".ndjson")) or member.head.startswith(
        (ZSTD, GZIP)
    )
    if not named and len(tree.members) > 1:
        return False
    head = _head(member)
    found = dialect_of(head)
    # An empty file by a name of ours is ours, and so is one whose first line is damaged.
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return found is dialect or (named and not found and dialect is NATIVE and first in (b"", b"{"))


def _head(member: Member) -> bytes:
    if not member.head.startswith((ZSTD, GZIP)):
        return member.head
    with member.open() as stream:
        return _inflated(stream, member).read(64 * 1024)


def _inflated(stream: BinaryIO, member: Member) -> BinaryIO:
    """Undo gzip, or Zstandard with the large windows that the Reddit dumps are packed with.

    RFC 1952, RFC 8878. Lines are read one by one, so a bomb only takes its time.
    """
    if member.head.startswith(ZSTD):
        unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
        packed: Any = unpacker.stream_reader(stream, read_across_frames=True)
    elif member.head.startswith(GZIP):
        packed = gzip.GzipFile(fileobj=stream)
    else:
        return stream
    return io.BufferedReader(_Unpacked(packed, member), 256 * 1024)


class _Unpacked(io.RawIOBase):
    def __init__(self, stream: Any, member: Member) -> None:
        self._stream = stream
        self._member = member

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._stream.readinto(buffer))
        except (zstandard.ZstdError, OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{self._member.name} is damaged or cut short; what came before was taken",
                "download or copy it again, and import it again",
            ) from error
