"""A server whose staff and members have passwords."""

from collections.abc import Iterator

import pytest

from sayso.rights import users
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, serving

PASSWORD = "several words that are long"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for a module: an operator, and a member with accounts on two services."""
    workspace = Workspace.create(tmp_path_factory.mktemp("signin") / "home", Settings())
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        site = Running(address, assistant, workspace)
        for account in ("member-1@forum", "member-1@net"):
            add_account(site.rights, account, "p:1")
        users.add(site.rights, "captain", "operator", PASSWORD)
        users.add(site.rights, "member-1", "member", PASSWORD, "member-1@forum")
        yield site
