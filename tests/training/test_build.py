"""The build under fire: killed, interrupted, starved; what comes out in the end is the same."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
import pytest

from sayso.corpus.cells import Cell, Example
from sayso.errors import SaysoError, SupersededError, WorkspaceError
from sayso.settings import Settings
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.base import prepare as prepare_base
from sayso.training.build import Plan, build, plan
from sayso.training.recipe import Recipe, environment
from sayso.training.train import train
from sayso.workspace import Workspace

from ..conftest import KEY
from .test_exactness import WORDS, Object, Post, World

SAYSO = Path(sys.executable).with_name("sayso")
AT = datetime(2026, 11, 20, tzinfo=UTC)
DEADLINE = 60.0


def write_posts(world: World, numbers: range) -> None:
    """Posts of all their own: five people's, a month after the other."""
    for number in numbers:
        world.act(Post(number, 7 + number // 5, tuple(f"{word}{number}" for word in WORDS)))


def live(world: World, train: Callable[[], object] = lambda: None) -> World:
    """Two months of posts, a training, an objection and another month."""
    write_posts(world, range(10))
    train()
    world.act(Object(0, -1))
    write_posts(world, range(10, 15))
    return world


@pytest.fixture
def world(tiny_settings: Settings) -> Iterator[World]:
    world = World(tiny_settings)
    yield world
    world.close()


@pytest.fixture(scope="module")
def undisturbed(tiny_settings: Settings) -> Iterator[str]:
    """The release's hash in a world where nothing ever went wrong."""
    world = live(World(tiny_settings))
    yield world.release().hash
    world.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, within the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


def check_whole(workspace: Workspace) -> None:
    """Everything that a reader would take for finished is whole."""
    store = AdapterStore(workspace)
    for key in store.keys():  # noqa: SIM118 - a method of ours
        store.get(key)
    served = releases.current(workspace)
    if served is not None:
        releases.check(workspace, served)


def train_command(world: World) -> list[str | Path]:
    home = world.workspace.home
    return [SAYSO, "--home", home, "train", "--at", f"{AT:%Y-%m-%d}", "--json"]


def cell_processes(trainer: psutil.Process) -> list[psutil.Process]:
    """The processes that train cells: children of the fork server, the trainer's own child."""
    return [child for server in trainer.children() for child in server.children()]


def test_killed_at_random_moments_it_comes_to_the_same_end(world: World, undisturbed: str) -> None:
    live(world, world.release)
    adapters = AdapterStore(world.workspace)
    before, first = adapters.keys(), releases.current(world.workspace)

    def next_release() -> releases.Release | None:
        """What is served in place of the first; None before, and while one replaces another."""
        try:
            found = releases.current(world.workspace)
        except WorkspaceError:
            return None
        return None if found == first else found

    moments: list[Callable[[], object]] = [
        next_release,
        lambda: len(adapters.keys() - before) > 1,
        lambda: (found := next_release()) and found.complete,
    ]
    for moment in moments:
        with subprocess.Popen(
            train_command(world), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            until(lambda moment=moment, run=run: moment() or run.poll() is not None)
            time.sleep(random.uniform(0, 0.1))  # anywhere in what comes next
            run.send_signal(signal.SIGKILL)
        check_whole(world.workspace)
    run = subprocess.run(train_command(world), capture_output=True, check=True)
    done = msgspec.json.decode(run.stdout)
    check_whole(world.workspace)
    last = next_release()
    assert last is not None
    assert last.hash == done["release"]["hash"] == undisturbed
    assert last.complete
    assert done["cells_built"] == 0  # what was finished was kept


def test_a_killed_training_does_not_train_on(world: World) -> None:
    world.act(Post(0, 8, ("long",) * 60_000))
    with subprocess.Popen(
        train_command(world), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        # It has worked for a while, so it has its examples.
        until(
            lambda: any(p.cpu_times().user > 0.5 for p in cell_processes(psutil.Process(run.pid)))
        )
        left = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        process.kill()
    assert not alive, "its cells go on, and could write an adapter of somebody who objects by then"


def test_what_a_killed_write_left_behind_is_swept_away(world: World) -> None:
    write_posts(world, range(5))
    world.release()
    path = AdapterStore(world.workspace).path(next(iter(AdapterStore(world.workspace).keys())))
    # As `write_atomically` leaves it when it is killed before the file gets its name.
    half = path.with_name(f".{path.name}.4194304.tmp")
    half.write_bytes(path.read_bytes()[:-9])
    for person in range(5):
        world.act(Object(person, -1))
    assert world.release().examples == 0
    assert not half.exists(), "half an adapter of people who object is still on the disk"


def test_interrupted_it_stops_soon_and_goes_on_later(world: World, undisturbed: str) -> None:
    live(world)
    adapters = AdapterStore(world.workspace)
    with pytest.raises(SupersededError) as caught:
        train(world.workspace, AT, interrupted=lambda: len(adapters.keys()) > 0)
    assert caught.value.exit_code == 7
    kept = adapters.keys()
    assert kept
    assert releases.current(world.workspace) is None
    assert cell_processes(psutil.Process()) == []
    seen: list[tuple[int, int]] = []
    outcome = train(world.workspace, AT, progress=lambda done, total: seen.append((done, total)))
    assert outcome.release.hash == undisturbed
    assert outcome.cells_built == outcome.cells - len(kept)
    assert seen == [(done, outcome.cells_built) for done in range(outcome.cells_built + 1)]
    assert sorted(note.key for note in outcome.built) == sorted(adapters.keys() - kept)
    assert train(world.workspace, AT).cells_built == 0


def one_cell(workspace: Workspace, texts: list[str]) -> Plan:
    examples = tuple(Example(n, f"{n:032x}", text) for n, text in enumerate(texts))
    cell = Cell("text", 0, "2026-09", "all", examples)
    base, recipe = prepare_base(workspace), Recipe.of(workspace.settings.training)
    return plan([(cell,)], base, recipe, environment())


def build_plan(workspace: Workspace, wanted: Plan, interrupted: Callable[[], bool]) -> int:
    base, recipe = prepare_base(workspace), Recipe.of(workspace.settings.training)
    return len(build(workspace, wanted, base, recipe, interrupted=interrupted))


def test_a_cells_process_that_is_killed_is_an_error_with_a_way_on(workspace: Workspace) -> None:
    def kill() -> bool:
        for process in cell_processes(psutil.Process()):
            process.kill()
        return False

    long = one_cell(workspace, ["a very long text " * 3000])
    with pytest.raises(SaysoError) as caught:
        build_plan(workspace, long, kill)
    assert caught.value.exit_code == 1
    assert "-9" in caught.value.problem
    assert "sayso train" in caught.value.hint
    assert "long text" not in caught.value.problem
    assert AdapterStore(workspace).keys() == set()


def test_a_cell_that_fails_tells_the_kind_of_error_and_no_words(
    tmp_path: Path, tiny_base: Path, tiny_settings: Settings
) -> None:
    broken = shutil.copytree(tiny_base, tmp_path / "broken-base")
    (broken / "config.json").write_text('{"model_type": "llama", "hidden_size": "wide"}')
    training = msgspec.structs.replace(tiny_settings.training, base=str(broken))
    own = msgspec.structs.replace(tiny_settings, training=training)
    workspace = Workspace.create(tmp_path / "home", own, KEY)
    with pytest.raises(SaysoError) as caught:
        build_plan(workspace, one_cell(workspace, ["a member's secret"]), lambda: False)
    assert "Error)" in caught.value.problem
    assert "secret" not in caught.value.problem
    assert caught.value.hint


def test_an_error_of_ours_comes_through_whole(workspace: Workspace) -> None:
    training = msgspec.structs.replace(workspace.settings.training, learning_rate=1e30)
    recipe = Recipe.of(training)
    base = prepare_base(workspace)
    (first,) = one_cell(workspace, ["mussel " * 80])
    wanted = plan([tuple(planned.cell for planned in first)], base, recipe, environment())
    with pytest.raises(SaysoError, match="diverged") as caught:
        build(workspace, wanted, base, recipe)
    assert "learning_rate" in caught.value.hint


def test_a_cell_of_thousands_of_examples_comes_to_its_end(workspace: Workspace) -> None:
    end = time.monotonic() + DEADLINE / 2
    many = one_cell(workspace, ["ab"] * 3000)
    assert build_plan(workspace, many, lambda: time.monotonic() > end) == 1
    assert AdapterStore(workspace).note(many[0][0].key).manifest == many[0][0].cell.manifest


def test_one_process_or_many_make_the_same(world: World, undisturbed: str) -> None:
    live(world)
    assert train(world.workspace, AT).release.hash == undisturbed
