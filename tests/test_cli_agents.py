"""`sayso agents`: who may object for people."""

import base64

from sayso.rights import agents
from sayso.rights.database import Rights
from sayso.workspace import Workspace
from tests.program import Program


def test_agents_are_added_listed_and_removed(run: Program) -> None:
    made = run("agents", "add", "FORUM", "--title", "The forum", "--host", "forum.example",
                   "--verifies", "--json").json  # fmt: skip
    rights = Rights(Workspace.open(run.home))
    found = agents.by_token(rights, made["token"])
    assert found is not None
    assert (found.name, found.hosts, found.verifies) == ("FORUM", ("forum.example",), True)
    key = base64.b64encode(bytes(range(32))).decode()
    assert run("agents", "add", "SIGNS", "--key", key, "--json").json == {"name": "SIGNS"}
    listed = run("agents", "list").out
    assert "The forum; token only; its word confirms; calls to forum.example" in listed
    assert "SIGNS" in listed
    assert "people confirm themselves" in listed
    assert "removed" in run("agents", "remove", "FORUM").out
    assert agents.by_token(rights, made["token"]) is None


def test_what_is_wrong_is_said(run: Program) -> None:
    for wrong in (
        ("add",),
        ("remove",),
        ("remove", "NOBODY"),
        ("add", "two words"),
        ("add", "ONE", "--key", "short"),
        ("add", "ONE", "--host", "https://one.example/"),
    ):
        ended = run("agents", *wrong)
        assert ended.code == 2, wrong
        assert "next:" in ended.err or "needs the agent's id" in ended.err
