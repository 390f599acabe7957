"""Listening to a Mastodon instance: its members' public posts as they come, comments soon after.

The streaming API keeps nothing: after a gap the REST API is asked for the posts in between. It
streams no replies to others either (they are on no public timeline), so the accounts seen are asked
for theirs, one after the other. Edits and deletions are told only to those who are connected.

Source: platform-formats B; mastodon/documentation methods/streaming.
"""

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from sayso.content.events import Upsert
from sayso.errors import UsageError
from sayso.sources.items import Item, Rejected
from sayso.sources.live import Arrived, LostError
from sayso.sources.mastodon_lines import UNREADABLE, open_event, placed, unreadable
from sayso.sources.mastodon_rest import (
    TICK_SECONDS,
    LaterError,
    Page,
    Rest,
    earlier,
    is_safe,
    order,
    refused,
)
from sayso.sources.mastodon_status import Server, Status, decode_status, is_alias, read_status

LONGEST_MESSAGE: Final = 16 * 1024 * 1024
MESSAGES_AHEAD: Final = 1024
ROUND_SECONDS: Final = 60.0
MOST_ACCOUNTS: Final = 10_000
MOST_URIS: Final = 10_000

_T = TypeVar("_T")


class Place(Struct):
    """How far a listener has come: numbers of statuses, and the accounts whose comments to get."""

    public: str
    comments: str
    accounts: dict[str, None] = field(default_factory=dict)


class _Failure(Struct):
    error: str | None = None
    status: int = 0


