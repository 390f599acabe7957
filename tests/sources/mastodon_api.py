"""A small Mastodon instance on 127.0.0.1: its statuses, its REST API and its streaming API."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

TOKEN = "a-token_of-43-characters"
BEGUN = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOST = "square.example"


def number(seconds: float) -> str:
    """The number of a status of so many seconds after the beginning."""
    return str(int((BEGUN.timestamp() + seconds) * 1000) << 16)


def account(name: str, host: str = HOST, **fields: Any) -> dict[str, Any]:
    given = {
        "id": str(sum(name.encode()) + 109334860508000000),
        "username": name.partition("@")[0],
        "acct": name,
        "display_name": name.partition("@")[0].title(),
        "locked": False,
        "bot": False,
        "discoverable": True,
        "indexable": True,
        "group": False,
        "created_at": "2022-11-13T00:00:00.000Z",
        "note": "<p>likes tides</p>",
        "url": f"https://{name.partition('@')[2] or host}/@{name.partition('@')[0]}",
        "followers_count": 0,
        "emojis": [],
        "fields": [],
    }
    return given | fields


def status(seconds: float, text: str = "low tide", who: str = "member-1", **fields: Any) -> Any:
    """A status entity as Mastodon 4.4 gives it; `host` is that of its author."""
    host = fields.pop("host", HOST)
    name = number(seconds)
    user = who.partition("@")[0]
    given = {
        "id": name,
        "created_at": f"{datetime.fromtimestamp(BEGUN.timestamp() + seconds, UTC):%FT%T.000Z}",
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://{host}/users/{user}/statuses/{name}",
        "url": f"https://{host}/@{user}/{name}",
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "edited_at": None,
        "content": f"<p>{text}</p>",
        "reblog": None,
        "account": account(who, host),
        "media_attachments": [],
        "mentions": [],
        "tags": [],
        "emojis": [],
        "card": None,
        "poll": None,
        "quote": None,
    }
    return given | fields


def reply(seconds: float, to: dict[str, Any], who: str, **fields: Any) -> dict[str, Any]:
    """A reply to a status, with the mention that Mastodon puts there."""
    author = to["account"]
    mention = {name: author[name] for name in ("id", "username", "url", "acct")}
    links = {
        "in_reply_to_id": to["id"],
        "in_reply_to_account_id": author["id"],
        "mentions": [mention] if author["acct"] != who else [],
    }
    return status(seconds, "so it is", who, **links | fields)  # type: ignore[no-any-return]


def message(event: str, payload: object) -> dict[str, Any]:
    """A message of the streaming API: the payload is a string."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return {"stream": ["public:local"], "event": event, "payload": text}


class Instance:
    """The server; `statuses` is what its members posted, the oldest first."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.busy = 0  # so many questions are answered with 429
        self.connections: list[ServerConnection] = []
        self.connected = threading.Condition()
        self.base = ""
        self.streams_from = ""

    def post(self, *given: dict[str, Any], told: bool = True) -> None:
        """Have statuses, and tell them to whoever listens."""
        for entity in given:
            self.statuses.append(entity)
            if told:
                self.tell("update", entity)

    def delete(self, entity: dict[str, Any]) -> None:
        self.statuses.remove(entity)
        self.tell("delete", entity["id"])

    def tell(self, event: str, payload: object) -> None:
        for connection in list(self.connections):
            connection.send(json.dumps(message(event, payload)))

    def drop(self) -> None:
        """Lose all connections without a word."""
        with self.connected:
            connections, self.connections = self.connections, []
        for connection in connections:
            connection.socket.close()

    def wait_for_listener(self) -> None:
        with self.connected:
            assert self.connected.wait_for(lambda: bool(self.connections), 30)

    def stream(self, connection: ServerConnection) -> None:
        with self.connected:
            self.connections.append(connection)
            self.connected.notify_all()
        for _ in connection:
            pass

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        self.tokens.add(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if parts.path == "/api/v2/instance":
            return _json({"configuration": {"urls": {"streaming": self.streams_from or None}}})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json({"error": "The access token is invalid"}, 401)
        if parts.path == "/api/v1/streaming":
            assert request.headers["Sec-WebSocket-Protocol"] == TOKEN
            return None
        if self.busy:
            self.busy -= 1
            return _json({"error": "Too many requests"}, 429, {"Retry-After": "1"})
        return self._api(parts)

    def _api(self, parts: SplitResult) -> Response:
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path.split("/")[3:]:
            case ["timelines", "public"]:
                return self._page([s for s in self.statuses if _is_on_timeline(s)], options)
            case ["accounts", name, "statuses"]:
                return self._page([s for s in self.statuses if s["account"]["id"] == name], options)
            case ["statuses", name]:
                found = [s for s in self.statuses if s["id"] == name]
                return _json(found[0]) if found else _json({"error": "Record not found"}, 404)
            case _:
                return _json({"error": "Not found"}, 404)

    def _page(self, found: list[dict[str, Any]], options: dict[str, str]) -> Response:
        limit = int(options["limit"])
        if "min_id" in options:
            newer = [s for s in found if int(s["id"]) > int(options["min_id"])]
            page = sorted(newer, key=lambda s: int(s["id"]))[:limit]
        else:
            page = sorted(found, key=lambda s: int(s["id"]))[-limit:]
        page.reverse()
        headers = {}
        if page:
            address = f"{self.base}/api/v1/timelines/public?limit={limit}"
            headers["Link"] = (
                f'<{address}&max_id={page[-1]["id"]}>; rel="next", '
                f'<{address}&min_id={page[0]["id"]}>; rel="prev"'
            )
        return _json(page, headers=headers)


def _is_on_timeline(entity: dict[str, Any]) -> bool:
    to_others = entity["in_reply_to_account_id"] not in (None, entity["account"]["id"])
    return entity["visibility"] == "public" and not to_others


def _json(value: object, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(value).encode()
    told = Headers(headers or {})
    told["Content-Type"] = "application/json"
    told["Content-Length"] = str(len(body))
    told["Connection"] = "close"
    return Response(code, HTTPStatus(code).phrase, told, body)


@contextmanager
def running(instance: Instance | None = None, port: int = 0) -> Iterator[Instance]:
    """Run an instance until the end of the block."""
    instance = instance or Instance()

    def first(connection: ServerConnection, offered: Any) -> Any:
        return offered[0] if offered else None

    server: Server
    with serve(
        instance.stream,
        "127.0.0.1",
        port,
        process_request=instance.answer,
        select_subprotocol=first,
        close_timeout=1,
    ) as server:
        instance.base = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        instance.streams_from = instance.base.replace("http", "ws", 1)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield instance
        finally:
            server.shutdown()
            instance.drop()
            thread.join(10)
