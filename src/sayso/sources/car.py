"""CAR files of atproto repositories: their records in the order of their keys.

A CAR (CARv1) is a header and blocks in any order; the repository in it is a Merkle search tree, its
root in a signed commit. So the file is first copied to an unnamed temporary file, where each block
is checked against its hash; memory holds only where each lies, some 140 bytes a block. Sources:
ipld.io/specs/transport/car/carv1, atproto.com/specs/repository.
"""

import mmap
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import Any, BinaryIO, Final, TypeGuard

import libipld

from sayso.errors import InputError
from sayso.sources.documents import UnreadableError

LARGEST_BLOCK: Final = 8 * 1024 * 1024
LARGEST_HEADER: Final = 64 * 1024
LONGEST_KEY: Final = 1024
_COPIED_AT_ONCE: Final = 256 * 1024
# Keys lie in layers by the leading zeros of their hash, so honest trees have some ten layers.
DEEPEST: Final = 128
_BEHIND_ALL: Final = b"\xff"  # which begins no UTF-8
_MARK: Final = b"\xa2\x65roots"
_LONGEST_VARINT: Final = 10
# CIDv1, DAG-CBOR or raw bytes, SHA-256 of 32 bytes: all that repositories have.
_CIDS: Final = (b"\x01\x71\x12\x20", b"\x01\x55\x12\x20")
_CID_LENGTH: Final = 36
_LENGTH_BITS: Final = 24


def is_car(head: bytes) -> bool:
    """Whether a file that begins so is a CAR file."""
    start = next((n for n, byte in enumerate(head[:_LONGEST_VARINT], 1) if byte < 0x80), 0)
    return start > 0 and head.startswith(_MARK, start)