class MastodonFeed:
    """A live instance.

    Args:
        base: its address, 'https://host'.
        token: a user token with the scope read:statuses, of an account that blocks, mutes and
            filters nobody: it would not be told of them.
        from_start: begin with the oldest public post instead of from now on.
        pace: seconds between two questions for comments; the API allows one a second.
    """

    def __init__(
        self, base: str, token: str, *, from_start: bool = False, pace: float = 2.0
    ) -> None:
        self.base = base
        self.host = urlsplit(base).netloc
        self.name = f"mastodon:{self.host}"
        self.token = token
        self.from_start = from_start
        self.pace = pace

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Catch up with what was missed, then follow the stream (see `live.Feed`)."""
        with Rest(self.base, self.token, stop) as rest:
            session = _Session(self, rest, stop)
            yield from session.begin(cursor)
            yield from session.catch_up()
            address = yield from rest.streaming_address()
            if stop.is_set():
                return
            with self._connected(address) as socket:
                yield from session.catch_up()  # what came since, before the stream began
                yield from session.live(socket)

    def _connected(self, address: str) -> ClientConnection:
        if not is_safe(address):
            raise UsageError(
                f"{self.base} streams without encryption, which would show the token to all",
                "its setting configuration.urls.streaming must begin with wss://",
            )
        try:
            return connect(
                f"{address}/api/v1/streaming?stream=public:local",
                additional_headers={"Authorization": f"Bearer {self.token}"},
                subprotocols=[Subprotocol(self.token)],
                max_size=LONGEST_MESSAGE,
                max_queue=MESSAGES_AHEAD,
                close_timeout=2,
            )
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise refused(self.base) from error
            raise LostError(
                f"{self.base} answered the stream with status {error.response.status_code}"
            ) from error
        except InvalidURI as error:
            raise UsageError(f"{self.base} tells no address to stream from") from error
        except (OSError, WebSocketException) as error:
            raise LostError(
                f"the stream of {self.base} cannot be reached ({type(error).__name__})"
            ) from error


class _Session:
    """One connection: where it stands, and the URIs of the statuses it saw."""

    def __init__(self, feed: MastodonFeed, rest: Rest, stop: threading.Event) -> None:
        self._feed = feed
        self._rest = rest
        self._stop = stop
        self._place = Place("0", "0")
        self._uris: dict[str, str] = {}
        self._server = Server(feed.host, self._uris)
        self._round: list[str] = []
        self._floor = "0"
        self._due = 0.0
        self._messages = 0

    def begin(self, cursor: str) -> Iterator[Arrived | None]:
        """Go to where the cursor says, or to the newest post."""
        if cursor:
            self._place = msgspec.json.decode(cursor, type=Place)
        elif not self._feed.from_start:
            newest = yield from self._rest.timeline(limit="1")
            if newest is None:
                return
            for status in self._statuses(newest):
                if isinstance(status, Status):
                    self._place = Place(status.id, status.id)
        yield self._arrived()

    def catch_up(self) -> Iterator[Arrived | None]:
        """Get the public posts since the place, the oldest first."""
        min_id = earlier(self._place.public)
        while min_id:
            page = yield from self._rest.timeline(min_id=min_id)
            yield from self._taken(page)
            min_id = page.newer if page else ""

    def live(self, socket: ClientConnection) -> Iterator[Arrived | None]:
        """Follow the stream, and ask for comments meanwhile."""
        self._rest.patient = False
        while not self._stop.is_set():
            try:
                message = socket.recv(timeout=TICK_SECONDS, decode=False)
            except TimeoutError:
                yield None
            except ConnectionClosed as error:
                raise LostError(f"{self._feed.base} closed the stream") from error
            else:
                assert isinstance(message, bytes)  # asked for by decode=False
                yield from self._streamed(message)
            if time.monotonic() >= self._due:
                yield from self._comments()

    def _streamed(self, message: bytes) -> Iterator[Arrived | None]:
        self._messages += 1
        where = f"message {self._messages} of this connection"
        if b'"event"' not in message:
            self._fail(message)
        got = open_event(message, self._feed.host, self._feed.name, where)
        if not isinstance(got, Status):
            yield self._arrived(got)
            return
        self._note(got)
        self._place.public = max(self._place.public, got.id, key=order)
        try:
            item = yield from self._read(got, where)
        except LaterError:
            item = placed(read_status(got, self._server), self._feed.name, where)
        yield self._arrived(item, at=_happened(item))

    def _fail(self, message: bytes) -> None:
        """The server sends reasons for not streaming as messages of their own."""
        try:
            failure = msgspec.json.decode(message, type=_Failure)
        except UNREADABLE:
            return
        if failure.status in (401, 403):
            raise refused(self._feed.base)
        if failure.error:
            raise LostError(f"{self._feed.base} does not stream (status {failure.status})")

    def _comments(self) -> Iterator[Arrived | None]:
        """Ask the next account for what it wrote since the last round."""
        if not self._round:
            self._round = list(self._place.accounts)
            self._floor = self._place.public
        pace = min(ROUND_SECONDS / max(1, len(self._place.accounts)), 30 * self._feed.pace)
        pace = max(self._feed.pace, pace)
        if self._round:
            try:
                yield from self._comments_by(self._round[-1])
                self._round.pop()
            except LaterError as later:
                pace = later.seconds
            if not self._round and not self._stop.is_set():
                self._place.comments = earlier(self._floor)
                yield self._arrived()
        self._due = time.monotonic() + pace

    def _comments_by(self, number: str) -> Iterator[Arrived | None]:
        min_id = self._place.comments
        while min_id:
            page = yield from self._rest.account(number, min_id)
            if page is None and not self._stop.is_set():
                self._place.accounts.pop(number, None)  # it is gone
            yield from self._taken(page, timed=False)
            min_id = page.newer if page else ""

    def _taken(self, page: Page | None, *, timed: bool = True) -> Iterator[Arrived | None]:
        """Take a page in; only the timeline moves the place on, and counts for the lag."""
        if page is None:
            return
        items: list[Item] = []
        for got in self._statuses(page):
            if isinstance(got, Status):
                self._note(got)
                if timed:
                    self._place.public = max(self._place.public, got.id, key=order)
                items.append((yield from self._read(got, "a page of statuses")))
            else:
                items.append(got)
        moments = [moment for item in items if (moment := _happened(item))]
        at = max(moments, default=None) if timed else None
        yield self._arrived(*items, at=at)

    def _statuses(self, page: Page) -> Iterator[Status | Rejected]:
        for data in page.statuses:
            try:
                yield decode_status(data)
            except UNREADABLE as error:
                yield Rejected(self._feed.name, "a page of statuses", unreadable(error))

    def _note(self, status: Status) -> None:
        """Remember its URI, and the members that it is by and mentions."""
        _remember(self._uris, status.id, status.uri, MOST_URIS)
        members = [(status.account.acct, status.account.id)]
        members += [(mention.acct, mention.id) for mention in status.mentions]
        for acct, number in members:
            if "@" not in acct and number.isalnum():
                _remember(self._place.accounts, number, None, MOST_ACCOUNTS)

    def _read(self, status: Status, where: str) -> Generator[None, None, Item]:
        """Turn a status into an item; if need be, ask what it replies to."""
        item = read_status(status, self._server)
        number = status.in_reply_to_id or ""
        if isinstance(item, Upsert) and is_alias(item.record.reply_to) and number.isalnum():
            parent = yield from self._rest.status(number)
            uri = item.record.reply_to  # nobody may see it: it stays an unknown parent
            if parent:
                with contextlib.suppress(*UNREADABLE):
                    uri = decode_status(parent).uri
            _remember(self._uris, number, uri, MOST_URIS)
            item = read_status(status, self._server)
        return placed(item, self._feed.name, where)

    def _arrived(self, *items: Item, at: datetime | None = None) -> Arrived:
        return Arrived(items, msgspec.json.encode(self._place).decode(), at)


def _remember(known: dict[str, _T], key: str, value: _T, most: int) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]


def _happened(item: Item) -> datetime | None:
    return (item.record.edited_at or item.record.created_at) if isinstance(item, Upsert) else None
