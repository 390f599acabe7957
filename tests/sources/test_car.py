"""CAR files: every record of a repository comes back, and nothing else is taken for one."""

import hashlib
import io
import tempfile
import tracemalloc
from collections.abc import Iterable

import libipld
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.errors import InputError
from sayso.sources import car
from sayso.sources.documents import UnreadableError

DID = "did:plc:member1"
POST = {"$type": "app.bsky.feed.post", "text": "low tide", "createdAt": "2026-07-04T14:37:36.557Z"}


class Blocks:
    """Blocks of a CAR file in the making, by their CIDs."""

    def __init__(self) -> None:
        self.by_cid: dict[bytes, bytes] = {}

    def put(self, value: object) -> bytes:
        return self.put_bytes(libipld.encode_dag_cbor(value))

    def put_bytes(self, block: bytes) -> bytes:
        cid = b"\x01\x71\x12\x20" + hashlib.sha256(block).digest()
        self.by_cid[cid] = block
        return cid

    def node(self, left: bytes | None, *entries: object) -> bytes:
        return self.put({"l": left, "e": list(entries)})

    def tree(self, records: dict[str, bytes]) -> bytes:
        """A Merkle search tree, as atproto.com/specs/repository has it."""
        keys = sorted(key.encode() for key in records)
        return self._subtree(keys, records, max(map(_layer, keys), default=0)) or self.node(None)

    def _subtree(self, keys: list[bytes], records: dict[str, bytes], layer: int) -> bytes | None:
        if not keys:
            return None
        at = [n for n, key in enumerate(keys) if _layer(key) == layer]
        ends = [*at[1:], len(keys)]
        left = self._subtree(keys[: at[0]] if at else keys, records, layer - 1)
        entries, last = [], b""
        for n, end in zip(at, ends, strict=False):
            key, shared = keys[n], _shared(last, keys[n])
            right = self._subtree(keys[n + 1 : end], records, layer - 1)
            entries.append(entry(shared, key[shared:], records[key.decode()], right))
            last = key
        return self.node(left, *entries)

    def commit(self, tree: bytes, did: object = DID, **more: object) -> bytes:
        fields = {"did": did, "version": 3, "data": tree, "rev": "3mpt2aaaaaa22", "prev": None}
        return self.put(fields | {"sig": b"\x00" * 64} | more)

    def car(self, root: bytes, order: Iterable[bytes] | None = None) -> bytes:
        header = libipld.encode_dag_cbor({"roots": [root], "version": 1})
        blocks = (cid + self.by_cid[cid] for cid in order or self.by_cid)
        return section(header) + b"".join(map(section, blocks))


def entry(shared: object, rest: object, record: object, right: object = None):
    return {"p": shared, "k": rest, "v": record, "t": right}


def section(data: bytes) -> bytes:
    return varint(len(data)) + data


def varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def _layer(key: bytes) -> int:
    digest = int.from_bytes(hashlib.sha256(key).digest())
    return (256 - digest.bit_length()) // 2


def _shared(one: bytes, other: bytes) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def repository(records: dict[str, object], did: object = DID) -> bytes:
    """A repository as its server exports it."""
    blocks = Blocks()
    tree = blocks.tree({key: blocks.put(record) for key, record in records.items()})
    return blocks.car(blocks.commit(tree, did))


def records_of(data: bytes) -> dict[str, object]:
    with car.opened(io.BytesIO(data), "a.car") as found:
        return {key: found.record(cid, key) for key, cid in found.entries()}


def damage(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        records_of(data)
    assert caught.value.hint
    return caught.value.problem


KEYS = st.from_regex(r"[a-z]{1,2}\.[a-z]\.[a-zA-Z]{1,9}/[a-zA-Z0-9._~:-]{1,24}", fullmatch=True)
FIELDS = st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(0, 2**53)))
RECORDS = st.dictionaries(KEYS, FIELDS, max_size=60)


