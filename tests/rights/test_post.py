"""Letters and calls go out at least once, to nobody else, and leave nothing behind."""

import multiprocessing
import os
import re
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from sayso.errors import UsageError
from sayso.rights import claims, objections, outbox, post, requests, retention, steps
from sayso.rights.calls import Call
from sayso.rights.database import Rights, now
from sayso.rights.mails import Mail
from sayso.rights.objection import Given
from sayso.rights.outbox import LEASE, MAIL, MOST_ATTEMPTS, WEBHOOK, Letter
from sayso.rights.post import Post
from sayso.rights.requests import Contact, checked_email
from sayso.rights.tables import outbox as table
from sayso.settings import Mail as MailSettings
from sayso.settings import Settings, Webhooks
from sayso.workspace import Workspace
from tests.rights.receivers import HANG_UP, Bell, Letterbox, bell, letterbox

MEMBER = "member-1@mail.example"
DOCS = Path(__file__).parents[2] / "docs" / "letters.md"


class Plain:
    """Says what the payload holds, and nothing else."""

    def mail(self, letter: Letter) -> Mail:
        return Mail(letter.payload["subject"], letter.payload["text"])

    def call(self, letter: Letter) -> Call:
        return Call(msgspec.json.encode(letter.payload))


class Office:
    """A workspace, its outbox, and the servers that its messages go to."""

    def __init__(self, home: Path, box: Letterbox, rung: Bell, **mail: object) -> None:
        settings = Settings(
            community="Harbour\nBcc: x@y.example",
            mail=MailSettings(
                **{
                    "host": "127.0.0.1",
                    "port": box.port,
                    "security": "none",
                    "sender": "sayso@harbour.example",
                    "url": "https://harbour.example",
                }
                | mail
            ),
            webhooks=Webhooks(allow=(rung.host,)),
        )
        self.rights = Rights(Workspace.create(home, settings))
        self.box, self.bell = box, rung
        self.post = Post(self.rights, Plain())

    def put(self, kind: str, target: str, **payload: str) -> None:
        with self.rights.writing() as connection:
            payload = {"subject": "Hello", "text": "Grüße\n"} | payload
            outbox.put(connection, "request-1", kind, target, payload)

    def rows(self) -> list[dict]:
        with self.rights.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(table.select())]

    def overview(self) -> dict[str, outbox.Overview]:
        with self.rights.reading() as connection:
            return {each.kind: each for each in outbox.overview(connection)}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Letterbox, Bell]]:
    with letterbox() as box, bell() as rung:
        yield box, rung


@pytest.fixture
def office(tmp_path: Path, servers: tuple[Letterbox, Bell]) -> Office:
    box, rung = servers
    box.letters, box.envelopes, box.answers, rung.calls, rung.answers = [], [], [], [], []
    rung.before_answer = lambda: None
    return Office(tmp_path / "home", box, rung)


def test_a_letter_arrives_and_nothing_of_it_stays(office: Office) -> None:
    office.put(MAIL, MEMBER)
    assert office.post.send_due() == 1
    assert office.post.send_due() == 0
    (letter,) = office.box.letters
    assert (letter["To"], letter["Subject"]) == (MEMBER, "Hello")
    assert letter.get_content() == "Grüße\n"
    assert letter["From"].addresses[0].display_name == "Harbour Bcc: x@y.example"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert [letter["Bcc"], office.box.envelopes[0].rcpt_tos] == [None, [MEMBER]]
    (row,) = office.rows()
    assert (row["target"], row["payload"]) == ("", "{}")
    assert row["sent_at"]


