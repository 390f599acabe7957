"""A server that takes objections from programs, and such programs."""

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sayso.rights import agents, objections
from sayso.rights.database import Rights
from sayso.rights.objection import Objection
from sayso.settings import Agents, Mail, Settings
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, serving

URL = "https://ai.example"
BUSINESS = "HARBOUR"
REQUESTS = "/drp/v1/data-rights-request"
HOSTS = ("agent.example",)
CALLBACK = "https://agent.example/told"
LIMITS = Agents(business_id=BUSINESS, requests_per_minute=0)


class Program:
    """An agent with its key: signs and sends; a server whose answers are taken as they are."""

    def __init__(
        self,
        running: Running,
        http: httpx2.Client,
        name: str,
        *,
        hosts: tuple[str, ...] = HOSTS,
        verifies: bool = False,
    ) -> None:
        self.name, self.http = name, http
        self.key = Ed25519PrivateKey.generate()
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        agents.add(running.rights, name, key=public, hosts=hosts, verifies=verifies)
        self.token = self.register().json()["token"]

    def envelope(self, **fields: Any) -> dict[str, Any]:
        """A message's envelope, issued a minute ago and good for ten."""
        issued = datetime.now(UTC) - timedelta(minutes=1)
        return {
            "agent-id": self.name,
            "business-id": BUSINESS,
            "issued-at": issued.isoformat(),
            "expires-at": (issued + timedelta(minutes=10)).isoformat(),
            "drp.version": "0.9.4",
        } | fields

    def asks(self, **fields: Any) -> dict[str, Any]:
        """What a request says."""
        return self.envelope() | {"exercise": "object:ai-training", "regime": "gdpr"} | fields

    def sign(self, said: object) -> bytes:
        """A signed message, as libsodium's combined mode makes it, in base64."""
        document = said if isinstance(said, bytes) else json.dumps(said).encode()
        return base64.b64encode(self.key.sign(document) + document)

    def register(self, **fields: Any) -> httpx2.Response:
        body = self.sign(self.envelope(**fields))
        return self.http.post(f"/drp/v1/agent/{self.name}", content=body)

    def send(self, body: bytes, **headers: str) -> httpx2.Response:
        """Hand in a body with this agent's token."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "text/plain"} | headers
        return self.http.post(REQUESTS, content=body, headers=sent)

    def object(self, **fields: Any) -> httpx2.Response:
        return self.send(self.sign(self.asks(**fields)))

    def status(self, request_id: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.get(f"{REQUESTS}/{request_id}", headers=headers)

    def revoke(self, request_id: str, body: bytes | None = None) -> httpx2.Response:
        body = self.sign(self.envelope(reason="I changed my mind")) if body is None else body
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.request(
            "DELETE", f"{REQUESTS}/{request_id}", content=body, headers=headers
        )


class Controller:
    """A controller with a token that speaks OpenDSR."""

    def __init__(
        self,
        running: Running,
        http: httpx2.Client,
        name: str,
        *,
        hosts: tuple[str, ...] = HOSTS,
        verifies: bool = False,
    ) -> None:
        self.name, self._http = name, http
        self.token = agents.add(running.rights, name, hosts=hosts, verifies=verifies)

    def send(self, method: str, path: str = "", **content: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._http.request(method, f"/opendsr/requests{path}", headers=headers, **content)

    def asks(self, *identities: tuple[str, str], **fields: Any) -> dict[str, Any]:
        return {
            "regulation": "gdpr",
            "subject_request_id": str(uuid.uuid4()),
            "subject_request_type": "object:ai-training",
            "submitted_time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "subject_identities": [
                {"identity_type": kind, "identity_value": value, "identity_format": "raw"}
                for kind, value in identities
            ],
            "api_version": "2.0",
        } | fields

    def object(self, *identities: tuple[str, str], **fields: Any) -> httpx2.Response:
        return self.send("POST", json=self.asks(*identities, **fields))


def made(running: Running) -> list[Objection]:
    """All objections there are."""
    return objections.list_all(running.rights)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of a module, each of which has agents and members of its own."""
    settings = Settings(community="Harbour", agents=LIMITS, mail=Mail(url=URL))
    workspace = Workspace.create(tmp_path_factory.mktemp("rights-api") / "home", settings)
    with serving(workspace, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), workspace)


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx2.Client]:
    """What all programs of a module call the server with."""
    with httpx2.Client(base_url=running.address, timeout=20) as client:
        yield client


@pytest.fixture
def name() -> str:
    """What is used once: an agent's id, a member's name."""
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.fixture
def agent(running: Running, http: httpx2.Client, name: str) -> Program:
    """An agent whose word confirms nothing."""
    return Program(running, http, f"A{name}")


@pytest.fixture
def trusted(running: Running, http: httpx2.Client, name: str) -> Program:
    """An agent whose word confirms."""
    return Program(running, http, f"T{name}", verifies=True)


@pytest.fixture
def member(running: Running, name: str) -> str:
    """An account that is known."""
    account = f"{name}@forum"
    add_account(running.rights, account, account)
    return account


def of(rights: Rights, person: str) -> list[Objection]:
    return objections.of_person(rights, person)
