"""`sayso signals` tells what a file says."""

import json

import pytest
from click.testing import CliRunner

from sayso.cli import cli
from sayso.errors import UsageError
from sayso.rights.signals.files import KINDS

ROBOTS = b"User-agent: *\nContent-Usage: train-ai=n\n\nUser-agent: GPTBot\nDisallow: /\n"


def run(*arguments: str, data: bytes = b""):
    return CliRunner().invoke(cli, ["signals", *arguments], input=data)


def test_a_file_by_its_name_and_from_stdin(tmp_path):
    path = tmp_path / "robots.txt"
    path.write_bytes(ROBOTS)
    for result in (run(str(path), "--json"), run("-", "--json", data=ROBOTS)):
        told = json.loads(result.stdout)
        assert (told["kind"], told["verdict"]) == ("robots", "deny")
        assert {s["signal"] for s in told["statements"]} == {"aipref", "robots-bots"}
    shown = run(str(path)).stdout
    assert "verdict: deny" in shown and "vocab-07 train-ai" in shown


def test_what_counts_can_be_chosen():
    told = run("-", "--json", "--without", "aipref", "--without", "robots-bots", data=ROBOTS)
    assert json.loads(told.stdout)["verdict"] == "unknown"
    assert isinstance(run("-", "--without", "nothing", data=ROBOTS).exception, UsageError)
    assert isinstance(run("-", data=b"hello").exception, UsageError)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_asked_for(kind):
    result = run("-", "--kind", kind, "--json", data=b"")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"] in ("unknown", "unreadable")
