"""Servers on this machine that take letters and calls, and do with them what a test wants."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

HANG_UP = "says nothing and breaks the connection"


class Letterbox:
    """A mail server: keeps what it takes; `answers` are given first, one for each letter."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.answers: list[str] = []
        self.logins: list[tuple[str, str]] = []
        self.port = 0

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answers and (answer := self.answers.pop(0)) != "250 taken":
            if answer == HANG_UP:
                server.transport.abort()
            return answer
        self.envelopes.append(envelope)
        # Lines end on the wire as SMTP wants it.
        content = envelope.original_content.replace(b"\r\n", b"\n")
        message = message_from_bytes(content, policy=policy.default)
        self.letters.append(message)
        return "250 taken"

    def login(
        self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@contextlib.contextmanager
def letterbox(tls: ssl.SSLContext | None = None) -> Iterator[Letterbox]:
    """Run a mail server until the block ends; with `tls` it offers STARTTLS and wants a login."""
    box = Letterbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    secured = (
        {"tls_context": tls, "require_starttls": True, "authenticator": box.login} if tls else {}
    )
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **secured)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


class Bell:
    """A web server: keeps the calls it gets; `answers` are statuses, given first."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.before_answer: Callable[[], object] = lambda: None
        self.host = ""

    def on(self, headers: dict[str, str], body: bytes) -> int:
        self.calls.append((headers, body))
        self.before_answer()
        return self.answers.pop(0) if self.answers else 204


@contextlib.contextmanager
def bell() -> Iterator[Bell]:
    """Run a web server until the block ends."""
    made = Bell()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = made.on({k.lower(): v for k, v in self.headers.items()}, body)
            with contextlib.suppress(OSError):
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"http://{made.host}/elsewhere")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # Five by default: the kernel resets the connections of those who come all at once.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    made.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
