"""A machine-readable no of a person is an objection; a software's default and a yes are none."""

import pytest
from sqlalchemy import select

from sayso.corpus import erase
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.rights.objection import Given
from sayso.rights.signals.model import evidence, said
from sayso.rights.tables import accounts, ledger, statements
from tests.corpus.world import event, post, take, texts

ME = "member-1@square"
NOAI = evidence([said("bio-tag", "deny", where="profile", raw="#noai")])
HIDDEN = evidence([said("activitypub", "deny", where="indexable", raw={"indexable": False})])
LEXICON = evidence([said("atproto-preference", "deny", raw={"preferences": {}})])
NOBOT = evidence([said("bio-tag", "deny", where="profile", raw="#nobot")])


def told(signal: str, proof: str = "", statement: str = "profile") -> dict[str, object]:
    return event(
        "account.update",
        account=ME,
        service="square",
        policy={"train": signal},
        statement=statement,
        evidence=proof,
    )


def mine(rights: Rights) -> list[objections.Objection]:
    return objections.list_all(rights)


@pytest.mark.parametrize("proof", [NOAI, LEXICON, ""])
def test_a_no_on_ai_is_an_objection_with_its_evidence(workspace, proof):
    rights = Rights(workspace)
    take(workspace, told("deny", proof), post(1), post(2))
    (made,) = mine(rights)
    assert (made.person, made.service, made.channel) == (ME, "square", "signal")
    assert (made.state, made.confirmed_by, made.withdrawn_at) == ("confirmed", "signal", None)
    assert made.receipt
    assert made.evidence == (proof or '[{"signal":"account-switch","value":"deny"}]')
    with rights.reading() as connection:
        row = connection.execute(select(statements)).one()
        assert (row.signal, row.evidence) == ("deny", proof)
        entry = connection.execute(select(ledger).where(ledger.c.kind == "objection")).one()
        assert ME not in entry.body
    # Also what came in the same batch stays out, and nobody else's.
    assert len(texts(workspace)) == 1


@pytest.mark.parametrize(
    ("signal", "proof"),
    [("deny", HIDDEN), ("deny", NOBOT), ("allow", ""), ("unreadable", ""), ("unset", NOAI)],
)
def test_what_nobody_said_of_ai_is_no_objection(workspace, signal, proof):
    take(workspace, post(1), told(signal, proof))
    assert mine(Rights(workspace)) == []
    with Rights(workspace).reading() as connection:
        assert connection.scalars(select(accounts.c.train_signal)).one() == (
            "" if signal == "unset" else signal
        )


def test_only_a_new_no_is_one_and_taking_it_back_withdraws_nothing(workspace):
    rights = Rights(workspace)
    take(workspace, told("deny", HIDDEN))
    take(workspace, told("deny", NOAI))
    take(workspace, told("deny", NOAI), told("deny", LEXICON, "lexicon"), told("unset"))
    (made,) = mine(rights)
    assert made.stands
    erase.withdraw(workspace, made.number)
    take(workspace, told("deny", LEXICON, "lexicon"))  # the same word once more, not a new one
    assert [each.stands for each in mine(rights)] == [False]
    take(workspace, told("deny", NOAI))
    assert [each.stands for each in mine(rights)].count(True) == 1


def test_who_objects_already_is_not_noted_twice_but_a_claim_is_no_objection_yet(workspace):
    rights = Rights(workspace)
    objections.receive_all(rights, [Given(name=ME, confirmed_by="", channel="form")])
    take(workspace, told("deny", NOAI))
    assert sorted(made.state for made in mine(rights)) == ["confirmed", "pending"]
    objections.receive(rights, "member-2@square")
    take(
        workspace,
        event("account.update", account="member-2@square", policy={"train": "deny"}),
    )
    assert len([m for m in mine(rights) if m.person == "member-2@square"]) == 1
