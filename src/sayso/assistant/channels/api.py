"""Calls of a platform's own interface: to its configured address alone, again where it is busy.

A redirect is not followed, an answer has a limit, and no error says what was sent to whom.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from sayso.errors import InputError, SaysoError, UsageError

TIMEOUT_SECONDS: Final = 20.0
LONGEST_ANSWER: Final = 1024 * 1024
ATTEMPTS: Final = 4
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
Pause = Callable[[float], Awaitable[None]]
# It would write each address, and Telegram's hold the token.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class RefusedCallError(SaysoError):
    """A platform did not take a message.

    Args:
        status: of HTTP.
        code: the platform's own number of the error; 0 if it told none.
    """

    def __init__(self, status: int, code: int = 0) -> None:
        super().__init__(f"the platform refused a message (HTTP {status}, code {code})")
        self.status, self.code = status, code


class LateError(SaysoError):
    """A platform takes no answer any more: the question is too long ago."""


class Failure(msgspec.Struct):
    """What a platform says of an error: its code, whether to try again, and after how long."""

    code: int = 0
    is_passing: bool = False
    wait: float | None = None


def nothing_known(body: Any) -> Failure:
    """Read nothing from an error's body."""
    return Failure()


class Api:
    """Calls one platform's interface.

    Args:
        base: its address, as 'https://graph.example/v1'; plain HTTP on this machine alone.
        headers: sent with each call.
        explain: reads an error's decoded JSON body.
        pause: waits some seconds.

    Raises:
        UsageError: the address is none, or would send secrets without encryption.
    """

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str] | None = None,
        explain: Callable[[Any], Failure] = nothing_known,
        pause: Pause = asyncio.sleep,
    ) -> None:
        check_address(base)
        self._base = base.rstrip("/")
        self._explain = explain
        self._pause = pause
        self._client = httpx2.AsyncClient(
            headers=dict(headers or {}),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            verify=_tls(),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Any:
        """Post and return the decoded answer.

        Args:
            path: added to the base.
            body: sent as JSON, or beside files as the fields of a form.
            files: field to (name, bytes, media type).
            timeout: seconds to wait for the answer.

        Raises:
            RefusedCallError: it was refused, or the platform stayed busy.
            SaysoError: the platform cannot be reached.
        """
        if files:
            sent: dict[str, Any] = {"data": dict(body or {}), "files": dict(files)}
        else:
            sent = {"json": dict(body or {})}
        return await self._send(path, sent | {"timeout": timeout})

    async def post_bytes(self, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Post bytes as they are; returns and raises as `post`."""
        return await self._send(path, {"content": body, "headers": dict(headers)})

    async def get(self, path: str) -> Any:
        """Get and return the decoded answer; raises as `post`."""
        try:
            status, _, body = await self._exchange(path, {}, "GET")
        except httpx2.HTTPError as error:
            raise _unreachable(error) from None
        if status != 200:
            raise RefusedCallError(status, self._explain(body).code)
        return body

    async def download(self, address: str, hosts: Collection[str], most: int) -> bytes:
        """Return a file.

        Args:
            address: told by the platform.
            hosts: the platform's own, of which this must be one, if not the interface's.
            most: bytes.

        Raises:
            InputError: it is elsewhere, or longer.
            SaysoError: it cannot be had.
        """
        own = urlsplit(self._base)
        try:
            parts = urlsplit(address)
            httpx2.URL(address)  # the two read addresses differently
        except (ValueError, httpx2.InvalidURL) as error:
            raise InputError("a platform told an address that is none") from error
        is_own = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        if not is_own and (parts.scheme != "https" or parts.netloc not in hosts):
            raise InputError("a platform told an address that is not its own")
        data = bytearray()
        try:
            async with self._client.stream("GET", address) as response:
                if response.status_code != 200:
                    raise RefusedCallError(response.status_code)
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > most:
                        raise InputError(f"a file has more than {most} bytes")
        except httpx2.HTTPError as error:
            raise _unreachable(error) from None
        return bytes(data)

    async def _send(self, path: str, sent: dict[str, Any]) -> Any:
        attempt = 0
        while True:
            attempt += 1
            try:
                status, headers, body = await self._exchange(path, sent)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                # Nothing was sent yet, so nothing is said twice.
                failed: SaysoError = _unreachable(error)
                wait = None
            except httpx2.HTTPError as error:
                raise _unreachable(error) from None
            else:
                if 200 <= status < 300:
                    return body
                known = self._explain(body)
                failed = RefusedCallError(status, known.code)
                if status not in (429, 500, 502, 503, 504) and not known.is_passing:
                    raise failed
                wait = _retry_after(headers) if known.wait is None else known.wait
            if wait is None:
                wait = FIRST_PAUSE * 2 ** (attempt - 1) * (1 + random.random()) / 2
            if attempt == ATTEMPTS or wait > LONGEST_PAUSE:
                raise failed
            await self._pause(wait)

    async def _exchange(
        self, path: str, sent: dict[str, Any], method: str = "POST"
    ) -> tuple[int, httpx2.Headers, Any]:
        async with self._client.stream(method, self._base + path, **sent) as response:
            answer = b""
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) > LONGEST_ANSWER:
                    raise httpx2.ReadError("the answer is too long")
        try:
            decoded = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decoded = None
        return response.status_code, response.headers, decoded


@cache
def _tls() -> ssl.SSLContext:
    # Made once: reading the authorities' certificates takes a while.
    return ssl.create_default_context()


def check_address(base: str) -> None:
    """Refuse an address of settings that is none, or not encrypted.

    Raises:
        UsageError: it is so.
    """
    try:
        parts = urlsplit(base)
        is_web = parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc
        is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK
    except ValueError:
        is_web = is_safe = False
    if not is_web or not is_safe:
        raise UsageError(
            "an address of [channels] is no address of HTTPS", "set it as https://host"
        )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After (RFC 9110, 10.2.3); None for none, or for a date."""
    said = headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdigit() else None


def _unreachable(error: Exception) -> SaysoError:
    # Not with the error's text, which may quote the address.
    return SaysoError(f"a platform cannot be reached ({type(error).__name__})")
