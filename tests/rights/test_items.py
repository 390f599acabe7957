"""Objections to single records: the author's own, and those that somebody decides about."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sayso.errors import UsageError
from sayso.rights import claims, items, ledger, objections
from sayso.rights.objection import DEPICTED, ITEMS, Given

MINE, HIS = "member-1@square", "member-2@square"


def key(town, record):
    return town.workspace.pseudonyms.number("record", record)


def owned(town, *records, by=MINE):
    account = town.workspace.pseudonyms.number("account", by)
    return {key(town, record): account for record in records}


def own(person=MINE):
    return Given(name=person, about=ITEMS, confirmed_by="member", channel="my data")


def held(town):
    some = {key(town, record) for record in ("b", "d", "his", "nothing")}
    with town.rights.reading() as connection:
        found = [
            (set(keys(connection).tolist()), set(keys(connection, sorted(some)).tolist()))
            for keys in (items.out_keys, items.frozen_keys)
        ]
    assert all(among == every & some for every, among in found)
    return tuple(every for every, _ in found)


@pytest.fixture
def both(town):
    town.posts(MINE)
    town.posts(HIS)
    return town


def test_an_author_takes_records_out_and_puts_them_back(both):
    made = items.take_out(both.rights, own(), owned(both, "a", "b"))
    assert (made.about, made.state, made.confirmed_by) == (ITEMS, "confirmed", "member")
    assert held(both) == ({key(both, "a"), key(both, "b")}, set())
    assert both.covered(MINE) == []  # nothing else of theirs is touched
    assert items.put_back(both.rights, MINE, owned(both, "a")) == 1
    assert held(both) == ({key(both, "b")}, set())
    assert objections.find(both.rights, made.number).stands
    assert items.put_back(both.rights, MINE, owned(both, "a", "b")) == 1
    assert held(both) == (set(), set())
    assert not objections.find(both.rights, made.number).stands
    with both.rights.reading() as connection:
        ledger.verify(connection)


def test_what_is_out_already_makes_no_second_objection(both):
    first = items.take_out(both.rights, own(), owned(both, "a"))
    assert items.take_out(both.rights, own(), owned(both, "a")).number == first.number
    second = items.take_out(both.rights, own(), owned(both, "a", "b"))
    with both.rights.reading() as connection:
        assert [i.record_key for i in items.of_objection(connection, second.number)] == [
            key(both, "b")
        ]
        assert [i.number for i in items.of_record(connection, key(both, "a"))] == [first.number]


@pytest.mark.parametrize("act", ["take_out", "put_back"])
def test_nobody_else_s_records_can_be_named(both, act):
    items.take_out(both.rights, own(HIS), owned(both, "his", by=HIS))
    before = held(both)
    mixed = owned(both, "a") | owned(both, "his", by=HIS)
    for owners in (mixed, owned(both, "his", by=HIS), {}):
        with pytest.raises(UsageError, match="no record is named that is stored here"):
            if act == "take_out":
                items.take_out(both.rights, own(), owners)
            else:
                items.put_back(both.rights, MINE, owners)
    assert held(both) == before
    assert [o.person for o in objections.list_all(both.rights)] == [HIS]


def test_only_a_confirmed_objection_about_items_of_one_person_takes_records_out(both):
    for wrong in (
        Given(name=MINE, about=ITEMS, confirmed_by=""),
        Given(name=MINE, confirmed_by="member"),
        Given(name=MINE, about=ITEMS, confirmed_by="member", others=(HIS,)),
        Given(name=MINE, about=ITEMS, confirmed_by="member", services=("square",)),
    ):
        with pytest.raises(UsageError):
            items.take_out(both.rights, wrong, owned(both, "a"))
    assert held(both) == (set(), set())


def test_an_author_cannot_put_back_what_somebody_else_took_out(both):
    (made,) = objections.receive_all(both.rights, [Given(name=HIS, about=DEPICTED)])[0]
    with both.rights.writing() as connection:
        assert items.note(connection, made.number, [key(both, "a")], items.OUT, by="match") == 1
    assert items.put_back(both.rights, MINE, owned(both, "a")) == 0
    assert held(both)[0] == {key(both, "a")}


def test_a_doubtful_record_is_frozen_until_it_is_decided(both):
    (made,) = objections.receive_all(both.rights, [Given(name=HIS, about=DEPICTED)])[0]
    with both.rights.writing() as connection:
        assert items.review(connection, made.number, [key(both, "a"), key(both, "b")]) == 2
        assert items.review(connection, made.number, [key(both, "a")]) == 0
        assert len(items.waiting(connection)) == 2
    assert held(both) == (set(), {key(both, "a"), key(both, "b")})
    decided = items.decide(both.rights, made.number, key(both, "a"), items.MASK, "operator-1")
    assert (decided.act, decided.state, decided.decided_by) == ("mask", "decided", "operator-1")
    items.decide(both.rights, made.number, key(both, "b"), items.NONE, "operator-1")
    assert held(both) == (set(), set())
    with both.rights.reading() as connection:
        assert items.masked_keys(connection).tolist() == [key(both, "a")]
    items.decide(both.rights, made.number, key(both, "a"), items.OUT, "operator-2")
    assert held(both) == ({key(both, "a")}, set())
    objections.withdraw(both.rights, made.number)
    assert held(both) == (set(), set())
    with pytest.raises(UsageError, match="no standing objection"):
        items.decide(both.rights, made.number, key(both, "a"), items.OUT, "operator-2")
    with pytest.raises(UsageError, match="unknown act"):
        items.decide(both.rights, made.number, key(both, "a"), "burn", "operator-2")


def test_what_a_claim_names_is_frozen_until_it_is_confirmed_or_lapses(both):
    given_ = Given(name=HIS, about=DEPICTED, confirmed_by="")
    (kept,), (dropped,) = objections.receive_all(both.rights, [given_, given_])
    with both.rights.writing() as connection:
        items.note(connection, kept.number, [key(both, "a")], items.OUT)
        items.note(connection, dropped.number, [key(both, "b")], items.OUT)
    assert held(both) == (set(), {key(both, "a"), key(both, "b")})
    claims.confirm(both.rights, [kept.number], "operator")
    claims.lapse(both.rights, dropped.number, "operator")
    assert held(both) == ({key(both, "a")}, set())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abcd"), min_size=1)), max_size=8))
def test_the_last_word_on_each_record_counts(both, acts):
    with both.rights.writing() as connection:
        connection.execute(text("DELETE FROM items"))
    expected = set()
    for out, named in acts:
        owners = owned(both, *named)
        if out:
            items.take_out(both.rights, own(), owners)
            expected |= set(owners)
        else:
            items.put_back(both.rights, MINE, owners)
            expected -= set(owners)
    with both.rights.reading() as connection:
        found = items.out_keys(connection)
    assert found.dtype == np.uint64
    assert found.tolist() == sorted(expected)
