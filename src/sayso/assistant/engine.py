"""Answers from a release: llama.cpp in this process, and the next release without a gap.

Every release gets a llama.cpp server object of its own, so no prompt cache, slot or adapter of an
older release can reach a newer answer (llama.cpp issue 26207 and vLLM 42125 are of that kind).
"""

import http.client
import itertools
import math
import os
import queue
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sayso.errors import InputError, MissingPartError, SaysoError, UsageError

# Prompts are read in pieces of this many tokens, so that a long one lets other answers through.
_PIECE_TOKENS: Final = 256
_PROBE: Final = [{"role": "user", "content": "Say one word."}]


class NotLoadedError(SaysoError):
    """No release is being served (yet, or any more)."""


class PromptTooLongError(InputError):
    """The messages have more tokens than the context holds."""


class Options(msgspec.Struct, frozen=True):
    """How to answer; `seed` makes an answer repeatable as long as no other runs beside it."""

    max_tokens: int = 512
    temperature: float = 0.2
    top_p: float = 0.95
    stop: tuple[str, ...] = ()
    seed: int | None = None


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer.

    `text` is empty while the prompt is read (a chance for the caller to leave) and in the last
    chunk, which alone has `finish_reason` ('stop' or 'length') and the counts. `release` is the
    one that this answer comes from, from its first chunk to its last.
    """

    text: str
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    release: str = ""


class Engine:
    """Serves one release at a time; every method may be called from any thread.

    Args:
        base: the base model's GGUF file.
        threads: threads for generation; 0 = all cores.
        parallel: answers generated at once; more wait for their turn.
        context_tokens: longest prompt and answer together, for each answer.

    Raises:
        MissingPartError: xllamacpp or the base model's file is not there.
    """

    def __init__(self, base: Path, *, threads: int, parallel: int, context_tokens: int) -> None:
        try:
            import xllamacpp  # noqa: PLC0415  (80 ms and 40 MB that only serving needs)
        except ImportError as error:
            raise MissingPartError(
                "the package xllamacpp, which runs the model, is not installed",
                "pip install 'sayso[serve]'",
            ) from error
        if not base.is_file():
            raise MissingPartError(f"the base model's file {base} is missing", "make setup")
        self._llama: Any = xllamacpp
        self._base = base
        self._threads = threads or os.cpu_count() or 1
        self._parallel = parallel
        self._context_tokens = context_tokens
        self._swap = threading.Lock()
        self._current: _Instance | None = None
        self._answers: weakref.WeakSet[_Answer] = weakref.WeakSet()
        self._closed = False
        self._numbers = itertools.count()
        # xllamacpp always opens a listener. A UNIX socket in a folder of mode 0700 keeps it off
        # the network and from other users; `count_tokens` and the probe go through it.
        self._sockets = Path(tempfile.mkdtemp(prefix="sayso-"))
        self._forget = weakref.finalize(self, shutil.rmtree, self._sockets, ignore_errors=True)

    @property
    def release(self) -> str:
        """Name of the release being served; empty before the first."""
        instance = self._current
        return instance.release if instance else ""

    def load(self, release: str, adapter: Path | None) -> None:
        """Serve another release; answers under way end on the one they started with.

        The new one starts beside the old one and must pass a probe; if it does not, the old one
        goes on. The old one's memory is freed with its last answer.

        Args:
            release: its name.
            adapter: its LoRA file (`sayso.training.gguf.write_lora`); None = the bare base.

        Raises:
            InputError: the adapter is missing, or llama.cpp cannot read it or the base.
            SaysoError: the probe got no sound answer.
            NotLoadedError: the engine is closed.
        """
        if adapter is not None and not adapter.is_file():
            raise InputError(
                f"the adapter {adapter} of release {release!r} is missing", "run `sayso train`"
            )
        with self._swap:
            if self._closed:
                raise NotLoadedError("the engine is closed", "start `sayso serve` again")
            instance = self._start(release, adapter)
            instance.probe(adapter)
            self._current = instance

    def stream(self, messages: list[dict[str, str]], options: Options) -> Iterator[Chunk]:
        """Answer a conversation, piece by piece; closing the iterator stops the generation.

        Args:
            messages: `role` ('system', 'user', 'assistant') and `content` each, oldest first.
            options: length, sampling, stop texts.

        Raises:
            UsageError: there is nothing to answer, or an option is out of range.
            NotLoadedError: no release is loaded.
            PromptTooLongError: raised by the first `next`.
        """
        request = _request(messages, options)
        self._serving()
        return self._stream(request)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text exactly, with the tokenizer of the model being served.

        Raises:
            NotLoadedError: no release is loaded.
        """
        body = {"content": text, "add_special": False}
        return len(self._serving().ask("POST", "/tokenize", body)["tokens"])

    def close(self) -> None:
        """Stop all answers (they end early, without a last chunk) and free the model."""
        with self._swap:
            self._closed = True
            self._current = None
            for answer in list(self._answers):
                answer.leave()
                answer.join()
            self._forget()

    def _serving(self) -> "_Instance":
        instance = self._current
        if instance is None:
            raise NotLoadedError(
                "no release is being served", "run `sayso train`, then `sayso serve`"
            )
        return instance

    def _stream(self, request: bytes) -> Iterator[Chunk]:
        instance = self._serving()
        answer = _Answer(instance.server, request.decode())
        self._answers.add(answer)
        answer.start()
        try:
            yield from _chunks(answer, instance.release)
        finally:
            answer.leave()

    def _start(self, release: str, adapter: Path | None) -> "_Instance":
        path = self._sockets / f"{next(self._numbers)}.sock"
        params = self._llama.CommonParams()
        params.model.path = str(self._base)
        if adapter is not None:
            params.lora_adapters = [self._llama.CommonAdapterLoraInfo(str(adapter), 1.0)]
        params.n_parallel = self._parallel
        params.n_ctx = self._context_tokens * self._parallel
        params.n_batch = _PIECE_TOKENS
        params.cpuparams.n_threads = self._threads
        params.cpuparams_batch.n_threads = self._threads
        params.hostnames = [str(path)]
        params.n_threads_http = 1
        params.endpoint_slots = False  # shows prompts
        params.ui = False
        params.verbosity = -1  # its log would hold members' words
        params.cache_ram_mib = 0  # no prompt outlives its slot
        params.cache_idle_slots = False
        params.fit_params = False  # the context is ours to choose
        params.warmup = False  # the probe warms up
        params.prefill_assistant = False
        params.force_pure_content_parser = True  # text in, text out: no tools, no reasoning
        try:
            server = self._llama.Server(params)
        except RuntimeError as error:
            raise InputError(
                f"llama.cpp cannot load release {release!r}: {self._base.name} with "
                f"{adapter.name if adapter else 'no adapter'}",
                "check that the adapter was made for this base; `sayso train` makes it again",
            ) from error
        return _Instance(release, server, path)


