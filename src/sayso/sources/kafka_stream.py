"""Listening to Kafka topics in a consumer group, which keeps the place.

A record's key is the id of what it is about, its value a CloudEvent (structured, or with `ce_…`
headers) or one of Sayso's own lines; a null value deletes the record of that id. Offsets are
committed when their records are stored.

Source: platform-formats E; CloudEvents Kafka protocol binding 1.0.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
)

from sayso.content.events import Delete
from sayso.content.record import LONGEST_ID
from sayso.errors import SaysoError, UsageError
from sayso.sources import cloudevents
from sayso.sources.items import Item, Rejected
from sayso.sources.live import Arrived, LostError

AT_ONCE: Final = 500
TICK_SECONDS: Final = 0.5
CONNECT_SECONDS: Final = 10.0
ATTEMPTS: Final = 10
_PREFIX: Final = "ce_"
_REFUSALS: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.INVALID_GROUP_ID,
    }
)


class KafkaFeed:
    """Topics of a Kafka cluster.

    Args:
        brokers: 'host:port,host:port'.
        topics: their names.
        group: the consumer group; it begins with the oldest records that are kept.
        settings: further settings of librdkafka, for instance of TLS and SASL.
    """

    def __init__(
        self,
        brokers: str,
        topics: list[str],
        group: str = "sayso",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.brokers = brokers
        self.topics = topics
        self.group = group
        self.settings = settings or {}
        self.name = f"kafka://{brokers}/{','.join(topics)}?group={group}"

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Yield what the topics have for us (see `live.Feed`); the cluster keeps the place."""
        link = _Link(self)
        try:
            link.open()
            while not stop.is_set():
                records = link.fetch()
                yield from map(link.arrived, records)
                link.commit()
                if not records:
                    yield None
            link.commit()
        finally:
            link.close()


class _Link:
    """One connection; what was settled is committed with the next `commit`."""

    def __init__(self, feed: KafkaFeed) -> None:
        self._feed = feed
        self._problem: KafkaError | None = None
        self._is_open = True
        self._is_settled = False
        try:
            self._consumer = Consumer(
                {
                    "auto.offset.reset": "earliest",
                    **feed.settings,
                    "bootstrap.servers": feed.brokers,
                    "group.id": feed.group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "error_cb": self._note,
                    "log_level": 0,  # the library's log goes past ours
                }
            )
        except KafkaException as error:
            raise UsageError(
                "librdkafka does not take these settings", "see its CONFIGURATION.md"
            ) from error

    def open(self) -> None:
        """Make sure that the cluster is there, and subscribe."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._consumer.list_topics(timeout=CONNECT_SECONDS / ATTEMPTS)
                break
            except KafkaException as error:
                self._consumer.consume(1, 0)  # lets the client tell what it met
                if self._problem or attempt == ATTEMPTS:
                    raise self._ended(self._problem or error.args[0]) from error
        self._consumer.subscribe(self._feed.topics)

    def fetch(self) -> list[Message]:
        """Return what is there, after half a second if it is nothing."""
        records = self._consumer.consume(AT_ONCE, TICK_SECONDS)
        problem = next((error for record in records if (error := record.error())), self._problem)
        if problem:
            raise self._ended(problem)
        return records

    def arrived(self, record: Message) -> Arrived:
        """Turn a record into items, to be committed when they are stored."""
        kind, milliseconds = record.timestamp()
        at = datetime.fromtimestamp(milliseconds / 1000, UTC)
        is_told = kind != TIMESTAMP_NOT_AVAILABLE
        return Arrived(
            tuple(_items(record, self._feed.name)),
            "",
            at if is_told else None,
            lambda: self._settle(record),
        )

    def _settle(self, record: Message) -> None:
        if not self._is_open:
            return  # it comes again, and changes nothing
        try:
            self._consumer.store_offsets(message=record)
            self._is_settled = True
        except KafkaException as error:
            # Its partition went to another member of the group, who gets it again.
            if error.args[0].code() != KafkaError._STATE:
                raise self._ended(error.args[0]) from error

    def commit(self) -> None:
        """Tell the cluster how far everything is stored."""
        if not self._is_settled:
            return
        self._is_settled = False
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._NO_OFFSET:
                raise self._ended(error.args[0]) from error

    def close(self) -> None:
        """Leave the group."""
        self._is_open = False
        self._consumer.close()

    def _note(self, error: KafkaError) -> None:
        if error.code() in _REFUSALS or error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._problem = error

    def _ended(self, error: KafkaError) -> SaysoError:
        # Its text may hold anything; its name is one of a list.
        told = f"{self._feed.name}: {error.name()}"
        if error.code() in _REFUSALS:
            return UsageError(told, "check the topics' names, and the credentials in ?config=FILE")
        return LostError(told)


def _items(record: Message, name: str) -> Iterator[Item]:
    number = record.offset() or 0
    body = record.value()
    if body is not None:
        yield from cloudevents.parse(_bytes(body), _attributes(record), name, number)
        return
    where = f"partition {record.partition()}, offset {number}"
    try:
        key = _bytes(record.key() or b"").decode()
    except UnicodeDecodeError:
        key = ""
    if 0 < len(key) <= LONGEST_ID:
        yield Delete(key)
    else:
        yield Rejected(name, where, "a null value whose key is no record's id")


def _attributes(record: Message) -> dict[str, str]:
    """Return the context attributes in the headers of the binary mode; none in the structured."""
    attributes, kind = {}, ""
    headers = record.headers() or []
    for header, value in headers.items() if isinstance(headers, dict) else headers:
        text = _bytes(value or b"").decode("utf-8", "replace")
        if header.lower().startswith(_PREFIX):
            attributes[header.lower().removeprefix(_PREFIX)] = text
        elif header.lower() == "content-type":
            kind = text
    return attributes | {"datacontenttype": kind} if attributes and kind else attributes


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
