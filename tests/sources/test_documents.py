"""Documents: whatever their size and wherever they are cut, whole pieces or a clear error."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import InputError
from sayso.sources import documents
from sayso.sources.documents import Document, UnreadableError, outline

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(data: bytes, descend: int = 3) -> Any:
    document = Document(io.BytesIO(data), "posts.json")
    value = take(document, descend)
    document.end()
    return value


def take(document: Document, descend: int) -> Any:
    """Read a value piece by piece down to a depth, whole below it."""
    if descend and document.kind() == "{":
        return {key: take(document, descend - 1) for key in document.entries()}
    if descend and document.kind() == "[":
        return [take(document, descend - 1) for _ in document.elements()]
    return document.value()


@given(values, st.integers(0, 4), st.sampled_from([1, 3, 64, 4096]), st.booleans())
def test_any_document_comes_back_however_it_is_read(value, descend, size, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "READ_SIZE", size)
        try:
            assert read(data, descend) == value
        except (InputError, UnreadableError):
            assert any(
                "\ud800" <= sign <= "\udfff" for sign in json.dumps(value, ensure_ascii=False)
            )


@given(values, st.integers(0, 300), st.integers(0, 4))
def test_a_document_that_is_cut_short_is_an_error(value, cut, descend):
    data = json.dumps([value, "end"]).encode()
    with pytest.raises((InputError, UnreadableError)):
        read(data[: min(cut, len(data) - 1)], descend)


@given(st.binary(max_size=200), st.integers(0, 4))
def test_no_bytes_do_anything_but_that(data, descend):
    try:
        read(data, descend)
    except InputError as error:
        assert "posts.json" in error.problem and "character" in error.problem
    except UnreadableError as error:
        assert error.where.startswith("character")
    outline(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short"),
        (b'{"a": 1', "cut short"),
        (b'{"a": 1,}', "expected a key"),
        (b'{"a" 1}', "colon"),
        (b"[1 2]", "comma"),
        (b"[1] x", "follows the end"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\x00"]', "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "digits"),
        (b"[" * 100_000, "nested"),
        (b'[{"a":' * 100_000, "nested"),
        ('["ü"]'.encode("utf-16"), "not UTF-8"),
    ],
)
@pytest.mark.parametrize("descend", [0, 1, 1000])
def test_damage_is_named_with_its_place(data, reason, descend):
    with pytest.raises(InputError) as caught:
        read(data, descend)
    assert reason in caught.value.problem or "not JSON" in caught.value.problem
    assert "character" in caught.value.problem


def test_one_bad_piece_does_not_hide_the_next():
    document = Document(io.BytesIO(b'["a", "\\ud83d", "b"]'), "posts.json")
    found = []
    for _ in document.elements():
        try:
            found.append(document.value())
        except UnreadableError as error:
            found.append(error.where)
    document.end()
    assert found == ["a", "character 6", "b"]
    assert read(b'["\\ud83d\\ude00"]') == ["\U0001f600"]  # a pair is one character


def test_what_is_passed_over_may_be_anything(monkeypatch):
    monkeypatch.setattr(documents, "READ_SIZE", 64)
    big = {"deep": [[{"x": ["long text " * 30, 1.5, None]}] * 5], "next": 1}
    document = Document(io.BytesIO(json.dumps(big).encode()), "posts.json")
    seen = []
    for key in document.entries():
        seen.append(key)
        document.skip()
    document.end()
    assert seen == ["deep", "next"]


class Endless(io.RawIOBase):
    """A document of 200 MB that is nowhere at once."""

    def __init__(self) -> None:
        self._parts = self._make()
        self._rest = b""

    def _make(self) -> Iterator[bytes]:
        yield b'{"orderedItems":['
        block = b",".join([b'{"text":"' + b"x" * 1000 + b'"}'] * 1000)
        for number in range(200):
            yield (b"," if number else b"") + block
        yield b"]}"

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def test_memory_does_not_grow_with_the_document():
    tracemalloc.start()
    document = Document(Endless(), "outbox.json")  # type: ignore[arg-type]
    count = 0
    for _ in document.entries():
        for _ in document.elements():
            document.value()
            count += 1
    document.end()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 10_000_000


def test_a_value_too_long_is_no_reason_to_read_on(monkeypatch):
    monkeypatch.setattr(documents, "LONGEST_PIECE", 10_000)
    with pytest.raises(InputError, match="longer than"):
        read(b'["' + b"x" * 2_000_000 + b'"]')
