"""Our own actor: other servers find it, follow it, and so deliver to us."""

import json
import stat

import pytest

from sayso.errors import UsageError
from sayso.rights.database import now
from sayso.settings import Inbox, Settings
from sayso.sources import signatures
from sayso.workspace import Workspace
from tests.web.conftest import DEADLINE, KnownAssistant, Running, serving
from tests.web.inbox.peer import ACTIVITY, OURS, PUBLIC


def fetched(running: Running, path: str) -> tuple[int, str, dict[str, object]]:
    with running.browser() as browser:
        answer = browser.get(path)
    return answer.status_code, answer.headers["content-type"], answer.json()


def test_the_actor_has_a_name_an_inbox_and_a_key(running):
    status, media_type, actor = fetched(running, "/actor")
    assert (status, media_type) == (200, ACTIVITY)
    assert actor["id"] == f"{OURS}/actor"
    assert actor["type"] == "Application"
    assert actor["inbox"] == f"{OURS}/inbox"
    assert "Test harbour" in actor["name"]
    key = actor["publicKey"]
    assert key["owner"] == actor["id"]
    signatures.load_key(key["publicKeyPem"])
    assert fetched(running, "/actor/outbox")[2]["totalItems"] == 0


def test_the_key_stays_the_same_and_is_nobody_elses_to_read(running):
    _, _, actor = fetched(running, "/actor")
    file = running.workspace.keys / "actor.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with serving(running.workspace, KnownAssistant()) as address:
        again = Running(address, KnownAssistant(), running.workspace)
        assert fetched(again, "/actor")[2] == actor


@pytest.mark.parametrize("resource", ["acct:sayso@sayso.example", f"{OURS}/actor"])
def test_webfinger_leads_to_the_actor(running, resource):
    status, media_type, found = fetched(running, f"/.well-known/webfinger?resource={resource}")
    assert (status, media_type) == (200, "application/jrd+json")
    assert found["subject"] == "acct:sayso@sayso.example"
    assert found["links"] == [{"rel": "self", "type": ACTIVITY, "href": f"{OURS}/actor"}]


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?resource=acct:x@sayso.example", 404)])
def test_webfinger_knows_nobody_else(running, query, status):
    found = fetched(running, f"/.well-known/webfinger{query}")
    assert (found[0], found[1]) == (status, "application/problem+json")


@pytest.mark.parametrize("followed", [f"{OURS}/actor", PUBLIC])
def test_a_follow_is_accepted_by_a_signed_answer(running, member, followed):
    # A server that has us as its relay follows everything public.
    follow = member.does("Follow", followed)
    assert member.deliver(running, follow) == 202
    assert member.peer.heard.wait(DEADLINE)
    (answer,) = member.peer.received
    said = json.loads(answer.body)
    assert answer.url == f"{member.id}/inbox"
    assert (said["type"], said["actor"], said["object"]["id"]) == (
        "Accept",
        f"{OURS}/actor",
        follow["id"],
    )
    claim = signatures.parse(answer)
    signatures.check(claim, answer, now())
    _, _, actor = fetched(running, "/actor")
    assert claim.key_id == actor["publicKey"]["id"]
    key = signatures.load_key(actor["publicKey"]["publicKeyPem"])
    signatures.verify(claim, answer, key)


def test_follows_of_others_and_strange_inboxes_are_not_answered(running, member, other):
    assert member.deliver(running, member.does("Follow", other.id)) == 202
    other.publish(other.document | {"inbox": "http://127.0.0.1:1/inbox"})
    assert other.deliver(running, other.does("Follow", f"{OURS}/actor")) == 202
    # What comes after was handled after.
    assert member.deliver(running, member.does("Create", member.note(1))) == 202
    assert member.peer.received == []


def test_without_the_setting_there_is_none_of_it(tmp_path, member):
    workspace = Workspace.create(tmp_path / "home", Settings())
    with serving(workspace, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), workspace)
        assert member.deliver(running, member.does("Create", member.note(1))) == 404
        assert fetched(running, "/actor")[0] == 404
        assert fetched(running, "/.well-known/webfinger?resource=x")[0] == 404


@pytest.mark.parametrize("url", ["", "ai.example", "ftp://ai.example", "https://ai.example/sayso"])
def test_an_inbox_needs_an_address(tmp_path, url):
    settings = Settings(inbox=Inbox(enabled=True, url=url))
    workspace = Workspace.create(tmp_path / "home", settings)
    with pytest.raises(UsageError, match="inbox"), serving(workspace, KnownAssistant()):
        pass
