"""OpenDSR: what is offered, accepted, signed and cancelled, and for whom."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sayso.errors import UsageError
from sayso.rights import claims, steps
from sayso.rights.database import now
from sayso.settings import Agents, Settings
from sayso.web.opendsr import certificate
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.rights_api.conftest import CALLBACK, URL, Controller, made, of

ACCOUNT = "controller_customer_id"


@pytest.fixture
def controller(running: Running, http: httpx2.Client, name: str) -> Controller:
    """A controller whose word confirms nothing."""
    return Controller(running, http, f"C{name}")


@pytest.fixture
def trusted(running: Running, http: httpx2.Client, name: str) -> Controller:
    """A controller that knows whose its accounts are."""
    return Controller(running, http, f"K{name}", verifies=True)


def checked(http: httpx2.Client, answer: httpx2.Response) -> dict:
    """What an answer says, its signature checked by the certificate that discovery names."""
    found = http.get("/opendsr/discovery").json()
    assert answer.headers["X-OpenDSR-Processor-Domain"] == found["processor_domain"]
    pem = http.get(found["processor_certificate"].removeprefix(URL)).content
    signer = x509.load_pem_x509_certificate(pem)
    names = signer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ai.example"]
    key = signer.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(answer.headers["X-OpenDSR-Signature"])
    key.verify(signature, answer.content, padding.PKCS1v15(), hashes.SHA256())
    said: dict = answer.json()
    return said


def test_discovery_offers_what_is_done_and_nothing_else(http: httpx2.Client) -> None:
    for prefix in ("/opendsr", "/opendsr/v2", "/opendsr/v3"):
        found = http.get(f"{prefix}/discovery").json()
        assert found["supported_subject_request_types"] == ["object:ai-training"]
        assert {i["identity_type"] for i in found["supported_identities"]} == {ACCOUNT, "email"}
        assert found["processor_certificate"] == f"{URL}/opendsr/certificate.pem"
        assert "Nothing is erased at the controller" in found["description"]


def test_a_controllers_request_is_answered_signed_and_in_effect(
    http: httpx2.Client, running: Running, trusted: Controller, member: str
) -> None:
    asks = trusted.asks((ACCOUNT, member), status_callback_urls=[CALLBACK])
    body = json.dumps(asks).encode()
    answer = trusted.send("POST", content=body)
    assert answer.status_code == 201
    said = checked(http, answer)
    assert said["controller_id"] == trusted.name
    assert said["subject_request_id"] == asks["subject_request_id"]
    assert base64.b64decode(said["encoded_request"]) == body
    assert said["ignored"] == []
    (objection,) = of(running.rights, member)
    assert (objection.state, objection.confirmed_by) == ("confirmed", "agent")
    assert objection.channel == "OpenDSR"
    assert f"{objection.due_at:%Y-%m-%dT%H:%M:%SZ}" == said["expected_completion_time"]
    path = f"/{asks['subject_request_id']}"
    status = checked(http, trusted.send("GET", path))
    assert status["request_status"] == "in_progress"
    # In effect already: it is the person's now.
    refused = trusted.send("DELETE", path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 400)
    assert of(running.rights, member)[0].stands
    with running.rights.writing() as connection:
        steps.note(connection, running.rights, objection, "closed", now())
    assert trusted.send("GET", path).json()["request_status"] == "completed"


def test_both_shapes_of_identities_mean_the_same(
    running: Running, controller: Controller, member: str, name: str
) -> None:
    third = {ACCOUNT: {"value": member, "encoding": "raw"}, "email": {"value": f"{name}@x.org"}}
    said = controller.object(subject_identities=third)
    assert said.status_code == 201, said.text
    assert controller.object((ACCOUNT, member), ("email", f"{name}@x.org")).status_code == 201
    assert [o.state for o in of(running.rights, member)] == ["pending", "pending"]


def test_pending_is_cancelled_and_only_once_confirmed_it_is_the_persons(
    http: httpx2.Client, running: Running, controller: Controller, member: str
) -> None:
    first = controller.object((ACCOUNT, member)).json()["subject_request_id"]
    cancelled = controller.send("DELETE", f"/{first}")
    assert cancelled.status_code == 202
    assert checked(http, cancelled)["subject_request_id"] == first
    assert controller.send("GET", f"/{first}").json()["request_status"] == "cancelled"
    assert controller.send("DELETE", f"/{first}").status_code == 202
    second = controller.object((ACCOUNT, member)).json()["subject_request_id"]
    assert controller.send("GET", f"/{second}").json()["request_status"] == "pending"
    (waiting,) = [o for o in of(running.rights, member) if o.stands]
    claims.confirm(running.rights, [waiting.number], "member")
    assert controller.send("DELETE", f"/{second}").status_code == 400
    assert [o.stands for o in of(running.rights, member)].count(True) == 1


def test_the_same_id_is_one_request_of_each_controller(
    running: Running, controller: Controller, trusted: Controller, member: str
) -> None:
    asks = controller.asks((ACCOUNT, member))
    answers = [controller.send("POST", json=asks) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(of(running.rights, member)) == 1
    path = f"/{asks['subject_request_id']}"
    for method in ("GET", "DELETE"):
        other = trusted.send(method, path)
        assert other.status_code == 404
        for unknown in (f"/{uuid.uuid4()}", "/x%00"):
            assert trusted.send(method, unknown).content == other.content
    assert trusted.send("POST", json=asks).status_code == 201  # an id of its own
    changed = asks | trusted.asks((ACCOUNT, "other@forum"))
    changed["subject_request_id"] = asks["subject_request_id"]
    assert controller.send("POST", json=changed).status_code == 409
    assert of(running.rights, "other@forum") == []


def test_the_same_id_at_the_same_time_is_one_request(
    running: Running, controller: Controller, member: str
) -> None:
    asks = controller.asks((ACCOUNT, member))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: controller.send("POST", json=asks), range(8)))
    assert len({answer.content for answer in answers}) == 1
    assert len(of(running.rights, member)) == 1


def test_who_calls_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    limits = Agents(requests_per_minute=2)
    workspace = Workspace.create(tmp_path / "home", Settings(agents=limits))
    with (
        serving(workspace, KnownAssistant()) as address,
        httpx2.Client(base_url=address, timeout=20) as http,
    ):
        site = Running(address, KnownAssistant(), workspace)
        often, seldom = Controller(site, http, "OFTEN"), Controller(site, http, "SELDOM")
        answers = [often.send("GET", f"/{uuid.uuid4()}") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert int(answers[2].headers["Retry-After"]) > 0
        assert answers[2].json()["error"]["code"] == 429
        assert seldom.send("GET", f"/{uuid.uuid4()}").status_code == 404
        # Whoever tries tokens is counted by where it calls from, and hinders no agent.
        tried = [http.get("/drp/v1/agent/OFTEN") for _ in range(3)]
        assert [answer.status_code for answer in tried] == [401, 401, 429]
        assert seldom.send("GET", f"/{uuid.uuid4()}").status_code == 404


def test_what_cannot_be_heeded_is_said(
    running: Running, controller: Controller, member: str
) -> None:
    said = controller.object(
        (ACCOUNT, member), ("ios_vendor_id", "x"), status_callback_urls=["https://x.example/"]
    )
    assert said.status_code == 201
    assert len(said.json()["ignored"]) == 2
    hashed = {"identity_type": "email", "identity_value": "ab", "identity_format": "sha256"}
    for fields in (
        {"subject_identities": [hashed]},
        {"subject_identities": []},
        {"subject_identities": "me"},
        {"subject_identities": [{"identity_type": ACCOUNT}]},
        {"subject_request_type": "erasure"},
        {"subject_request_id": "1"},
        {"subject_request_id": str(uuid.uuid4()).upper()},
        {"regulation": "lgpd"},
        {"submitted_time": "yesterday"},
        {"status_callback_urls": ["https://agent.example/"] * 3 + [f"{n}" for n in range(9)]},
    ):
        refused = controller.object((ACCOUNT, "refused@forum"), **fields)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, 400), fields
        assert "lgpd" not in refused.text
    assert controller.send("POST", content=b"{").status_code == 400
    assert controller.send("POST", content=b" " * 65537).status_code == 413
    assert of(running.rights, "refused@forum") == []


def test_the_deadline_counts_from_when_the_person_asked_a_trusted_controller(
    running: Running, trusted: Controller, controller: Controller, name: str
) -> None:
    asked = datetime.now(UTC).replace(microsecond=0) - timedelta(days=12)
    for who, account in ((trusted, f"a-{name}@forum"), (controller, f"b-{name}@forum")):
        who.object((ACCOUNT, account), submitted_time=asked.isoformat())
    (confirmed,) = of(running.rights, f"a-{name}@forum")
    assert confirmed.received_at == asked
    # A claim's age is not the controller's to choose: it would be over at once.
    (pending,) = of(running.rights, f"b-{name}@forum")
    assert pending.received_at > asked
    future = datetime.now(UTC) + timedelta(days=900)
    late = trusted.object((ACCOUNT, f"c-{name}@forum"), submitted_time=future.isoformat())
    assert late.status_code == 201


def test_without_a_token_nothing(
    running: Running, http: httpx2.Client, controller: Controller, member: str
) -> None:
    asks = controller.asks((ACCOUNT, member))
    basic = base64.b64encode(f"{controller.name}:{controller.token}".encode()).decode()
    for given in ("", "Bearer", "Bearer x", f"Basic {basic[:-4]}", "Basic !", "Basic Og=="):
        headers = {"Authorization": given} if given else {}
        refused = http.post("/opendsr/requests", json=asks, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, 401), given
    assert of(running.rights, member) == []
    headers = {"Authorization": f"Basic {basic}"}
    assert http.post("/opendsr/requests", json=asks, headers=headers).status_code == 201


def test_a_page_of_another_site_cannot_call(
    http: httpx2.Client, controller: Controller, member: str, running: Running
) -> None:
    headers = {"Authorization": f"Bearer {controller.token}", "Origin": "https://evil.example"}
    before = len(made(running))
    asks = controller.asks((ACCOUNT, member))
    assert http.post("/opendsr/requests", json=asks, headers=headers).status_code == 403
    assert len(made(running)) == before


def write_certificate(folder: Path, key: ec.EllipticCurvePrivateKey, cn: str) -> None:
    """A certificate and its key, as an authority would issue them."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    built = built.public_key(key.public_key()).serial_number(7)
    built = built.not_valid_before(now()).not_valid_after(now() + timedelta(days=1))
    (folder / "c.pem").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "k.pem").write_bytes(private)


def test_the_operators_certificate_signs_where_there_is_one(tmp_path: Path) -> None:
    files = Agents(certificate_file="c.pem", certificate_key_file="k.pem")
    workspace = Workspace.create(tmp_path / "home", Settings(agents=files))
    with pytest.raises(UsageError, match="cannot be used"):
        certificate.processor(workspace)
    key = ec.generate_private_key(ec.SECP256R1())
    write_certificate(workspace.home, key, "ai.example")
    ours = certificate.processor(workspace)
    headers = ours.headers(b"{}")
    signature = base64.b64decode(headers["X-OpenDSR-Signature"])
    key.public_key().verify(signature, b"{}", ec.ECDSA(hashes.SHA256()))
    other = ec.generate_private_key(ec.SECP256R1())
    write_certificate(tmp_path, other, "ai.example")
    (workspace.home / "k.pem").write_bytes((tmp_path / "k.pem").read_bytes())
    with pytest.raises(UsageError, match="cannot be used"):
        certificate.processor(workspace)


def test_a_certificate_of_our_own_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "home", Settings())
    first = certificate.processor(workspace)
    assert certificate.processor(workspace).certificate == first.certificate
    assert (workspace.keys / "opendsr.key.pem").stat().st_mode & 0o777 == 0o600
