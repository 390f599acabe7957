"""What is not its sender's, not of now, or not signed as it should be does not come in."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace
from sqlalchemy import update

from sayso.rights.database import now
from sayso.rights.tables import peer_keys
from sayso.settings import Inbox, Settings
from sayso.sources.claims import Request
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.inbox.conftest import account, words
from tests.web.inbox.peer import ACTIVITY, OURS, send


def test_of_others_nothing_is_taken(running, member, other):
    other.deliver(running, other.does("Create", other.note(1, "theirs")))
    theirs = f"{other.id}/statuses/1"
    elsewhere = "http://127.0.0.1:1/users/member-1/statuses/1"
    own = member.note(2, "mine")
    edited = {"updated": "2026-12-01T00:00:00Z"}
    for activity in (
        member.does("Create", own | {"attributedTo": other.id}),
        member.does("Create", {k: v for k, v in own.items() if k != "attributedTo"}),
        member.does("Create", own | {"id": elsewhere}),
        member.does("Create", own | {"id": None}),
        member.does("Create", own | {"id": theirs} | edited),
        member.does("Create", [own, own]),
        member.does("Create", own, id=elsewhere),
        member.does("Create", own, id=None),
        member.does("Update", other.note(1, "taken over", **edited)),
        member.does("Update", other.document | {"type": "Service"}),
        member.does("Update", {"id": theirs, "type": "Tombstone"}),
        member.does("Delete", theirs),
        member.does("Delete", elsewhere),
        member.does("Delete", {"id": theirs, "type": "Tombstone"}),
        member.does("Undo", {"id": theirs, "type": "Like", "actor": other.id, "object": theirs}),
    ):
        assert member.deliver(running, activity) == 403, activity
    # What is deleted is known by its address, not by what it claims to have been.
    member.deliver(running, member.does("Delete", {"id": other.id, "formerType": "Person"}))
    assert account(running, other).state == "active"
    assert words(running) == ["theirs"]


def test_forged_and_stale_deliveries(running, member, other, caplog):
    caplog.set_level(logging.INFO, "sayso")
    create = member.does("Create", member.note(1))
    good = member.sign(create)
    seconds = str((now().second + 30) % 60).zfill(2)
    later = [(n, f"{v[:-6]}{seconds} GMT" if n == "Date" else v) for n, v in good.headers]
    forged: dict[str, Request] = {
        "body": replace(good, body=good.body.replace(b"low tide", b"ebb tide")),
        "key": member.sign(create, key=other.key),
        "another's key": member.sign(create, key=other.key, key_id=other.key_id),
        "unknown key": member.sign(create, key_id=f"{member.id}#other-key"),
        "key of another host": member.sign(create, key_id="http://127.0.0.1:1/users/member-1#k"),
        "host": member.sign(create, url="http://elsewhere.example/inbox"),
        "old": member.sign(create, now=now() - timedelta(hours=12, minutes=1)),
        "early": member.sign(create, now=now() + timedelta(hours=1, minutes=1)),
        "unsigned": replace(good, headers=good.headers[:-1]),
        "date": replace(good, headers=tuple(later)),
        "actor": member.sign(create | {"actor": other.id}),
        "no actor": member.sign({"type": "Create"}),
    }
    answers = {name: send(running, request) for name, request in forged.items()}
    assert set(answers.values()) == {401}, answers
    assert caplog.text.count("refused") == len(forged)
    assert member.name not in caplog.text
    assert words(running) == []
    assert send(running, good) == 202


def test_a_delivery_counts_once(running, member):
    delete, create = (
        member.sign(member.does("Delete", f"{member.id}/statuses/1")),
        member.sign(member.does("Create", member.note(2))),
    )
    assert [send(running, delete), send(running, create)] == [202, 202]
    assert [send(running, delete), send(running, create)] == [409, 409]
    # Signed anew, it is a repetition that changes nothing.
    again = member.sign(member.does("Create", member.note(2)), now=now() + timedelta(seconds=3))
    assert send(running, again) == 202
    assert words(running) == ["low tide"]


def test_a_forged_name_makes_us_ask_once_a_minute_at_most(running, member, other):
    create = member.does("Create", member.note(1))
    for _ in range(5):
        assert send(running, member.sign(create, key=other.key)) == 401
    assert member.peer.asked == {"/users/member-1": 1}
    # Nor does that keep out the one whose name it is.
    assert member.deliver(running, create) == 202
    assert member.peer.asked == {"/users/member-1": 1}


def test_a_new_key_is_learned_and_the_old_one_worthless(home, member, keys):
    old = member.key
    with serving(home, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), home)
        assert member.deliver(running, member.does("Create", member.note(1, "first"))) == 202
    while member.key is old:
        member.rotate(next(keys))
    with serving(home, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), home)
        assert member.deliver(running, member.does("Create", member.note(2, "second"))) == 202
        again = member.does("Create", member.note(3, "third"))
        assert member.deliver(running, again, key=old) == 401
        assert member.deliver(running, again) == 202
    assert member.peer.asked["/users/member-1"] == 2


def test_the_last_word_of_one_who_is_gone(running, member, other):
    assert member.deliver(running, member.does("Create", member.note(1))) == 202
    for gone in (member, other):
        gone.publish(b"", 410)
    with running.rights.writing() as connection:
        connection.execute(update(peer_keys).values(fetched_at=now() - timedelta(days=2)))
    # The minute in which the document is not asked for again is not over: another server.
    with serving(running.workspace, KnownAssistant()) as address:
        restarted = Running(address, KnownAssistant(), running.workspace)
        assert member.deliver(restarted, member.does("Create", member.note(2))) == 401
        assert member.deliver(restarted, member.does("Delete", f"{member.id}/statuses/1")) == 401
        assert member.deliver(restarted, member.does("Delete", member.id)) == 202
        assert other.deliver(restarted, other.does("Delete", other.id)) == 401
    assert words(running) == []
    assert account(running, other) is None


DOCUMENTS: tuple[tuple[object, dict[str, Any]], ...] = (
    (b"", {"status": 410}),
    (b"", {"status": 404}),
    (b"", {"status": 500}),
    (b"{}", {}),
    (b"no json", {}),
    (b"[" * 100_000, {}),
    (b" " * 600_000, {}),
    ({}, {"media_type": "text/html"}),
    ({}, {"media_type": "application/json"}),
    ({"type": "Note"}, {}),
    ({"id": "http://127.0.0.1:1/users/member-1"}, {}),
    ({"publicKey": None}, {}),
    ({"publicKey": {"id": "{key}", "owner": "other", "publicKeyPem": "no key"}}, {}),
    ({"publicKey": {"id": "{key}", "owner": "{id}", "publicKeyPem": "no key"}}, {}),
    ({"publicKey": None, "assertionMethod": {"id": "{key}", "controller": "{id}"}}, {}),
)


def test_documents_that_prove_nothing(running, peer, keys):
    for number, (changes, options) in enumerate(DOCUMENTS):
        member = peer.member(f"member-{number}", next(keys))
        served = changes
        if isinstance(changes, dict):
            text = json.dumps(changes).replace("{key}", member.key_id).replace("{id}", member.id)
            served = member.document | json.loads(text)
        member.publish(served, **options)
        assert member.deliver(running, member.does("Create", member.note(1))) == 401, changes
    assert words(running) == []


def test_redirects_are_not_followed(running, member):
    member.peer.pages["/elsewhere"] = member.peer.pages["/users/member-1"]
    member.publish(b"/elsewhere", 302)
    assert member.deliver(running, member.does("Create", member.note(1))) == 401
    assert member.peer.asked["/elsewhere"] == 0


def test_weak_keys_are_none(running, member):
    member.rotate(rsa.generate_private_key(65537, 1024))
    assert member.deliver(running, member.does("Create", member.note(1))) == 401


@pytest.mark.parametrize(
    ("allow", "status"), [((), 403), (("elsewhere.example",), 403), (("*",), 401)]
)
def test_who_may_deliver(tmp_path, member, allow, status):
    # '*' takes deliveries of any host, but asks none with a private address.
    inbox = Inbox(enabled=True, url=OURS, allow=allow)
    workspace = Workspace.create(tmp_path / "home", Settings(inbox=inbox))
    with serving(workspace, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), workspace)
        assert member.deliver(running, member.does("Create", member.note(1))) == status
    assert not member.peer.asked


def test_what_is_no_delivery_at_all(running):
    for headers, body, status in (
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": ACTIVITY, "Content-Encoding": "gzip"}, b"{}", 415),
        ({"Content-Type": ACTIVITY}, b"x" * 2_000_000, 413),
        ({"Content-Type": ACTIVITY}, b"{}", 401),
        ({"Content-Type": 'application/ld+json; profile="x"'}, b"{}", 401),
    ):
        with running.browser(**headers) as browser:
            answer = browser.post("/inbox", content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_signed_nonsense(running, member):
    for body in (b"no json", b"[]", b"[" * 9999):
        assert send(running, member.sign(body)) == 400
    long = member.does("Create", member.note(1) | {"id": member.id + "x" * 2000})
    assert member.deliver(running, long) == 422


def test_pages_of_other_sites_do_not_matter_to_a_signature(running, member):
    request = member.sign(member.does("Create", member.note(1)))
    headers = (*request.headers, ("Origin", "https://elsewhere.example"))
    assert send(running, replace(request, headers=headers)) == 202