@contextmanager
def opened(stream: BinaryIO, name: str) -> Iterator["Repository"]:
    """Copy and check a CAR file; give the repository in it.

    Args:
        stream: the file, from its start; need not be seekable.
        name: what errors call it.

    Raises:
        InputError: it is damaged, cut short, no repository or a part of one, or there is no room
            for the copy.
    """
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, copy, _COPIED_AT_ONCE)
            if copy.tell() == 0:
                raise _damaged(name, "byte 0", "it is empty")
            copy.flush()
            data = stack.enter_context(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise InputError(
                f"{name} cannot be copied to the folder for temporary files: {error.strerror}",
                "make room there, or set TMPDIR to another folder",
            ) from error
        root, start = _header(data, name)
        yield Repository(data, _places(data, start, name), root, name)


def _header(data: mmap.mmap, name: str) -> tuple[bytes, int]:
    """Read a CAR file's header: return its first root, and where the blocks begin."""
    start, end = _section(data, 0, LARGEST_HEADER, name)
    try:
        header = _decoded(data[start:end])
    except _UndecodableError:
        header = None
    roots = header.get("roots") if isinstance(header, dict) else None
    if not isinstance(header, dict) or header.get("version") != 1:
        raise _damaged(name, "byte 0", "expected the header of a CAR file, version 1")
    if not isinstance(roots, list) or not roots or not _is_cid(roots[0]):
        raise _damaged(name, "byte 0", "its header names no root")
    return roots[0], end


def _places(data: mmap.mmap, start: int, name: str) -> dict[bytes, int]:
    """Check all blocks; return where each lies: its offset and, in 24 bits, its length."""
    places = {}
    end, size = start, len(data)
    while end < size:
        start, end = _section(data, end, _CID_LENGTH + LARGEST_BLOCK, name)
        middle = start + _CID_LENGTH
        cid = data[start:middle]
        if not _is_cid(cid):
            raise _damaged(name, f"byte {start}", "a block's id is of an unknown kind")
        if sha256(data[middle:end]).digest() != cid[4:]:
            raise _damaged(name, f"byte {start}", "a block does not match its hash")
        places[cid] = middle << _LENGTH_BITS | end - middle
    return places


def _section(data: mmap.mmap, at: int, longest: int, name: str) -> tuple[int, int]:
    """Read a length; return where what it counts begins and ends."""
    length = shift = 0
    for start in range(at, min(at + _LONGEST_VARINT, len(data))):
        digits = data[start]
        length |= (digits & 0x7F) << shift
        shift += 7
        if digits < 0x80:
            break
    else:
        raise _damaged(name, f"byte {at}", "a length does not end")
    if not 0 < length <= longest:
        raise _damaged(name, f"byte {at}", "a block is empty or too long")
    end = start + 1 + length
    if end > len(data):
        raise _damaged(name, f"byte {len(data)}", "it is cut short")
    return start + 1, end


class Repository:
    """A repository whose blocks are all checked.

    Args:
        data: the CAR file.
        places: of its blocks, as `_places` returns them.
        root: the commit's CID.
        name: what errors call it.
    """

    def __init__(self, data: mmap.mmap, places: dict[bytes, int], root: bytes, name: str) -> None:
        self._data = data
        self._places = places
        self._name = name
        commit = self._node(root, "its commit")
        did, tree = commit.get("did"), commit.get("data")
        if not isinstance(did, str) or not _is_cid(tree):
            raise self._broken("its root is no commit of an atproto repository")
        self.did: str = did
        self._tree: bytes = tree

    def entries(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Walk the tree: the key of each record ('collection/rkey') and its CID, in key order.

        Args:
            prefix: which keys; branches without any are not entered.

        Raises:
            InputError: the tree is broken, or a part of it is missing.
        """
        last = b""
        wanted = prefix.encode()
        open_nodes = [self._parts(self._tree, wanted)]
        while open_nodes:
            for key, cid in open_nodes[-1]:
                if key is None:
                    if len(open_nodes) == DEEPEST:
                        raise self._broken(f"its tree is more than {DEEPEST} layers deep")
                    open_nodes.append(self._parts(cid, wanted))
                    break
                if key <= last:
                    raise self._broken("the keys of its tree are out of order")
                last = key
                if key.startswith(wanted):
                    yield self._text(key), cid
            else:
                open_nodes.pop()

    def record(self, cid: bytes, where: str) -> Any:
        """Decode a record.

        Raises:
            UnreadableError: it is not in the file, or no DAG-CBOR; `where` is passed on.
        """
        place = self._places.get(cid)
        if place is None:
            raise UnreadableError(where, "its block is not in the file")
        try:
            return _decoded(self._block(place))
        except _UndecodableError as error:
            raise UnreadableError(where, "its block is no DAG-CBOR") from error

    def _parts(self, cid: bytes, wanted: bytes) -> Iterator[tuple[bytes | None, bytes]]:
        """Yield what a node of the tree holds in order: (None, subtree) and (key, record)."""
        node = self._node(cid, "a node of its tree")
        branch, entries = node.get("l"), node.get("e")
        if not isinstance(entries, list) or not (branch is None or _is_cid(branch)):
            raise self._broken("a node of its tree has other fields than l and e")
        before = b""
        for entry in entries:
            key, record, right = self._entry(entry, before)
            # A branch holds what lies between the keys beside it.
            if branch is not None and key > wanted and before < wanted + _BEHIND_ALL:
                yield None, branch
            yield key, record
            before, branch = key, right
        if branch is not None and before < wanted + _BEHIND_ALL:
            yield None, branch

    def _entry(self, entry: Any, before: bytes) -> tuple[bytes, bytes, bytes | None]:
        """Return an entry's key, record and subtree; keys leave out what they share with the last.

        In the entry: `p` bytes of the last key, then `k`; `v` the record, `t` the subtree.
        """
        if isinstance(entry, dict):
            shared, rest = entry.get("p"), entry.get("k")
            record, right = entry.get("v"), entry.get("t")
            if (
                type(shared) is int
                and 0 <= shared <= len(before)
                and isinstance(rest, bytes)
                and shared + len(rest) <= LONGEST_KEY
                and _is_cid(record)
                and (right is None or _is_cid(right))
            ):
                return before[:shared] + rest, record, right
        raise self._broken("an entry of its tree has other fields than p, k, v and t")

    def _node(self, cid: bytes, what: str) -> dict[str, Any]:
        place = self._places.get(cid)
        if place is None:
            raise self._broken(f"{what} is missing: it is only a part of a repository")
        try:
            node = _decoded(self._block(place))
        except _UndecodableError:
            node = None
        if not isinstance(node, dict):
            raise self._broken(f"{what} is no DAG-CBOR object")
        return node

    def _block(self, place: int) -> bytes:
        start = place >> _LENGTH_BITS
        return self._data[start : start + (place & (1 << _LENGTH_BITS) - 1)]

    def _text(self, key: bytes) -> str:
        try:
            return key.decode()
        except UnicodeDecodeError:
            raise self._broken("a key of its tree is no text") from None

    def _broken(self, reason: str) -> InputError:
        return _damaged(self._name, "", reason)


class _UndecodableError(Exception):
    """A block is no DAG-CBOR."""


def _decoded(block: bytes) -> Any:
    try:
        return libipld.decode_dag_cbor(block)
    except (ValueError, RecursionError) as error:
        # Its text may quote the input.
        raise _UndecodableError from error


def _is_cid(value: object) -> TypeGuard[bytes]:
    return isinstance(value, bytes) and len(value) == _CID_LENGTH and value[:4] in _CIDS


def _damaged(name: str, where: str, reason: str) -> InputError:
    place = f" at {where}" if where else ""
    return InputError(
        f"{name} is no whole repository{place}: {reason}; nothing was imported",
        "download it again: com.atproto.sync.getRepo, without `since`",
    )
