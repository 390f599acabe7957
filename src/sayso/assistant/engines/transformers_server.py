"""A process that serves one release through transformers on a UNIX socket, until its parent ends.

It speaks as much of llama.cpp's API as `Served` and `Answer` ask for.
"""

import json
import math
import multiprocessing
import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from sayso.assistant.engine import Options

if TYPE_CHECKING:
    from sayso.assistant.engines.transformers_model import Model

_STREAM: Final = "text/event-stream"


class Order(Struct, kw_only=True):
    """What to serve, and where; as llama.cpp's, with folders in place of files."""

    socket: str
    model: str
    adapter: str = ""
    threads: int
    parallel: int
    context_tokens: int


def serve(order: Order, parent: Connection) -> None:
    """Serve until the parent ends; first send it what is wrong, '' if nothing is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides when to end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_WRONLY)  # a library's warning could hold members' words
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import torch
    from safetensors import SafetensorError

    torch.set_num_threads(order.threads or os.cpu_count() or 1)
    from sayso.assistant.engines.transformers_model import Model

    try:
        model = Model(Path(order.model), Path(order.adapter) if order.adapter else None)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        parent.send("unreadable")
        return
    with _Server(order, model) as server:
        parent.send("")
        server.serve_forever()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(0)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, order: Order, model: "Model") -> None:
        self.order = order
        self.model = model
        self.turns = threading.Semaphore(order.parallel)
        self.context = min(order.context_tokens, model.longest)
        super().__init__(order.socket, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who left is gone, and an error could quote what was said."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        adapter = self.server.order.adapter
        self._send([{"path": adapter, "scale": 1.0}] if adapter else [])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/tokenize":
                self._send({"tokens": self.server.model.count(body["content"])})
            case "/v1/completions":
                found = self.server.model.likelihood(body["prompt"])
                told = found if math.isfinite(found) else None
                self._send({"choices": [{"logprobs": {"content": [{"logprob": told}]}}]})
            case "/v1/chat/completions":
                self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        try:
            prompt = self.server.model.prompt(body["messages"])
        except Exception:  # templates raise what they like
            self._refuse({"type": "invalid_request_error"})
            return
        if len(prompt) >= self.server.context:
            sizes = {"n_prompt_tokens": len(prompt), "n_ctx": self.server.context}
            self._refuse({"type": "exceed_context_size_error"} | sizes)
            return
        options = Options(
            max_tokens=min(body["max_tokens"], self.server.context - len(prompt)),
            temperature=body["temperature"],
            top_p=body["top_p"],
            stop=tuple(body["stop"]),
            seed=None if body["seed"] < 0 else body["seed"],
        )
        self.send_response(200)
        self.send_header("Content-Type", _STREAM)
        self.end_headers()
        with self.server.turns:
            # Writing fails as soon as the other side has left, and that ends the generation.
            for event in _events(self.server.model, prompt, options):
                self.wfile.write(b"data: %s\n\n" % msgspec.json.encode(event))
        self.wfile.write(b"data: [DONE]\n\n")

    def _refuse(self, error: dict[str, Any]) -> None:
        self._send({"error": error}, 400)

    def _send(self, value: object, status: int = 200) -> None:
        data = msgspec.json.encode(value)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _events(model: "Model", prompt: list[int], options: Options) -> Iterator[dict[str, Any]]:
    made: list[int] = []
    told, text, reason = 0, "", None
    for token in model.tokens(prompt, options):
        if token is not None:
            made.append(token)
            text = model.text(made, whole=False)
            text, stopped = cut(text, options.stop)
            if stopped or model.is_end(token):
                reason = "stop"
            elif len(made) >= options.max_tokens:
                reason = "length"
        if reason == "length" or (reason == "stop" and not options.stop):
            text = model.text(made, whole=True)
        safe = len(text) if reason else max(told, len(text) - held(text, options.stop))
        yield _delta(text[told:safe], reason)
        told = max(told, safe)
        if reason:
            break
    counts = {"prompt_tokens": len(prompt), "completion_tokens": len(made)}
    yield {"choices": [], "usage": counts}


def cut(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Return a text up to the first of the stop texts, and whether there was one."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def held(text: str, stops: tuple[str, ...]) -> int:
    """Return how many characters at a text's end could be the beginning of a stop text."""
    longest = max(map(len, stops), default=1) - 1
    return next(
        (
            size
            for size in range(min(longest, len(text)), 0, -1)
            if any(stop.startswith(text[-size:]) for stop in stops)
        ),
        0,
    )


def _delta(text: str, reason: str | None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}
