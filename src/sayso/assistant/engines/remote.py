"""A remote engine: any server that speaks OpenAI's API, vLLM in particular.

Each release gets a name that was never used there: vLLM may answer a name that is loaded again from
the cache of what it meant before (issue 42125), and only forgets the name of what is unloaded, not
its weights (issue 54839).
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from sayso.assistant import tool_calls
from sayso.assistant.engine import Chunk, Message, NotLoadedError, Options
from sayso.assistant.engines import wire
from sayso.assistant.engines.remote_server import Remote, RemoteAnswer
from sayso.assistant.engines.served import unsound
from sayso.errors import InputError, SaysoError
from sayso.training import releases

PROGRAM: Final = "the remote server"
_MARK: Final = "sayso"


class _Serving:
    """A release on the server: `model` is its name there."""

    def __init__(self, release: str, model: str, canary: tuple[float, ...]) -> None:
        self.release = release
        self.model = model
        self.canary = canary


class RemoteEngine:
    """Serves one release at a time; every method may be called from any thread.

    Args:
        server: the server.
        model: the base model's name there.
        adapters: 'vllm' = adapters are loaded and unloaded; 'none' = it serves what it serves.
        holds: with 'none', the release that `model` is; '' = the bare base.
        owner: tells this installation's adapters from those of others on the same server.
        folder: where the server sees the workspace's releases; None = where they are.
    """

    def __init__(
        self,
        server: Remote,
        model: str,
        *,
        adapters: Literal["vllm", "none"],
        holds: str = "",
        owner: str,
        folder: str = "",
    ) -> None:
        self._server = server
        self._model = model
        self._adapters = adapters
        self._holds = holds or "base"
        self._prefix = f"{_MARK}-{owner}-"
        self._folder = folder
        self._swap = threading.Lock()  # one `load` or `close` at a time
        self._lock = threading.Lock()  # an answer starts on the current release and is noted
        self._current: _Serving | None = None
        self._answers: dict[RemoteAnswer, _Serving] = {}
        self._closed = False
        self._loading = ""

    @property
    def release(self) -> str:
        """Name of the release being served; empty before the first and once it is gone there."""
        current = self._current
        return current.release if current else ""

    def load(self, release: str, folder: Path | None) -> None:
        """Serve another release; see `Engine.load`.

        A server without adapters cannot: then nothing is served until it holds that release.
        """
        with self._swap:
            if self._closed:
                raise NotLoadedError("the engine is closed", "start `sayso serve` again")
            if self._adapters == "none":
                self._check_held(release)
            self._server.count(self._model, release)  # it is needed later, and fails here
            old = self._current
            try:
                new = self._loaded(release, folder, old) if folder else self._bare(release)
                with self._lock:
                    self._current = new
            finally:
                self._loading = ""
            self._tidy()

    def _check_held(self, release: str) -> None:
        if release == self._holds:
            return
        self._let_go()
        raise InputError(
            f"the remote server holds {self._holds!r}, not {release!r}, and loads no adapters",
            "let it serve the merged release, then set [serving] remote_release; or use vLLM's "
            'adapters (remote_adapters = "vllm")',
        )

    def _bare(self, release: str) -> _Serving:
        return _Serving(release, self._model, self._server.canary(self._model))

    def _loaded(self, release: str, folder: Path, old: _Serving | None) -> _Serving:
        if self._adapters == "none":
            return self._bare(release)
        weights = releases.tensors_of(folder)
        changes = any(np.any(value) for name, value in weights.items() if ".lora_B." in name)
        name = f"{self._prefix}{release}-{secrets.token_hex(4)}"
        self._loading = name
        self._server.load(name, f"{self._folder}/{release}" if self._folder else str(folder))
        try:
            self._server.reset_cache()
            canary = self._server.canary(name)
            if changes and canary == self._server.canary(self._model):
                raise unsound(release, "the remote server answers as without it")
            if old and old.release != release and changes and canary == old.canary:
                raise unsound(release, "the remote server answers as the one before")
        except SaysoError:
            with contextlib.suppress(SaysoError):
                self._server.unload(name)
            raise
        return _Serving(release, name, canary)

    def stream(self, messages: list[Message], options: Options) -> Iterator[Chunk]:
        """Answer a conversation, piece by piece; see `Engine.stream`."""
        wire.check(messages, options)
        request = _request(messages, options)
        wire.encode(request)
        self._serving()
        return self._stream(request)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text exactly, with the tokenizer of the model being served.

        Raises:
            NotLoadedError: no release is loaded.
        """
        return self._server.count(self._serving().model, text.encode(errors="replace").decode())

    def drop(self) -> None:
        """Serve nothing until the next `load`; answers under way end early."""
        with self._swap:
            self._let_go()
            self._tidy()

    def close(self) -> None:
        """Stop all answers (they end early, without a last chunk) and unload what was loaded."""
        self._closed = True
        self.drop()
        self._server.close()

    def _serving(self) -> _Serving:
        if (current := self._current) is None:
            raise NotLoadedError(
                "no release is being served", "run `sayso train`, then `sayso serve`"
            )
        return current

    def _stream(self, request: dict[str, Any]) -> Iterator[Chunk]:
        with self._lock:
            serving = self._serving()
            answer = self._server.answer(wire.encode(request | {"model": serving.model}))
            self._answers[answer] = serving
        try:
            yield from wire.chunks(answer.events, serving.release, PROGRAM)
        finally:
            answer.leave()
            with self._lock:
                del self._answers[answer]
                if answer.is_unknown and self._current is serving:
                    self._current = None  # the server was started anew: `load` is due again
                is_last = serving is not self._current and serving not in self._answers.values()
            if is_last and not self._closed:
                self._tidy()

    def _let_go(self) -> None:
        with self._lock:
            self._current = None
            for answer in self._answers:
                answer.leave()

    def _tidy(self) -> None:
        """Unload what this installation has there and does not need, also of earlier starts."""
        if self._adapters == "none":
            return
        with contextlib.suppress(SaysoError):
            there = [name for name in self._server.names() if name.startswith(self._prefix)]
            with self._lock:
                needed = {
                    serving.model for serving in (self._current, *self._answers.values()) if serving
                }
            for name in there:
                # One that is being loaded is there before it is current.
                if name not in needed and name != self._loading:
                    self._server.unload(name)
                    self._server.reset_cache()


def _request(messages: list[Message], options: Options) -> dict[str, Any]:
    tools, must = tool_calls.chosen(options)
    request: dict[str, Any] = {
        "messages": messages,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if options.stop:
        request["stop"] = options.stop
    if options.seed is not None:
        request["seed"] = options.seed
    if options.response_format:
        request["response_format"] = options.response_format
    if tools:
        request["tools"] = tools
        request["tool_choice"] = "required" if must else "auto"
        request["parallel_tool_calls"] = options.parallel_tool_calls
    return request