class _Instance:
    """A llama.cpp server object; it frees itself when nothing refers to it any more.

    It must answer once before that: a server dropped before its loop runs waits for it for ever
    (xllamacpp 2026.10). `probe` comes first, therefore.
    """

    def __init__(self, release: str, server: Any, path: Path) -> None:
        self.release = release
        self.server = server
        self._path = path

    def probe(self, adapter: Path | None) -> None:
        """Check that this very object generates, with this very adapter at full strength."""
        request = {"messages": _PROBE, "max_tokens": 1, "temperature": 0, "logprobs": True}
        try:
            answer = self.server.handle_chat_completions(request)
            likelihood = answer["choices"][0]["logprobs"]["content"][0]["logprob"]
        except (RuntimeError, ValueError, LookupError, TypeError) as error:
            raise self._unsound("it generates nothing") from error
        # Weights out of range end as NaN, which JSON has as null.
        if likelihood is None or not math.isfinite(likelihood):
            raise self._unsound("its probabilities are not numbers")
        loaded = [(lora["path"], lora["scale"]) for lora in self.ask("GET", "/lora-adapters")]
        if loaded != ([(str(adapter), 1.0)] if adapter else []):
            raise self._unsound("its adapter is not the one asked for")

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call an endpoint that xllamacpp has no function for."""
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path, msgspec.json.encode(body) if body else None)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise SaysoError(f"llama.cpp does not answer {path}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise SaysoError(f"llama.cpp answers {path} with {response.status}, expected 200")
        return msgspec.json.decode(data)

    def _unsound(self, problem: str) -> SaysoError:
        return SaysoError(
            f"release {self.release!r} failed the probe: {problem}; the one before goes on",
            "train it again (`sayso train`), or serve another release",
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._socket_path))


class _Answer(threading.Thread):
    """Runs one request, which blocks, and hands on its lines."""

    def __init__(self, server: Any, request: str) -> None:
        super().__init__(name="sayso-answer")
        self._server = server
        self._request = request
        self._left = threading.Event()
        self.lines: queue.SimpleQueue[str | SaysoError | None] = queue.SimpleQueue()

    def run(self) -> None:
        try:
            self._server.handle_chat_completions(self._request, self._take)
        except Exception as error:  # noqa: BLE001  (C++ throws what it likes)
            # Its message may quote the conversation; only its kind may be told.
            self.lines.put(SaysoError(f"llama.cpp refused the messages ({type(error).__name__})"))
        finally:
            self._server = None
            self.lines.put(None)

    def leave(self) -> None:
        """End the generation with its next token, or the next piece of the prompt."""
        self._left.set()

    def _take(self, line: str) -> bool:
        self.lines.put(line)
        # True stops llama.cpp, which frees the slot. At exit Python waits for this thread.
        return self._left.is_set() or not threading.main_thread().is_alive()


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Failure(msgspec.Struct):
    type: str
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Line(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Failure | None = None


_LINES: Final = msgspec.json.Decoder(_Line)


def _request(messages: list[dict[str, str]], options: Options) -> bytes:
    if not any(message.get("content", "").strip() for message in messages):
        raise UsageError(
            f"got {len(messages)} messages without a word", "send at least one message with text"
        )
    if options.max_tokens < 1 or options.temperature < 0 or not 0 < options.top_p <= 1:
        raise UsageError(
            f"got max_tokens {options.max_tokens}, temperature {options.temperature}, top_p "
            f"{options.top_p}; expected at least 1, at least 0, above 0 and at most 1"
        )
    request = {
        "messages": messages,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": options.stop,
        "seed": -1 if options.seed is None else options.seed,
        # How much of a prompt is cached changes the order of its sums, and so the last bits.
        "cache_prompt": options.seed is None,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
    }
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise UsageError("a message holds characters that are not Unicode text") from error


def _chunks(answer: _Answer, release: str) -> Iterator[Chunk]:
    """Read an answer's lines: progress, text, the reason of the end, the counts."""
    reason = "stop"
    while (line := answer.lines.get()) is not None:
        if isinstance(line, SaysoError):
            raise line
        event = _LINES.decode(line)
        if event.error is not None:
            raise _refusal(event.error)
        for choice in event.choices:
            reason = choice.finish_reason or reason
            yield Chunk(choice.delta.content or "", release=release)
        if event.usage is not None:
            counts = event.usage
            yield Chunk("", reason, counts.prompt_tokens, counts.completion_tokens, release)


def _refusal(failure: _Failure) -> SaysoError:
    if failure.type == "exceed_context_size_error":
        return PromptTooLongError(
            f"the messages have {failure.n_prompt_tokens} tokens, expected fewer than "
            f"{failure.n_ctx} with the answer",
            "shorten them, or raise serving.context_tokens in sayso.toml",
        )
    return SaysoError(f"llama.cpp refused the messages ({failure.type})")
