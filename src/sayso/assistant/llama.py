"""One llama.cpp server object in this process (xllamacpp), and the requests that run on it."""

import http.client
import math
import os
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sayso.errors import InputError, MissingPartError, SaysoError

# Prompts are read in pieces of this many tokens, so that a long one lets other answers through.
PIECE_TOKENS: Final = 256
_SPINS: Final = "1000"


class Delta(msgspec.Struct):
    """New text, if any."""

    content: str | None = None


class Choice(msgspec.Struct):
    """The only alternative of an answer."""

    delta: Delta
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """Token counts, in the last event."""

    prompt_tokens: int
    completion_tokens: int


class Failure(msgspec.Struct):
    """Why llama.cpp refused; its message is left out, for it may quote the conversation."""

    type: str
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class Event(msgspec.Struct):
    """A line of llama.cpp's stream: OpenAI's chat completion chunk, or an error."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Failure | None = None


_EVENTS: Final = msgspec.json.Decoder(Event)


def library() -> Any:
    """Import xllamacpp (80 ms), with OpenMP told to sleep early where threads wait for each other.

    Raises:
        MissingPartError: it is not installed.
    """
    given = os.environ.get("GOMP_SPINCOUNT")
    # Read once, as libgomp is loaded. By default a waiting thread spins for milliseconds: beside
    # two busy processes on two cores, 1 to 3 tokens/s instead of 7 to 20 (alone, 68 for 61).
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingPartError(
            "the package xllamacpp, which runs the model, is not installed",
            "pip install 'sayso[serve]'",
        ) from error
    finally:
        if given is None:
            os.environ.pop("GOMP_SPINCOUNT", None)
    return xllamacpp


class Instance:
    """A server object with one release; it frees itself when nothing refers to it any more.

    Args:
        release: the release's name.
        base: the base model's GGUF file.
        adapter: the release's LoRA file; None = the bare base.
        socket_path: where xllamacpp listens, for it always opens a listener: a UNIX socket in a
            folder of ours is neither on the network nor open to other users.
        threads: threads for generation; 0 = all cores.
        parallel: answers at once.
        context_tokens: prompt and answer together, for each answer.

    Raises:
        InputError: llama.cpp cannot read the files.
        SaysoError: the probe got no sound answer.
    """

    def __init__(
        self,
        release: str,
        base: Path,
        adapter: Path | None,
        *,
        socket_path: Path,
        threads: int,
        parallel: int,
        context_tokens: int,
    ) -> None:
        llama = library()
        params = llama.CommonParams()
        params.model.path = str(base)
        if adapter is not None:
            params.lora_adapters = [llama.CommonAdapterLoraInfo(str(adapter), 1.0)]
        params.n_parallel = parallel
        params.n_ctx = context_tokens * parallel
        params.n_batch = PIECE_TOKENS
        params.cpuparams.n_threads = threads or os.cpu_count() or 1
        params.cpuparams_batch.n_threads = threads or os.cpu_count() or 1
        params.hostnames = [str(socket_path)]
        params.n_threads_http = 1
        params.endpoint_slots = False  # would show prompts
        params.ui = False
        params.verbosity = -1  # the log would hold members' words, and partly goes to stdout
        params.cache_ram_mib = 0  # no prompt outlives its slot
        params.cache_idle_slots = False
        params.fit_params = False  # the context's length is ours to choose
        params.warmup = False  # the probe warms up
        params.prefill_assistant = False
        params.force_pure_content_parser = True  # text in, text out: no tools, no reasoning
        self.release = release
        self._socket_path = socket_path
        try:
            self.server = llama.Server(params)
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"llama.cpp cannot load release {release!r}: {base.name} with "
                f"{adapter.name if adapter else 'no adapter'}",
                "check that the adapter was made for this base; `sayso train` makes it again",
            ) from error
        self._probe(adapter)

    def _probe(self, adapter: Path | None) -> None:
        """Check that this very object generates, with this very adapter at full strength.

        Something must be generated in any case: an object that is dropped before its loop runs
        waits for that loop for ever, holding Python's lock (xllamacpp 2026.10).
        """
        request = {"prompt": "Say one word:", "max_tokens": 1, "temperature": 0, "logprobs": 1}
        try:
            answer = self.server.handle_completions(request)
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
        """Call an endpoint that xllamacpp has no function for.

        Raises:
            SaysoError: no answer, or not the status 200.
        """
        connection = _UnixConnection(self._socket_path)
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
            f"release {self.release!r} failed the probe: {problem}",
            "train it again (`sayso train`), or serve another release",
        )


class Answer(threading.Thread):
    """Runs one request, which blocks, on a thread of its own and hands on its events.

    Args:
        instance: where it runs; referred to until the generation has ended.
        request: the body of an OpenAI chat completion, as JSON.
    """

    def __init__(self, instance: Instance, request: str) -> None:
        super().__init__(name="sayso-answer")
        self.release = instance.release
        self._server = instance.server
        self._request = request
        self._left = threading.Event()
        self._lines: queue.SimpleQueue[str | SaysoError | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Generate; called by `start`."""
        try:
            self._server.handle_chat_completions(self._request, self._take)
        except Exception as error:
            # Its message may quote the conversation; only its kind may be told.
            self._lines.put(SaysoError(f"llama.cpp refused the messages ({type(error).__name__})"))
        finally:
            self._server = None
            self._lines.put(None)

    def events(self) -> Iterator[Event]:
        """Wait for the events one by one, until the generation ends.

        Raises:
            SaysoError: llama.cpp broke off.
        """
        while (line := self._lines.get()) is not None:
            if isinstance(line, SaysoError):
                raise line
            yield _EVENTS.decode(line)

    def leave(self) -> None:
        """End the generation with its next token, or the next piece of the prompt."""
        self._left.set()

    def _take(self, line: str) -> bool:
        self._lines.put(line)
        # True stops llama.cpp and frees the slot. At its exit Python waits for this thread.
        return self._left.is_set() or not threading.main_thread().is_alive()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
