"""A real OpenID provider in a process of its own, behind a relay that can change what it says."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from tests.web.conftest import poll

Change = Callable[[dict[str, Any]], dict[str, Any]]


class Provider:
    """The relay's address is the issuer; `changes` are made to the JSON of these paths."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.changes: dict[str, Change] = {}
        self.down = False
        self.asked: list[tuple[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def knows(self, subject: str, **claims: object) -> None:
        """Let somebody have these claims, in place of those they had."""
        told = httpx2.put(f"http://127.0.0.1:{self.port}/users/{subject}", json=claims)
        assert told.status_code == 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Relay(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append((self.path, ""))
                self._pass_on(None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                provider.asked.append((self.path, body.decode()))
                self._pass_on(body)

            def _pass_on(self, body: bytes | None) -> None:
                if provider.down:
                    self.close_connection = True
                    return
                onward = http.client.HTTPConnection("127.0.0.1", provider.port)
                headers = {n: v for n, v in self.headers.items() if n.lower() != "connection"}
                onward.request(self.command, self.path, body, headers)
                answer = onward.getresponse()
                content = answer.read()
                if change := provider.changes.get(self.path.partition("?")[0]):
                    content = json.dumps(change(json.loads(content))).encode()
                self.send_response(answer.status)
                for name in ("content-type", "location"):
                    if value := answer.getheader(name):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                onward.close()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Relay


@contextlib.contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    provider = Provider(port)
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    try:
        poll(lambda: _answers(port))
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
