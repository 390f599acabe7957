"""A community that takes deliveries of one other server, and two members of that server."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from sayso.corpus.store import Store
from sayso.rights.tables import accounts
from sayso.settings import Inbox, Settings
from sayso.workspace import Workspace
from tests.corpus.world import texts
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.inbox.peer import OURS, Member, Peer


@pytest.fixture(scope="session")
def keys() -> Iterator[rsa.RSAPrivateKey]:
    return itertools.cycle([rsa.generate_private_key(65537, 2048) for _ in range(3)])


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def member(peer: Peer, keys: Any) -> Member:
    return peer.member("member-1", next(keys))


@pytest.fixture
def other(peer: Peer, keys: Any) -> Member:
    return peer.member("member-2", next(keys))


@pytest.fixture
def home(tmp_path: Path, peer: Peer) -> Workspace:
    inbox = Inbox(enabled=True, url=OURS, allow=(peer.host,))
    return Workspace.create(tmp_path / "home", Settings(community="Test harbour", inbox=inbox))


@pytest.fixture
def running(home: Workspace) -> Iterator[Running]:
    with serving(home, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), home)


def words(running: Running) -> list[str]:
    return sorted(texts(running.workspace).values())


def account(running: Running, member: Member) -> Any:
    with running.rights.reading() as connection:
        return connection.execute(
            select(accounts).where(accounts.c.account == member.account)
        ).first()


def reactions(running: Running) -> list[str]:
    return sorted(Store(running.workspace).interactions.read(["verb"])["verb"].to_list())
