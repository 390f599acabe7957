"""What llama.cpp and transformers have in common: a process for each release, swapped in a gap.

Every release gets a process of its own, so no prompt cache, slot or adapter of an older release can
reach a newer answer (llama.cpp issue 26207 and vLLM 42125 are of that kind).
"""

import itertools
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sayso.assistant import tool_calls
from sayso.assistant.engine import Chunk, Message, NotLoadedError, Options
from sayso.assistant.engines import wire
from sayso.assistant.engines.served import Answer, Can, Served
from sayso.assistant.tool_calls import Reader
from sayso.errors import InputError, UsageError


class LocalEngine:
    """Serves one release at a time; every method may be called from any thread.

    Args:
        file: what a release's folder must hold to be served.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._swap = threading.Lock()  # one `load` or `close` at a time
        self._closed = False
        self._lock = threading.Lock()  # an answer starts on the current process and is noted
        self._current: Served | None = None
        self._answers: set[Answer] = set()
        self._numbers = itertools.count()
        self._sockets = Path(tempfile.mkdtemp(prefix="sayso-"))  # of mode 0700
        self._clean = weakref.finalize(self, shutil.rmtree, self._sockets, ignore_errors=True)

    def _start(self, release: str, folder: Path | None, socket_path: Path) -> Served:
        """Start the process of a release and probe it."""
        raise NotImplementedError

    @property
    def release(self) -> str:
        """Name of the release being served; empty before the first and after a crash."""
        served = self._current
        return served.release if served and served.alive else ""

    def load(self, release: str, folder: Path | None) -> None:
        """Serve another release, from its folder; see `Engine.load`."""
        if folder is not None and not (folder / self._file).is_file():
            raise InputError(
                f"the adapter {folder / self._file} of release {release!r} is missing",
                "run `sayso train`",
            )
        with self._swap:
            if self._closed:
                raise NotLoadedError("the engine is closed", "start `sayso serve` again")
            served = self._start(release, folder, self._sockets / f"{next(self._numbers)}.sock")
            with self._lock:
                self._current = served

    def stream(self, messages: list[Message], options: Options) -> Iterator[Chunk]:
        """Answer a conversation, piece by piece; see `Engine.stream`."""
        wire.check(messages, options)
        request, reader = _request(messages, options, self._serving().can)
        return self._stream(wire.encode(request), reader)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text exactly, with the tokenizer of the model being served.

        Raises:
            NotLoadedError: no release is loaded.
        """
        body = {"content": text.encode(errors="replace").decode(), "add_special": False}
        return len(self._serving().ask("POST", "/tokenize", body)["tokens"])

    def drop(self) -> None:
        """Serve nothing until the next `load`; answers under way end early."""
        with self._swap, self._lock:
            self._current = None
            for answer in self._answers:
                answer.leave()

    def close(self) -> None:
        """Stop all answers (they end early, without a last chunk) and free the model."""
        self._closed = True
        self.drop()
        self._clean()

    def _serving(self) -> Served:
        served = self._current
        if served is None or not served.alive:
            raise NotLoadedError(
                "no release is being served", "run `sayso train`, then `sayso serve`"
            )
        return served

    def _stream(self, request: bytes, reader: Reader | None) -> Iterator[Chunk]:
        with self._lock:
            answer = Answer(self._serving(), request)
            self._answers.add(answer)
        try:
            yield from wire.chunks(answer.events, answer.release, answer.program, reader)
        finally:
            answer.leave()
            with self._lock:
                self._answers.discard(answer)


# Of a process only what it can do is passed: errors keep what they passed through, and with it a
# model that should be gone.
def _request(
    messages: list[Message], options: Options, can: Can
) -> tuple[dict[str, Any], Reader | None]:
    tools, must = tool_calls.chosen(options)
    if not can.bind and (tools or options.response_format):
        raise UsageError(
            "this engine can neither call functions nor bind an answer to a schema",
            'leave `tools` and `response_format` out, or set [serving] engine = "llama.cpp"',
        )
    request: dict[str, Any] = {
        "messages": messages if can.read_tools else tool_calls.plain(messages),
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": options.stop,
        "seed": -1 if options.seed is None else options.seed,
        # How much of a prompt is cached changes the order of sums, and with it the last bits.
        "cache_prompt": options.seed is None,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
    }
    if options.response_format:
        request["response_format"] = options.response_format
    if tools and can.read_tools:
        return request | {
            "tools": tools,
            "tool_choice": "required" if must else "auto",
            "parallel_tool_calls": options.parallel_tool_calls,
        }, None
    request["reasoning_format"] = "none"  # text comes out as it is
    if not tools:
        return request, None
    if options.response_format:
        raise UsageError("this model cannot be bound by `tools` and `response_format` at once")
    shape = tool_calls.schema(tools, must, options.parallel_tool_calls)
    request["messages"] = tool_calls.described(messages, tools, must)
    request["response_format"] = {"type": "json_schema", "json_schema": {"schema": shape}}
    return request, Reader()
