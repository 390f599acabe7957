"""A key set says of every key what Python's set says, in at most 16 bytes a key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.gate.keyset import KeySet

# Pseudonyms are uniform; a set must be right about any others too.
keys = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(0, 40),
    st.integers(2**64 - 40, 2**64 - 1),
    st.integers(0, 15).map(lambda top: top << 60),
)


def array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@given(st.lists(keys), st.lists(keys))
def test_it_holds_what_a_python_set_holds(held, asked):
    found = KeySet(array(held))
    asked = asked + held + [key ^ 1 for key in held]
    assert found.contains(array(asked)).tolist() == [key in set(held) for key in asked]
    assert len(found) == len(set(held))


@given(st.lists(keys, min_size=1))
def test_sorted_or_not_repeated_or_not_makes_no_difference(held):
    once = KeySet(np.unique(array(held)))
    for other in (KeySet(array(held)), KeySet(array([*held, *reversed(held)]))):
        assert (other.keys == once.keys).all()
        assert other.contains(array(held)).all()


def test_an_empty_set_holds_nothing():
    empty = KeySet(array([]))
    assert len(empty) == 0
    assert not empty.contains(array([0, 1, 2**63, 2**64 - 1])).any()
    assert empty.contains(array([])).tolist() == []
    assert KeySet(array([5])).contains(array([])).tolist() == []


@pytest.mark.parametrize("number", [1_000_000, 2**16 + 1])  # one past a doubling is the worst
def test_a_key_takes_at_most_16_bytes(number):
    rng = np.random.default_rng(0)
    held = rng.integers(0, 2**64, number, dtype=np.uint64)
    found = KeySet(held)
    assert len(found) == number
    assert found.bytes_per_key <= 16
    assert found.contains(held[:: number // 1000]).all()
    strangers = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    assert not found.contains(np.setdiff1d(strangers, held)).any()
