"""What is due by the clock is done when it is time; what fails is tried again."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from sayso.corpus.depicted import object_to_items
from sayso.duties import DUTIES, RETRY, Duties
from sayso.rights import claims, items, objections, requests, steps
from sayso.rights.database import Rights, now
from sayso.rights.objection import Given
from sayso.rights.requests import Contact
from sayso.rights.tables import outbox
from sayso.rights.tables import steps as table
from sayso.workspace import Workspace
from tests.corpus.world import post, take

CLAIMANT = "member-8@square"
MOMENT = timedelta(seconds=1)


def aged(rights: Rights, number: str, days: int) -> str:
    """Move the steps of an objection into the past; return its number."""
    with rights.writing() as connection:
        past = now() - timedelta(days=days)
        connection.execute(update(table).where(table.c.number == number).values(at=past))
    return number


def waiting_long(rights: Rights) -> str:
    """The number of a claim that nobody confirmed in time."""
    given = Given(name=CLAIMANT, confirmed_by="", contact=Contact("member-8@mail.example"))
    ((made,),) = claims.receive_all(rights, [given])
    return aged(rights, made.number, 31)


def unpurgeable(rights: Rights) -> str:
    """The number of an old objection that a fault in the database keeps from being purged."""
    (made,) = objections.receive(rights, "member-9@square")
    steps.cleared(rights, made.bound_seq, "sayso-0123456789ab", "ab" * 16, complete=True)
    with rights.writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER fault BEFORE UPDATE ON objections WHEN NEW.receipt = '' "
                "BEGIN SELECT RAISE(ABORT, 'member-9@square'); END"
            )
        )
    return aged(rights, made.number, 4 * 365)


def test_each_is_done_when_it_is_time(workspace: Workspace) -> None:
    rights, duties, at = Rights(workspace), Duties(), now()
    duties.look(workspace, rights, at)
    number = waiting_long(rights)
    asked = objections.find(rights, number).request
    duties.look(workspace, rights, at + MOMENT)
    assert objections.find(rights, number).state == "pending"
    duties.look(workspace, rights, at + timedelta(minutes=1))
    assert objections.find(rights, number).state == "lapsed"

    def email() -> str:
        with rights.reading() as connection:
            return requests.find(connection, asked).contact.email

    assert email()  # the letter waits
    with rights.writing() as connection:
        past = {"created_at": now() - timedelta(days=15)}
        connection.execute(update(outbox).values(past))
    duties.look(workspace, rights, at + timedelta(hours=1))
    assert not email()


def test_what_an_operator_confirmed_is_settled(workspace: Workspace) -> None:
    rights, duties, at = Rights(workspace), Duties(), now()
    take(workspace, post(1, "Lena Brandt rows at the harbour"))
    given = Given(name="unused", confirmed_by="")
    made = object_to_items(workspace, given, name="Lena Brandt", context=["harbour"])
    claims.confirm(rights, [made.number], "operator")

    def decided() -> list[str]:
        with rights.reading() as connection:
            return [item.state for item in items.of_objection(connection, made.number)]

    assert decided() == ["review"]
    duties.look(workspace, rights, at)
    assert decided() == ["decided"]


def test_what_fails_is_noted_without_its_words_and_tried_again(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    rights, duties, at = Rights(workspace), Duties(), now()
    unpurged, overdue = unpurgeable(rights), waiting_long(rights)
    caplog.set_level(logging.INFO)
    duties.look(workspace, rights, at)
    failed = f"{DUTIES[-1].name} failed: IntegrityError"
    assert [r.getMessage() for r in caplog.records] == [f"{DUTIES[0].name}: 1", failed]
    assert objections.find(rights, overdue).state == "lapsed"
    with rights.writing() as connection:
        connection.execute(text("DROP TRIGGER fault"))
    duties.look(workspace, rights, at + RETRY - MOMENT)
    assert objections.find(rights, unpurged).receipt
    duties.look(workspace, rights, at + RETRY)
    assert not objections.find(rights, unpurged).receipt


def test_only_claims_that_still_wait_lapse(workspace: Workspace) -> None:
    rights = Rights(workspace)
    given = Given(name=CLAIMANT, confirmed_by="", received_at=now() - timedelta(days=100))
    ((letter,), *others) = claims.receive_all(rights, [given] * (claims.AT_ONCE + 2))
    (confirmed,), (withdrawn,), *waiting = others
    claims.confirm(rights, [confirmed.number], "operator")
    objections.withdraw(rights, withdrawn.number)
    assert claims.lapse_overdue(rights, now() + claims.LAPSES_AFTER - timedelta(hours=1)) == 0
    late = now() + claims.LAPSES_AFTER + timedelta(hours=1)
    assert claims.lapse_overdue(rights, late) == 1 + len(waiting) > claims.AT_ONCE - 1
    assert claims.lapse_overdue(rights, late) == 0
    states = {o.number: o.state for o in objections.list_all(rights)}
    assert states[letter.number] == "lapsed"
    assert (states[confirmed.number], states[withdrawn.number]) == ("confirmed", "pending")
