"""Tombstones: what must stay out stays out, and an objection's yields to nothing but more."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.rights import tombstones
from sayso.rights.tombstones import (
    ACCOUNT_DELETED,
    DELETED,
    DIRECT_MESSAGE,
    FINAL,
    OBJECTION,
    Tombstone,
)

HIGH = 2**64 - 1
keys = st.sampled_from([0, 1, 2**63 - 1, 2**63, HIGH])
stones = st.builds(
    Tombstone,
    key=keys,
    rev=st.integers(1, 5),
    reason=st.sampled_from([DELETED, DIRECT_MESSAGE, OBJECTION]),
    account=keys,
    service=st.just("square"),
    audience=st.sampled_from(["public", "followers", "unknown"]),
)


@pytest.fixture
def put(town):
    def put_(*stones: Tombstone) -> None:
        with town.rights.writing() as connection:
            tombstones.put(connection, stones)

    return put_


@pytest.fixture
def find(town):
    def find_(*keys: int) -> dict[int, Tombstone]:
        with town.rights.reading() as connection:
            return tombstones.find(connection, keys)

    return find_


def test_a_tombstone_is_found_as_it_was_put(put, find):
    stone = Tombstone(HIGH, 3, OBJECTION, HIGH - 1, "square", "followers", datetime.now(UTC))
    put(stone)
    assert find(HIGH, 7) == {HIGH: stone}
    assert find() == {}


def test_a_final_tombstone_stays_and_may_only_reach_higher(put, find):
    for key, reason in enumerate(FINAL):
        put(Tombstone(key, 9, reason, 5, "square", "public"))
        for other in (OBJECTION, ACCOUNT_DELETED):
            put(Tombstone(key, 99, other, 6, "gallery", "unlisted"))
        for other in FINAL:
            put(Tombstone(key, 8, other, 6, "gallery", "unlisted"))
        assert (find(key)[key].reason, find(key)[key].rev) == (reason, 9)
        put(Tombstone(key, 99, reason, 5, "square", "public"))
        assert (find(key)[key].reason, find(key)[key].rev) == (reason, 99)


def test_an_objections_tombstone_yields_to_a_final_one_or_a_later_revision(put, find):
    put(Tombstone(1, 5, OBJECTION, 8, "square", "public"))
    put(Tombstone(1, 4, OBJECTION, 8, "square", "followers"))
    assert (find(1)[1].rev, find(1)[1].audience) == (5, "public")
    put(Tombstone(1, 6, OBJECTION, 8, "square", "followers"))
    assert (find(1)[1].rev, find(1)[1].audience) == (6, "followers")
    put(Tombstone(1, 1, DELETED))
    found = find(1)[1]
    # A deletion knows only the id; what was known of the record stays, for replies to it.
    assert (found.reason, found.account, found.audience) == (DELETED, 8, "followers")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(stones, max_size=4), max_size=5))
def test_once_out_a_record_never_comes_back_by_itself(town, put, find, batches):
    with town.rights.writing() as connection:
        tombstones.lift(connection, [0, 1, 2**63 - 1, 2**63, HIGH])
    out: dict[int, Tombstone] = {}
    for batch in batches:
        put(*batch)
        found = find(*{stone.key for stone in batch} | set(out))
        assert set(found) == {stone.key for stone in batch} | set(out)
        for key, stone in out.items():
            if stone.reason in FINAL:
                assert found[key].reason in FINAL and found[key].rev >= stone.rev
            else:
                assert found[key].reason in FINAL or found[key].rev >= stone.rev
        out = found


def test_more_tombstones_than_a_statement_takes(town, put, find):
    many = [Tombstone(HIGH - n, 1, DELETED) for n in range(1203)]
    put(*many)
    assert set(find(*(stone.key for stone in many))) == {stone.key for stone in many}
    assert set(tombstones.frame(town.rights)["key"]) == {stone.key for stone in many}
    with town.rights.writing() as connection:
        tombstones.lift(connection, [stone.key for stone in many[1:]])
    frame = tombstones.frame(town.rights)
    assert frame.rows() == [(HIGH, 0, DELETED, "unknown")]
