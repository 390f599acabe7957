"""`sayso users`: what is made is shown once, and nothing else is."""

from sayso.rights import users
from sayso.rights.database import Rights
from sayso.workspace import Workspace


def test_users_come_change_and_go(run, tmp_path):
    made = run("users", "add", "captain", "--role", "operator", "--json").json
    rights = Rights(Workspace.open(run.home))
    assert users.check(rights, "captain", made["password"])
    assert len(made["password"]) == 24
    file = tmp_path / "password"
    file.write_text("several words that are long\nand a line that is not read\n")
    change = ("users", "password", "captain", "--password-file")
    assert "password" not in run(*change, file, "--json").json
    assert users.check(rights, "captain", "several words that are long")
    added = run("users", "add", "one", "--role", "member", "--person", "member-1@forum", "--json")
    assert added.json["one"]["person"] == "member-1@forum"
    assert run("users", "role", "one", "--role", "auditor").code == 0
    listed = run("users", "list")
    assert "operator; added" in listed.out
    assert "auditor; person member-1@forum; added" in listed.out
    assert run("users", "disable", "captain").code == 0
    assert users.check(rights, "captain", "several words that are long") is None
    assert run("users", "enable", "captain").code == 0
    assert run("users", "remove", "captain").code == 0
    assert list(run("users", "list", "--json").json) == ["one"]
    assert "argon2" not in listed.out


def test_what_cannot_be_is_said(run, tmp_path):
    short = tmp_path / "short"
    short.write_text("short\n")
    for wrong in (
        ("add", "captain"),
        ("add",),
        ("add", "one", "--role", "member"),
        ("add", "captain", "--role", "operator", "--password-file", short),
        ("add", "a b", "--role", "operator"),
        ("password", "nobody"),
        ("role", "nobody", "--role", "operator"),
    ):
        ended = run("users", *wrong)
        assert ended.code == 2, wrong
        assert not ended.out


def test_looking_makes_no_workspace_and_an_empty_list_says_so(run):
    for command in ("users", "agents", "keys"):
        assert run(command, "list").code == 6
        assert not run.home.exists()
    run("users", "add", "captain", "--role", "operator")
    assert run("agents", "list").out == run("keys", "list").out == "none\n"
    assert run("suppressions", "check", "member-1@forum").out.split() == [
        "stays_out",
        "no",
        "by",
        "–",
    ]


def test_a_key_for_the_assistant_is_told_as_that(run):
    key = run("keys", "add", "chats", "--assistant", "--json").json["key"]
    assert "the assistant" in run("keys", "list").out
    assert key not in run("keys", "list", "--json").out
    both = run("keys", "add", "both", "--assistant", "--service", "x")
    assert both.code == 2
    assert "for no service" in both.err
