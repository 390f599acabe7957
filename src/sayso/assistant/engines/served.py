"""A process that serves one release over a UNIX socket, its probe, and the answers it streams."""

import contextlib
import http.client
import math
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from sayso.assistant.engines.wire import EVENTS, Event
from sayso.errors import SaysoError

_ASKING_SECONDS: Final = 60.0


class Can(msgspec.Struct, frozen=True):
    """What a process can do: `bind` an answer to a JSON schema, `read_tools` by its template."""

    bind: bool = True
    read_tools: bool = False


class Served:
    """What listens on a socket in a folder of ours: not on the network, nor for other users.

    Args:
        socket_path: where.
        program: what it is called in errors.
    """

    release = ""
    can = Can()
    close: Callable[[], object]

    def __init__(self, socket_path: str, program: str) -> None:
        self._socket_path = socket_path
        self.program = program

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        raise NotImplementedError

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
            raise SaysoError(f"{self.program} does not answer {path}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise SaysoError(f"{self.program} answers {path} with {response.status}, expected 200")
        return msgspec.json.decode(data)

    def probe(self, adapter: str) -> None:
        """Check that this very process generates, with this very adapter at full strength.

        It is closed if it does not.

        Raises:
            SaysoError: there was no sound answer.
        """
        try:
            self._probe(adapter)
        except SaysoError:
            self.close()
            raise

    def _probe(self, adapter: str) -> None:
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
        return unsound(self.release, problem)


def unsound(release: str, problem: str) -> SaysoError:
    """Return the error of a release that failed its probe."""
    return SaysoError(
        f"release {release!r} failed the probe: {problem}",
        "train it again (`sayso train`), or serve another release",
    )


class Answer:
    """One request under way; `leave` may be called from any thread.

    Args:
        served: where it runs; referred to until the answer has ended.
        request: the body of an OpenAI chat completion, as JSON.
    """

    def __init__(self, served: Served, request: bytes) -> None:
        self.release = served.release
        self.program = served.program
        self._served: Served | None = served
        self._request = request
        self._connection = served.connect()
        self._socket: socket.socket | None = None
        self._left = False

    def events(self) -> Iterator[Event]:
        """Wait for the events one by one, until the generation ends or is left.

        Raises:
            SaysoError: the process broke off.
        """
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            if self._left:
                return
            self._connection.request("POST", "/v1/chat/completions", self._request)
            response = self._connection.getresponse()
            if response.status != http.HTTPStatus.OK:
                yield EVENTS.decode(response.read())
                return
            while line := response.readline():
                data = line.partition(b": ")[2].strip()
                if data == b"[DONE]":
                    return
                if data:
                    yield EVENTS.decode(data)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError, ValueError) as error:
            # Its message may quote the conversation; only its kind may be told.
            if not self._left:
                raise SaysoError(f"{self.program} broke off ({type(error).__name__})") from None
        else:
            if not self._left:
                raise SaysoError(f"{self.program} broke off")
        finally:
            self._connection.close()
            self._served = None

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
