"""Gone means gone from the bytes; what is handed on is noted; what is held is told, all of it."""

import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from transformers import AutoModelForCausalLM

from sayso.audit.access import held
from sayso.audit.cards import publish
from sayso.audit.erasure import audit
from sayso.corpus import columns
from sayso.corpus.erase import erase, mark
from sayso.corpus.store import Store, Table
from sayso.errors import IntegrityError, SaysoError, UsageError
from sayso.rights import ledger, objections, people
from sayso.rights.database import Rights
from sayso.rights.ledger import Entry
from sayso.settings import Settings
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.releases import WEIGHTS
from sayso.training.train import train
from sayso.workspace import Workspace

from ..corpus.world import event, take
from ..training.test_exactness import PEOPLE, WORDS, Post, World

AT = datetime(2026, 11, 20, tzinfo=UTC)
TABLES = ["records", "corpus", "retrieval", "vectors", "interactions"]
PERSON = PEOPLE[1]


@pytest.fixture(scope="module")
def trained(tiny_settings: Settings) -> Iterator[World]:
    """Five people with two accounts each; ten posts, ten reactions, one release."""
    world = World(tiny_settings)
    for number in range(10):
        world.act(Post(number, 8, tuple(f"{word}{number}" for word in WORDS)))
    likes = (
        {"actor": f"{PEOPLE[n % 5]}@square", "verb": "like", "object": f"post-{(n + 3) % 10}"}
        for n in range(10)
    )
    take(world.workspace, *(event("interaction", **like) for like in likes))
    train(world.workspace, AT, in_process=True)
    give_vectors(world.workspace)
    yield world
    world.close()


def give_vectors(workspace: Workspace, width: int = 384) -> None:
    """A vector for each answerable post; what it says of the post does not matter here."""
    store, schema = Store(workspace), columns.vectors(width)
    rows = store.retrieval.read(["key", "rev", "account_key", "treatment"])
    whole = rows.with_columns(piece=0, model=pl.lit("m")).to_arrow()
    flat = pa.array(np.full(width * len(rows), width**-0.5, np.float16))
    vectors = pa.FixedSizeListArray.from_arrays(flat, width)
    whole = whole.append_column("vector", vectors).select(schema.names)
    store.vectors.append(whole.cast(schema))


@pytest.fixture
def workspace(trained: World, tmp_path: Path) -> Workspace:
    """A copy of it for each test."""
    return Workspace.open(shutil.copytree(trained.workspace.home, tmp_path / "home"))


def table(workspace: Workspace, name: str) -> Table:
    found: Table = getattr(Store(workspace), name)
    return found


def failed(workspace: Workspace) -> set[str]:
    return {check.step for check in audit(workspace).checks if not check.passed}


def keys_of(workspace: Workspace, person: str, name: str) -> list[int]:
    """Keys of a person's rows in a table."""
    with Rights(workspace).reading() as connection:
        accounts = [account.key for account in people.find(connection, person)]
    rows = table(workspace, name).read(["key", "account_key"])
    return [key for key, account in rows.iter_rows() if account in accounts]


def entries(workspace: Workspace, kind: str) -> list[Entry]:
    with Rights(workspace).reading() as connection:
        return [entry for entry in ledger.read(connection) if entry.kind == kind]


def test_the_audit_of_a_trained_workspace_passes(workspace: Workspace) -> None:
    verdict = audit(workspace)
    assert verdict.passed
    steps = [check.step for check in verdict.checks]
    assert steps[1:6] == [f"erased from {name}" for name in TABLES]
    indexes = {"full-text index", "vectors' index", "vectors' codes"}
    others = {f"erased from the {name}" for name in indexes}
    assert {steps[0], *steps[6:]} == {"ledger", "adapters"} | others


@pytest.mark.parametrize("name", TABLES)
def test_rows_that_are_only_marked_as_deleted_are_found(workspace: Workspace, name: str) -> None:
    objections.receive(Rights(workspace), PERSON)
    theirs = keys_of(workspace, PERSON, name)
    assert theirs
    mark(workspace)
    table(workspace, name).delete(theirs)
    assert keys_of(workspace, PERSON, name) == []
    assert f"erased from {name}" in failed(workspace)
    table(workspace, name).erase()
    assert f"erased from {name}" not in failed(workspace)


@pytest.mark.parametrize("name", TABLES)
def test_erasing_finishes_what_was_cut_off_after_the_marking(
    workspace: Workspace, name: str
) -> None:
    objections.receive(Rights(workspace), PERSON)
    theirs = keys_of(workspace, PERSON, name)
    mark(workspace)
    table(workspace, name).delete(theirs)  # and here the power went
    erase(workspace)
    assert f"erased from {name}" not in failed(workspace)


def test_after_erasing_only_the_model_is_left_to_change(workspace: Workspace) -> None:
    objections.receive(Rights(workspace), PERSON)
    assert failed(workspace) == {f"erased from {name}" for name in TABLES}
    erase(workspace)
    assert failed(workspace) == set()
    train(workspace, AT, in_process=True)
    assert failed(workspace) == set()
    assert all(keys_of(workspace, PERSON, name) == [] for name in TABLES)


