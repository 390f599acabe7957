"""Keys: nobody hands in without one, and none says anything of services that it is not for."""

from typing import Any

import pytest

from sayso.rights import api_keys
from sayso.settings import Ingest, Settings
from sayso.workspace import Workspace
from tests.corpus.world import event, post, texts, traces
from tests.web.conftest import KnownAssistant, Running, serving
from tests.web.ingest.conftest import URL, Source, counts


def test_a_key_is_needed(running):
    key = api_keys.add(running.rights, "square")
    headers = (None, "", "Bearer", "Bearer x", f"Basic {key}", key, "Bearer \xe9", f"Bearer {key}x")
    for header in headers:
        sent = {} if header is None else {"Authorization": header.encode("latin-1")}
        with running.browser() as browser:
            response = browser.post(URL, json=post(1), headers=sent)
        assert response.status_code == 401, header
        assert response.headers["www-authenticate"] == "Bearer"
        assert "sayso keys add" in response.json()["detail"]
    assert texts(running.workspace) == {}


def test_a_revoked_key_is_none(source):
    assert source.post(post(1)).status_code == 200
    api_keys.revoke(source.running.rights, "square")
    assert source.post(post(2)).status_code == 401


def test_keys_are_kept_as_hashes_alone(source):
    assert traces(source.running.workspace, source.key) == []


def test_another_sites_page_may_not_but_a_program_with_a_key_may(source):
    assert source.post(post(1), Origin="https://elsewhere.example").status_code == 200
    with source.running.browser(origin="https://elsewhere.example") as browser:
        assert browser.post("/api/objections", json={"account": "x"}).status_code == 403


def test_so_many_requests_a_minute(tmp_path):
    limits = Ingest(requests_per_minute=3)
    workspace = Workspace.create(tmp_path / "home", Settings(ingest=limits))
    with serving(workspace, KnownAssistant()) as address:
        running = Running(address, KnownAssistant(), workspace)
        one, other = (Source(running, api_keys.add(running.rights, name)) for name in ("a", "b"))
        answers = [one.post(post(1)) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        assert other.post(post(1)).status_code == 200


def own(number: int, **fields: object) -> dict[str, Any]:
    """A record of the service that the bound key is for."""
    return post(number, service="forum", author="member-5@forum") | fields


@pytest.fixture
def bound(source: Source) -> Source:
    """A program whose key is for one service, where another's records are already."""
    source.lines(
        post(1),
        post(2),
        event("content.delete", id="post-2"),
        event("account.update", account="member-9@square", kind="person", person="harbour-9"),
    )
    return Source(source.running, api_keys.add(source.running.rights, "forum", ["forum"]))


def test_a_bound_key_is_for_its_own_records(bound):
    reaction = {"actor": "member-5@forum", "verb": "like", "object": "post-1"}
    for line in (
        own(11),
        event("content.delete", id="post-11"),
        event("content.undelete", id="post-11"),
        own(11),
        event("content.delete", id="post-77"),
        own(12, audience="direct"),
        event("account.update", account="member-5@forum", state="private"),
        event("account.update", account="did:plc:x", service="forum", state="private"),
        event("account.update", account="member-5@forum", moved_to="member-6@forum"),
        event("interaction", **reaction),
    ):
        assert bound.lines(line).status_code == 200, line


OTHERS = (
    post(3),
    own(1, rev=9),
    own(13, author="member-9@square"),
    event("content.delete", id="post-1"),
    post(1, audience="direct", service="forum"),
    event("content.undelete", id="post-2"),
    event("content.undelete", id="post-99"),
    event("account.update", account="member-1@square", state="deleted"),
    event("account.update", account="member-1@square", service="forum", state="deleted"),
    event("account.update", account="member-8@square", state="deleted"),
    event("account.update", account="member-5@forum", moved_to="member-1@square"),
    event("account.update", account="member-5@forum", service="forum", moved_to="member-1@square"),
    event("interaction", actor="member-1@square", verb="like", object="post-11"),
    # Whose person is somewhere else is not to be joined, by whatever name they are called.
    event("account.update", account="member-5@forum", person="harbour-9"),
    event("account.update", account="member-5@forum", person="member-9@square"),
    event("account.update", account="member-5@forum", person="member-1@square"),
    event("account.update", account="harbour-9", service="forum", state="private"),
    own(13, author="harbour-9"),
)


def test_a_bound_key_says_nothing_of_others(bound):
    before = texts(bound.running.workspace)
    for line in OTHERS:
        response = bound.lines(line)
        assert response.status_code == 403, line
        (problem,) = response.json()["rejected"]
        assert problem == {"where": "line 1", "reason": "of a service that this key is not for"}
    assert texts(bound.running.workspace) == before


def test_of_both_only_its_own_are_taken(bound):
    done = counts(bound.post([own(11), post(3), own(12)]))
    assert done["stored"] == 2
    assert [problem["where"] for problem in done["rejected"]] == ["item 2"]
