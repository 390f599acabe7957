"""What is dropped of old objections, and that whoever objected stays out all the same."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from sayso.rights import claims, objections, outbox, receipts, requests, retention, steps
from sayso.rights.database import now
from sayso.rights.objection import Given
from sayso.rights.requests import Contact
from sayso.rights.tables import ledger
from sayso.settings import Keeping
from sayso.training.train import train
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import post, take
from tests.rights.conftest import Town

DAYS = 100
LATER = timedelta(days=DAYS + 1)
ACCOUNT = "member-1@square"


@pytest.fixture
def town(tmp_path, tiny_settings, database) -> Town:
    settings = replace(tiny_settings, rights=Keeping(keep_days=DAYS), database=database)
    return Town(Workspace.create(tmp_path / "home", settings, KEY))


def closed(town, name=ACCOUNT):
    """An objection that is done."""
    (made,) = objections.receive(town.rights, name, reason="My words are mine.")
    steps.cleared(town.rights, made.bound_seq, "sayso-0123456789ab", "ab" * 16, complete=True)
    return made


def test_the_personal_goes_and_the_effect_stays(town):
    town.posts(ACCOUNT)
    made = closed(town)
    town.told(ACCOUNT, person="p:1")
    town.told("member-1@net", person="p:1")
    assert retention.purge(town.rights, now() + timedelta(days=DAYS - 1)) == 0
    assert retention.purge(town.rights, now() + LATER) > 0
    assert retention.purge(town.rights, now() + LATER) == 0
    left = objections.find(town.rights, made.number)
    assert (left.reason, left.receipt, left.evidence) == ("", "", "")
    assert left.person == town.workspace.pseudonyms.name("person", ACCOUNT)
    town.told("member-1@third", person="p:1")  # linked when nothing else is kept
    both = [ACCOUNT, "member-1@net", "member-1@third"]
    assert town.covered(*both) == both
    # The person's own copy is as good as ever.
    claimed = receipts.verify(made.receipt, town.workspace.keys / "receipts.pub.jwk")
    assert (claimed["number"], claimed["person"]) == (made.number, ACCOUNT)
    with town.rights.reading() as connection:
        bodies = " ".join(connection.scalars(select(ledger.c.body)))
    assert "member-1" not in bodies


def test_the_person_finds_and_withdraws_what_was_purged(town):
    town.posts(ACCOUNT)
    made = closed(town)
    retention.purge(town.rights, now() + LATER)
    (found,) = objections.of_person(town.rights, ACCOUNT)
    objections.withdraw(town.rights, found.number)
    assert found.number == made.number
    assert town.covered(ACCOUNT) == []


def test_what_is_going_on_is_kept_whole(town):
    confirmed = objections.receive(town.rights, ACCOUNT)[0]
    pending = claims.receive_all(town.rights, [Given(name="member-2@square", confirmed_by="")])
    assert retention.purge(town.rights, now() + 10 * LATER) == 0
    assert objections.find(town.rights, confirmed.number) == confirmed
    assert objections.find(town.rights, pending[0][0].number) == pending[0][0]


def test_records_that_come_again_stay_out_of_the_model(town):
    workspace = town.workspace
    take(workspace, *(post(n, f"the tide came in {n} times and left a boat") for n in range(4)))
    objections.receive(town.rights, ACCOUNT)
    first = train(workspace, AT, in_process=True)
    assert retention.purge(town.rights, now() + LATER) == 1
    take(
        workspace,
        post(1, "a new word of the one who went away"),
        post(22, "and another one of theirs"),
    )
    again = train(workspace, AT, in_process=True)
    assert again.release.hash == first.release.hash


def test_a_claim_lapses_and_whom_to_tell_is_forgotten_once_nothing_waits(town):
    contact = Contact("member-1@mail.example", "de", ("https://agent.example/",))
    given = Given(name=ACCOUNT, confirmed_by="", contact=contact)
    ((made,),) = claims.receive_all(town.rights, [given])
    late = now() + claims.LAPSES_AFTER + timedelta(days=1)
    assert [claims.lapse_overdue(town.rights, at) for at in (now(), late, late)] == [0, 1, 0]
    assert retention.forget_told(town.rights) == 0  # messages wait
    assert outbox.give_up_old(town.rights, late) > 0
    assert [retention.forget_told(town.rights) for _ in range(2)] == [1, 0]
    with town.rights.reading() as connection:
        assert requests.find(connection, made.request).contact == Contact("", "de")
