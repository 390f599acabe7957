"""The installed program on the real base: the whole story, and then serving it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psutil
import pytest
from openai import OpenAI

from sayso.demo.setting import objector
from sayso.errors import MissingPartError
from sayso.rights import api_keys, ledger, people, users
from sayso.rights.database import Rights, now
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.base import find_gguf
from sayso.training.train import look
from sayso.workspace import Workspace

from .conftest import SAMPLE

pytestmark = pytest.mark.base_model
SAYSO = Path(sys.executable).with_name("sayso")
TOKENS = 1500
DEADLINE = 300.0
QUESTION = "When does the ferry Gerda leave on Sundays?"


class Told(msgspec.Struct):
    """A demonstration that has been told: how it ended, its figures, and its workspace."""

    run: subprocess.CompletedProcess[str]
    report: dict[str, Any]
    home: Path
    environment: dict[str, str]


def sayso(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed program to its end, in the folder that holds its workspace."""
    return subprocess.run(
        [SAYSO, *arguments],
        check=False,
        env=environment,
        cwd=Path(environment["SAYSO_HOME"]).parent,
        capture_output=True,
        text=True,
        timeout=1800,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    try:
        find_gguf("smollm2")
    except MissingPartError as error:
        pytest.skip(error.problem)
    folder = tmp_path_factory.mktemp("story")
    home, report = folder / "home", folder / "report.json"
    environment = os.environ | {"SAYSO_HOME": str(home)}
    run = sayso(environment, "demo", "--tokens", str(TOKENS), "--no-serve", "--report", report)
    figures = msgspec.json.decode(report.read_bytes()) if report.exists() else {}
    return Told(run, figures, home, environment)


def until(condition: Callable[[], object], seconds: float = DEADLINE) -> float:
    """Wait for a condition; return the seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, "it did not come true in time"
        time.sleep(0.02)
    return time.monotonic() - begun


def ids_in_the_sample() -> set[str]:
    """Every record that the sample names, also to delete it."""
    found = set()
    for file in SAMPLE.glob("*.jsonl"):
        for line in file.read_bytes().splitlines():
            fields = msgspec.json.decode(line)
            if "type" not in fields:
                found.add(fields["id"])
            elif fields["type"].startswith("net.content."):
                found.add(fields["data"]["id"])
    return found


def test_the_whole_story_holds(told: Told) -> None:
    assert told.run.returncode == 0, told.run.stderr[-2000:]
    report = told.report
    expected = (
        "verdicts tokens_trained cells loss seconds hashes bit_identical peak_memory_mb steps"
    )
    assert set(expected.split()) <= report.keys()
    assert all(report["steps"].values())
    assert len(report["steps"]) == 7
    denied, held = report["verdicts"]["denied"], report["verdicts"]["held"]
    total = report["verdicts"]["allowed"] + sum(denied.values()) + sum(held.values())
    assert total == len(ids_in_the_sample())
    assert denied["direct-message"] > 0
    assert held
    assert 0 < report["tokens_trained"] <= TOKENS
    assert report["cells"] > 1
    assert report["loss"]["after"] < report["loss"]["before"]
    assert report["bit_identical"] is True
    hashes = report["hashes"]
    assert hashes["rebuilt"] == hashes["counterfactual"] != hashes["control"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in hashes.values())
    assert 0 < report["seconds"]["gone"] <= report["seconds"]["rebuilt"]
    assert report["seconds"]["total"] > report["seconds"]["train"] > 0
    assert report["peak_memory_mb"] > 100
    print(f"story: {report['seconds']}, {report['peak_memory_mb']} MB")


def test_what_it_leaves_is_what_it_said(told: Told) -> None:
    workspace = Workspace.open(told.home)
    release = releases.current(workspace)
    assert release is not None
    assert release.hash == told.report["hashes"]["rebuilt"]
    assert (told.home / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in workspace.releases.iterdir()} == {release.name, "current"}
    assert not (told.home / "counterfactual").exists()
    said = " ".join(told.run.stdout.replace("│", " ").split())
    passwords = re.search(r"member with the password (\S+) .* staff with (\S+) sees", said)
    assert passwords is not None, said[-2000:]
    member = users.check(Rights(workspace), "member", passwords[1])
    staff = users.check(Rights(workspace), "staff", passwords[2])
    assert member is not None
    assert staff is not None
    assert (member.role, staff.role) == ("member", "operator")
    with Rights(workspace).reading() as connection:
        assert people.find(connection, member.person)


@contextlib.contextmanager
def serving(told: Told, temporary: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`sayso serve` on a free port; gives the process and its address."""
    log = temporary / "serve.log"
    environment = told.environment | {"TMPDIR": str(temporary)}
    with log.open("wb") as stderr:
        run = subprocess.Popen([SAYSO, "serve", "--port", "0"], env=environment, stderr=stderr)
    try:
        announced = re.compile(r"Sayso is at (http://[0-9.]+:\d+)")
        until(lambda: announced.search(log.read_text("utf-8")) or run.poll() is not None)
        found = announced.search(log.read_text("utf-8"))
        assert found, log.read_text("utf-8")[-2000:]
        yield run, found[1]
    finally:
        for process in family(run):
            process.kill()
        run.wait()


def family(run: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A process and all that it has started, as far as they live."""
    try:
        me = psutil.Process(run.pid)
        return [me, *me.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def releases_noted(workspace: Workspace) -> list[str]:
    with Rights(workspace).reading() as connection:
        found = [entry.body for entry in ledger.read(connection) if entry.kind == "release"]
    return [str(body["release"]) for body in found]


def trained_on(workspace: Workspace, name: str) -> set[str]:
    """Content hashes of the examples in a release."""
    store = AdapterStore(workspace)
    keys = releases.read(workspace, name).trained_on
    return {digest for key in keys for digest in store.note(key).manifest}


def person_of(workspace: Workspace, account: str) -> str:
    """The person that an account belongs to."""
    with Rights(workspace).reading() as connection:
        return people.find(connection, account)[0].person


def test_serving_answers_and_heeds_an_objection_and_ends(told: Told) -> None:
    workspace = Workspace.open(told.home)
    account = objector(workspace, now(), "")
    training = look(workspace, now()).prepared.training
    person = workspace.pseudonyms.number("person", person_of(workspace, account))
    theirs = {
        digest for digest, key in training.select("hash", "person_key").iter_rows() if key == person
    }
    noted = len(releases_noted(workspace))
    with (
        tempfile.TemporaryDirectory(prefix="s-") as temporary,
        serving(told, Path(temporary)) as (run, address),
        httpx2.Client(base_url=address, timeout=DEADLINE) as browser,
    ):
        health = browser.get("/healthz").json()
        assert health["ok"] is True
        with OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
            answer = client.chat.completions.create(
                model="sayso", messages=[{"role": "user", "content": QUESTION}], max_tokens=24
            )
        assert answer.choices[0].message.content
        assert answer.model_extra["sayso"]["sources"]

        # The worker has looked at the rows once; now it waits for something to happen.
        until(lambda: "trained 0 cells" in (Path(temporary) / "serve.log").read_text("utf-8"))
        assert len(releases_noted(workspace)) == noted
        before = browser.get("/healthz").json()["release"]
        assert theirs
        assert theirs <= trained_on(workspace, before)

        begun = time.monotonic()
        key = {"authorization": f"Bearer {api_keys.add(Rights(workspace), 'test')}"}
        response = browser.post("/api/objections", json={"account": account}, headers=key)
        receipt = time.monotonic() - begun
        assert response.status_code == 201
        assert response.json()["account_known"] is True
        until(lambda: browser.get("/healthz").json()["release"] != before, 60)
        gone = time.monotonic() - begun
        after = browser.get("/healthz").json()["release"]
        assert not theirs & trained_on(workspace, after)
        print(f"receipt after {receipt:.2f} s, served without them after {gone:.2f} s")
        steps = browser.get(f"/api/objections/{response.json()['number']}").json()["steps"]
        assert after in [s["release"] for s in steps if s["name"] == "models_cleared"]
        assert gone < 20

        processes = family(run)
        assert len(processes) > 2  # the worker, at least, and what it has started
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive, [process.name() for process in alive]
        assert [path.name for path in Path(temporary).iterdir()] == ["serve.log"]


@pytest.mark.parametrize("name", [releases.WEIGHTS, releases.GGUF])
def test_a_flipped_byte_of_what_is_served_fails_the_verification(told: Told, name: str) -> None:
    trained = sayso(told.environment, "train")
    assert trained.returncode == 0, trained.stderr
    workspace = Workspace.open(told.home)
    release = releases.current(workspace)
    assert release is not None
    path = workspace.releases / release.name / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    try:
        run = sayso(told.environment, "verify", "--cells", "1")
    finally:
        path.write_bytes(whole)
    assert run.returncode == 4, run.stdout
