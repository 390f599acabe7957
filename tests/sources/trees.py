"""Exports in memory and on disk, for the tests of their readers."""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.content.record import Record
from sayso.errors import InputError
from sayso.sources import detect
from sayso.sources.archive import Member, Tree
from sayso.sources.items import Item

T = TypeVar("T")


def member_of(name: str, data: bytes) -> Member:
    return Member(name, len(data), lambda: io.BytesIO(data))


def tree_of(files: dict[str, object], name: str = "export") -> Tree:
    """A tree of files by name: bytes and text as they are, anything else as JSON."""
    return Tree(name, [member_of(path, as_bytes(content)) for path, content in files.items()], [])


def as_bytes(content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    # Lone surrogates stay escapes, as they are in real exports.
    return content.encode() if isinstance(content, str) else json.dumps(content).encode()


def put(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_bytes(content))
    return folder


def zipped(path: Path, files: dict[str, object]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, as_bytes(content))
    return path


def everything(path: Path) -> list[Item]:
    """All items of what lies at a path, read as an import reads it."""
    return [item for export in detect.find([path]) for item in export.read()]


def records(items: Iterable[Item]) -> list[Record]:
    return [item.record for item in items if isinstance(item, Upsert)]


def of_kind(items: Iterable[Item], kind: type[T]) -> list[T]:
    return [item for item in items if isinstance(item, kind)]


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["1", "-1", "1714670000", "2024-05-02T18:11:04Z", "public", "[deleted]", "&"]),
)
LOOSE = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def with_loose_fields(whole: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    """Objects with the fields of a whole one, any of them missing or of another kind."""
    fields = {name: st.one_of(st.just(value), LOOSE) for name, value in whole.items()}
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def damaged(draw: st.DrawFn, content: object) -> bytes:
    """A file with some of its bytes changed, doubled or missing."""
    data = bytearray(as_bytes(content))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data[start:end] = draw(
            st.one_of(st.binary(max_size=4), st.just(bytes(data[start:end]) * 2))
        )
    return bytes(data)


def survives(reader: Callable[[Tree], Iterator[Item]], files: dict[str, object]) -> list[Item]:
    """What a reader yields of files that may be damaged: all of it, or a clean error."""
    try:
        items = list(reader(tree_of(files)))
    except InputError:
        return []
    for record in records(items):
        assert "\x00" not in record.text
        "".join([record.text, record.id, record.author, record.reply_to, record.url]).encode()
    return items