@given(RECORDS, st.randoms())
def test_every_record_comes_back_in_key_order_whatever_the_order_of_blocks(records, chance):
    blocks = Blocks()
    root = blocks.commit(blocks.tree({key: blocks.put(value) for key, value in records.items()}))
    order = list(blocks.by_cid)
    chance.shuffle(order)
    found = records_of(blocks.car(root, order))
    assert found == records
    assert list(found) == sorted(records, key=str.encode)


@given(RECORDS, st.text("abc./", max_size=5))
def test_a_prefix_gives_the_records_whose_keys_begin_so(records, prefix):
    with car.opened(io.BytesIO(repository(records)), "a.car") as found:
        keys = [key for key, _ in found.entries(prefix)]
    assert keys == sorted(key for key in records if key.startswith(prefix))


def test_many_records_in_a_tree_of_several_layers():
    records = {f"app.bsky.feed.post/3k{n:06}": {"n": n} for n in range(3000)}
    assert records_of(repository(records)) == records
    with car.opened(io.BytesIO(repository(records)), "a.car") as found:
        assert found.did == DID


def test_memory_does_not_grow_with_the_records():
    data = repository({f"a.b.c/{n}": {"text": f"{n} " * 8000} for n in range(500)})
    assert len(data) > 15_000_000
    tracemalloc.start()
    with car.opened(io.BytesIO(data), "a.car") as found:
        assert sum(1 for _, cid in found.entries() if found.record(cid, "")) == 500
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (repository({})[:20], True),
        (b"\x3a\xa2\x65roots", True),
        (b"\xba\x01\xa2\x65roots", True),  # more than one root
        (b"\x0a\xa1\x67version\x02", False),
        (b"", False),
        (b"\xff" * 20, False),
        (b'{"roots":[]}', False),
    ],
)
def test_is_told_by_its_first_bytes(head, expected):
    assert car.is_car(head) is expected


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_repository(data):
    assert damage(data)
    assert damage(repository({})[:59] + data)


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_changed_is_found_or_changes_nothing(data):
    whole = repository({f"a.b.c/{n}": POST | {"n": n} for n in range(9)})
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        found = records_of(bytes(changed))
    except (InputError, UnreadableError):
        return
    assert found == records_of(whole)


def test_a_file_that_was_cut_short_is_not_taken():
    whole = repository({"a.b.c/1": POST})
    for end in range(len(whole)):
        problem = damage(whole[:end])
        assert "a.car" in problem
        assert "nothing was imported" in problem
    assert f"byte {len(whole) - 1}: it is cut short" in damage(whole[:-1])


def test_a_block_that_does_not_match_its_hash_is_named_by_its_place():
    whole = repository({"a.b.c/1": {"text": "low tide"}})
    place = whole.index(b"low tide")
    problem = damage(whole.replace(b"low tide", b"low tidE"))
    assert "a block does not match its hash" in problem
    start = int(problem.partition("byte ")[2].partition(":")[0])
    assert 0 < place - start < 50


def test_a_record_whose_block_is_missing_or_no_cbor_is_told_alone():
    blocks = Blocks()
    broken = blocks.put_bytes(b"\xff\xff")
    missing = blocks.put({"gone": 1})
    tree = blocks.tree({"a.b.c/1": blocks.put(POST), "a.b.c/2": broken, "a.b.c/3": missing})
    root = blocks.commit(tree)
    del blocks.by_cid[missing]
    with car.opened(io.BytesIO(blocks.car(root)), "a.car") as found:
        entries = dict(found.entries())
        assert found.record(entries["a.b.c/1"], "item 1") == POST
        for number, reason in ((2, "no DAG-CBOR"), (3, "not in the file")):
            with pytest.raises(UnreadableError, match=reason) as caught:
                found.record(entries[f"a.b.c/{number}"], f"item {number}")
            assert caught.value.where == f"item {number}"


