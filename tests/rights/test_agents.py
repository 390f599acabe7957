"""Agents: what makes one, whose token it is, what it may be called at."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from sayso.errors import IntegrityError, UsageError
from sayso.rights import agents, tables
from tests.rights.conftest import Town


def test_a_token_is_shown_once_and_ends_with_the_agent(town: Town) -> None:
    token = agents.add(town.rights, "ONE", title="One  for all", verifies=True)
    other = agents.add(town.rights, "TWO")
    assert [a.name for a in agents.list_all(town.rights)] == ["ONE", "TWO"]
    found = agents.by_token(town.rights, token)
    assert found is not None
    assert (found.name, found.title, found.verifies) == ("ONE", "One for all", True)
    assert agents.by_token(town.rights, "") is None
    with town.rights.reading() as connection:
        kept = str(connection.execute(select(tables.agents)).all())
    assert token not in kept
    with town.rights.writing() as connection:
        newer = agents.new_token(connection, town.rights, "ONE")
    assert agents.by_token(town.rights, token) is None
    assert agents.remove(town.rights, "ONE").revoked_at is not None
    assert agents.by_token(town.rights, newer) is None
    assert agents.find(town.rights, "ONE") is None
    assert agents.by_token(town.rights, other) is not None
    with pytest.raises(UsageError, match="no agent"):
        agents.remove(town.rights, "ONE")
    with pytest.raises(UsageError, match="already"):
        agents.add(town.rights, "ONE")
    assert "removed" in agents.list_all(town.rights)[0].told


def test_an_agent_with_a_key_has_no_token_until_it_signs(town: Town) -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    assert agents.add(town.rights, "ONE", key=public.rstrip("=")) == ""
    agent = agents.find(town.rights, "ONE")
    assert agent is not None
    agent.verify(key.sign(b"said"), b"said")
    for signature, message in (
        (key.sign(b"said"), b"other"),
        (b"", b"said"),
        (bytes(64), b"said"),
        (Ed25519PrivateKey.generate().sign(b"said"), b"said"),
    ):
        with pytest.raises(IntegrityError):
            agent.verify(signature, message)
    agents.add(town.rights, "TWO")
    without = agents.find(town.rights, "TWO")
    assert without is not None
    with pytest.raises(IntegrityError):
        without.verify(key.sign(b"said"), b"said")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "two words"},
        {"name": ""},
        {"name": "ONE", "key": "AAAA"},
        {"name": "ONE", "key": base64.b64encode(os.urandom(33)).decode()},
        {"name": "ONE", "key": "no base64 at all, but as long as one is!!!!"},
        {"name": "ONE", "hosts": ["https://agent.example"]},
        {"name": "ONE", "hosts": ["a b"]},
    ],
)
def test_what_is_no_agent_is_refused(town: Town, wrong: dict) -> None:
    with pytest.raises(UsageError):
        agents.add(town.rights, **wrong)
    assert agents.list_all(town.rights) == []


def test_it_is_called_at_its_hosts_alone(town: Town) -> None:
    agents.add(town.rights, "ONE", hosts=["Agent.example:443", "127.0.0.1:8000"])
    agent = agents.find(town.rights, "ONE")
    assert agent is not None
    for address in ("https://agent.example/x?y", "https://AGENT.example", "http://127.0.0.1:8000/"):
        assert agent.may_be_called(address)
    for address in (
        "",
        "//agent.example/",
        "https://agent.example@evil.example/",
        "https://evil.example/agent.example",
        "https://agent.example.evil.example/",
        "https://sub.agent.example/",
        "https://agent.example:444/",
        "https://agent.example\n.evil.example/",
        "javascript://agent.example/",
        "https://[agent.example/",
        "https://agent.example/\x00",
        "https://agent.example/a b",
        f"https://agent.example/{'x' * 2000}",
    ):
        assert not agent.may_be_called(address), address
