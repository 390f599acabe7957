"""What a path holds: told by content, in a fixed order, parts of one export put together."""

import os
import zipfile
from pathlib import Path

import pytest

from sayso.content.events import Upsert
from sayso.errors import InputError
from sayso.sources.detect import find
from sayso.sources.items import Refused

LINE = b'{"id":"1","service":"s","text":"x"}\n'


def put(folder: Path, name: str, data: bytes = LINE) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def pack(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), data)
    return path


def ids(path: Path) -> list[str]:
    items = [item for export in find([path]) for item in export.read()]
    return [item.record.id for item in items if isinstance(item, Upsert)]


def line(name: str) -> bytes:
    return LINE.replace(b'"1"', f'"{name}"'.encode())


@pytest.mark.parametrize("head", [LINE, b"\xef\xbb\xbf" + LINE, b"\r\n  \t" + LINE, LINE * 3])
def test_a_single_file_may_be_called_anything(tmp_path, head):
    assert ids(put(tmp_path, "export.txt", head)) == ["1"] * head.count(b"{")


@pytest.mark.parametrize(
    "head",
    [b"\x00\x01\x02", b"[" + LINE.strip() + b"]", b"id,text\n", b"PK\x03\x04", b"x" + LINE, b"{}"]
    + [LINE.decode().encode(coding) for coding in ("utf-16", "utf-16-be", "utf-32")],
)
def test_what_is_nothing_known_is_an_error(tmp_path, head):
    with pytest.raises(InputError) as caught:
        find([put(tmp_path, "x.dat", head)])
    assert caught.value.hint


def test_a_folder_is_searched_to_its_leaves_with_accounts_first(tmp_path):
    names = ["b.jsonl", "a/z.ndjson", "a/b/c.jsonl", "z/accounts.jsonl", "z/empty.jsonl"]
    for name in names:
        put(tmp_path, name, b"" if "empty" in name else line(name))
    put(tmp_path, "a/binary.dat", b"\x00")
    put(tmp_path, "today.json", line("by its name no file of lines"))
    assert ids(tmp_path) == ["z/accounts.jsonl", "a/b/c.jsonl", "a/z.ndjson", "b.jsonl"]
    (export,) = find([tmp_path])
    assert list(export.read())
    assert {m.name for m in export.tree.members if not m.used} == {"a/binary.dat", "today.json"}


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    outside = put(tmp_path, "outside/x.jsonl", line("outside"))
    put(tmp_path, "folder/own.jsonl", line("own"))
    (tmp_path / "folder" / "link.jsonl").symlink_to(outside)
    assert ids(tmp_path / "folder") == ["own"]


def test_where_there_is_nothing_it_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "empty", tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(InputError) as caught:
            find([path])
        assert caught.value.hint


def test_parts_of_one_export_are_one_and_strangers_are_not(tmp_path):
    one = pack(tmp_path / "export-2026-1.zip", a_DOT_jsonl=line("a"), profile_DOT_json=b"{}")
    two = pack(tmp_path / "export-2026-2.zip", b_DOT_jsonl=line("b"))
    other = pack(tmp_path / "export-2026-3.zip", c_DOT_jsonl=line("c"), profile_DOT_json=b"[1]")
    exports = find([one, two, other])
    assert [len(export.tree.members) for export in exports] == [3, 2]
    assert sorted(ids(tmp_path)) == ["a", "b", "c"]


def test_archives_in_a_folder_are_opened_and_those_in_archives_are_not(tmp_path):
    inner = pack(tmp_path / "inner.zip", x_DOT_jsonl=line("x")).read_bytes()
    (tmp_path / "inner.zip").unlink()
    pack(tmp_path / "outer.zip", inner_DOT_zip=inner, own_DOT_jsonl=line("own"))
    put(tmp_path, "loose.jsonl", line("loose"))
    assert sorted(ids(tmp_path)) == ["loose", "own"]


def test_messages_are_counted_never_read(tmp_path):
    put(tmp_path, "messages/inbox/x/message_1.json", b"not even JSON")
    put(tmp_path, "own.jsonl")
    (export,) = find([tmp_path])
    assert [item for item in export.read() if isinstance(item, Refused)] == [
        Refused("meta-messages")
    ]
    assert not any("messages" in member.name for member in export.tree.members)
