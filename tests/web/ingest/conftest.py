"""A server that takes events from programs, and one such program."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sayso.rights import api_keys
from sayso.settings import Ingest, Settings
from sayso.workspace import Workspace
from tests.corpus.world import lines
from tests.web.conftest import KnownAssistant, Running, serving

URL = "/ingest/events"
LIMITS = Ingest(max_bytes=64 * 1024, max_stream_bytes=2 * 1024 * 1024, requests_per_minute=0)


class Source:
    """A program with a key that hands in events."""

    def __init__(self, running: Running, key: str) -> None:
        self.running = running
        self.key = key

    def post(self, body: Any, content_type: str = "application/json", **headers: str) -> Any:
        raw = isinstance(body, bytes) or hasattr(body, "__next__")
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type} | headers
        with self.running.browser(**sent) as browser:
            return browser.post(URL, content=body if raw else json.dumps(body).encode())

    def lines(self, *given: object) -> Any:
        return self.post(lines(*given), "application/x-ndjson")


def counts(response: Any) -> dict[str, Any]:
    """What an answer says, without the zeros."""
    assert response.status_code == 200, response.text
    return {name: number for name, number in response.json().items() if number}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    workspace = Workspace.create(tmp_path / "home", Settings(ingest=LIMITS))
    with serving(workspace, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), workspace)


@pytest.fixture
def source(running: Running) -> Source:
    return Source(running, api_keys.add(running.rights, "square"))