def check_of_the_docs() -> Callable[[dict[str, str], bytes, bytes], None]:
    """The function by which docs/letters.md tells receivers to check a call."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["check"]


def test_a_call_arrives_and_its_signature_is_checked_as_the_docs_say(office: Office) -> None:
    office.put(WEBHOOK, f"http://{office.bell.host}/told", state="closed")
    assert office.post.send_due() == 1
    ((headers, body),) = office.bell.calls
    assert msgspec.json.decode(body)["state"] == "closed"
    assert headers["content-type"] == "application/json"
    assert office.overview()[WEBHOOK] == outbox.Overview(WEBHOOK, 0, 1, 0, 0)
    check, key = check_of_the_docs(), office.rights.workspace.keys / "receipts.pub.jwk"
    check(headers, body, key.read_bytes())
    for name, value in (("webhook-id", "msg_1"), ("webhook-timestamp", str(int(time.time()) - 9))):
        with pytest.raises(InvalidSignature):
            check(headers | {name: value}, body, key.read_bytes())
    with pytest.raises(InvalidSignature):
        check(headers, body + b" ", key.read_bytes())
    with pytest.raises(ValueError, match="old"):
        check(headers | {"webhook-timestamp": str(int(time.time()) - 3600)}, body, key.read_bytes())


@pytest.mark.parametrize("kind", [MAIL, WEBHOOK])
def test_what_is_refused_is_tried_again_later_and_at_last_given_up(
    office: Office, kind: str
) -> None:
    office.put(kind, MEMBER if kind == MAIL else f"http://{office.bell.host}/")
    at, waits = now(), []
    for attempt in range(MOST_ATTEMPTS):
        office.box.answers = [("451 later", "550 never")[attempt % 2]]
        office.bell.answers = [(500, 404, 302)[attempt % 3]]
        before = now()
        assert office.post.send_due(at=at) == 1
        assert office.post.send_due(at=before) == 0
        due = office.rows()[0]["due_at"]
        waits.append((due - before).total_seconds() / 60)
        at = due
    assert waits[:4] == pytest.approx([1, 2, 4, 8], abs=0.2)
    (row,) = office.rows()
    assert (row["given_up"], row["target"], row["payload"]) == (True, "", "{}")
    assert office.overview()[kind] == outbox.Overview(kind, 0, 0, 1, MOST_ATTEMPTS)
    assert office.box.letters == []
    assert len(office.bell.calls) == (MOST_ATTEMPTS if kind == WEBHOOK else 0)


@pytest.mark.parametrize("answer", ["550 never", "421 not now", HANG_UP])
def test_one_refused_letter_holds_up_no_other(office: Office, answer: str) -> None:
    for number in range(3):
        office.put(MAIL, f"member-{number}@mail.example")
    office.box.answers = ["250 taken", answer, "250 taken"]
    office.post.send_due()
    assert [str(letter["To"])[:8] for letter in office.box.letters] == ["member-0", "member-2"]
    assert office.overview()[MAIL] == outbox.Overview(MAIL, 1, 2, 0, 1)


def test_a_silent_server_is_not_waited_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.post._calls._outbound._deadline = 0.2
    over = threading.Event()
    office.bell.before_answer = lambda: over.wait(20)
    office.put(WEBHOOK, f"http://{office.bell.host}/")
    office.post.send_due()
    over.set()
    assert office.overview()[WEBHOOK].failures == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "http://localhost:80/",
        "https://[::1]/",
        "file:///",
        "https://[",
        "https://example.org\r\nX: y/",
    ],
)
def test_no_call_into_our_own_network(office: Office, url: str) -> None:
    office.put(WEBHOOK, url)
    office.put(WEBHOOK, f"http://{office.bell.host}/")
    office.post.send_due()
    assert office.overview()[WEBHOOK] == outbox.Overview(WEBHOOK, 1, 1, 0, 1)


@pytest.mark.parametrize(
    ("target", "subject"),
    [
        (f"{MEMBER}\nBcc: x@y.example", "Hello"),
        (f"{MEMBER}, x@y.example", "Hello"),
        (MEMBER, "Hello\r\nBcc: x@y.example"),
    ],
)
def test_nobody_writes_headers(office: Office, target: str, subject: str) -> None:
    office.put(MAIL, target, subject=subject)
    office.put(MAIL, MEMBER)
    office.post.send_due()
    assert [list(e.rcpt_tos) for e in office.box.envelopes] == [[MEMBER]]
    assert office.overview()[MAIL] == outbox.Overview(MAIL, 1, 1, 0, 1)


def test_several_senders_send_each_message_once(office: Office) -> None:
    for number in range(60):
        kind, target = (MAIL, MEMBER) if number % 2 else (WEBHOOK, f"http://{office.bell.host}/")
        office.put(kind, target, subject=str(number))

    def empty() -> None:
        while office.post.send_due():
            pass

    threads = [threading.Thread(target=empty) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [letter["Subject"] for letter in office.box.letters]
    told += [msgspec.json.decode(body)["subject"] for _, body in office.bell.calls]
    assert sorted(map(int, told)) == list(range(60))


def _send(home: Path) -> None:
    Post(Rights(Workspace.open(home)), Plain()).send_due()


def test_killed_between_sending_and_noting_it_goes_out_again_under_the_same_name(
    office: Office,
) -> None:
    office.put(WEBHOOK, f"http://{office.bell.host}/")
    process = multiprocessing.get_context("spawn").Process(
        target=_send, args=(office.rights.workspace.home,)
    )
    office.bell.before_answer = lambda: os.kill(process.pid, signal.SIGKILL)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    office.bell.before_answer = lambda: None
    assert office.post.send_due() == 0  # somebody might still be sending it
    assert office.post.send_due(at=now() + LEASE + timedelta(seconds=1)) == 1
    first, second = (headers["webhook-id"] for headers, _ in office.bell.calls)
    assert first == second
    assert office.overview()[WEBHOOK].sent == 1


def test_no_error_ends_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def rename(name: str, to: str) -> None:
        with office.rights.writing() as connection:
            connection.execute(text(f"ALTER TABLE {name} RENAME TO {to}"))

    def poll(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.01)

    monkeypatch.setattr(post, "PAUSE_SECONDS", 0.01)
    rename("outbox", "away")
    stop = threading.Event()
    sender = threading.Thread(target=office.post.run, args=(MAIL, stop))
    sender.start()
    try:
        poll(lambda: "OperationalError while sending" in caplog.text)
        assert "away" not in caplog.text
        rename("away", "outbox")
        office.put(MAIL, MEMBER)
        office.put(WEBHOOK, f"http://{office.bell.host}/")
        poll(lambda: office.box.letters)
    finally:
        stop.set()
        sender.join(20)
    assert not sender.is_alive()
    assert office.bell.calls == []  # those are another thread's


def test_without_a_mail_server_letters_wait_and_calls_go(
    tmp_path: Path, servers: tuple[Letterbox, Bell]
) -> None:
    office = Office(tmp_path / "home", *servers, host="")
    office.put(MAIL, MEMBER)
    office.put(WEBHOOK, f"http://{office.bell.host}/")
    assert office.post.send_due() == 1
    assert office.overview()[MAIL] == outbox.Overview(MAIL, 1, 0, 0, 0)
    late = now() + outbox.OLDEST + timedelta(minutes=1)
    assert [outbox.give_up_old(office.rights, late) for _ in range(2)] == [1, 0]
    assert office.rows()[0]["target"] == ""


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    day = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day - timedelta(days=1))
        .not_valid_after(day + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cert.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return pem, context


def test_letters_and_passwords_go_encrypted_or_not_at_all(
    tmp_path: Path, servers: tuple[Letterbox, Bell], monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, context = _certificate(tmp_path)
    with letterbox(context) as box:
        office = Office(
            tmp_path / "home",
            box,
            servers[1],
            security="starttls",
            user="sayso",
            password_file="password",
        )
        (tmp_path / "home" / "password").write_text("a secret\n")
        office.put(MAIL, MEMBER)
        office.post.send_due()  # nobody vouches for this certificate
        assert (box.letters, box.logins) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        office.post.send_due(at=now() + timedelta(hours=1))
        assert (len(box.letters), box.logins) == (1, [("sayso", "a secret")])
    servers[0].letters.clear()
    for name, settings in (
        ("no STARTTLS", {"security": "starttls"}),
        ("no encryption", {"security": "none", "user": "sayso", "password_file": "/dev/null"}),
    ):
        plain = Office(tmp_path / name, *servers, **settings)
        plain.put(MAIL, MEMBER)
        plain.post.send_due()
        assert plain.overview()[MAIL].failures == 1
    assert servers[0].letters == []


def test_whom_to_tell_is_forgotten_when_all_is_told(office: Office) -> None:
    given = Given(
        name="member-1@forum",
        services=("a", "b"),
        confirmed_by="",
        contact=Contact(MEMBER, "de", (f"http://{office.bell.host}/",)),
    )
    ((first, second),) = claims.receive_all(office.rights, [given])

    def known() -> Contact:
        with office.rights.reading() as connection:
            return requests.find(connection, first.request).contact

    assert retention.forget_told(office.rights) == 0
    claims.lapse(office.rights, first.number, "operator")
    objections.withdraw(office.rights, second.number)
    assert retention.forget_told(office.rights) == 0  # messages wait
    with office.rights.writing() as connection:
        for letter in outbox.take(connection, now(), most=99):
            outbox.sent(connection, letter)
    assert known().email == MEMBER
    assert retention.forget_told(office.rights) == 1
    assert known() == Contact("", "de")
    assert retention.forget_told(office.rights) == 0
    with office.rights.reading() as connection:
        assert steps.of(connection, first.number)[-1].state == "lapsed"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" A.b+c@Exämple.ORG ", "A.b+c@xn--exmple-cua.org"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ("a" * 64 + "@x.example", "a" * 64 + "@x.example"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert checked_email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@x.example", "a@x", "a b@x.example", "<a@x.example>", "a@@x.example"),
        *("a@x..example", ".a@x.example", "a@x.example,b@x.example", "ä@x.example", "a@-x.example"),
        *("a@x.example\r\nBcc: b@x.example", "a@x.example\0", "\ud800@x.example", "a@\ud800.de"),
        *("a" * 65 + "@x.example", "a@" + "b." * 126 + "de", '"a b"@x.example', "a@[127.0.0.1]"),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as told:
        checked_email(text)
    assert len(text) < 2 or text not in str(told.value)
