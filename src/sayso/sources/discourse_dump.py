"""Discourse's back-ups: the plain-text dump of its PostgreSQL database, as `pg_dump` writes it.

Read twice, line by line: first topics, categories and user names, which stand behind the posts,
then the posts. Of other tables (addresses, settings, messages' recipients) no line is looked into.
Reference: platform-formats.md, section D; the COPY text format of PostgreSQL.
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, cast

from sayso.errors import InputError
from sayso.sources.archive import Member
from sayso.sources.discourse_post import Forum, items
from sayso.sources.fields import whole
from sayso.sources.items import Item, Rejected
from sayso.sources.packed import HIGHEST_RATIO, NEVER_A_BOMB

LONGEST_LINE: Final = 16 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_MARK: Final = b"PostgreSQL database dump"
_COPY: Final = re.compile(rb"COPY (?:public\.)?(\w+) \(([^)]*)\) FROM stdin;\s*")
_END: Final = b"\\."
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_PLAIN: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_FACTS: Final = {
    "topics": {"id", "archetype", "category_id", "title", "visible", "deleted_at"},
    "categories": {"id", "read_restricted"},
    "category_groups": {"category_id", "group_id"},
    "users": {"id", "username"},
}
_POSTS: Final = {
    "posts": set(
        "id topic_id post_number post_type user_id raw cooked created_at updated_at version hidden "
        "deleted_at user_deleted reply_to_post_number locale".split()
    )
}
_EVERYONE: Final = 0

Row = tuple[str, str, dict[str, Any]]


def is_dump(member: Member) -> bool:
    """Whether a file is a plain-text dump of a PostgreSQL database, packed with gzip or not."""
    if not member.name.lower().endswith((".sql", ".sql.gz")):
        return False
    head = member.head
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 4096)
        except zlib.error:
            return False
    return _MARK in head[:4096]


def read(member: Member, host: str) -> Iterator[Item]:
    """Read the posts of a dump.

    Args:
        member: the dump.
        host: what the forum is called; a dump does not say.

    Raises:
        InputError: it is damaged or cut short.
    """
    forum, users = Forum(host), dict[int, str]()
    yield from _facts(member, forum, users)
    found = False
    for row in _rows(member, _POSTS):
        if isinstance(row, Rejected):
            yield row
            continue
        _, where, post = row
        found = True
        post["username"] = users.get(whole(post.get("user_id")) or 0, "")
        yield from items(post, forum, member.name, where)
    if not found:
        yield Rejected(member.name, "line 1", "a database dump without posts of Discourse")


def _facts(member: Member, forum: Forum, users: dict[int, str]) -> Iterator[Rejected]:
    groups: dict[int, set[int | None]] = {}
    for row in _rows(member, _FACTS):
        if isinstance(row, Rejected):
            yield row
            continue
        table, _, fields = row
        number = whole(fields.get("id"))
        if table == "topics":
            forum.add_topic(fields)
        elif table == "categories":
            forum.add_category(fields)
        elif table == "users" and number is not None:
            users[number] = fields.get("username") or ""
        elif (category := whole(fields.get("category_id"))) is not None:
            groups.setdefault(category, set()).add(whole(fields.get("group_id")))
    for category, allowed in groups.items():
        if _EVERYONE not in allowed:
            forum.is_restricted[category] = True


def _rows(member: Member, wanted: dict[str, set[str]]) -> Iterator[Row | Rejected]:
    """Yield (table, place, values by column) for the tables and columns that are wanted."""
    with _opened(member) as stream:
        table, columns = "", list[str]()
        for number, line in enumerate(_lines(stream), 1):
            if not table:
                if line.startswith(b"COPY ") and (copy := _COPY.fullmatch(line)):
                    table = copy[1].decode()
                    columns = [c.strip(' "') for c in copy[2].decode("utf-8", "replace").split(",")]
            elif line.startswith(_END) and line.rstrip() == _END:
                table = ""
            elif table in wanted:
                where = f"line {number}"
                values = _values(line, columns, wanted[table])
                if isinstance(values, str):
                    yield Rejected(member.name, where, values)
                else:
                    yield table, where, values
    if table:
        raise InputError(
            f"{member.name} is cut short at byte {member.bytes_read}; nothing was imported",
            "download or copy the back-up again",
        )


def _values(line: bytes, columns: list[str], wanted: set[str]) -> dict[str, Any] | str:
    """Return the wanted values of a line, or why it cannot be taken."""
    if not line.endswith(b"\n"):
        return f"line longer than {LONGEST_LINE} bytes"
    parts = line.rstrip(b"\r\n").split(b"\t")
    if len(parts) != len(columns):
        return "not as many values as columns"
    try:
        return {
            column: None if part == b"\\N" else _unescaped(part).decode()
            for column, part in zip(columns, parts, strict=True)
            if column in wanted
        }
    except UnicodeDecodeError:
        return "not UTF-8 text"


def _unescaped(part: bytes) -> bytes:
    if b"\\" not in part:
        return part
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), part)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long only its beginning, without a line break."""
    while line := stream.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)


def _opened(member: Member) -> BinaryIO:
    stream = member.open()
    if not member.head.startswith(_GZIP):
        return stream
    inflated = _Inflated(gzip.GzipFile(fileobj=stream), member)
    return cast(BinaryIO, io.BufferedReader(inflated, 256 * 1024))


class _Inflated(io.RawIOBase):
    """A gzipped member's bytes; damage and bombs are errors."""

    def __init__(self, stream: gzip.GzipFile, member: Member) -> None:
        self._stream = stream
        self._member = member
        self._limit = max(NEVER_A_BOMB, HIGHEST_RATIO * member.size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            size = self._stream.readinto(buffer)
        except (OSError, EOFError, zlib.error) as error:
            raise self._harmful("damaged", "download or copy the back-up again") from error
        if self._stream.tell() > self._limit:
            raise self._harmful(
                f"packed more than {HIGHEST_RATIO}:1, as bombs are", "do not trust it"
            )
        return size

    def _harmful(self, what: str, hint: str) -> InputError:
        return InputError(f"{self._member.name} is {what}; nothing was imported", hint)