def test_a_record_that_is_nested_too_deeply_is_told_alone():
    blocks = Blocks()
    deep = blocks.put_bytes(b"\x81" * 100_000 + b"\x00")
    root = blocks.commit(blocks.tree({"a.b.c/1": deep}))
    with (
        car.opened(io.BytesIO(blocks.car(root)), "a.car") as found,
        pytest.raises(UnreadableError),
    ):
        found.record(deep, "item 1")


def test_a_part_of_a_repository_is_told_as_one():
    blocks = Blocks()
    tree = blocks.tree({"a.b.c/1": blocks.put(POST)})
    root = blocks.commit(tree)
    del blocks.by_cid[tree]
    assert "only a part of a repository" in damage(blocks.car(root))
    del blocks.by_cid[root]
    assert "its commit is missing" in damage(blocks.car(root))


def test_a_tree_that_is_too_deep_ends():
    blocks = Blocks()
    node = blocks.node(None)
    for _ in range(car.DEEPEST):
        node = blocks.node(node)
    assert "layers deep" in damage(blocks.car(blocks.commit(node)))


def test_a_tree_that_repeats_itself_ends():
    # Each layer holds the one below twice: read to its end it would have 2**40 keys.
    blocks = Blocks()
    record, node = blocks.put(POST), blocks.node(None)
    for n in range(40):
        node = blocks.node(node, entry(0, b"a.b.c/%d" % n, record, node))
    assert "out of order" in damage(blocks.car(blocks.commit(node)))


@pytest.mark.parametrize(
    "entry_of",
    [
        lambda cid: "entry",
        lambda cid: entry(1, b"a.b.c/1", cid),
        lambda cid: entry(-1, b"a.b.c/1", cid),
        lambda cid: entry(True, b"a.b.c/1", cid),
        lambda cid: entry(0, "a.b.c/1", cid),
        lambda cid: entry(0, b"a.b.c/1", None),
        lambda cid: entry(0, b"a.b.c/1", cid, "tree"),
        lambda cid: entry(0, b"a.b.c/1", b"\x01\x71\x12\x20"),
        lambda cid: entry(0, b"a" * (car.LONGEST_KEY + 1), cid),
        lambda cid: entry(0, b"\xff/1", cid),
        lambda cid: entry(0, b"", cid),
    ],
)
def test_entries_that_are_none_are_damage(entry_of):
    blocks = Blocks()
    tree = blocks.node(None, entry_of(blocks.put(POST)))
    assert damage(blocks.car(blocks.commit(tree)))


@pytest.mark.parametrize("node", [[], {}, {"e": {}}, {"e": [], "l": 1}, None, {"l": None}])
def test_nodes_that_are_none_are_damage(node):
    blocks = Blocks()
    assert damage(blocks.car(blocks.commit(blocks.put(node))))


@pytest.mark.parametrize("commit", [[], {"did": DID}, {"did": 1, "data": None}, "commit"])
def test_a_file_of_something_else_is_no_repository(commit):
    blocks = Blocks()
    assert "nothing was imported" in damage(blocks.car(blocks.put(commit)))


@pytest.mark.parametrize(
    "header",
    [
        {"roots": [], "version": 1},
        {"roots": ["x"], "version": 1},
        {"roots": None, "version": 1},
        {"roots": [b"\x01\x71\x12\x20" + bytes(32)], "version": 2},
        [],
    ],
)
def test_headers_that_are_none_are_damage(header):
    assert "byte 0" in damage(section(libipld.encode_dag_cbor(header)))


def test_lengths_without_end_are_not_believed():
    whole = repository({})
    assert "does not end" in damage(whole + b"\xff" * 20)
    assert "too long" in damage(whole + varint(2**40) + b"x")
    assert "cut short" in damage(whole + varint(car.LARGEST_BLOCK) + b"x")
    assert "empty" in damage(whole + b"\x00")


def test_block_ids_of_unknown_kinds_are_not_believed():
    assert "unknown kind" in damage(repository({}) + section(b"\x12\x20" + bytes(60)))


def test_without_room_for_a_copy_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InputError) as caught:
        records_of(repository({}))
    assert "TMPDIR" in caught.value.hint
