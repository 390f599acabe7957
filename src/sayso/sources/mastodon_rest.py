"""Mastodon's REST API, as far as listening needs it; it waits where the server says so.

Source: platform-formats B; mastodon/documentation api/rate-limits, api/guidelines (pagination).
"""

import re
import threading
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct, field

from sayso.content.record import parse_time
from sayso.errors import UsageError
from sayso.sources.live import LostError

TIMEOUT_SECONDS: Final = 30.0
TICK_SECONDS: Final = 0.5
# Numbers begin with their time in ms; two may become visible in the other order.
OVERLAP: Final = timedelta(seconds=60)
# Without a word on how long, one period of Mastodon's rate limits.
WAIT_SECONDS: Final = 300.0
PAGE: Final = "40"
_NEWER: Final = re.compile(r'<[^>]*[?&]min_id=(\w+)[^>]*>;\s*rel="prev"')
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Page(Struct, frozen=True):
    """Statuses, the oldest first, and the number to go on from, '' behind the last."""

    statuses: tuple[bytes, ...]
    newer: str


class _Urls(Struct):
    streaming: str | None = None


class _Configuration(Struct):
    urls: _Urls = field(default_factory=_Urls)


class _Instance(Struct):
    configuration: _Configuration = field(default_factory=_Configuration)


class LaterError(Exception):
    """The server has had enough questions for now."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Rest:
    """A server's API, used with one token.

    All methods yield None while they wait, at least twice a second, and end early (with None) when
    `stop` is set. Set `patient` to False for a `LaterError` instead of long waits.

    Raises:
        LostError: the server cannot be reached or fails.
        UsageError: it refuses us.
    """

    def __init__(self, base: str, token: str, stop: threading.Event) -> None:
        self.patient = True
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx2.Client(base_url=base, headers=headers, timeout=TIMEOUT_SECONDS)
        self._base = base
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def timeline(self, **more: str) -> Generator[None, None, Page | None]:
        """Get a page of the public posts of the server's own members."""
        path = "/api/v1/timelines/public"
        answer = yield from self._get(path, {"local": "true", "limit": PAGE} | more, needed=True)
        return _page(self._base, answer) if answer else None

    def account(self, number: str, min_id: str) -> Generator[None, None, Page | None]:
        """Get a page of what an account wrote behind `min_id`, replies included."""
        path = f"/api/v1/accounts/{number}/statuses"
        parameters = {"exclude_reblogs": "true", "limit": PAGE, "min_id": min_id}
        answer = yield from self._get(path, parameters)
        return _page(self._base, answer) if answer else None

    def status(self, number: str) -> Generator[None, None, bytes | None]:
        """Get one status as JSON, None if there is none for us."""
        answer = yield from self._get(f"/api/v1/statuses/{number}", {})
        return answer.content if answer else None

    def streaming_address(self) -> Generator[None, None, str]:
        """Ask where to stream from: it may be another host."""
        answer = yield from self._get("/api/v2/instance", {})
        try:
            told = answer and msgspec.json.decode(answer.content, type=_Instance)
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = None
        return (told and told.configuration.urls.streaming) or re.sub("^http", "ws", self._base)

    def _get(
        self, path: str, parameters: dict[str, str], *, needed: bool = False
    ) -> Generator[None, None, httpx2.Response | None]:
        while not self._stop.is_set():
            try:
                answer = self._client.get(path, params=parameters)
            except httpx2.HTTPError as error:
                raise LostError(
                    f"{self._base} cannot be reached ({type(error).__name__})"
                ) from error
            match answer.status_code:
                case 200:
                    return answer
                case 429 if not self.patient:
                    raise LaterError(_wait_seconds(answer))
                case 429:
                    yield from pause(_wait_seconds(answer), self._stop)
                case 403 | 404 | 410 if not needed:
                    return None
                case 401 | 403 | 422:
                    raise refused(self._base)
                case 404 | 410 | 301 | 302 | 307 | 308:
                    raise UsageError(
                        f"{self._base} has no Mastodon API at this address",
                        "give the address of the instance itself: mastodon+https://HOST",
                    )
                case code:
                    raise LostError(f"{self._base} answered with status {code}")
        return None


def refused(base: str) -> UsageError:
    """Say that a server does not take the token."""
    return UsageError(
        f"{base} refuses the token; expected a user token with the scope read:statuses",
        "make one under Preferences, Development; then set SAYSO_TOKEN or use --token-file",
    )


def is_safe(address: str) -> bool:
    """Whether a token may be sent to an address: it is encrypted, or this machine itself."""
    parts = urlsplit(address)
    return parts.scheme in ("https", "wss") or parts.hostname in ("localhost", "127.0.0.1", "::1")


def order(number: str) -> tuple[int, str]:
    """Return what puts the numbers of statuses in order."""
    return len(number), number


def earlier(number: str) -> str:
    """Return a number from shortly before; only Mastodon's own tell the time."""
    if not number.isdigit():
        return number
    overlap = int(OVERLAP.total_seconds() * 1000) << 16
    return str(max(0, int(number) - overlap))


def pause(seconds: float, stop: threading.Event) -> Iterator[None]:
    """Wait, yielding twice a second; end early when `stop` is set."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stop.wait(min(left, TICK_SECONDS)):
        yield None


def _page(base: str, answer: httpx2.Response) -> Page:
    try:
        statuses = _decode_list(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LostError(f"{base} did not answer with a list of statuses") from error
    match = _NEWER.search(answer.headers.get("Link", ""))
    newer = match[1] if match and statuses else ""
    return Page(tuple(bytes(status) for status in reversed(statuses)), newer)


def _wait_seconds(answer: httpx2.Response) -> float:
    """Read how long to wait: `Retry-After` (RFC 9110), or Mastodon's `X-RateLimit-Reset`."""
    told = answer.headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        until: datetime | None = parsedate_to_datetime(told)
    except ValueError:
        until, _ = parse_time(answer.headers.get("X-RateLimit-Reset"))
    if until is None:
        return WAIT_SECONDS
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
