"""Which policies were in use, whole; and what another one would change, foreseen exactly."""

import json

import pytest
from msgspec.structs import replace

from sayso.corpus import admission
from sayso.errors import UsageError
from sayso.gate import history, policy
from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.training.compare import compare
from sayso.training.train import look, train
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import post, state, take


def versions(workspace):
    with Rights(workspace).reading() as connection:
        return history.versions(connection)


def noted(workspace):
    with Rights(workspace).reading() as connection:
        return [entry.body for entry in ledger.read(connection) if entry.kind == "policy"]


@pytest.fixture
def own(tmp_path, tiny_settings):
    """A workspace with a policy of its own, in a file."""
    file = tmp_path / "own.toml"
    file.write_bytes(policy.source("strict").replace(b'name = "strict"', b'name = "own"'))
    settings = replace(tiny_settings, policy=str(file))
    return Workspace.create(tmp_path / "home", settings, KEY), file


def judge(workspace):
    admission.note(workspace, admission.judge_all(workspace, AT))


def test_a_policy_edited_in_place_is_noticed_once(own):
    workspace, file = own
    judge(workspace)
    judge(workspace)
    first = file.read_text()
    file.write_text(first + "# a word of explanation\n")
    judge(workspace)  # means the same
    file.write_text(first.replace('unknown_parents = "held"', 'unknown_parents = "allowed"'))
    judge(workspace)
    judge(workspace)
    found = versions(workspace)
    assert [version.because for version in found] == [history.FIRST, history.EDITED]
    assert (found[0].text, found[1].text) == (first, file.read_text())
    assert noted(workspace) == [{"name": "own", "hash": version.hash} for version in found]


def test_the_reason_is_kept_beside_the_ledger_not_in_it(own):
    workspace, _ = own
    admission.use_policy(workspace, "article", "command line", "the members voted")
    (version,) = versions(workspace)
    assert (version.name, version.because) == ("article", "the members voted")
    assert "voted" not in json.dumps(noted(workspace))
    with Rights(workspace).reading() as connection:
        assert history.find(connection, version.hash[:8]) == version
        with pytest.raises(UsageError, match="no policy's hash"):
            history.find(connection, "0" * 32)


def test_what_a_policy_would_train_is_what_it_then_trains(workspace):
    take(
        workspace,
        *(post(n, f"the {n}th boat brought {n * 7} herrings to the old pier") for n in range(6)),
        *(post(n, f"only {n} gulls were told of this", audience="unlisted") for n in range(6, 12)),
    )
    train(workspace, AT, in_process=True)
    before = state(workspace)
    same = compare(workspace, AT, policy.load("strict"))
    assert (same.moves, same.appear, same.vanish, same.changed) == ((), (), (), ())
    assert same.cells_to_train == same.tokens_to_train == 0
    foreseen = compare(workspace, AT, policy.load("article"))
    assert state(workspace) == before
    assert foreseen.allowed_after - foreseen.allowed_before == 6
    assert foreseen.cells_to_train > 0
    admission.use_policy(workspace, "article")
    workspace = Workspace.open(workspace.home)
    planned = {cell.cell.name for chain in look(workspace, AT).plan for cell in chain}
    assert foreseen.cells == len(planned)
    done = train(workspace, AT, in_process=True)
    assert (done.cells_built, done.tokens_trained) == (
        foreseen.cells_to_train,
        foreseen.tokens_to_train,
    )
