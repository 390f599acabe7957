"""Who may ask the assistant, how often, and how much at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openai import AuthenticationError, OpenAI, RateLimitError

from sayso.errors import UsageError
from sayso.rights import api_keys, users
from sayso.settings import Api, Serving, Settings
from sayso.workspace import Workspace
from tests.web.conftest import KnownAssistant, Running, add_account, poll, serving
from tests.web.signin.conftest import PASSWORD

QUESTION = {"model": "sayso", "messages": [{"role": "user", "content": "When?"}]}
CHAT = "/v1/chat/completions"


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Running]:
    """A server for members alone, with narrow limits."""
    settings = Settings(
        serving=Serving(parallel=4), api=Api(open_to="members", requests_per_minute=6, at_once=2)
    )
    workspace = Workspace.create(tmp_path / "home", settings)
    assistant = KnownAssistant()
    with serving(workspace, assistant) as address:
        running = Running(address, assistant, workspace)
        add_account(running.rights, "member-1@forum", "p:1")
        users.add(running.rights, "member-1", "member", PASSWORD, "member-1@forum")
        yield running
        assistant.go.set()


def client(site: Running, key: str) -> OpenAI:
    return OpenAI(base_url=f"{site.address}/v1", api_key=key, max_retries=0)


def test_members_and_keys_for_the_assistant_alone(closed: Running) -> None:
    good = api_keys.add(closed.rights, "chats", [api_keys.ASSISTANT])
    other = api_keys.add(closed.rights, "forum", ["forum"])
    every = api_keys.add(closed.rights, "all")
    for key in ("none", other, every, api_keys.MARK + "x", f"{good}x"):
        with client(closed, key) as outside:
            for call in (
                outside.models.list,
                lambda outside=outside: outside.chat.completions.create(**QUESTION),
                lambda outside=outside: outside.embeddings.create(model="x", input="x"),
                lambda outside=outside: outside.images.generate(prompt="x"),
            ):
                with pytest.raises(AuthenticationError) as caught:
                    call()
                assert caught.value.code == "invalid_api_key"
                assert caught.value.type == "invalid_request_error"
    with client(closed, good) as inside:
        assert inside.models.list().data
        assert inside.chat.completions.create(**QUESTION).choices
    # It opens nothing else.
    with closed.browser(authorization=f"Bearer {good}") as program:
        record = {"type": "delete", "id": f"{api_keys.ASSISTANT}:1", "service": api_keys.ASSISTANT}
        assert program.post("/ingest/events", json=record).status_code == 401
        assert (
            program.post("/api/objections", json={"account": "member-1@forum"}).status_code == 401
        )
    api_keys.revoke(closed.rights, "chats")
    with client(closed, good) as outside, pytest.raises(AuthenticationError):
        outside.models.list()
    with pytest.raises(UsageError):
        api_keys.add(closed.rights, "both", [api_keys.ASSISTANT, "forum"])


def test_the_page_asks_whoever_is_nobody_to_sign_in(closed: Running) -> None:
    with closed.browser() as browser:
        browser.follow_redirects = False
        assert browser.get("/").status_code == 200
        answer = browser.post("/", data={"question": "When?"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert not closed.assistant.asked
    with closed.browser() as browser:
        browser.post("/sign-in", data={"name": "member-1", "password": PASSWORD})
        assert "07:15" in browser.post("/", data={"question": "When?"}).text
        assert browser.post(CHAT, json=QUESTION).status_code == 200
        # A browser is no key: another site's page cannot use the session.
        stranger = {"origin": "https://elsewhere.example"}
        assert browser.post(CHAT, json=QUESTION, headers=stranger).status_code == 403


def test_each_caller_has_a_share(closed: Running) -> None:
    first = api_keys.add(closed.rights, "first", [api_keys.ASSISTANT])
    second = api_keys.add(closed.rights, "second", [api_keys.ASSISTANT])
    with client(closed, first) as busy, client(closed, second) as calm:
        for _ in range(6):
            busy.models.list()
        with pytest.raises(RateLimitError) as caught:
            busy.models.list()
        assert caught.value.code == "rate_limit_exceeded"
        assert int(caught.value.response.headers["retry-after"]) >= 1
        assert calm.models.list()


def test_nobody_takes_all_turns(closed: Running) -> None:
    key = api_keys.add(closed.rights, "first", [api_keys.ASSISTANT])
    closed.assistant.go.clear()
    with client(closed, key) as busy, ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(busy.chat.completions.create, **QUESTION) for _ in range(2)]
        poll(lambda: len(closed.assistant.asked) == 2)
        for stream in (False, True):
            with pytest.raises(RateLimitError) as caught:
                busy.chat.completions.create(**QUESTION, stream=stream)
            assert caught.value.response.headers["retry-after"]
        closed.assistant.go.set()
        for answer in answers:
            assert answer.result().choices
        assert busy.chat.completions.create(**QUESTION).choices
