"""What agents ask for: whose word confirms what, once, and what is kept of it."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.rights import agent_requests, agents, contacts, objections, retention, steps
from sayso.rights.agent_requests import AgentRequest, Named, OtherContentError, Wanted
from sayso.rights.database import now
from sayso.settings import Keeping
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.rights.conftest import Town

DAYS = 100
counter = itertools.count()


@pytest.fixture
def town(tmp_path, tiny_settings, database) -> Town:
    kept = replace(tiny_settings, rights=Keeping(keep_days=DAYS), database=database)
    made = Town(Workspace.create(tmp_path / "home", kept, KEY))
    agents.add(made.rights, "AGENT", verifies=True)
    return made


def asks(town: Town, called: str = "", **fields: object) -> AgentRequest:
    agent = agents.find(town.rights, "AGENT")
    wanted = Wanted(agent=agent, protocol="drp", called=called, **fields)
    with town.rights.writing() as connection:
        return agent_requests.accept(connection, town.rights, wanted)


def state(town: Town, asked: AgentRequest) -> str:
    with town.rights.reading() as connection:
        return agent_requests.standing(connection, asked.request).state


def put(town: Town, account: str, email: str) -> None:
    with town.rights.writing() as connection:
        contacts.put(connection, town.rights, account, email)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    shown=st.lists(st.booleans(), max_size=3),
    email=st.sampled_from(["", "known", "unknown"]),
    email_shown=st.booleans(),
)
def test_confirmed_is_what_is_vouched_for_and_nothing_else(town, shown, email, email_shown):
    n = next(counter)
    if not shown and not email:
        return
    named = [(f"{n}-{i}@square", is_shown) for i, is_shown in enumerate(shown)]
    address, owner = f"{email}-{n}@mail.example" if email else "", f"{n}-owner@square"
    for account in [account for account, _ in named] + [owner]:
        town.posts(account)
    if email == "known":
        put(town, owner, address)
    asked = asks(
        town,
        accounts=tuple(Named(account, account, is_shown) for account, is_shown in named),
        email=address,
        email_shown=email_shown,
    )
    expected = {account for account, is_shown in named if is_shown}
    expected |= {owner} if email == "known" and email_shown else set()
    everybody = [account for account, _ in named] + [owner]
    assert set(town.covered(*everybody)) == expected
    # All else is frozen, what is known by the address included.
    frozen = {account for account, is_shown in named if not is_shown}
    frozen |= {owner} if email == "known" and not email_shown else set()
    number = town.workspace.pseudonyms.number
    claimed = set(objections.claimed(town.rights).tolist())
    assert {a for a in everybody if number("account", a) in claimed} == frozen
    all_shown = all(shown) and (email_shown or not email)
    assert state(town, asked) == ("working" if all_shown else "waiting")


def test_what_an_agent_calls_a_request_names_it_once(town):
    one = asks(town, "case-1", accounts=(Named("a@square", "a", True),))
    assert asks(town, "case-1", accounts=(Named("a@square", "a", True),)) == one
    assert len(objections.list_all(town.rights)) == 1
    for other in (
        {"accounts": (Named("b@square", "b", True),)},
        {"accounts": (Named("a@square", "a", True),), "email": "a@mail.example"},
    ):
        with pytest.raises(OtherContentError):
            asks(town, "case-1", **other)
    assert len(objections.list_all(town.rights)) == 1
    again = [asks(town, accounts=(Named("a@square", "a", True),)) for _ in range(2)]
    assert again[0].request != again[1].request


def test_what_is_purged_holds_for_accounts_that_come_later(town):
    asked = asks(town, "case-2", email="one@mail.example", email_shown=True)
    (made,) = objections.of_request(town.rights, asked.request)
    steps.cleared(town.rights, made.bound_seq, "sayso-0123456789ab", "ab" * 16, complete=True)
    assert state(town, asked) == "done"
    assert retention.purge(town.rights, now() + timedelta(days=DAYS + 1)) == 1
    with town.rights.reading() as connection:
        left = agent_requests.find(connection, asked.request)
    assert (left.called, left.digest) == ("", "")
    town.posts("late@square")
    assert town.covered("late@square") == []
    for _ in range(2):
        put(town, "late@square", "One@mail.example")
    assert town.covered("late@square") == ["late@square"]
    assert len(objections.of_request(town.rights, asked.request)) == 2
