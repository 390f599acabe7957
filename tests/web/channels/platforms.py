"""The platforms' own interfaces as they document them, on this machine, with what they were sent.

Shapes: the Graph API's messages, media and errors as pywa 4.5 reads them; Telegram's Bot API;
Mastodon's REST and streaming API as Mastodon.py 2.3 reads them; Standard Webhooks.
"""

import asyncio
import contextlib
import json
import queue
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.web.conftest import DEADLINE, poll

BOT = "900"
BOT_TOKEN = "111222:telegram-token"
TOKEN = "EAAG-access-token"


class Platform:
    """What was sent to a platform, and how it is to answer next."""

    def __init__(self) -> None:
        self.address = ""
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.fetched: list[str] = []
        self.elsewhere = ""
        self.refused: list[dict[str, Any]] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.failures: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.updates: queue.Queue[dict[str, Any]] = queue.Queue()
        self.offsets: list[int] = []
        self.events: queue.Queue[tuple[str, str]] = queue.Queue()
        self.missed: list[dict[str, Any]] = []
        self.followed = 0
        self.hang_up = threading.Event()

    def of(self, path: str) -> list[dict[str, Any]]:
        return [body for sent, body in self.sent if sent.endswith(path)]

    def texts(self) -> list[str]:
        """The texts of answers, whichever platform they went by."""
        found = []
        for path, body in self.sent:
            if path.endswith("/messages") and "message" in body:
                found.append(body["message"].get("text"))
            elif path.endswith("/messages") and "text" in body:
                found.append(body["text"]["body"])
            elif path.endswith("/sendMessage"):
                found.append(body["text"])
            elif path.endswith("/statuses"):
                found.append(body["status"])
            elif path == "/hook":
                found.append(body["text"])
        return [text for text in found if text is not None]

    def clear(self) -> None:
        self.sent.clear()
        self.refused.clear()
        self.raw.clear()
        self.failures.clear()

    def fail(self, status: int, body: dict[str, Any] | None = None, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.failures.append((status, body or {}, named))

    async def _body(self, request: Request) -> dict[str, Any]:
        raw = await request.body()
        self.raw.append((dict(request.headers), raw))
        kind = request.headers.get("content-type", "")
        if kind.startswith("application/json"):
            return msgspec.json.decode(raw)
        async with request.form() as form:
            found: dict[str, Any] = {}
            for name in form:
                value = form.getlist(name) if name.endswith("[]") else form[name]
                if hasattr(value, "read"):
                    value = (value.filename, await value.read(), value.content_type)
                found[name] = value
            return found

    async def _taken(self, request: Request, answer: dict[str, Any]) -> Response:
        # What a phone's sign of writing answers is of no matter here.
        body = await self._body(request)
        is_sign = "typing_indicator" in body or "sender_action" in body or "action" in body
        if self.failures and not is_sign:
            status, told, headers = self.failures.pop(0)
            self.refused.append(body)
            return JSONResponse(told, status, headers)
        self.sent.append((request.url.path, body))
        return JSONResponse(answer)

    async def messages(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": {"code": 190, "type": "OAuthException"}}, 401)
        return await self._taken(request, {"messages": [{"id": "wamid.answer"}]})

    async def media(self, request: Request) -> Response:
        return await self._taken(request, {"id": "4242"})

    async def telegram(self, request: Request) -> Response:
        if request.path_params["token"] != BOT_TOKEN:
            return JSONResponse({"ok": False, "error_code": 401}, 401)
        if request.path_params["method"] == "getFile":
            name = (await self._body(request))["file_id"]
            return JSONResponse({"ok": True, "result": {"file_path": f"documents/{name}"}})
        if request.path_params["method"] == "getUpdates":
            asked = await self._body(request)
            self.offsets.append(asked["offset"])
            found = []
            with contextlib.suppress(queue.Empty):
                found.append(await asyncio.to_thread(self.updates.get, timeout=0.2))
                while len(found) < asked.get("limit", 100):
                    found.append(self.updates.get_nowait())
            # In ASCII, as Telegram does.
            return Response(json.dumps({"ok": True, "result": found}))
        return await self._taken(request, {"ok": True, "result": {"message_id": 7}})

    async def where(self, request: Request) -> Response:
        """Where a file of WhatsApp lies; for some names, elsewhere."""
        name = request.path_params["number"]
        lies = self.elsewhere if name == "elsewhere" else f"{self.address}/files/{name}"
        return JSONResponse({"url": lies, "messaging_product": "whatsapp"})

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.fetched.append(request.url.path)
        return Response(b"day,ferries\nMon,7\n" * (1 if name != "long" else 40_000))

    async def instance(self, request: Request) -> Response:
        return JSONResponse(
            {
                "uri": "social.example",
                "version": "4.5.0",
                "urls": {"streaming_api": self.address},
                "api_versions": {"mastodon": 6},
            }
        )

    async def account(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"error": "The access token is invalid"}, 401)
        return JSONResponse({"id": BOT, "username": "bot", "acct": "bot"})

    async def notifications(self, request: Request) -> Response:
        since = int(request.query_params.get("min_id", "0"))
        newest = [told for told in self.missed if int(told["id"]) > since][-20:]
        if "limit" in request.query_params:
            newest = newest[-int(request.query_params["limit"]) :]
        return JSONResponse(newest[::-1])

    async def stream(self, request: Request) -> Response:
        self.followed += 1
        self.hang_up.clear()

        async def events() -> AsyncIterator[str]:
            yield ":)\n\n"
            while not self.hang_up.is_set():
                try:
                    name, payload = self.events.get_nowait()
                except queue.Empty:
                    yield ":thump\n\n"
                    await asyncio.sleep(0.02)
                else:
                    yield f"event: {name}\ndata: {payload}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def statuses(self, request: Request) -> Response:
        return await self._taken(request, {"id": str(1000 + len(self.sent)), "content": ""})

    async def attached(self, request: Request) -> Response:
        return await self._taken(request, {"id": "77", "type": "image", "url": "https://x/y"})

    async def attached_before(self, request: Request) -> Response:
        return JSONResponse({"id": "77", "type": "image", "url": "https://x/y"})

    async def hook(self, request: Request) -> Response:
        return await self._taken(request, {})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/graph/{number}/messages", self.messages, methods=["POST"]),
                Route("/graph/{number}", self.where),
                Route("/files/{name}", self.file),
                Route(f"/telegram/file/bot{BOT_TOKEN}/documents/{{name}}", self.file),
                Route("/graph/{number}/media", self.media, methods=["POST"]),
                Route("/telegram/bot{token}/{method}", self.telegram, methods=["POST"]),
                Route("/api/v1/instance", self.instance),
                Route("/api/v2/instance", self.instance),
                Route("/api/v1/accounts/verify_credentials", self.account),
                Route("/api/v1/notifications", self.notifications),
                Route("/api/v1/streaming/user", self.stream),
                Route("/api/v1/statuses", self.statuses, methods=["POST"]),
                Route("/api/v2/media", self.attached, methods=["POST"]),
                Route("/api/v1/media/{id}", self.attached_before),
                Route("/hook", self.hook, methods=["POST"]),
            ]
        )


@contextlib.contextmanager
def served(app: Any, lifespan: str = "off") -> Iterator[str]:
    """Run an application until the block ends; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", ws="none", lifespan=lifespan)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            poll(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE)


@contextlib.contextmanager
def running() -> Iterator[Platform]:
    """A platform that runs until the block ends."""
    platform = Platform()
    with served(platform.app()) as platform.address:
        yield platform
        platform.hang_up.set()
