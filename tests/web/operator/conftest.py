"""A server with some posts, whose staff are signed in."""

from collections.abc import Iterator

import httpx2
import pytest
from msgspec.structs import replace

from sayso.corpus.depicted import object_to_items
from sayso.rights import claims
from sayso.rights.objection import Given, Objection
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.corpus.world import post, take
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.signing import sign_in

NAME = "Lena Brandt"


class Desk:
    """The server, and what the tests put before the staff."""

    def __init__(self, site: Running) -> None:
        self.site = site
        self.rights = site.rights
        self._numbers = iter(range(1000))

    def claim(self, **fields: object) -> Objection:
        """A claim for an account that nobody else has."""
        name = f"nobody-{next(self._numbers)}@square"
        given = Given(**{"name": name, "confirmed_by": "", "channel": "web form"} | fields)
        ((made,),) = claims.receive_all(self.rights, [given])
        return made

    def doubtful(self, **fields: object) -> Objection:
        """An objection of somebody whom two of the posts name."""
        given = Given(name="", confirmed_by="", channel="web form")
        return object_to_items(self.site.workspace, given, **{"name": NAME} | fields)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, tiny_settings: Settings) -> Iterator[Desk]:
    settings = replace(tiny_settings, community="Test harbour")
    workspace = Workspace.create(tmp_path_factory.mktemp("operator") / "home", settings)
    take(
        workspace,
        post(1, f"{NAME} rows at the harbour", url="https://square.example/1"),
        post(2, f"a letter to {NAME}"),
        post(3, "low tide at the pier"),
    )
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        yield Desk(Running(address, assistant, workspace))


@pytest.fixture
def browser(desk: Desk) -> Iterator[httpx2.Client]:
    with desk.site.browser() as made:
        yield made


@pytest.fixture
def captain(desk: Desk, browser: httpx2.Client) -> str:
    """The token of forms, of an operator who is signed in in `browser`."""
    return sign_in(desk.site, browser, "captain", role="operator")
