"""The worker in a process of its own: what is new answers, who objects goes first, rest is rest."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psutil
import pytest

from sayso import worker
from sayso.assistant.retrieval import search
from sayso.rights import ledger, objections
from sayso.rights.database import Rights, now
from sayso.rights.ledger import Entry
from sayso.settings import Settings
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.train import look
from sayso.worker import marks
from sayso.workspace import Workspace

from .conftest import KEY
from .corpus.world import event, take
from .test_duties import unpurgeable, waiting_long

DEADLINE = 60.0
QUIET_SECONDS = 1.5


def account(name: str, **fields: object) -> dict[str, Any]:
    return event("account.update", account=name, **{"age_band": "adult"} | fields)


def post(name: str, author: str, text: str, days: int = 40) -> dict[str, Any]:
    return {
        "id": name,
        "service": author.rpartition("@")[2],
        "author": author,
        "audience": "public",
        "created_at": (now() - timedelta(days=days)).isoformat(),
        "language": "en",
        "text": text,
    }


def until(condition: Callable[[], object]) -> float:
    """Wait for a condition, within the deadline; return the seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + DEADLINE, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - begun


def work(home: Path, log: Path) -> None:
    """Be a worker whose log lies in a file."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
    worker.run(home)


class Community:
    """A workspace that a worker looks after."""

    def __init__(
        self, workspace: Workspace, process: SpawnProcess, log: Path, *numbers: str
    ) -> None:
        self.workspace = workspace
        self.process = process
        self.log = log
        self.overdue, self.unpurged = numbers
        self.rights = Rights(workspace)

    def entries(self, kind: str = "", after: int = 0) -> list[Entry]:
        with self.rights.reading() as connection:
            found = list(ledger.read(connection, after))
        return [entry for entry in found if kind in ("", entry.kind)]

    def settle(self) -> None:
        """Wait until there is a release and nothing has happened for a while."""
        seen, since = 0, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            entries = len(self.entries())
            if entries != seen:
                seen, since = entries, time.monotonic()
            return time.monotonic() - since > QUIET_SECONDS and bool(self.entries("release"))

        until(quiet)

    def cells_in_work(self) -> list[psutil.Process]:
        """Processes that train cells: children of the worker's fork server."""
        me = psutil.Process(self.process.pid)
        return [cell for server in me.children() for cell in server.children()]

    def trained_texts(self) -> set[str]:
        """Content hashes of all examples in the served release."""
        release = releases.current(self.workspace)
        assert release is not None
        store = AdapterStore(self.workspace)
        return {text for key in release.trained_on for text in store.note(key).manifest}


@pytest.fixture(scope="module")
def community(
    tmp_path_factory: pytest.TempPathFactory, tiny_settings: Settings
) -> Iterator[Community]:
    workspace = Workspace.create(tmp_path_factory.mktemp("worker") / "home", tiny_settings, KEY)
    people = [f"member-{n}@square" for n in range(4)]
    take(
        workspace,
        *(account(name, person=name.partition("@")[0]) for name in people),
        *(
            post(f"post-{n}", name, f"{name} wrote text {n} of today")
            for n, name in enumerate(people)
        ),
    )
    rights = Rights(workspace)
    overdue, unpurged = waiting_long(rights), unpurgeable(rights)
    log = workspace.home.parent / "log"
    process = multiprocessing.get_context("spawn").Process(target=work, args=(workspace.home, log))
    process.start()
    yield Community(workspace, process, log, overdue, unpurged)
    left = psutil.Process(process.pid).children(recursive=True) if process.is_alive() else []
    process.terminate()
    process.join(DEADLINE)
    assert process.exitcode == 0
    assert not psutil.wait_procs(left, timeout=5)[1], "the worker left processes behind"


def test_it_trains_what_there_is_and_then_rests(community: Community) -> None:
    community.settle()
    release = releases.current(community.workspace)
    assert release is not None
    assert (release.complete, release.examples) == (True, 4)
    me = psutil.Process(community.process.pid)
    noted, busy, begun = community.entries(), me.cpu_times(), time.monotonic()
    community.process.join(2 * QUIET_SECONDS)
    spent = sum(me.cpu_times()[:2]) - sum(busy[:2])
    assert community.entries() == noted
    assert spent < 0.5 * (time.monotonic() - begun)
    assert releases.current(community.workspace) == release


