"""Objections: always accepted, final at once, and they reach every account of the person."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from sayso.errors import UsageError
from sayso.rights import ledger, objections, receipts

names = st.text(min_size=1).filter(str.strip)


REASONS = [
    *["", " ", "weil ich es sage", "لا أريد ذلك", "我不同意", "🚫🤖", "e\u0301\u200b", "\x00"],
    *["[/b] <b> {{ 1 }}", "'; DROP TABLE objections; --", "x" * 2000, "😀" * 2000],
]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_accepted_and_kept_word_for_word(town, reason):
    (made,) = objections.receive(town.rights, "member-1", reason=reason)
    assert made.reason == reason
    # PostgreSQL holds no NUL; the receipt does.
    is_sqlite = town.rights.engine.name == "sqlite"
    kept = replace(made, reason=reason if is_sqlite else reason.replace("\0", "\ufffd"))
    assert objections.find(town.rights, made.number) == kept
    assert objections.list_all(town.rights) == [kept]
    claims = receipts.verify(made.receipt, town.workspace.keys / "receipts.pub.jwk")
    assert (claims["number"], claims["reason"]) == (made.number, reason)
    assert (claims["person"], claims["services"]) == ("member-1", "all")


def test_a_reason_of_more_than_2000_characters_is_not_cut_but_refused(town):
    with pytest.raises(UsageError, match="2001 characters, at most 2000"):
        objections.receive(town.rights, "member-1", reason="x" * 2001)
    assert not objections.list_all(town.rights)


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\u2003"])
def test_an_objection_by_nobody_is_refused(town, name):
    with pytest.raises(UsageError):
        objections.receive(town.rights, name)


@pytest.mark.parametrize("services", [(), ("",), ("square", "")])
def test_an_objection_to_no_service_is_refused_whole(town, services):
    with pytest.raises(UsageError):
        objections.receive(town.rights, "member-1", services=services)
    assert not objections.list_all(town.rights)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names, st.text(max_size=2000), st.lists(names, min_size=1, max_size=3))
def test_whoever_objects_to_whatever_is_heard(town, name, reason, services):
    made = objections.receive(town.rights, name, services=services, reason=reason)
    assert [o.service for o in made] == list(dict.fromkeys(services))
    town.posts(name, services[0])
    assert town.covered(name) == [name]


def test_times_are_whole_and_the_answer_is_due_in_a_month(town):
    (made,) = objections.receive(town.rights, "member-1", channel="letter")
    assert made.due_at - made.received_at == timedelta(days=30)
    assert made.received_at.utcoffset() == timedelta(0)
    assert made.received_at.microsecond == 0
    assert (made.stands, made.channel) == (True, "letter")


def test_an_objection_covers_all_accounts_or_those_of_a_service(town):
    for service in ("square", "gallery"):
        for person in ("one", "two", "three"):
            town.told(f"{person}@{service}", service=service, person=person)
    objections.receive(town.rights, "one")
    objections.receive(town.rights, "two@gallery", services=["gallery", "gallery"])
    everybody = [f"{p}@{s}" for p in ("one", "two", "three") for s in ("square", "gallery")]
    assert town.covered(*everybody) == ["one@square", "one@gallery", "two@gallery"]
    assert len(objections.list_all(town.rights)) == 2


def test_an_unknown_person_is_covered_from_their_first_post_on(town):
    objections.receive(town.rights, "member-1@square")
    town.posts("member-1@square")
    assert town.covered("member-1@square") == ["member-1@square"]


@pytest.mark.parametrize("seen_before", [False, True])
def test_who_objected_as_an_account_has_objected_as_the_person_it_turns_out_to_be(
    town, seen_before
):
    if seen_before:
        town.posts("member-1@square")
    objections.receive(town.rights, "member-1@square")
    town.told("member-1@square", person="member-1")
    town.told("alias@gallery", person="member-1", service="gallery")
    town.posts("member-2@square")
    names = ("member-1@square", "alias@gallery", "member-2@square")
    assert town.covered(*names) == list(names[:2])


def test_a_new_account_of_a_person_who_objected_to_all_is_covered(town):
    town.told("member-1@square", person="member-1", service="square")
    objections.receive(town.rights, "member-1")
    town.told("new@elsewhere", person="member-1")
    assert town.covered("new@elsewhere") == ["new@elsewhere"]


def test_a_new_account_elsewhere_is_not_covered_by_an_objection_to_one_service(town):
    town.told("member-1@square", person="member-1", service="square")
    objections.receive(town.rights, "member-1", services=["square"])
    town.told("new@gallery", person="member-1", service="gallery")
    town.told("second@square", person="member-1", service="square")
    assert town.covered("new@gallery", "second@square") == ["second@square"]


def test_an_objection_holds_when_the_persons_accounts_get_another_persons_id(town):
    """Two persons turn out to be one, or an id is corrected: nobody loses their objection so."""
    town.told("member-1@square", person="member-1", service="square")
    objections.receive(town.rights, "member-1@square")
    assert town.covered("member-1@square") == ["member-1@square"]
    town.told("member-1@square", person="member-one")
    assert town.covered("member-1@square") == ["member-1@square"]


def test_a_withdrawal_is_an_act_of_its_own(town):
    town.posts("member-1@square")
    first, second = objections.receive(town.rights, "member-1@square", services=["square", "*"])
    done = objections.withdraw(town.rights, second.number)
    assert not done.stands
    assert town.covered("member-1@square") == ["member-1@square"]  # the first stands
    objections.withdraw(town.rights, first.number)
    assert town.covered("member-1@square") == []
    assert [o.stands for o in objections.list_all(town.rights)] == [False, False]
    for number in (first.number, "OBJ-0", ""):
        with pytest.raises(UsageError):
            objections.withdraw(town.rights, number)
    (again,) = objections.receive(town.rights, "member-1@square")
    assert again.number not in (first.number, second.number)
    assert town.covered("member-1@square") == ["member-1@square"]


def test_the_ledger_notes_all_of_it_without_names_or_reasons(town):
    (made,) = objections.receive(town.rights, "zwiebelfisch", reason="springtide", channel="web")
    objections.withdraw(town.rights, made.number)
    with town.rights.reading() as connection:
        entries = list(ledger.read(connection))
        stored = connection.execute(text("SELECT kind || body FROM ledger")).scalars().all()
    assert [entry.kind for entry in entries] == ["objection", "withdrawal"]
    assert entries[0].body["person"] == town.workspace.pseudonyms.name("person", "zwiebelfisch")
    assert entries[0].body["number"] == entries[1].body["number"] == made.number
    assert not any(word in row for row in stored for word in ("zwiebelfisch", "springtide"))
