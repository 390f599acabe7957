"""The directories of zips and tars, checked for what could harm before anything is unpacked."""

import re
import tarfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from typing import BinaryIO, Final, cast

from msgspec import Struct

from sayso.errors import InputError

LARGEST_MEMBER: Final = 64 * 1024**3
# Deflate reaches about 1030:1 on zeros; JSON of real exports stays below 50:1.
HIGHEST_RATIO: Final = 250
NEVER_A_BOMB: Final = 1024 * 1024
MOST_MEMBERS: Final = 2_000_000
_ENCRYPTED: Final = 0x1


class Packed(Struct, frozen=True):
    """A file in an archive: its path, its size once inflated, and how to open it."""

    name: str
    size: int
    open: Callable[[], BinaryIO]


def in_zip(path: Path) -> Iterator[Packed]:
    """Yield the files of a zip.

    Raises:
        InputError: a member could harm: it leads out, is a link, a bomb, or cannot be read.
    """
    archive = zipfile.ZipFile(path)
    ends = 0
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    _check_number(path, len(entries))
    for entry in entries:
        if entry.header_offset < ends:
            raise _harmful(path, "members that overlap")
        ends = entry.header_offset + entry.compress_size
        if entry.is_dir():
            _checked_name(path, entry.filename)
            continue
        if S_ISLNK(entry.external_attr >> 16):
            raise _harmful(path, "a symbolic link")
        if entry.flag_bits & _ENCRYPTED:
            raise _harmful(path, "encrypted members")
        _check_size(path, entry.file_size, entry.compress_size)
        name = _checked_name(path, entry.filename)
        yield Packed(name, entry.file_size, _zip_opener(archive, entry))


def _zip_opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, archive.open(entry))


def in_tar(path: Path) -> Iterator[Packed]:
    """Yield the files of a tar, packed or not; raises as `in_zip` does."""
    packed, inflated = path.stat().st_size, 0
    with tarfile.open(path) as archive:
        for number, entry in enumerate(archive):
            _check_number(path, number)
            if entry.issym() or entry.islnk():
                raise _harmful(path, "a link")
            if not (entry.isfile() or entry.isdir()):
                raise _harmful(path, "a device or a pipe")
            name = _checked_name(path, entry.name)
            if entry.isfile():
                inflated += entry.size
                _check_size(path, inflated, packed)
                yield Packed(name, entry.size, _tar_opener(path, entry))


def _tar_opener(path: Path, entry: tarfile.TarInfo) -> Callable[[], BinaryIO]:
    def opener() -> BinaryIO:
        archive = tarfile.open(path)  # noqa: SIM115
        stream = cast(BinaryIO, archive.extractfile(entry))
        weakref.finalize(stream, archive.close)
        return stream

    return opener


def is_tar(path: Path) -> bool:
    """Whether a file is a tar, by its content."""
    try:
        return tarfile.is_tarfile(path)
    except (EOFError, OSError, tarfile.TarError):
        return False


def _checked_name(archive: Path, name: str) -> str:
    """Return a member's path with '/' between folders, none of them leading out."""
    plain = name.replace("\\", "/").removeprefix("./")
    parts = PurePosixPath(plain).parts
    if plain.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", plain) or "\0" in plain:
        raise _harmful(archive, "a member whose path leads out of it")
    return plain


def _check_size(archive: Path, inflated: int, packed: int) -> None:
    if inflated > LARGEST_MEMBER:
        raise _harmful(archive, f"a member of more than {LARGEST_MEMBER} bytes")
    if inflated > NEVER_A_BOMB and inflated > HIGHEST_RATIO * max(packed, 1):
        raise _harmful(archive, f"a member packed more than {HIGHEST_RATIO}:1, as bombs are")


def _check_number(archive: Path, number: int) -> None:
    if number > MOST_MEMBERS:
        raise _harmful(archive, f"more than {MOST_MEMBERS} members")


def _harmful(archive: Path, what: str) -> InputError:
    return InputError(
        f"{archive.name} holds {what}; nothing of it was imported",
        "unpack it by hand if you trust it, and import the folder",
    )
