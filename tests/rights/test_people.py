"""Accounts and persons: what services say of them, and which of it counts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from sayso.content.record import Record
from sayso.rights import database, objections, people
from sayso.rights.database import signed, unsigned
from sayso.rights.tables import suppressions

AGES = ("adult", "minor", "unknown")


def test_an_author_is_a_person_of_their_own_until_linked(town):
    town.posts("member-1@square", kind="page", age_band="adult")
    found = town.account("member-1@square")
    assert (found.person, found.service, found.kind) == ("member-1@square", "square", "page")
    assert (found.age_band, found.age_source, found.state) == ("adult", "service", "active")
    assert found.key == town.workspace.pseudonyms.number("account", "member-1@square")


def test_records_without_author_make_no_account(town):
    town.posts("")
    assert people.frame(town.rights).is_empty()


def test_an_author_whom_no_database_can_spell_is_known_the_second_time(town):
    for _ in range(2):
        town.posts("member\0one", age_band="adult")
    assert len(people.frame(town.rights)) == 1


def test_an_update_changes_what_it_says_and_nothing_else(town):
    town.told("member-1@square", person="member-1", kind="bot", state="private")
    town.told("member-1@square", age_band="adult")
    town.posts("member-1@square", kind="person")
    found = town.account("member-1@square")
    assert (found.person, found.kind, found.state) == ("member-1", "bot", "private")
    assert (found.age_band, found.service, found.assistant) == ("adult", "square", False)
    town.told("member-1@square", assistant=True)
    town.told("member-1@square", state="active")
    found = town.account("member-1@square")
    assert (found.assistant, found.state) == (True, "active")


@pytest.mark.parametrize("ages", itertools.permutations(AGES))
def test_a_minor_stays_a_minor_whatever_their_posts_say_later(town, ages):
    for age in ages:
        town.posts("member-1@square", age_band=age)
    assert town.account("member-1@square").age_band == "minor"


@pytest.mark.parametrize("ages", itertools.permutations(AGES))
def test_a_minor_is_a_minor_also_when_all_comes_at_once(town, ages):
    records = [
        Record(id=str(n), service="square", author="member-1@square", age_band=age)
        for n, age in enumerate(ages)
    ]
    with town.rights.writing() as connection:
        people.note_authors(connection, town.workspace.pseudonyms, records)
    assert town.account("member-1@square").age_band == "minor"


def test_a_person_is_found_by_id_or_by_any_account(town):
    for account in ("one@square", "one@gallery"):
        town.told(account, person="one")
    town.told("two@square", person="two")
    with town.rights.reading() as connection:
        for name in ("one", "one@square", "one@gallery"):
            found = people.find(connection, name)
            assert sorted(a.account for a in found) == ["one@gallery", "one@square"]
        assert people.find(connection, "nobody") == []
        assert people.find(connection, "") == []


def test_an_account_takes_along_who_was_linked_to_it(town):
    town.posts("old@square")
    town.told("old@square", moved_to="new@square")
    town.told("old@square", person="p:1")
    assert town.account("new@square").person == "p:1"
    objections.receive(town.rights, "old@square")
    assert town.covered("old@square", "new@square") == ["old@square", "new@square"]


def test_who_is_linked_to_an_account_is_linked_to_whose_it_is(town):
    town.told("old@square", person="p:1")
    town.told("new@square", person="old@square")
    assert town.account("new@square").person == "p:1"


def test_what_is_said_of_an_account_again_copies_no_objection_again(town):
    objections.receive(town.rights, "one@square")
    for _ in range(3):
        town.told("one@square", person="one")
    assert len(objections.list_all(town.rights)) == 2


def test_who_is_linked_since_withdraws_what_was_made_before(town):
    (made,) = objections.receive(town.rights, "member-1@square")
    town.told("member-1@square", person="member-1")
    (copy,) = objections.of_person(town.rights, "member-1")
    assert copy.number != made.number
    objections.withdraw(town.rights, copy.number)
    assert [o.stands for o in objections.list_all(town.rights)] == [False, False]
    with town.rights.reading() as connection:
        assert not connection.execute(select(suppressions)).all()
    assert not len(objections.objectors(town.rights))


def test_the_operators_word_counts_only_where_nothing_is_known(town):
    town.posts("a")
    town.posts("b", age_band="unknown")
    town.posts("c", age_band="minor")
    with town.rights.writing() as connection:
        assert people.any_age_known(connection)
        assert people.attest_adults(connection) == 1
    ages = {name: (town.account(name).age_band, town.account(name).age_source) for name in "abc"}
    assert ages == {
        "a": ("adult", people.AGE_BY_OPERATOR),
        "b": ("unknown", people.AGE_BY_SERVICE),
        "c": ("minor", people.AGE_BY_SERVICE),
    }


def test_the_frame_gives_each_account_its_facts(town):
    town.told("a@square", person="one", age_band="adult", kind="page")
    town.told("b@square", person="one")
    frame = people.frame(town.rights).sort("kind")
    number = town.workspace.pseudonyms.number
    assert frame["account_key"].to_list() == [
        number("account", "a@square"),
        number("account", "b@square"),
    ]
    assert frame["person_key"].to_list() == [number("person", "one")] * 2
    assert frame["kind"].to_list() == ["page", "person"]
    assert frame["age_band"].to_list() == ["adult", "unknown"]


def test_more_authors_than_a_statement_takes(town):
    records = [
        Record(id=str(n), service="square", author=f"member-{n}", age_band="adult")
        for n in range(1203)
    ]
    for _ in range(2):
        with town.rights.writing() as connection:
            people.note_authors(connection, town.workspace.pseudonyms, records)
    assert len(people.frame(town.rights)) == 1203


@given(st.integers(0, 2**64 - 1))
def test_pseudonyms_survive_the_databases_signed_integers(number):
    assert -(2**63) <= signed(number) < 2**63
    assert unsigned(signed(number)) == number


def test_each_statement_stands_until_it_is_taken_back_itself(town):
    def said(signal: str, statement: str = "") -> str:
        town.told("member-1@square", train_signal=signal, statement=statement)
        return town.account("member-1@square").train_signal

    assert said("allow", "one lexicon") == "allow"
    assert said("deny", "another") == "deny"
    assert said("allow", "one lexicon") == "deny"
    assert said("unset", "one lexicon") == "deny"
    assert said("unreadable") == "deny"
    assert said("allow", "another") == "unreadable"
    assert said("unset") == "allow"
    assert said("unset", "another") == ""


def test_a_move_links_the_accounts_and_leaves_their_services(town):
    town.posts("member-1@gallery", service="gallery")
    town.told("member-1@square", service="square", person="member-1", moved_to="member-1@gallery")
    found = town.account("member-1@gallery")
    assert (found.person, found.service) == ("member-1", "gallery")


def test_only_what_may_move_a_record_counts_as_a_change(town):
    def changes() -> int:
        with town.rights.reading() as connection:
            counted = select(database.changes.c.number).where(database.changes.c.what == "accounts")
            return connection.scalar(counted) or 0

    town.posts("member-1@square")
    before = changes()
    town.told("member-1@square", handle="one")
    town.told("member-1@square", state="active", service="square")
    town.told("stranger@square", handle="two")
    assert changes() == before
    for number, fields in enumerate(
        ({"state": "private"}, {"kind": "bot"}, {"train_signal": "deny"}, {"person": "member-1"})
    ):
        town.told("member-1@square", **fields)
        assert changes() == before + number + 1, fields
