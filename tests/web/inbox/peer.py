"""Another server with its members: a real one on 127.0.0.1 that serves and signs for real."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from sayso.rights.database import now
from sayso.sources import cavage
from sayso.sources.claims import Request
from tests.web.conftest import Running

OURS = "http://sayso.example"
ACTIVITY = "application/activity+json"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


class Peer:
    """Serves whatever `pages` holds: path to (status, media type, body); counts what is asked."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.asked: Counter[str] = Counter()
        self.signed: list[dict[str, str]] = []
        self.received: list[Request] = []
        self.heard = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Peer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def member(self, name: str, key: rsa.RSAPrivateKey) -> "Member":
        """Let a member join."""
        return Member(self, name, key)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked[self.path] += 1
                peer.signed.append(dict(self.headers))
                status, media_type, body = peer.pages.get(self.path, (404, "text/plain", b""))
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                if 300 <= status < 400:
                    self.send_header("Location", body.decode())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines = tuple(self.headers.items())
                peer.received.append(Request("POST", peer.url + self.path, lines, body))
                self.send_response(202)
                self.end_headers()
                peer.heard.set()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Member:
    """A member of a peer, who delivers to us."""

    def __init__(self, peer: Peer, name: str, key: rsa.RSAPrivateKey) -> None:
        self.peer, self.name = peer, name
        self.id = f"{peer.url}/users/{name}"
        self.key_id = f"{self.id}#main-key"
        self.account = f"acct:{name}@{peer.host}"
        self.rotate(key)

    def rotate(self, key: rsa.RSAPrivateKey) -> None:
        """Take another key, under the same name."""
        self.key = key
        self.publish(self.document)

    @property
    def document(self) -> dict[str, Any]:
        """The actor document, as Mastodon writes it."""
        public = self.key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": self.id,
            "type": "Person",
            "preferredUsername": self.name,
            "inbox": f"{self.id}/inbox",
            "indexable": False,
            "publicKey": {"id": self.key_id, "owner": self.id, "publicKeyPem": pem},
        }

    def publish(
        self, document: object, status: int = 200, media_type: str = f"{ACTIVITY}; charset=utf-8"
    ) -> None:
        """Serve this as the actor document."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.peer.pages[f"/users/{self.name}"] = (status, media_type, body)

    def note(self, number: int, words: str = "low tide", **fields: object) -> dict[str, Any]:
        """A public note."""
        known = {
            "id": f"{self.id}/statuses/{number}",
            "type": "Note",
            "published": "2026-09-11T07:15:00Z",
            "attributedTo": self.id,
            "to": [PUBLIC],
            "cc": [f"{self.id}/followers"],
            "content": f"<p>{words}</p>",
        }
        return known | fields

    def does(self, kind: str, what: object, **fields: object) -> dict[str, Any]:
        """An activity."""
        known = {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": f"{self.id}#{kind.lower()}/{abs(hash(json.dumps(what)))}",
            "type": kind,
            "actor": self.id,
            "object": what,
        }
        return known | fields

    def sign(self, activity: object, url: str = f"{OURS}/inbox", **changes: Any) -> Request:
        """A signed delivery, with what a test changes in it before it is signed."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        bare = Request("POST", url, (("Content-Type", ACTIVITY),), body)
        made = {"key_id": self.key_id, "key": self.key, "now": now()} | changes
        return replace(bare, headers=(*bare.headers, *cavage.sign(bare, **made).items()))

    def deliver(self, running: Running, activity: object, **changes: Any) -> int:
        """Sign and deliver; the status of the answer."""
        return send(running, self.sign(activity, **changes))


def send(running: Running, request: Request, path: str = "/inbox") -> int:
    """Send a delivery; the status of the answer."""
    with running.browser() as browser:
        answer = browser.post(path, content=request.body, headers=list(request.headers))
    status: int = answer.status_code
    return status
