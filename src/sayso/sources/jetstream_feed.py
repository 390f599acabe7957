"""Listening to a Jetstream server: Bluesky and all else on atproto, as it happens.

Version 1 counts in time: its cursor is set back a little, since events of one moment may come in
the other order. Version 2 numbers its events and repeats the one at the cursor, which is dropped
here; time is only where it begins. Which version a server speaks is told by the address. Sources:
bluesky-social/jetstream docs/README.md §5; lexicon network.bsky.jetstream.subscribeEvents; atproto
proposal 0015.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from sayso.errors import UsageError
from sayso.sources import jetstream
from sayso.sources.live import Arrived, LostError

TICK_SECONDS: Final = 0.4
CONNECT_SECONDS: Final = 10.0
# A server that answers no ping for so long is lost.
PING_SECONDS: Final = 20.0
LONGEST_MESSAGE: Final = 16 * 1024 * 1024
MESSAGES_AHEAD: Final = 1024
# Both versions take a cursor from here on for microseconds since 1970, version 2 a lower one for a
# number of its own.
FIRST_TIME: Final = 10**15
REWIND: Final = timedelta(seconds=5)
# What version 1 servers keep; they begin with the oldest of it and say nothing.
KEPT: Final = timedelta(hours=36)
_FIRST: Final = "/subscribe"
_SECOND: Final = f"/xrpc/{jetstream.EVENTS}"
_SUBPROTOCOL: Final = Subprotocol("xrpc.v1.json")
# Ours to set. Packed frames are not asked for, since what packs them is not part of the protocol;
# all kinds of events are, since those on accounts take back what others brought.
_OURS: Final = {
    *("cursor", "kinds", "maxMessageSizeBytes"),
    *("compress", "zstdDictionary", "requireHello"),
}
_PLACE: Final = re.compile(r"[0-9]{1,17}")
_COME_AGAIN: Final = (408, 425, 429)
_MISSED: Final = "events were missed, deletions and objections among them: import repositories anew"
log = logging.getLogger(__name__)


class JetstreamFeed:
    """A Jetstream server.

    Args:
        address: 'wss://host/subscribe' for version 1, for version 2
            'wss://host/xrpc/network.bsky.jetstream.subscribeEvents'. Its query may narrow the
            stream (`wantedDids` or `dids`, `wantedCollections` or `collections`); the records in
            which accounts speak of themselves always come.

    Raises:
        UsageError: the address is of neither kind.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        path = parts.path.rstrip("/")
        if parts.scheme not in ("ws", "wss") or not path.endswith((_FIRST, _SECOND)):
            raise UsageError(
                "the address is no Jetstream server's",
                f"expected wss://HOST{_FIRST} or wss://HOST{_SECOND}",
            )
        host = parts.netloc.rpartition("@")[2]
        self.name = f"{parts.scheme}://{host}{path}"
        self._numbered = path.endswith(_SECOND)
        self._query = _narrowed(
            parts.query, "collections" if self._numbered else "wantedCollections"
        )

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Yield what arrives behind the cursor (see `live.Feed`)."""
        place = int(cursor) if _PLACE.fullmatch(cursor) else _now()
        try:
            socket = self._connected(place)
        except _TooOldError:
            log.warning("%s has nothing left from so long ago: %s", self.name, _MISSED)
            place = _now()
            socket = self._connected(place)
        with socket, closing(socket):  # to leave is no error, whatever ends the reading
            # Known from the start, or a loss before the first message would leave a gap.
            yield Arrived((), str(place))
            yield from self._messages(socket, place, stop)

    def _connected(self, place: int) -> ClientConnection:
        try:
            return connect(
                self._url(place),
                subprotocols=[_SUBPROTOCOL] if self._numbered else None,
                user_agent_header="sayso",
                open_timeout=CONNECT_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PING_SECONDS,
                close_timeout=1,
                max_size=LONGEST_MESSAGE,
                max_queue=MESSAGES_AHEAD,
            )
        except InvalidStatus as error:
            raise self._refusal(error) from error
        except InvalidURI as error:
            raise UsageError("the address is no URL of a server", "check it") from error
        except (OSError, WebSocketException) as error:
            raise LostError(f"{self.name} cannot be reached ({type(error).__name__})") from error

    def _url(self, place: int) -> str:
        if place >= FIRST_TIME:
            age = timedelta(microseconds=_now() - place)
            if age > KEPT and not self._numbered:
                log.warning("%s keeps %s, the last event is older: %s", self.name, KEPT, _MISSED)
            place -= REWIND // timedelta(microseconds=1)
        return f"{self.name}?{urlencode([*self._query, ('cursor', str(place))])}"

    def _refusal(self, error: InvalidStatus) -> Exception:
        status = error.response.status_code
        if status == 400 and b"CursorTooOld" in (error.response.body or b""):
            return _TooOldError(f"{self.name} has nothing left from so long ago")
        if status in _COME_AGAIN or status >= 500:
            return LostError(f"{self.name} answered with status {status}")
        return UsageError(f"{self.name} refuses us with status {status}", "check the address")

    def _messages(
        self, socket: ClientConnection, place: int, stop: threading.Event
    ) -> Iterator[Arrived | None]:
        last = place if place < FIRST_TIME else None
        number = 0
        while not stop.is_set():
            try:
                data = socket.recv(timeout=TICK_SECONDS, decode=False)
            except TimeoutError:
                yield None
                continue
            except ConnectionClosed as error:
                raise LostError(f"{self.name} closed the connection") from error
            number += 1
            message = jetstream.read(data, self.name, f"message {number}")
            if message.error:
                raise LostError(f"{self.name} ended the stream with an error")
            if message.notice and self._begins_anew(message.notice):
                last = None
            if self._numbered and message.place is not None:
                if last is not None and message.place <= last:
                    continue  # it came before
                last = message.place
            cursor = "" if message.place is None else str(message.place)
            yield Arrived(message.items, cursor, message.at)

    def _begins_anew(self, notice: str) -> bool:
        """Whether what the server says of the stream means that its numbers begin anew."""
        if notice == "OutdatedCursor":
            log.warning("%s has nothing left from so long ago: %s", self.name, _MISSED)
        elif notice == "FutureCursor":
            log.warning("%s is another archive than before: %s", self.name, _MISSED)
        return notice == "FutureCursor"


class _TooOldError(LostError):
    """The server no longer has what followed the cursor."""


def _narrowed(query: str, name: str) -> list[tuple[str, str]]:
    """Return an address's query with the collections we read, and a limit on messages."""
    pairs = [(key, value) for key, value in parse_qsl(query) if key not in _OURS]
    wanted = [value for key, value in pairs if key == name] or jetstream.COLLECTIONS
    return [
        *((key, value) for key, value in pairs if key != name),
        *((name, collection) for collection in dict.fromkeys((*wanted, *jetstream.ALWAYS))),
        ("maxMessageSizeBytes", str(LONGEST_MESSAGE)),
    ]


def _now() -> int:
    """Microseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)
