"""One llama.cpp process with one release, and the answers that it streams."""

import contextlib
import http.client
import importlib.util
import math
import os
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sayso.assistant.engines.llama_server import Order, Report
from sayso.errors import InputError, MissingPartError, SaysoError

_ASKING_SECONDS: Final = 60.0
# Read once, as libgomp is loaded. By default a waiting thread spins for milliseconds: beside
# two busy processes on two cores, 1 to 3 tokens/s instead of 7 to 20 (alone, 68 for 61).
OPENMP: Final = {"GOMP_SPINCOUNT": "1000"}


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


def check_library() -> None:
    """Check that xllamacpp is there, without importing it (80 ms).

    Raises:
        MissingPartError: it is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingPartError(
            "the package xllamacpp, which runs the model, is not installed",
            "pip install 'sayso[serve]'",
        )


class Process:
    """A llama.cpp process; it ends when nothing refers to it any more, or with this program.

    Args:
        order: what it serves. Its socket is in a folder of ours: neither on the network nor open
            to other users.
        named: what it serves, in words for errors.

    Raises:
        InputError: llama.cpp cannot read the files.
    """

    def __init__(self, order: Order, named: str) -> None:
        self._socket_path = order.socket
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sayso.assistant.engines.llama_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=OPENMP | os.environ,
            start_new_session=True,  # signals for us are not for it
        )
        self.close = weakref.finalize(self, _end, self._process)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: then it says nothing either
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
        said = self._process.stdout.readline()
        if not said or msgspec.json.decode(said, type=Report).problem:
            self.close()
            raise InputError(
                f"llama.cpp cannot load {named}",
                "check that the adapter was made for this base; `sayso train` makes it again",
            )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def connect(self, seconds: float | None = None) -> http.client.HTTPConnection:
        """Return a connection for one request, which waits so long for each piece."""
        return _UnixConnection(self._socket_path, seconds)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Call an endpoint and return what it answers.

        Raises:
            SaysoError: no answer, or not the status 200.
        """
        connection = self.connect(_ASKING_SECONDS)
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


class Instance(Process):
    """A process that serves a release, probed.

    Args:
        release: the release's name.
        base: the base model's GGUF file.
        adapter: the release's LoRA file; None = the bare base.
        socket_path: where it listens.
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
        self.release = release
        order = Order(
            socket=str(socket_path),
            model=str(base),
            adapter=str(adapter or ""),
            threads=threads,
            parallel=parallel,
            context_tokens=context_tokens,
        )
        files = f"{base.name} with {adapter.name if adapter else 'no adapter'}"
        super().__init__(order, f"release {release!r}: {files}")
        try:
            self._probe(order.adapter)
        except SaysoError:
            self.close()
            raise

    def _probe(self, adapter: str) -> None:
        """Check that this very process generates, with this very adapter at full strength."""
        request = {"prompt": "Say one word:", "max_tokens": 1, "temperature": 0, "logprobs": 1}
        try:
            answer = self.ask("POST", "/v1/completions", request)
            likelihood = answer["choices"][0]["logprobs"]["content"][0]["logprob"]
        except (SaysoError, LookupError, TypeError) as error:
            raise self._unsound("it generates nothing") from error
        # Weights out of range end as NaN, which JSON has as null.
        if likelihood is None or not math.isfinite(likelihood):
            raise self._unsound("its probabilities are not numbers")
        loaded = [(lora["path"], lora["scale"]) for lora in self.ask("GET", "/lora-adapters")]
        if loaded != ([(adapter, 1.0)] if adapter else []):
            raise self._unsound("its adapter is not the one asked for")

    def _unsound(self, problem: str) -> SaysoError:
        return SaysoError(
            f"release {self.release!r} failed the probe: {problem}",
            "train it again (`sayso train`), or serve another release",
        )


class Answer:
    """One request under way; `leave` may be called from any thread.

    Args:
        instance: where it runs; referred to until the answer has ended.
        request: the body of an OpenAI chat completion, as JSON.
    """

    def __init__(self, instance: Instance, request: bytes) -> None:
        self.release = instance.release
        self._instance: Instance | None = instance
        self._request = request
        self._connection = instance.connect()
        self._socket: socket.socket | None = None
        self._left = False

    def events(self) -> Iterator[Event]:
        """Wait for the events one by one, until the generation ends or is left.

        Raises:
            SaysoError: llama.cpp broke off.
        """
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            if self._left:
                return
            self._connection.request("POST", "/v1/chat/completions", self._request)
            response = self._connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                yield _EVENTS.decode(response.read())
                return
            while line := response.readline():
                data = line.partition(b": ")[2].strip()
                if data == b"[DONE]":
                    return
                if data:
                    yield _EVENTS.decode(data)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError) as error:
            # Its message may quote the conversation; only its kind may be told.
            if not self._left:
                raise SaysoError(f"llama.cpp broke off ({type(error).__name__})") from None
        else:
            if not self._left:
                raise SaysoError("llama.cpp broke off")
        finally:
            self._connection.close()
            self._instance = None

    def leave(self) -> None:
        """End the generation with its next token, or the next piece of the prompt."""
        self._left = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float | None) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it at once: there is nothing that it would have to save."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
