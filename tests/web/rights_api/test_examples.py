"""The examples of docs/rights-api.md do what it says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sayso.rights import agents
from sayso.settings import Mail, Settings
from sayso.web.drp.status import STATUSES as DRP
from sayso.web.opendsr.status import STATUSES as OPENDSR
from sayso.workspace import Workspace
from tests.conftest import ROOT
from tests.program import SAYSO
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.rights_api.conftest import of

PAGE = (ROOT / "docs" / "rights-api.md").read_text("utf-8")
HOME = "https://ai.example"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def run(command: list[str], folder: Path, **env: str) -> str:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/local/bin"
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the settings that the page takes for granted."""
    home = tmp_path_factory.mktemp("examples") / "home"
    workspace = Workspace.create(home, Settings(mail=Mail(url=HOME)))
    with serving(workspace, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), workspace)


def test_an_agent_objects_and_revokes(running: Running, tmp_path: Path) -> None:
    make_key, object_ = blocks("python")
    key = run([sys.executable, "-c", make_key], tmp_path).strip()
    first = blocks("console")[0].splitlines()[0].removeprefix("$ sayso")
    home = str(running.workspace.home)
    run(["bash", "-c", f"{SAYSO}{first}"], tmp_path, VERIFY_KEY=key, SAYSO_HOME=home)
    printed = run([sys.executable, "-c", object_.replace(HOME, running.address)], tmp_path)
    body, _, revoked = printed.rpartition("}")
    said, told = json.loads(body + "}"), json.loads(blocks("json")[0])
    varies = ("request_id", "received_at", "expected_by", "expires_at", "user_verification_url")
    assert list(said) == list(told)
    assert {k: v for k, v in said.items() if k not in varies} == {
        k: v for k, v in told.items() if k not in varies
    }
    assert revoked.strip() == "revoked"
    assert [o.stands for o in of(running.rights, "member-1@forum")] == [False]


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="written for curl and openssl"
)
def test_a_controller_objects_and_checks_the_signature(running: Running, tmp_path: Path) -> None:
    token = agents.add(running.rights, "FORUM", hosts=["forum.example"], verifies=True)
    (block,) = blocks("bash")
    block = block.replace(HOME, running.address)
    block = block.replace("curl ", "curl --silent --show-error --fail-with-body --max-time 20 ")
    examples = [part for part in re.split(r"(?m)^# .*$", block) if part.strip()]
    first, second, checked = (
        run(["bash", "-ec", example], tmp_path, TOKEN=token) for example in examples
    )
    one, other = json.loads(first), json.loads(second)
    assert one.pop("encoded_request") != other.pop("encoded_request")
    assert one == other
    assert one["ignored"] == []
    assert "Verified OK" in checked
    status = json.loads((tmp_path / "status.json").read_bytes())
    assert status["request_status"] == "in_progress"
    (objection,) = [o for o in of(running.rights, "member-1@forum") if o.stands]
    assert objection.confirmed_by == "agent"


def test_each_status_stands_in_its_table() -> None:
    drp, opendsr = PAGE.split("\n## OpenDSR\n")
    for status, reason, _ in DRP.values():
        assert f"| `{status}` | `{reason}` |" in drp or f"| `{status}` | |" in drp
    for named in OPENDSR.values():
        assert f"| `{named}` |" in opendsr


def test_all_of_it_is_in_the_description_of_the_interface(running: Running) -> None:
    with running.browser() as browser:
        described = browser.get("/openapi.json").json()
    paths = {path for path in described["paths"] if path.startswith(("/drp", "/opendsr"))}
    for path in paths:
        assert f"`{path}" in PAGE or f" {path}" in PAGE.replace("agent-id", "agent_id"), path
        for operation in described["paths"][path].values():
            assert operation["summary"]
            assert operation["description"]
            assert operation["tags"] in (["Data Rights Protocol"], ["OpenDSR"])
    ids = [o["operationId"] for p in described["paths"].values() for o in p.values()]
    assert len(ids) == len(set(ids))
