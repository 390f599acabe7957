"""A real server on a free port, with an assistant whose words are known."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from openai import OpenAI
from playwright.sync_api import Browser
from sqlalchemy import insert

from sayso.assistant.answer import Answer
from sayso.assistant.engine import Chunk, Options
from sayso.assistant.retrieval import Source
from sayso.assistant.uploads import Upload
from sayso.rights import api_keys, ledger
from sayso.rights.database import Rights, signed
from sayso.rights.tables import accounts
from sayso.settings import Api, Serving, Settings
from sayso.web.app import create_app
from sayso.workspace import Workspace

RELEASE = "sayso-0123456789ab"
ANSWER = ["The **ferry** ", "leaves at `07:15`.", "\n\n- on workdays\n- on Sundays"]
SOURCES = [
    Source("forum:1", "member-1", "forum", "2026-09-11", "The ferry leaves at 07:15.", "en"),
    Source("net:2", "member-2", "net", "2026-09-12", "Die Fähre fährt auch sonntags.", "de"),
]
DEADLINE = 20.0


class KnownAssistant:
    """Has the assistant's interface; says what a test puts into it and keeps what it was asked."""

    def __init__(self) -> None:
        self.release = RELEASE
        self.pieces = list(ANSWER)
        self.sources = list(SOURCES)
        self.error: Exception | None = None  # raised instead of the first piece
        self.late_error: Exception | None = None  # raised after the last piece
        self.endless = False
        self.go = threading.Event()  # pieces come once this is set
        self.go.set()
        self.closed = threading.Event()
        self.asked: list[list[dict[str, str]]] = []
        self.options: list[Options] = []
        self.uploads: list[tuple[Upload, ...]] = []
        self.tool_calls: list[dict[str, Any]] = []  # deltas that come before the words

    def answer(
        self,
        messages: list[dict[str, str]],
        options: Options,
        *,
        uploads: tuple[Upload, ...] = (),
        language: str = "",
    ) -> Answer:
        self.uploads.append(uploads)
        return Answer(self.sources, self.release, self.stream(messages, options))

    def pass_on(self, messages: list[dict[str, Any]], options: Options) -> Answer:
        return Answer([], self.release, self.stream(messages, options))

    def stream(self, messages: list[dict[str, Any]], options: Options) -> Iterator[Chunk]:
        self.asked.append(messages)
        self.options.append(options)
        return self._chunks()

    def _chunks(self) -> Iterator[Chunk]:
        try:
            if self.error:
                raise self.error
            yield Chunk("", release=self.release)
            self.go.wait(DEADLINE)
            for delta in self.tool_calls:
                yield Chunk("", release=self.release, tool_calls=(delta,))
            for text in itertools.cycle(self.pieces) if self.endless else self.pieces:
                yield Chunk(text, release=self.release)
            if self.late_error:
                raise self.late_error
            reason = "tool_calls" if self.tool_calls else "stop"
            yield Chunk("", reason, 11, len(self.pieces), self.release)
        finally:
            self.closed.set()


class Running:
    """A server, its address, its assistant and its workspace."""

    def __init__(self, address: str, assistant: KnownAssistant, workspace: Workspace) -> None:
        self.address = address
        self.assistant = assistant
        self.workspace = workspace
        self.rights = Rights(workspace)

    def browser(self, **headers: str) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.address, headers=headers, timeout=DEADLINE, follow_redirects=True
        )

    def service(self, name: str = "service", *services: str) -> httpx2.Client:
        """Return a client with a new key, as one of the operator's own services has it."""
        key = api_keys.add(self.rights, name, services)
        return self.browser(authorization=f"Bearer {key}")

    def openai(self) -> OpenAI:
        return OpenAI(base_url=f"{self.address}/v1", api_key="none", max_retries=0)

    def note(self, kind: str, body: dict[str, object]) -> None:
        """Add an entry to the ledger, as a worker would."""
        with self.rights.writing() as connection:
            ledger.append(connection, kind, body)


@contextlib.contextmanager
def serving(workspace: Workspace, assistant: object) -> Iterator[str]:
    """Run the application until the block ends; gives its address."""
    with listening(create_app(workspace, assistant)) as address:
        yield address


@contextlib.contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an application until the block ends; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            poll(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE)


def poll(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, within the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true in time")
        time.sleep(0.01)


def release_entry(
    name: str, kind: str, up_to: int, objections: list[str] | None = None
) -> dict[str, object]:
    """A ledger entry's body as training writes it; `up_to` is the last entry it heeds."""
    return {"release": name, "kind": kind, "objections": objections or [], "up_to": up_to}


def gate_entry(allowed: int, denied: dict[str, int], held: dict[str, int]) -> dict[str, object]:
    """A ledger entry's body as the gate's run writes it."""
    return {"policy": "strict", "allowed": allowed, "denied": denied, "held": held}


def add_account(rights: Rights, account: str, person: str) -> None:
    with rights.writing() as connection:
        connection.execute(
            insert(accounts).values(
                account=account,
                key=signed(rights.workspace.pseudonyms.number("account", account)),
                service=account.rpartition("@")[2],
                person=person,
            )
        )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser itself; contexts of it share nothing."""
    from tests.web.browsing import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Running]:
    """A server for a community on two services, one of whose members has an account on both."""
    workspace = Workspace.create(
        tmp_path / "home",
        Settings(community="Test harbour", serving=Serving(parallel=1), api=Api(at_once=20)),
    )
    for account, person in (
        ("member-1@forum", "p:1"),
        ("member-1@net", "p:1"),
        ("member-2@net", "p:2"),
    ):
        add_account(Rights(workspace), account, person)
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        yield Running(address, assistant, workspace)
        assistant.go.set()
