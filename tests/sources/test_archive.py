"""Archives: what could harm is an error before anything is read, and damage names its place."""

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.errors import InputError
from sayso.sources import archive as room
from sayso.sources.archive import open_tree
from sayso.sources.items import Refused

NOISE = bytes(range(256)) * 400


def packed(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.zip"


def contents(path: Path) -> dict[str, bytes]:
    return {member.name: member.open().read() for member in open_tree(path).members}


def test_a_zip_a_tar_and_a_folder_hold_the_same(tmp_path):
    files = {"posts/posts_10.json": b"[10]", "posts/posts_2.json": b"[2]", "a.txt": NOISE}
    packed(tmp_path / "x.zip", *files.items())
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo("./" + name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    for name, data in files.items():
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).write_bytes(data)
    for name in ("x.zip", "x.tar.gz", "x"):
        assert contents(tmp_path / name) == files
        in_order = [member.name for member in open_tree(tmp_path / name).members]
        assert in_order == ["a.txt", "posts/posts_2.json", "posts/posts_10.json"]


@pytest.mark.parametrize(
    "name", ["../x.json", "a/../../x.json", "/x.json", "C:\\x.json", "a\\..\\..\\x", "\\\\host\\x"]
)
def test_paths_that_lead_out_are_refused(path, name):
    packed(path, ("posts.json", b"[]"), (name, b"[]"))
    with pytest.raises(InputError, match="leads out"):
        open_tree(path)


@pytest.mark.parametrize("name", ["../x.json", "/x.json"])
def test_paths_that_lead_out_of_a_tar_are_refused(tmp_path, name):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(InputError, match="leads out"):
        open_tree(tmp_path / "x.tar")


def test_links_are_refused(path, tmp_path):
    link = zipfile.ZipInfo("posts.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed(path, (link, b"/etc/passwd"))
    with pytest.raises(InputError, match="symbolic link"):
        open_tree(path)
    for kind, said in (
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
    ):
        with tarfile.open(tmp_path / "x.tar", "w") as archive:
            entry = tarfile.TarInfo("posts.json")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        with pytest.raises(InputError, match=said):
            open_tree(tmp_path / "x.tar")


def test_bombs_are_refused(path, tmp_path):
    packed(path, ("posts.json", b"[" + b" " * 50_000_000 + b"]"))
    with pytest.raises(InputError, match="bombs"):
        open_tree(path)
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("posts.json")
        entry.size = 50_000_000
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    with pytest.raises(InputError, match="bombs"):
        open_tree(tmp_path / "x.tar.gz")


def test_what_inflates_to_more_than_it_says_is_stopped(path):
    packed(path, ("posts.json", b"[" + b"1," * 200_000 + b"1]"))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    true_size = struct.unpack_from("<I", data, at + 24)[0]
    struct.pack_into("<I", data, at + 24, 100)
    path.write_bytes(bytes(data))
    try:
        read = open_tree(path).members[0].open().read()
    except InputError as error:
        assert "nothing was imported" in error.problem
    else:
        assert len(read) < true_size


def test_members_that_overlap_are_refused(path):
    packed(path, ("a.json", NOISE), ("b.json", NOISE))
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 10)  # into the first member
    path.write_bytes(bytes(data))
    with pytest.raises(InputError):
        contents(path)


def test_encrypted_members_are_refused(path):
    packed(path, ("posts.json", b"[]"))
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 8, 1)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="encrypted"):
        open_tree(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_an_error(path, share):
    packed(path, ("posts.json", zlib.compress(NOISE)), ("b.json", NOISE))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=r"damaged or cut short|export.zip"):
        contents(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 400), bits=st.integers(1, 255))
def test_any_damaged_byte_gives_the_content_or_an_error(path, at, bits):
    packed(path, ("posts.json", b"[1,2,3]" * 9), ("b.json", NOISE[:300]))
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= bits
    path.write_bytes(bytes(data))
    try:
        contents(path)
    except InputError as error:
        assert error.problem and error.hint


def test_messages_are_never_opened(path, monkeypatch):
    opened = []
    read = zipfile.ZipFile.open

    def watched(archive, entry, *rest, **named):
        opened.append(entry.filename)
        return read(archive, entry, *rest, **named)

    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    packed(
        path,
        ("your_facebook_activity/messages/inbox/someone_1/message_1.json", b"{}"),
        ("your_facebook_activity/posts/your_posts_1.json", b"[]"),
    )
    opened.clear()
    tree = open_tree(path)
    for member in tree.members:
        member.open().read()
    assert opened and not any("messages" in name for name in opened)
    assert tree.refused == [Refused("meta-messages")]


def test_a_part_of_a_tree_reads_and_counts_as_the_whole(path):
    packed(path, ("top/a/x.json", b"[1]"), ("top/b/x.json", b"[2]"))
    tree = open_tree(path)
    part = tree.below("top/b")
    (member,) = part.members
    assert (member.name, member.head, member.open().read()) == ("x.json", b"[2]", b"[2]")
    assert [each.used for each in tree.members] == [False, True]
    assert tree.get("top/a/x.json") is not None and tree.get("x.json") is None


def test_too_many_members_are_refused(path, monkeypatch):
    monkeypatch.setattr(room.packed, "MOST_MEMBERS", 3)
    packed(path, *((f"{n}.json", b"[]") for n in range(5)))
    with pytest.raises(InputError, match="more than 3 members"):
        open_tree(path)
