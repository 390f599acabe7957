"""Exports as trees of members, whatever they lie in: a folder, a zip, a tar, a single file.

The directory is read first. Members that are private messages by their path are never opened;
those that only turn out to be when their first bytes are looked at are not read on. Anything that
could harm (paths that lead out, links, bombs, encryption) is an error before anything is read.
"""

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final, cast

from sayso.errors import InputError
from sayso.sources import messages, packed
from sayso.sources.items import Refused

HEAD: Final = 16 * 1024
_ZIP: Final = b"PK\x03\x04"
_MEDIA: Final = re.compile(
    r"\.(jpe?g|png|gif|webp|heic|avif|bmp|svg|mp4|mov|webm|m4v|avi|mkv|mp3|m4a|ogg|opus|wav|aac|"
    r"pdf|ico|woff2?|ttf|css)$",
    re.IGNORECASE,
)
_NESTED: Final = re.compile(r"\.(zip|tar|tgz|gz|7z|rar|bz2|xz)$", re.IGNORECASE)
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    tarfile.TarError,
    EOFError,
    OSError,
    NotImplementedError,
)


class Member:
    """One file of an export.

    Args:
        name: path inside the export, '/' between folders.
        size: bytes once inflated, as the directory says.
        opener: opens it as a plain binary stream.
    """

    def __init__(self, name: str, size: int, opener: Callable[[], BinaryIO]) -> None:
        self.name = name
        self.size = size
        self.used = False
        self.bytes_read = 0
        self._opener = opener

    @property
    def file_name(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]

    @property
    def is_media(self) -> bool:
        """Whether its name is that of a picture, a sound or a video."""
        return _MEDIA.search(self.name) is not None

    def open(self) -> BinaryIO:
        """Open it for reading from the start; it counts as used from now on.

        Raises:
            InputError: it cannot be opened; while reading: it is damaged or larger than it says.
        """
        self.used = True
        self.bytes_read = 0
        return cast(BinaryIO, io.BufferedReader(_Guarded(self, self._open()), 256 * 1024))

    @cached_property
    def head(self) -> bytes:
        """Its first 16 KiB."""
        with io.BufferedReader(_Guarded(self, self._open())) as stream:
            return stream.read(HEAD)

    def _open(self) -> BinaryIO:
        try:
            return self._opener()
        except (*_DAMAGE, RuntimeError) as error:
            raise self._damaged() from error

    def _damaged(self) -> InputError:
        return InputError(
            f"{self.name} is damaged at byte {self.bytes_read}, or packed in a way that cannot be "
            "read; nothing was imported",
            "download or copy the export again",
        )


class _Guarded(io.RawIOBase):
    """A member's stream that counts, and turns damage into errors that name the place."""

    def __init__(self, member: Member, stream: BinaryIO) -> None:
        self._member = member
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            data = self._stream.read(len(view))
        except _DAMAGE as error:
            raise self._member._damaged() from error
        view[: len(data)] = data
        self._member.bytes_read += len(data)
        if self._member.bytes_read > max(self._member.size, HEAD):
            raise InputError(
                f"{self._member.name} is larger than its archive says; nothing was imported",
                "do not trust this archive",
            )
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


class Tree:
    """The members of one export that may be read.

    Args:
        name: what reports call it.
        members: all that is not private, in name order.
        refused: what is private.
    """

    def __init__(self, name: str, members: list[Member], refused: list[Refused]) -> None:
        self.name = name
        self.members = sorted(members, key=lambda member: _natural(member.name))
        self.refused = refused

    def find(self, pattern: str) -> list[Member]:
        """Return the members whose path matches a regular expression somewhere, in name order.

        Numbers count as numbers: posts_2 comes before posts_10.
        """
        compiled = re.compile(pattern, re.IGNORECASE)
        return [member for member in self.members if compiled.search(member.name)]

    def get(self, name: str) -> Member | None:
        """Return the member of exactly this path."""
        return self._by_name.get(name)

    def below(self, folder: str) -> "Tree":
        """Return the part of the tree below a folder, with paths from there on; '' is all of it."""
        if not folder:
            return self
        prefix = folder.rstrip("/") + "/"
        inside = [m for m in self.members if m.name.startswith(prefix)]
        return Tree(self.name, [_Renamed(m, m.name[len(prefix) :]) for m in inside], [])

    @cached_property
    def _by_name(self) -> dict[str, Member]:
        return {member.name: member for member in reversed(self.members)}


class _Renamed(Member):
    """A member under another path; what becomes of it counts for the original."""

    def __init__(self, member: Member, name: str) -> None:
        super().__init__(name, member.size, member.open)
        self._original = member

    @cached_property
    def head(self) -> bytes:
        return self._original.head


def open_tree(path: Path) -> Tree:
    """Read the directory of a folder, a zip, a tar, or take a single file as a tree of one.

    Raises:
        InputError: there is nothing, it cannot be read, or it holds what could harm.
    """
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"nothing to import at {path}", "check the path")
    try:
        if path.is_dir():
            members = list(_folder(path))
        elif zipfile.is_zipfile(path):
            members = [Member(each.name, each.size, each.open) for each in packed.in_zip(path)]
        elif packed.is_tar(path):
            members = [Member(each.name, each.size, each.open) for each in packed.in_tar(path)]
        elif _begins(path) == _ZIP:
            raise zipfile.BadZipFile  # its directory, at the end, is missing
        else:
            members = [_file(path, path.name)]
    except (*_DAMAGE, RuntimeError, UnicodeError) as error:
        raise InputError(
            f"{path.name} is damaged or cut short ({type(error).__name__}); nothing was imported",
            "download or copy the export again",
        ) from error
    return _without_messages(path.name, members)


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, by its content."""
    return path.is_file() and (_begins(path) == _ZIP or packed.is_tar(path))


def merged(trees: list[Tree]) -> Tree:
    """Return one tree of the parts of an export."""
    if len(trees) == 1:
        return trees[0]
    members = [member for tree in trees for member in tree.members]
    return Tree(trees[0].name, members, [refused for tree in trees for refused in tree.refused])


def _without_messages(name: str, members: list[Member]) -> Tree:
    """Sort out what is private: by path without opening it, then by its first bytes."""
    kept, refused = [], []
    for member in members:
        kind = messages.kind_by_path(member.name)
        if kind is None and not member.is_media and not _NESTED.search(member.name):
            kind = messages.kind_by_content(member.head)
        if kind is None:
            kept.append(member)
        else:
            refused.append(Refused(kind))
    return Tree(name, kept, refused)


def _folder(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        # A link may lead anywhere; what lies in the folder itself is what was handed in.
        if file.is_file() and not file.is_symlink():
            yield _file(file, file.relative_to(path).as_posix())


def _file(path: Path, name: str) -> Member:
    return Member(name, path.stat().st_size, lambda: path.open("rb"))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts posts_2 before posts_10."""
    return [
        (int(part), "") if part.isascii() and part.isdigit() and len(part) < 16 else (-1, part)
        for part in re.split(r"(\d+)", name)
    ]
