"""The intake: what waits at the same time is stored together, and each hears of its own."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from sayso.content.events import Delete
from sayso.corpus.imported import Report
from sayso.corpus.ingest import store_batch
from sayso.corpus.store import Store
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.sources import cloudevents
from sayso.web.intake import MOST_ITEMS, MOST_WAITING, Intake
from sayso.workspace import Workspace
from tests.corpus.world import event, post, texts
from tests.web.conftest import DEADLINE
from tests.web.ingest.conftest import counts


def items(*given: object) -> list[Any]:
    return list(cloudevents.parse(json.dumps(given).encode(), {}, "body", 1))


@pytest.fixture
def home(tmp_path) -> Workspace:
    return Workspace.create(tmp_path / "home", Settings())


def test_many_at_once_are_all_stored_and_each_hears_of_its_own(source):
    def hand_in(number: int) -> dict[str, Any]:
        # Of every three, each sends the same, too.
        return counts(source.lines(post(1000 + number // 3), post(number), b"no json"))

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(hand_in, range(48)))
    assert all(answer["read"] == 3 and answer["rejected_count"] == 1 for answer in answers)
    assert all(answer.get("stored", 0) + answer.get("unchanged", 0) == 2 for answer in answers)
    assert sum(answer.get("stored", 0) for answer in answers) == 48 + 16
    assert len(texts(source.running.workspace)) == 48 + 16
    # Far fewer batches than requests: each writes a version of the table.
    assert Store(source.running.workspace).records.open().version < 40


class Disk:
    """Stores as the real one does, but for what it chokes on, and only when it may."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may = threading.Event()

    def store(self, workspace: Workspace, rights: Any, store: Any, given: Any, report: Any) -> None:
        self.may.wait(DEADLINE)
        listed = list(given)
        self.batches.append(len(listed))
        if Delete("poison") in listed:
            raise RuntimeError("as a disk might")
        store_batch(workspace, rights, store, listed, report)


def together(workspace: Workspace, disk: Disk, *parts: list[Any]) -> list[Any]:
    """Hand in parts at the same moment: they are stored in two batches at most."""
    intake = Intake(workspace, Rights(workspace), disk.store)

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(intake.store(part)) for part in parts]
        await asyncio.sleep(0)
        disk.may.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(run())


def told(report: Report) -> dict[str, Any]:
    names = (
        "read",
        "stored",
        "updated",
        "unchanged",
        "skipped",
        "refused",
        "deletions",
        "accounts",
    )
    return {name: value for name in names if (value := getattr(report, name))}


def test_a_shared_batch_is_told_apart(home):
    store_batch(home, Rights(home), Store(home), items(post(1, rev=2), post(2)), Report())
    disk = Disk()
    reports = together(
        home,
        disk,
        items(event("content.delete", id="post-9")),
        items(post(1, "edited", rev=3), post(2), post(3)),
        items(post(3), post(9), post(4, audience="direct")),
        items(post(1, rev=1), event("account.update", account="member-1@square", kind="bot")),
    )
    assert sum(disk.batches) == 9
    assert len(disk.batches) <= 2
    assert [told(report) for report in reports] == [
        {"read": 1, "deletions": 1},
        {"read": 3, "stored": 1, "updated": 1, "unchanged": 1},
        {
            "read": 3,
            "unchanged": 1,
            "skipped": {"deleted before": 1},
            "refused": {"direct-message": 1},
        },
        {"read": 2, "unchanged": 1, "accounts": 1},
    ]


def test_what_cannot_be_stored_does_not_take_others_along(home):
    disk = Disk()
    parts = [[Delete("poison")] if n % 8 == 0 else items(post(n)) for n in range(32)]
    answers = together(home, disk, *parts)
    failed = [isinstance(answer, RuntimeError) for answer in answers]
    assert failed == [number % 8 == 0 for number in range(32)]
    assert len(texts(home)) == 28
    assert max(disk.batches) > 1


def test_when_too_many_wait_the_next_is_told_to_come_later(home):
    disk = Disk()
    # None of them shares its batch.
    parts = [[Delete(f"post-{n}")] * MOST_ITEMS for n in range(MOST_WAITING + 2)]
    intake = Intake(home, Rights(home), lambda *_: disk.may.wait(DEADLINE) and None)

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(intake.store(part)) for part in parts]
        await asyncio.sleep(0)
        disk.may.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    late = [answer for answer in asyncio.run(run()) if isinstance(answer, HTTPException)]
    assert 1 <= len(late) <= 2
    assert {(error.status_code, error.headers["Retry-After"]) for error in late} == {(429, "1")}