def test_adapters_and_releases_from_before_are_found(workspace: Workspace) -> None:
    release = releases.current(workspace)
    assert release is not None
    store = AdapterStore(workspace)
    old = store.path("0" * 32)
    shutil.copy(store.path(release.trained_on[0]), old)
    assert failed(workspace) == {"adapters"}
    old.unlink()
    shutil.copytree(workspace.releases / release.name, workspace.releases / "sayso-000000000000")
    assert failed(workspace) == {"adapters"}


def test_publishing_writes_a_folder_that_plain_peft_loads(
    workspace: Workspace, tmp_path: Path, tiny_base: Path
) -> None:
    folder = tmp_path / "published"
    release = publish(workspace, folder, "a neighbouring town")
    (entry,) = entries(workspace, "published")
    expected = {"release": release.name, "hash": release.hash, "to": "a neighbouring town"}
    assert entry.body == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT asks transformers for a name it will drop
        from peft import PeftModel

        base = AutoModelForCausalLM.from_pretrained(tiny_base)
        assert PeftModel.from_pretrained(base, folder).peft_config["default"].r == 4
    releases.check(workspace, release)
    assert (
        releases.tensors_of(folder).keys()
        == releases.tensors_of(workspace.releases / release.name).keys()
    )
    assert (folder / WEIGHTS).read_bytes() == (
        workspace.releases / release.name / WEIGHTS
    ).read_bytes()
    card = (folder / "README.md").read_text("utf-8")
    assert release.hash in card
    assert release.base in card
    for path in folder.iterdir():
        data = path.read_bytes()
        assert not any(key.encode() in data for key in release.trained_on), path.name
        assert not any(f"{person}@".encode() in data for person in PEOPLE), path.name


def test_publishing_writes_over_nothing(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        publish(workspace, folder, "")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert entries(workspace, "published") == []


def test_publishing_a_damaged_release_or_none_writes_nothing(
    workspace: Workspace, tmp_path: Path, tiny_settings: Settings
) -> None:
    release = releases.current(workspace)
    assert release is not None
    path = workspace.releases / release.name / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    for room, error in (
        (workspace, IntegrityError),
        (Workspace.create(tmp_path / "empty", tiny_settings), SaysoError),
    ):
        with pytest.raises(error):
            publish(room, tmp_path / "published", "somebody")
        assert not (tmp_path / "published").exists()
        assert entries(room, "published") == []


def told(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in held(workspace, name, AT)]


@pytest.mark.parametrize("name", [PERSON, f"{PERSON}@square", f"{PERSON}@gallery"])
def test_all_that_is_held_of_a_person_is_told_and_nothing_of_others(
    workspace: Workspace, name: str
) -> None:
    number = objections.receive(Rights(workspace), PERSON, services=["gallery"])[0].number
    objections.receive(Rights(workspace), PEOPLE[2])
    rows = told(workspace, name)
    assert {f"{PERSON}@gallery", f"{PERSON}@square"} <= {row.get("account") for row in rows}
    assert [row["number"] for row in rows if row["kind"] == "objection"] == [number]
    records = {row["id"]: row for row in rows if row["kind"] == "record"}
    assert records.keys() == {"post-1", "post-6"}
    assert {row["rule"] for row in records.values()} == {"allowed", "objection"}
    assert all(row["reason"] and row["verdict"] and row["text"] for row in records.values())
    whole = str(rows)
    assert not any(person in whole for person in PEOPLE if person != PERSON)
    assert not any(f"{WORDS[0]}{n} " in whole for n in (0, 2, 3, 4, 5, 7, 8, 9))


def test_every_line_says_what_it_is(workspace: Workspace) -> None:
    objections.receive(Rights(workspace), PERSON, services=["gallery"])
    assert {"account", "objection", "record"} <= {row["kind"] for row in told(workspace, PERSON)}


def test_a_persons_reactions_are_told_too(workspace: Workspace) -> None:
    rows = [row for row in told(workspace, PERSON) if row["kind"] == "interaction"]
    assert [row["verb"] for row in rows] == ["like", "like"]


def test_every_record_is_told_to_exactly_one_person(workspace: Workspace) -> None:
    told_ids = [row["id"] for p in PEOPLE for row in told(workspace, p) if row["kind"] == "record"]
    stored = Store(workspace).records.read(["id"])["id"].to_list()
    assert sorted(told_ids) == sorted(stored)


def test_who_objected_before_posting_anything_is_told_that(workspace: Workspace) -> None:
    objections.receive(Rights(workspace), "a-stranger@square", reason="my reason")
    (row,) = told(workspace, "a-stranger@square")
    assert (row["kind"], row["reason"]) == ("objection", "my reason")
    with pytest.raises(UsageError) as caught:
        told(workspace, "nobody@square")
    assert "nobody@square" not in caught.value.problem