def test_its_duties_are_done_and_one_that_fails_stops_nothing(community: Community) -> None:
    community.settle()
    until(lambda: objections.find(community.rights, community.overdue).state == "lapsed")
    assert objections.find(community.rights, community.unpurged).receipt
    log = community.log.read_text()
    assert "sayso.duties: purging of old objections failed: IntegrityError\n" in log
    assert "trained " in log
    assert "member-" not in log


def test_a_new_post_is_found_at_once(community: Community) -> None:
    community.settle()
    question = "Where is the broken lantern?"
    assert search(community.workspace, question, 4) == []
    take(
        community.workspace,
        post("news", "member-1@square", "The broken lantern is at the slipway.", days=0),
    )
    seconds = until(lambda: search(community.workspace, question, 4))
    (source,) = search(community.workspace, question, 4)
    print(f"found after {seconds:.1f} s")
    assert (source.id, source.handle) == ("news", "member-1")
    community.settle()
    release = releases.current(community.workspace)
    assert release is not None
    assert release.examples == 4  # it may answer, but not train before its time


def test_an_objection_comes_before_the_training_that_runs(community: Community) -> None:
    workspace = community.workspace
    community.settle()
    training = look(workspace, now()).prepared.training
    person = workspace.pseudonyms.number("person", "member-2")
    theirs = {
        digest for digest, key in training.select("hash", "person_key").iter_rows() if key == person
    }
    assert theirs
    assert theirs <= community.trained_texts()
    take(workspace, post("long", "member-3@square", "a very long story " * 20_000))
    until(lambda: any(cell.cpu_times().user > 0.5 for cell in community.cells_in_work()))
    at_work = community.cells_in_work()
    objections.receive(community.rights, "member-2")
    *_, objection = community.entries("objection")
    seconds = until(lambda: community.entries("release", objection.seq))
    first = community.entries("release", objection.seq)[0]
    print(f"gone from the served release after {seconds:.1f} s")
    assert first.body["kind"] == "interim"
    assert first.body["objections"] == [objection.body["number"]]
    assert not theirs & community.trained_texts()
    # Who trains in vain is stopped; a cell that none of this touches goes on.
    assert all(cell.is_running() for cell in at_work)


@pytest.mark.parametrize(
    ("events", "urgent"),
    [
        pytest.param([post("new", "other@square", "text")], False, id="a new post"),
        pytest.param([event("content.delete", id="old")], True, id="a deletion"),
        pytest.param(
            [account("other@square", state="private")], True, id="an account goes private"
        ),
        pytest.param([account("other@square", age_band="minor")], True, id="a minor"),
        pytest.param(
            [account("other@square", person="objector")], True, id="an objector's account"
        ),
        pytest.param([account("other@square", kind="bot")], True, id="an account is a bot's"),
        pytest.param(
            [account("other@square", state="private"), account("shy@square", state="active")],
            True,
            id="one goes private while another comes back",
        ),
    ],
)
def test_what_changes_is_noticed(
    workspace: Workspace, events: list[dict[str, Any]], urgent: bool
) -> None:
    rights = Rights(workspace)
    take(
        workspace,
        account("other@square"),
        account("shy@square", state="private"),
        post("old", "other@square", "an old text"),
    )
    objections.receive(rights, "objector")
    before = marks(workspace, rights)
    assert marks(workspace, rights) == before
    take(workspace, *events)
    after = marks(workspace, rights)
    assert after != before
    assert after.urgent_since(before) == urgent


def test_objections_and_withdrawals_are_noticed(workspace: Workspace) -> None:
    rights = Rights(workspace)
    before = marks(workspace, rights)
    number = objections.receive(rights, "member-1")[0].number
    during = marks(workspace, rights)
    assert during.urgent_since(before)
    objections.withdraw(rights, number)
    assert marks(workspace, rights) != during
