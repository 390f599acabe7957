"""Listening to a NATS JetStream stream through a durable consumer, which keeps the place.

A message is a CloudEvent (structured, or with `ce-…` headers), a batch of them, or one of Sayso's
own lines. An empty body deletes the record whose id ends the subject: below 'content.>' the
tombstone of a record goes to 'content.<id>'. What is not acknowledged comes again, so a message is
acknowledged when it is stored.

Source: platform-formats E; CloudEvents NATS protocol binding 1.0.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from sayso.content.events import Delete
from sayso.content.record import LONGEST_ID
from sayso.errors import UsageError
from sayso.sources import cloudevents
from sayso.sources.items import Item, Rejected
from sayso.sources.live import Arrived, LostError

AT_ONCE: Final = 500
TICK_SECONDS: Final = 0.5
CONNECT_SECONDS: Final = 5
# What is not stored by then is sent again.
STORED_WITHIN_SECONDS: Final = 60.0
_PREFIX: Final = "ce-"


class NatsFeed:
    """A stream of a NATS server.

    Args:
        server: 'nats://host:port', or 'tls://…'.
        stream: the stream's name.
        durable: the consumer's name; it is made at first use, to begin with the oldest message.
        subject: which subjects of the stream, wildcards allowed; all if empty.
        token: the server's token, if it wants one.
    """

    def __init__(
        self, server: str, stream: str, durable: str = "sayso", subject: str = "", token: str = ""
    ) -> None:
        self.server = server
        self.stream = stream
        self.durable = durable
        self.subject = subject
        self.token = token
        self.name = f"{server}/{stream}?durable={durable}"

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Yield what the consumer has for us (see `live.Feed`); the server keeps the place."""
        with asyncio.Runner() as runner:
            link = _Link(self, runner)
            try:
                runner.run(link.open())
                while not stop.is_set():
                    messages = runner.run(link.fetch())
                    yield from map(link.arrived, messages)
                    if not messages:
                        yield None
            finally:
                runner.run(link.close())


class _Link:
    """One connection, in an event loop that runs only while something is asked of it."""

    def __init__(self, feed: NatsFeed, runner: asyncio.Runner) -> None:
        self._feed = feed
        self._runner = runner
        self._client = Client()
        self._pull: JetStreamContext.PullSubscription
        self._refused = False

    async def open(self) -> None:
        """Connect, and find the consumer or make it."""
        feed = self._feed
        try:
            await self._client.connect(
                feed.server,
                token=feed.token or None,
                name="sayso",
                allow_reconnect=False,  # whoever follows does, and says so
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_SECONDS,
                error_cb=self._note,
            )
            context = self._client.jetstream()
            await context.stream_info(feed.stream)
            config = ConsumerConfig(
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=STORED_WITHIN_SECONDS,
                max_ack_pending=10 * AT_ONCE,
            )
            self._pull = await context.pull_subscribe(
                feed.subject or ">", feed.durable, feed.stream, config
            )
        except NotFoundError as error:
            raise UsageError(
                f"{feed.server} has no stream {feed.stream}",
                "make it first, for instance with `nats stream add`",
            ) from error
        except (Error, OSError, ValueError) as error:
            if self._refused:
                raise UsageError(
                    f"{feed.server} refuses us: it wants another token, or one at all",
                    "set SAYSO_TOKEN or use --token-file",
                ) from error
            raise self._lost(error) from error

    async def fetch(self) -> list[Msg]:
        """Return what is there, after half a second if it is nothing."""
        try:
            return await self._pull.fetch(AT_ONCE, timeout=TICK_SECONDS)
        except TimeoutError as error:
            if self._client.is_closed:
                raise self._lost(error) from error
            return []
        except (Error, OSError) as error:
            raise self._lost(error) from error

    def arrived(self, message: Msg) -> Arrived:
        """Turn a message into items, to be acknowledged when they are stored."""
        place = message.metadata
        items = tuple(_items(message, self._feed, place.sequence.stream))
        return Arrived(items, "", place.timestamp, lambda: self._settle(message))

    def _settle(self, message: Msg) -> None:
        if self._client.is_closed:
            return  # it comes again, and changes nothing
        try:
            self._runner.run(message.ack())
        except (Error, OSError) as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Send what is not sent yet, and part."""
        await self._client.close()

    async def _note(self, error: Exception) -> None:
        self._refused |= "authorization" in str(error).lower()

    def _lost(self, error: Exception) -> LostError:
        # The text of an error may tell a subject, which ends in an id.
        return LostError(f"{self._feed.server} cannot be reached ({type(error).__name__})")


def _items(message: Msg, feed: NatsFeed, number: int) -> Iterator[Item]:
    headers = {name.lower(): value for name, value in (message.headers or {}).items()}
    attributes = {
        name.removeprefix(_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if message.data or attributes:
        if attributes and "content-type" in headers:
            attributes["datacontenttype"] = headers["content-type"]
        yield from cloudevents.parse(message.data, attributes, feed.name, number)
        return
    name = tail(message.subject, feed.subject)
    if 0 < len(name) <= LONGEST_ID:
        yield Delete(name)
    else:
        yield Rejected(
            feed.name, f"message {number}", "an empty message whose subject ends in no record's id"
        )


def tail(subject: str, wanted: str) -> str:
    """Return what of a subject stands for the wildcard, without one what follows its first part.

    An id may hold dots, so it may be several parts of a subject.
    """
    parts = wanted.split(".")
    fixed = next((n for n, part in enumerate(parts) if part in ("*", ">")), None)
    if not wanted or fixed == 0:
        fixed = 1
    return "" if fixed is None else ".".join(subject.split(".")[fixed:])
