"""Killed anywhere and started again, a listener loses nothing and doubles nothing."""

import json
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.corpus.store import Store
from sayso.settings import Settings
from sayso.sources.nats_stream import NatsFeed
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.listening import ids, listening, state_of
from tests.corpus.world import post, texts
from tests.program import SAYSO
from tests.sources.following import until
from tests.sources.nats_server import STREAM, NatsServer


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    Store(workspace).records.open()  # tests look into it while it is written
    return workspace


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path / "nats")
    server.start()
    server.make_stream("content.>")
    server.make_consumer("sayso", ack_wait=2)
    yield server
    server.kill()


def test_a_server_that_dies_amid_a_batch_is_found_again(workspace, server):
    sent = [(f"content.post-{n}", json.dumps(post(n)).encode()) for n in range(60)]
    server.publish(sent[:40])
    feed, stop = NatsFeed(server.address, STREAM), threading.Event()
    with listening(workspace, feed, wait=lambda seconds: stop.wait(0.05)) as listener:
        with workspace.lock("content", wait=True):  # nothing can be stored
            until(lambda: server.given() == 40)
            server.kill()
        listener.until(lambda: len(ids(workspace)) == 40)
        until(lambda: state_of(workspace).errors > 0)
        server.start()
        server.publish(sent[40:])
        until(lambda: server.unsettled() == 0)
    assert ids(workspace) == sorted(f"post-{n}" for n in range(60))
    assert state_of(workspace).stored == 60


def test_killed_anywhere_it_loses_and_doubles_nothing(tmp_path, server):
    chance = random.Random(20261123)
    number = 2500
    events: list[tuple[str, bytes]] = []
    for n in range(number):
        events.append((f"content.post-{n}", json.dumps(post(n, f"tide number {n}")).encode()))
        if n % 10 == 5:
            edited = post(n - 3, f"edited number {n - 3}", rev=2)
            events.append((f"content.post-{n - 3}", json.dumps(edited).encode()))
        if n % 10 == 9:
            events.append((f"content.post-{n - 4}", b""))
    server.publish(events)
    home = tmp_path / "home"
    workspace = Workspace.create(home, Settings(), KEY)
    command = [str(SAYSO), "--home", str(home), "listen", f"{server.address}/{STREAM}"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    left = len(events)
    while left > len(events) / 4:
        process = start()
        try:
            until(lambda before=left: server.unsettled() < before)
            # Anywhere in the next batches: between storing, keeping the cursor and settling.
            threading.Event().wait(chance.uniform(0, 0.3))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        left = server.unsettled()
    process = start()
    try:
        until(lambda: state_of(workspace).pid == process.pid and server.unsettled() == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    expected = {
        f"post-{n}": f"edited number {n}" if n % 10 == 2 else f"tide number {n}"
        for n in range(number)
        if n % 10 != 5
    }
    assert Store(workspace).records.open().count_rows() == len(expected)
    assert texts(workspace) == expected
    one = state_of(workspace)
    assert (one.state, one.stored >= 1) == ("stopped", True)
    assert one.lag is not None
