"""Rights of an empty workspace, and people in them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from sayso.content.events import AccountUpdate
from sayso.content.record import Record
from sayso.rights import objections, people
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY


class Town:
    """A rights database and the few things that happen in it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.rights = Rights(workspace)

    def posts(self, account: str, service: str = "square", **fields: str) -> None:
        """Somebody posts: the account is noted."""
        fields = {"age_band": ""} | fields  # as a source that says nothing of ages
        record = Record(id="1", service=service, author=account, **fields)
        with self.rights.writing() as connection:
            people.note_authors(connection, self.workspace.pseudonyms, [record])

    def told(self, account: str, **fields: str) -> None:
        """A service says something of an account."""
        with self.rights.writing() as connection:
            people.apply(connection, self.workspace.pseudonyms, AccountUpdate(account, **fields))

    def account(self, name: str) -> people.Account:
        """What is known of one account."""
        with self.rights.reading() as connection:
            (found,) = [a for a in people.find(connection, name) if a.account == name]
        return found

    def covered(self, *names: str) -> list[str]:
        """Those of these accounts that a standing objection covers."""
        keys = set(objections.objectors(self.rights).tolist())
        return [n for n in names if self.workspace.pseudonyms.number("account", n) in keys]


@pytest.fixture
def workspace(tmp_path: Path, tiny_settings: Settings, database: str) -> Workspace:
    """An empty workspace, on each kind of database."""
    return Workspace.create(tmp_path / "home", replace(tiny_settings, database=database), KEY)


@pytest.fixture
def town(workspace: Workspace) -> Town:
    return Town(workspace)
