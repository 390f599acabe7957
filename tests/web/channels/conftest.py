"""One community with every channel, and the platforms it speaks to; see `platforms.py`."""

import base64
import contextlib
import hashlib
import hmac
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from sayso.assistant.answer import Answer
from sayso.assistant.channels import webhook
from sayso.settings import (
    Channels,
    Conversations,
    Instagram,
    Mail,
    MastodonBot,
    Messenger,
    OtherApp,
    Serving,
    Settings,
    TelegramBot,
    Uploads,
    WhatsApp,
)
from sayso.web.app import create_app
from sayso.web.channels.desk import Desk
from sayso.workspace import Workspace
from tests.web.channels.platforms import BOT_TOKEN, TOKEN, Platform, running, served
from tests.web.conftest import KnownAssistant, Running, poll

APP_SECRET = "an-app-secret-of-meta"
VERIFY = "a-verify-token"
BOT_SECRET = "a-webhook-secret"
SHARED = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
PAGES = "https://ai.example"
numbers = itertools.count(1)


class Known(KnownAssistant):
    """Takes files, too."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[tuple[Any, ...]] = []

    def answer(self, messages, options, *, uploads=(), **more):
        self.files.append(uploads)
        self.asked.append(messages)
        return Answer(self.sources, self.release, self._chunks())


class Community(Running):
    """A server with channels, and the platforms behind it."""

    platform: Platform
    desk: Desk
    client: httpx2.Client

    def whatsapp(self, *messages: dict[str, Any], **headers: Any) -> httpx2.Response:
        return self.meta("whatsapp", whatsapp(*messages), **headers)

    def page(self, channel: str, **event: Any) -> httpx2.Response:
        kind = {"messenger": "page", "instagram": "instagram"}[channel]
        event = {
            "sender": {"id": "psid-1"},
            "recipient": {"id": "555"},
            "timestamp": int(time.time() * 1000),
        } | event
        body = {"object": kind, "entry": [{"id": "555", "time": 1, "messaging": [event]}]}
        return self.meta(channel, body)

    def meta(self, channel: str, body: dict[str, Any], **headers: Any) -> httpx2.Response:
        raw = msgspec.json.encode(body)
        digest = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        signed = {"x-hub-signature-256": f"sha256={digest}"} | headers
        return self.post(f"/channels/{channel}", raw, signed)

    def telegram(self, update: dict[str, Any], secret: str = BOT_SECRET) -> httpx2.Response:
        headers = {"x-telegram-bot-api-secret-token": secret}
        return self.post("/channels/telegram", msgspec.json.encode(update), headers)

    def app(self, moment: float | None = None, **body: Any) -> httpx2.Response:
        message = {"id": fresh(), "thread": "t-1", "sender": "u-1", "text": "When?"} | body
        raw, told = msgspec.json.encode(message), str(int(moment or time.time()))
        key = webhook.Account("", SHARED).key
        headers = {
            "webhook-id": message["id"],
            "webhook-timestamp": told,
            "webhook-signature": webhook.signature(key, message["id"], told, raw),
        }
        return self.post("/channels/webhook", raw, headers)

    def post(self, path: str, raw: bytes, headers: dict[str, Any]) -> httpx2.Response:
        told = {"content-type": "application/json"} | headers
        return self.client.post(path, content=raw, headers=told)

    def settled(self) -> list[str]:
        """The texts of answers, once nothing waits any more."""
        poll(lambda: self.desk.is_idle)
        return self.platform.texts()


def fresh() -> str:
    return f"mid.{next(numbers)}"


def whatsapp(*messages: dict[str, Any], number: str = "49151") -> dict[str, Any]:
    made = [
        {"from": number, "id": fresh(), "timestamp": str(int(time.time()))} | message
        for message in messages
    ]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4930", "phone_number_id": "1122"},
        "contacts": [{"profile": {"name": "Test"}, "wa_id": number}],
        "messages": made,
    }
    change = {"field": "messages", "value": value}
    return {"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": [change]}]}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": {"body": said}} | more


def tg(said: str = "When?", chat: int = 42, kind: str = "private", **more: Any) -> dict[str, Any]:
    number = next(numbers)
    message = {
        "message_id": number,
        "date": int(time.time()),
        "from": {"id": 77, "is_bot": False, "language_code": "de"},
        "chat": {"id": chat, "type": kind},
        "text": said,
    } | more
    return {"update_id": number, "message": message}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def make(tmp_path_factory, platform) -> Iterator[Callable[..., Workspace]]:
    """Makes a workspace with every channel enabled; arguments replace settings of `[channels]`."""

    def made(
        remember: float = 0.0, updates: str = "webhook", mastodon: bool = False, **limits: Any
    ) -> Workspace:
        home = tmp_path_factory.mktemp("home")
        graph = f"{platform.address}/graph"
        secrets = {
            "token_file": "keys/token",
            "app_secret_file": "keys/app",
            "verify_token_file": "keys/verify",
        }
        settings = Settings(
            community="Test harbour",
            uploads=Uploads(max_bytes=100_000),
            serving=Serving(parallel=2),
            mail=Mail(url=PAGES),
            conversations=Conversations(remember_minutes=remember),
            channels=Channels(
                **({"messages_per_minute": 0} | limits),
                whatsapp=WhatsApp(enabled=True, number_id="1122", api=graph, **secrets),
                messenger=Messenger(enabled=True, page_id="555", api=graph, **secrets),
                instagram=Instagram(enabled=True, account_id="555", api=graph, **secrets),
                mastodon=MastodonBot(
                    enabled=mastodon, url=platform.address, token_file="keys/token"
                ),
                telegram=TelegramBot(
                    enabled=True,
                    name="harbour_bot",
                    updates=updates,
                    token_file="keys/bot",
                    secret_file="keys/bot-secret",
                    api=f"{platform.address}/telegram",
                ),
                webhook=OtherApp(
                    enabled=True, url=f"{platform.address}/hook", secret_file="keys/shared"
                ),
            ),
        )
        workspace = Workspace.create(home / "home", settings)
        for name, secret in {
            "token": TOKEN,
            "app": APP_SECRET,
            "verify": VERIFY,
            "bot": BOT_TOKEN,
            "bot-secret": BOT_SECRET,
            "shared": SHARED,
        }.items():
            (workspace.keys / name).write_text(f"{secret}\n")
        return workspace

    yield made


@pytest.fixture(scope="module")
def community(make, platform) -> Iterator[Community]:
    """The community, its server the same for all tests of a module."""
    assistant = Known()
    with running_with(make(), assistant, platform) as made:
        yield made


@contextlib.contextmanager
def running_with(
    workspace: Workspace, assistant: KnownAssistant, platform: Platform
) -> Iterator[Community]:
    app = create_app(workspace, assistant)
    with served(app, "on") as address:
        made = Community(address, assistant, workspace)
        made.platform, made.desk = platform, app.state.channels.desk
        with made.browser() as made.client:
            yield made
        assistant.go.set()


@pytest.fixture(autouse=True)
def clean(request, caplog) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, "sayso")
    if "platform" in request.fixturenames:
        request.getfixturevalue("platform").clear()
    yield
