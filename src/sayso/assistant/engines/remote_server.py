"""A server of somebody else's that speaks OpenAI's API, vLLM in particular, and what it is asked.

LoRA adapters are loaded as vLLM documents it (docs.vllm.ai, "Dynamically serving LoRA adapters"):
POST /v1/load_lora_adapter, /v1/unload_lora_adapter; /reset_prefix_cache where it is switched on.
"""

import contextlib
import math
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import msgspec

from sayso.assistant.engines.wire import EVENTS, Event, Failure
from sayso.errors import SaysoError, UsageError

CONNECTING_SECONDS: Final = 10.0
ASKING_SECONDS: Final = 60.0
# Between two pieces of an answer; before the first there is a queue and a prompt to be read.
PIECE_SECONDS: Final = 120.0
_CANARY: Final = "The community's newest posts are about"
_CANARY_TOKENS: Final = 8


class Remote:
    """The server; every method may be called from any thread.

    Args:
        url: its API, as http://127.0.0.1:8001/v1.
        key: what it wants to see; '' = nothing.

    Raises:
        UsageError: the address is none.
    """

    def __init__(self, url: str, key: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                "[serving] remote_url is no address", 'as in "http://127.0.0.1:8001/v1"'
            )
        self._api = url.rstrip("/")
        self._root = self._api.removesuffix("/v1")
        timeout = httpx2.Timeout(ASKING_SECONDS, connect=CONNECTING_SECONDS, read=PIECE_SECONDS)
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=timeout,
            follow_redirects=False,  # the key is for this server alone
            trust_env=False,
        )

    def names(self) -> list[str]:
        """Return the models that it serves, adapters among them."""
        return [str(model["id"]) for model in self._ask("GET", "/models").json()["data"]]

    def load(self, name: str, folder: str) -> None:
        """Load an adapter, from a folder as the server sees it."""
        self._ask("POST", "/load_lora_adapter", {"lora_name": name, "lora_path": folder})

    def unload(self, name: str) -> None:
        """Forget an adapter's name; vLLM keeps its weights until others need the room."""
        self._ask("POST", "/unload_lora_adapter", {"lora_name": name})

    def reset_cache(self) -> None:
        """Forget cached prompts, where the server can be told to; the names differ anyway."""
        with contextlib.suppress(SaysoError):
            self._ask("POST", f"{self._root}/reset_prefix_cache")

    def canary(self, model: str) -> tuple[float, ...]:
        """Return the log likelihoods of what a model says to a fixed prompt.

        Raises:
            SaysoError: they are not there, or not finite.
        """
        body = {
            "model": model,
            "prompt": _CANARY,
            "max_tokens": _CANARY_TOKENS,
            "temperature": 0,
            "seed": 1,
            "logprobs": 1,
        }
        found = self._ask("POST", "/completions", body).json()["choices"][0]["logprobs"]
        try:
            # vLLM's shape is OpenAI's for completions, llama.cpp's that for chats.
            values = found.get("token_logprobs") or [t["logprob"] for t in found["content"]]
            numbers = tuple(map(float, values))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise SaysoError("the remote server tells no likelihoods") from error
        if not numbers or not all(map(math.isfinite, numbers)):
            raise SaysoError("the remote server's likelihoods are not numbers")
        return numbers

    def count(self, model: str, text: str) -> int:
        """Count a text's tokens, with the tokenizer of a model there (vLLM's, llama.cpp's)."""
        body = {
            "model": model,
            "prompt": text,
            "content": text,
            "add_special_tokens": False,
            "add_special": False,
        }
        told = self._ask("POST", f"{self._root}/tokenize", body).json()
        try:
            return int(told["count"]) if "count" in told else len(told["tokens"])
        except (LookupError, TypeError, ValueError) as error:
            raise SaysoError("the remote server counts no tokens") from error

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        url = path if path.startswith("http") else f"{self._api}{path}"
        try:
            response = self._client.request(method, url, json=body, timeout=ASKING_SECONDS)
        except (httpx2.HTTPError, RuntimeError) as error:
            raise SaysoError(f"the remote server does not answer ({_kind(error)})") from None
        if response.status_code != 200:
            raise SaysoError(
                f"the remote server answers {path.removeprefix(self._root)} with "
                f"{response.status_code}, expected 200",
                "see its log",
            )
        return response

    def answer(self, request: bytes) -> "RemoteAnswer":
        """Return an answer to a chat completion, to be waited for."""
        return RemoteAnswer(self._client, f"{self._api}/chat/completions", request)


class RemoteAnswer:
    """One request under way; `leave` may be called from any thread.

    Args:
        client: sends it.
        url: where to.
        request: the body, as JSON.
    """

    def __init__(self, client: httpx2.Client, url: str, request: bytes) -> None:
        self._client = client
        self._url = url
        self._request = request
        self.is_unknown = False  # whether the server has no such model (any more)
        self._left = threading.Event()
        self._response: httpx2.Response | None = None

    def events(self) -> Iterator[Event]:
        """Wait for the events one by one, until the generation ends or is left.

        Raises:
            SaysoError: the server broke off.
        """
        headers = {"Content-Type": "application/json"}
        try:
            with self._client.stream(
                "POST", self._url, content=self._request, headers=headers
            ) as response:
                self._response = response
                if response.status_code != 200:
                    self.is_unknown = response.status_code == 404
                    yield Event(error=_failure(response))
                    return
                yield Event()  # a chance to leave
                for line in response.iter_lines():
                    data = line.partition("data:")[2].strip()
                    if self._left.is_set() or data == "[DONE]":
                        return
                    if data:
                        yield EVENTS.decode(data.encode())
        except (httpx2.HTTPError, RuntimeError, msgspec.MsgspecError, OSError) as error:
            # Its message may quote the conversation; only its kind may be told.
            if not self._left.is_set():
                raise SaysoError(f"the remote server broke off ({_kind(error)})") from None
        else:
            if not self._left.is_set():
                raise SaysoError("the remote server broke off")
        finally:
            self._response = None

    def leave(self) -> None:
        """Close the connection, which ends the generation there (vLLM and llama.cpp do so)."""
        self._left.set()
        if (response := self._response) is not None:
            stream = response.extensions.get("network_stream")
            found = stream.get_extra_info("socket") if stream is not None else None
            if found is not None:
                with contextlib.suppress(OSError):  # it is closed already
                    found.shutdown(2)  # wakes the thread that reads


def _failure(response: httpx2.Response) -> Failure:
    """Tell what kind of refusal it was, by no word of the server's own."""
    try:
        error: Any = msgspec.json.decode(response.read()).get("error") or {}
    except (msgspec.MsgspecError, AttributeError):
        error = {}
    told = f"{error.get('type', '')} {error.get('code', '')} {error.get('message', '')}".lower()
    if "context" in told and response.status_code in (400, 413):
        return Failure("exceed_context_size_error", *_sizes(error))
    if response.status_code in (400, 422):
        return Failure("invalid_request_error")
    return Failure(f"status {response.status_code}")


def _sizes(error: dict[str, Any]) -> tuple[int, int]:
    counts = (error.get("n_prompt_tokens"), error.get("n_ctx"))
    prompt, room = (value if isinstance(value, int) else 0 for value in counts)
    return prompt, room


def _kind(error: Exception) -> str:
    return type(error).__name__
