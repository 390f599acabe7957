"""Which files are sources: told by content, in a fixed order, the others said to be passed over."""

import os

import pytest

from sayso.errors import InputError
from sayso.sources.detect import find_files, is_jsonl

LINE = b'{"id":"1"}\n'


def put(folder, name: str, data: bytes = LINE):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "head", [LINE, b"\xef\xbb\xbf" + LINE, b"\r\n  \t" + LINE, b"", b" \n ", b"{", b"{not JSON"]
)
def test_what_may_be_json_lines(tmp_path, head):
    assert is_jsonl(put(tmp_path, "x", head))


@pytest.mark.parametrize(
    "head",
    [b"\x00\x01\x02", b"[" + LINE + b"]", b"id,text\n", b"PK\x03\x04", b"x" + LINE]
    + [LINE.decode().encode(coding) for coding in ("utf-16", "utf-16-be", "utf-32")],
)
def test_what_cannot_be_json_lines(tmp_path, head):
    path = put(tmp_path, "x.jsonl", head)
    assert not is_jsonl(path)
    with pytest.raises(InputError, match="not JSON Lines"):
        find_files(path)
    with pytest.raises(InputError, match="no JSON Lines files"):
        find_files(tmp_path)


def test_a_file_that_is_named_may_be_called_anything(tmp_path):
    path = put(tmp_path, "export.txt")
    assert find_files(path) == ([path], [])


def test_a_folder_is_searched_to_its_leaves_with_accounts_first(tmp_path):
    names = ["b.jsonl", "a/z.ndjson", "a/b/c.jsonl", "z/accounts.jsonl", "z/empty.jsonl"]
    for name in names:
        put(tmp_path, name, b"" if "empty" in name else LINE)
    others = [put(tmp_path, "a/binary.jsonl", b"\x00"), put(tmp_path, "notes.txt", LINE)]
    found, passed_over = find_files(tmp_path)
    order = ["z/accounts.jsonl", "a/b/c.jsonl", "a/z.ndjson", "b.jsonl", "z/empty.jsonl"]
    assert [str(path.relative_to(tmp_path)) for path in found] == order
    assert passed_over == others


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    outside = put(tmp_path, "outside/x.jsonl")
    put(tmp_path, "folder/own.jsonl")
    (tmp_path / "folder" / "link.jsonl").symlink_to(outside)
    found, passed_over = find_files(tmp_path / "folder")
    assert [path.name for path in found + passed_over] == ["own.jsonl"]


def test_where_there_is_nothing_it_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "empty", tmp_path / "missing", tmp_path / "pipe"):
        with pytest.raises(InputError) as caught:
            find_files(path)
        assert caught.value.hint
