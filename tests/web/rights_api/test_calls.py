"""Calls that tell agents how far their requests have come, each in its protocol's words."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sayso.rights import agents, claims, contacts
from sayso.rights.post import Post
from sayso.settings import Mail, Settings, Webhooks
from sayso.web.telling import Telling
from sayso.workspace import Workspace
from tests.rights.receivers import Bell, bell
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.rights_api.conftest import LIMITS, URL, Controller, Program, of


@pytest.fixture(scope="module")
def ringing() -> Iterator[Bell]:
    with bell() as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, ringing: Bell) -> Iterator[Running]:
    settings = Settings(agents=LIMITS, mail=Mail(url=URL), webhooks=Webhooks(allow=(ringing.host,)))
    workspace = Workspace.create(tmp_path_factory.mktemp("calls") / "home", settings)
    with serving(workspace, KnownAssistant()) as address:
        yield Running(address, KnownAssistant(), workspace)


def calls(running: Running, ringing: Bell) -> list[tuple[dict[str, str], bytes]]:
    """Send what is due, and return what came."""
    ringing.calls.clear()
    post = Post(running.rights, Telling(running.rights))
    while post.send_due():
        pass
    return list(ringing.calls)


def test_an_agent_is_told_the_status(running: Running, http: httpx2.Client, ringing: Bell) -> None:
    agent = Program(running, http, "CALLED", hosts=(ringing.host,))
    url = f"http://{ringing.host}/told"
    asked = agent.object(
        identifier="called@forum", status_callback=url, **{"agent-request-id": "c-1"}
    ).json()
    came = calls(running, ringing)
    assert came
    for headers, body in came:
        assert json.loads(body) == asked  # as by asking for it
        assert headers["content-type"] == "application/json"
        assert "webhook-signature" in headers
    assert "called@forum" not in str(came)
    (claim,) = of(running.rights, "called@forum")
    claims.lapse(running.rights, claim.number, "operator")
    told = [json.loads(body) for _, body in calls(running, ringing)]
    assert told == [agent.status(asked["request_id"]).json()]
    assert told[0]["reason"] == "insuf_verification"


def test_a_controller_is_told_and_can_check_who_tells(
    running: Running, http: httpx2.Client, ringing: Bell
) -> None:
    controller = Controller(running, http, "TOLD", hosts=(ringing.host,), verifies=True)
    url = f"http://{ringing.host}/opendsr"
    asked = controller.object(("controller_customer_id", "told@forum"), status_callback_urls=[url])
    path = f"/{asked.json()['subject_request_id']}"
    came = calls(running, ringing)
    assert came
    pem = http.get("/opendsr/certificate.pem").content
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    for headers, body in came:
        signature = base64.b64decode(headers["x-opendsr-signature"])
        key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
        assert headers["x-opendsr-processor-domain"] == "ai.example"
        said = json.loads(body)
        assert said.pop("status_callback_url") == url
        assert said == controller.send("GET", path).json()
        assert said["request_status"] == "in_progress"


def test_who_was_removed_is_not_called_any_more(
    running: Running, http: httpx2.Client, ringing: Bell, tmp_path: Path
) -> None:
    controller = Controller(running, http, "GONE", hosts=(ringing.host,))
    url = f"http://{ringing.host}/gone"
    controller.object(("controller_customer_id", "gone@forum"), status_callback_urls=[url])
    agents.remove(running.rights, "GONE")
    assert calls(running, ringing) == []


def test_calls_do_not_tell_whether_an_address_is_known(
    running: Running, http: httpx2.Client, ringing: Bell
) -> None:
    known = "known@mail.example"
    with running.rights.writing() as connection:
        contacts.put(connection, running.rights, "known@forum", known)
    agent = Program(running, http, "CURIOUS", hosts=(ringing.host,))
    url = f"http://{ringing.host}/told"
    heard = []
    for email in (known, "unknown@mail.example"):
        asked = agent.object(email=email, status_callback=url).json()
        agent.revoke(asked["request_id"])
        heard.append(len(calls(running, ringing)))
    assert heard[0] == heard[1] > 0
