"""The command line: what each verb says, on stdout and on stderr."""

import io
import json
import signal
import subprocess
import sys
import time
from typing import Any

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from sayso.cli import cli
from sayso.corpus.ingest import import_stream
from sayso.rights.database import Rights
from sayso.rights.tables import ledger
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.world import event, lines, post
from tests.program import SAYSO

VERBS = sorted(cli.commands)
SECRET, HANDLE = "zwiebelfisch", "springtide"


def installed(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Call the installed script."""
    command = [str(SAYSO), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_verb_says_what_it_does(verb, flag):
    ended = CliRunner().invoke(cli, [verb, flag])
    assert ended.exit_code == 0
    assert ended.output.startswith(f"Usage: cli {verb}")
    command = cli.commands[verb]
    assert command.help
    for param in command.params:
        assert not isinstance(param, click.Option) or param.help, param.name


def test_help_loads_nothing_heavy():
    script = (
        "import sys; sys.argv = ['sayso', '--help']\n"
        "from sayso.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"torch", "transformers", "polars", "lance", "pyarrow", "numpy", "rich", "fastapi"}
    assert not heavy & set(ended.stderr.split())
    assert all(verb in ended.stdout for verb in VERBS)


def test_the_installed_script(tmp_path):
    assert installed("--help").stdout.startswith(b"Usage: sayso")
    assert installed("--version").stdout.startswith(b"sayso, version ")
    missing = installed("status", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (6, b"")
    assert missing.stderr.startswith(b"error: no workspace at .sayso")
    assert b"\n  next: " in missing.stderr
    wrong = installed("burn")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    (tmp_path / "x.jsonl").write_bytes(lines(post(1), b"garbage"))
    partly = installed("import", "x.jsonl", "--json", cwd=tmp_path)
    assert partly.returncode == 3
    assert json.loads(partly.stdout)["stored"] == 1
    assert (tmp_path / ".sayso" / "sayso.toml").exists()


def test_an_interrupted_call_says_so_and_keeps_what_it_took_in(tmp_path):
    records = tmp_path / "home" / "content" / "records.lance" / "data"
    command = [str(SAYSO), "--home", str(tmp_path / "home"), "listen"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        process.stdin.write(lines(post(1)))
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not (records.exists() and list(records.iterdir())):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.decode().strip() == "interrupted; what was finished is kept"


def test_json_gives_one_object_for_every_verb(filled, tmp_path, run):
    assert run("import", tmp_path / "posts.jsonl", "--json").json["unchanged"] == 4
    assert run("listen", "--json", stdin=lines(post(7))).json["stored"] == 1
    judged = run("gate", "--json").json
    assert judged["records"] == 7
    assert judged["allowed"] + sum(judged["denied"].values()) + sum(judged["held"].values()) == 7
    explained = run("explain", "post-1", "--json").json
    assert (explained["verdict"], explained["rule"]) == ("allowed", "allowed")
    assert run("explain", "post-2", "--json").json["rule"] == "objection"
    (made,) = run("object", "member-1@square", "--reason", "no", "--json").json["objections"]
    assert len(run("objections", "--json").json["objections"]) == 2
    (taken_back,) = run("objections", "--withdraw", made["number"], "--json").json["objections"]
    assert taken_back["withdrawn_at"]
    assert set(run("objections", "--reasons", "--json").json) == {"de", "en"}
    assert run("verify-receipt", tmp_path / "receipt.jws", "--json").json["valid"] is True
    told = run("verify-receipt", tmp_path / "receipt.jws").out
    assert "\n  promised:\n    no record of this person" in told
    assert not set("{}[]'") & set(told)
    assert set(run("policy", "list", "--json").json) == {"strict", "article"}
    assert run("policy", "show", "--json").json["name"] == "strict"
    assert run("policy", "diff", "article", "--json").json["changes"] == []
    assert run("policy", "use", "article", "--json").json["policy"] == "article"
    assert run("status", "--json").json["policy"] == "article"


def test_an_export_says_of_each_line_what_it_is(filled, run):
    held = [json.loads(line) for line in run("export", "member-2@square").out.splitlines()]
    kinds = ["account", "objection", "suppression", "record", "record"]
    assert [line["kind"] for line in held] == kinds


def test_from_training_to_proof_in_json(tiny_settings, tmp_path, run):
    """Records that may not train yet: a release of the base alone, made and proven at once."""
    workspace = Workspace.create(run.home, tiny_settings, KEY)
    import_stream(workspace, io.BytesIO(lines(post(1), post(2))), "posts")
    trained = run("train", "--at", "2026-03-02", "--json").json
    assert (trained["examples"], trained["cells_built"]) == (0, 0)
    proof = run("verify", "--json").json
    assert (proof["passed"], proof["rebuilt"]) == (True, 0)
    assert run("audit", "--json").json["passed"]
    published = run("publish", tmp_path / "out", "--to", "somebody", "--json").json
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()
    assert published["release"] == run("status", "--json").json["release"]
    with Rights(workspace).writing() as connection:
        connection.execute(update(ledger).values(kind="other"))
    for verb in ("verify", "audit"):
        broken = run(verb, "--json")
        assert (broken.code, broken.json["passed"]) == (4, False)


def test_people_get_tables_and_programs_get_nothing_else_on_stdout(filled, run):
    for verb in (["gate"], ["explain", "post-1"], ["objections"], ["status"], ["policy", "show"]):
        ended = run(*verb)
        assert ended.code == 0, verb
        assert ended.out.strip(), verb
        assert ended.err == "", verb


@pytest.mark.parametrize(
    "words", ["[/b] no", "[red]no", "[link=x]", "لا 🚫 我不同意", "<b>&", "\\[", "{0} %s"]
)
def test_any_reason_service_and_file_name_can_be_shown(words, filled, tmp_path, run):
    file = tmp_path / f"{words.replace('/', '')}[/].jws".replace("/", "∕")
    call = ["object", "member-1@square", "--service", words, "--reason", words, "--receipt", file]
    ended = run(*call)
    assert ended.code == 0
    assert words in ended.out
    assert str(file) in ended.out
    assert words in run("objections").out.replace("\n", "")
    assert words in run("verify-receipt", file).out


def test_no_words_or_handles_of_members_reach_stderr(filled, tmp_path, run):
    author = {"id": f"{HANDLE}@square", "age_band": "adult"}
    given = [
        post(1, SECRET, author=author),
        post(2, SECRET, author=author, rev=0),
        post(3, SECRET, author=author, audience="direct"),
        post(4, [SECRET], author=HANDLE),
        event("account.update", account=HANDLE, state=SECRET),
        event(f"content.{SECRET}", id=HANDLE),
        lines(post(5, SECRET, author=author)).strip()[:-9],
    ]
    path = tmp_path / "secret.jsonl"
    path.write_bytes(lines(*given))
    calls = [
        ["import", path],
        ["import", path, "--json"],
        ["explain", f"{HANDLE}-1"],
        ["object", HANDLE, "--reason", SECRET * 1000],
        ["object", HANDLE, "--reason", SECRET, "--json"],
        ["export", f"{HANDLE}@nowhere"],
        ["export", f"{HANDLE}@square"],
        ["gate"],
        ["audit"],
    ]
    for call in calls:
        ended = run(*call)
        assert SECRET not in ended.err, call
        assert HANDLE not in ended.err, call
    assert run("listen", stdin=lines(*given)).err == ""
