"""Listening to Jetstream: real servers of both versions, which cut connections and forget."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from sayso.content.events import Upsert
from sayso.errors import UsageError
from sayso.sources import jetstream
from sayso.sources.feeds import open_feed
from sayso.sources.items import Rejected
from sayso.sources.jetstream_feed import KEPT, LONGEST_MESSAGE, REWIND, JetstreamFeed
from sayso.sources.live import Arrived, LostError
from tests.sources.test_car import POST
from tests.sources.test_jetstream import changed

FIRST = "/subscribe"
SECOND = f"/xrpc/{jetstream.EVENTS}"
NOW = int(datetime.now(UTC).timestamp() * 1_000_000)
SUBPROTOCOL = Subprotocol("xrpc.v1.json")


class Archive:
    """A Jetstream server's past, and what it does to who connects.

    Args:
        numbered: whether it speaks version 2.
        posts: how many posts there are, a second apart.
    """

    def __init__(self, numbered: bool, posts: int) -> None:
        self.numbered = numbered
        self.asked: list[dict[str, list[str]]] = []
        self.protocols: list[str | None] = []
        self.floor = 0
        self.answer: HTTPStatus | None = None
        self.cut_after: list[int] = []
        self.notice: dict[str, object] | None = None
        self.extra: list[str | bytes] = []
        self.messages = [self._message(n) for n in range(posts)]

    def _message(self, n: int) -> tuple[int, str]:
        place = n + 1 if self.numbered else NOW + n * 1_000_000
        frames = changed("create", "app.bsky.feed.post", POST, rkey=f"3k{n}")
        frame = frames[self.numbered]
        (frame["payload"] if self.numbered else frame)["seq" if self.numbered else "time_us"] = (
            place
        )
        return place, json.dumps(frame)

    def before(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request that is no stream."""
        query = parse_qs(urlsplit(request.path).query)
        self.asked.append(query)
        if self.answer is not None:
            return connection.respond(self.answer, "")
        if self.numbered and int(query["cursor"][0]) < self.floor:
            return connection.respond(HTTPStatus.BAD_REQUEST, '{"error":"CursorTooOld"}')
        return None

    def stream(self, connection: ServerConnection) -> None:
        """Send what lies at the cursor and behind it, then cut the connection or wait."""
        self.protocols.append(connection.subprotocol)
        begin = int(self.asked[-1]["cursor"][0])
        if self.notice:
            connection.send(json.dumps(self.notice))
            begin = 0
        # Of the future, or of now: only what is yet to come.
        due = [text for place, text in self.messages if place >= max(begin, self.floor)]
        cut = self.cut_after.pop(0) if self.cut_after else None
        with suppress(ConnectionClosed):
            for text in [*self.extra, *due][:cut]:
                connection.send(text)
            if cut is None:
                connection.recv()  # until the other side leaves


@contextmanager
def served(archive: Archive) -> Iterator[str]:
    """The archive's address."""
    server: Server = serve(
        archive.stream,
        "127.0.0.1",
        0,
        process_request=archive.before,
        subprotocols=[SUBPROTOCOL] if archive.numbered else None,
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.socket.getsockname()[1]
        yield f"ws://127.0.0.1:{port}{SECOND if archive.numbered else FIRST}"
    finally:
        server.shutdown()
        thread.join()


def arrivals(feed: JetstreamFeed, cursor: str = "") -> Iterator[Arrived]:
    """What arrives until nothing more does, or the connection is lost."""
    stop = threading.Event()
    with closing(feed.follow(cursor, stop)) as following:
        for arrived in following:
            if arrived is None:
                return
            yield arrived


def ids(arrived: Iterator[Arrived]) -> list[str]:
    items = (item for each in arrived for item in each.items)
    return [item.record.id.rpartition("/")[2] for item in items if isinstance(item, Upsert)]


def begin_of(archive: Archive) -> str:
    """A cursor behind the first message."""
    return str(archive.messages[0][0])


def is_now(query: dict[str, list[str]]) -> bool:
    """Whether a request begins now, give or take a minute."""
    return abs(int(query["cursor"][0]) - time.time() * 1_000_000) < 60_000_000


@pytest.mark.parametrize("numbered", [False, True])
def test_a_stream_that_is_lost_before_its_first_message_goes_on_where_it_began(numbered):
    archive = Archive(numbered, 1)
    archive.messages.clear()
    archive.cut_after = [0]
    with served(archive) as address:
        feed = JetstreamFeed(address)
        following = feed.follow("", threading.Event())
        began = next(following)
        assert began
        assert not began.items
        with pytest.raises(LostError):
            list(following)
        next(arrivals(feed, began.cursor))
    first, again = (int(query["cursor"][0]) for query in archive.asked)
    assert first == again
    assert is_now(archive.asked[0])


@pytest.mark.parametrize("numbered", [False, True])
def test_what_follows_the_cursor_arrives_with_places_to_go_on(numbered):
    archive = Archive(numbered, 20)
    with served(archive) as address:
        _, *found = arrivals(JetstreamFeed(address), str(archive.messages[9][0]))
    # Version 1 counts in time and is set back; version 2 repeats one event, which is dropped.
    expected = range(10, 20) if numbered else range(4, 20)
    assert ids(iter(found)) == [f"3k{n}" for n in expected]
    assert found[-1].cursor == str(archive.messages[-1][0])
    assert all(each.at for each in found)
    assert archive.protocols == [SUBPROTOCOL if numbered else None]


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.booleans(), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 8))
def test_nothing_is_lost_whenever_the_connection_is_cut(numbered, cuts, stored):
    archive = Archive(numbered, 12)
    archive.cut_after = list(cuts)
    cursor = begin_of(archive)
    seen: set[str] = set()
    with served(archive) as address:
        feed = JetstreamFeed(address)
        while "3k11" not in seen:
            last_chance, kept = not archive.cut_after, 0
            with closing(feed.follow(cursor, threading.Event())) as following:
                try:
                    for arrived in following:
                        assert arrived, "nothing came any more"
                        seen.update(ids(iter([arrived])))
                        kept += 1
                        # What came last was not stored before a crash, so it has to come again.
                        cursor = arrived.cursor if kept <= stored else cursor
                        if "3k11" in seen:
                            break
                except LostError:
                    assert not last_chance
    assert seen >= {f"3k{n}" for n in range(1, 12)}


def test_the_collections_and_the_cursor_that_are_asked_for():
    for numbered in (False, True):
        archive = Archive(numbered, 1)
        name, dids = ("collections", "dids") if numbered else ("wantedCollections", "wantedDids")
        with served(archive) as address:
            list(arrivals(JetstreamFeed(address), begin_of(archive)))
            ours = "kinds=commit&compress=true"
            asked = f"{address}?{dids}=did:plc:member1&{name}=app.bsky.feed.post&{ours}"
            list(arrivals(JetstreamFeed(asked)))
        wide, narrow = archive.asked
        place = archive.messages[0][0]
        rewound = place if numbered else place - REWIND // timedelta(microseconds=1)
        assert wide.pop("cursor") == [str(rewound)]
        assert wide[name] == list(jetstream.COLLECTIONS)
        assert narrow[name] == ["app.bsky.feed.post", *jetstream.ALWAYS]
        assert narrow[dids] == ["did:plc:member1"]
        assert not {"compress", "kinds"} & narrow.keys()
        assert int(narrow["maxMessageSizeBytes"][0]) > 0


def test_a_cursor_that_is_too_old_begins_now_and_says_so(caplog):
    archive = Archive(numbered=True, posts=5)
    archive.floor = 3
    with served(archive) as address:
        assert ids(arrivals(JetstreamFeed(address), "1")) == []
    assert len(archive.asked) == 2
    assert is_now(archive.asked[-1])
    assert "events were missed" in caplog.text


def test_a_server_that_calls_even_now_too_old_is_asked_again_later():
    archive = Archive(numbered=True, posts=1)
    archive.floor = 10**17
    with served(archive) as address, pytest.raises(LostError):
        list(arrivals(JetstreamFeed(address), "1"))


def test_a_cursor_older_than_what_version_1_keeps_is_said(caplog):
    archive = Archive(numbered=False, posts=3)
    with served(archive) as address:
        feed = JetstreamFeed(address)
        assert len(ids(arrivals(feed, begin_of(archive)))) == 3
        assert not caplog.text
        age = KEPT // timedelta(microseconds=1) + 60_000_000
        assert len(ids(arrivals(feed, str(NOW - age)))) == 3
    assert "events were missed" in caplog.text


def test_another_archive_behind_the_address_begins_its_numbers_anew(caplog):
    archive = Archive(numbered=True, posts=4)
    kind = "network.bsky.jetstream.subscribeEvents#info"
    archive.notice = {"$type": "message", "payload": {"$type": kind, "name": "FutureCursor"}}
    with served(archive) as address:
        assert len(ids(arrivals(JetstreamFeed(address), "900"))) == 4
    assert "events were missed" in caplog.text


def test_an_outdated_cursor_is_said(caplog):
    archive = Archive(numbered=True, posts=1)
    kind = "network.bsky.jetstream.subscribeEvents#info"
    archive.notice = {"$type": "message", "payload": {"$type": kind, "name": "OutdatedCursor"}}
    with served(archive) as address:
        list(arrivals(JetstreamFeed(address)))
    assert "events were missed" in caplog.text


def test_an_error_of_the_server_ends_the_connection():
    archive = Archive(numbered=True, posts=1)
    archive.extra = [json.dumps({"$type": "error", "error": "ConsumerTooSlow", "message": "…"})]
    with served(archive) as address, pytest.raises(LostError):
        list(arrivals(JetstreamFeed(address), "1"))


def test_a_message_that_is_too_long_is_not_taken_into_memory():
    archive = Archive(numbered=False, posts=1)
    archive.extra = ["x" * (LONGEST_MESSAGE + 1)]
    with served(archive) as address, pytest.raises(LostError, match="closed"):
        list(arrivals(JetstreamFeed(address), "1"))


def test_messages_that_cannot_be_read_are_told_and_passed():
    archive = Archive(numbered=False, posts=2)
    archive.extra = ["not JSON", b"\x28\xb5\x2f\xfd\x00", "{}"]
    with served(archive) as address, closing(arrivals(JetstreamFeed(address), "1")) as following:
        _, *first = (next(following) for _ in range(6))
    items = [item for each in first for item in each.items]
    assert [item.where for item in items if isinstance(item, Rejected)] == [
        "message 1",
        "message 2",
        "message 3",
    ]
    assert [each.cursor for each in first[:3]] == ["", "", ""]
    assert len(ids(iter(first))) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (HTTPStatus.BAD_REQUEST, UsageError),
        (HTTPStatus.UNAUTHORIZED, UsageError),
        (HTTPStatus.NOT_FOUND, UsageError),
        (HTTPStatus.TOO_MANY_REQUESTS, LostError),
        (HTTPStatus.SERVICE_UNAVAILABLE, LostError),
    ],
)
def test_servers_that_refuse_us(status, error):
    archive = Archive(numbered=True, posts=1)
    archive.answer = status
    with served(archive) as address, pytest.raises(error, match=str(int(status))):
        list(arrivals(JetstreamFeed(address)))


def test_nobody_there():
    with served(Archive(numbered=False, posts=1)) as address:
        pass
    with pytest.raises(LostError, match="cannot be reached"):
        list(arrivals(JetstreamFeed(address)))


@pytest.mark.parametrize("cursor", ["", "x", "-5", "٣", "9" * 400])
def test_cursors_that_are_none_begin_now(cursor):
    archive = Archive(numbered=True, posts=1)
    with served(archive) as address:
        list(arrivals(JetstreamFeed(address), cursor))
    assert is_now(archive.asked[0])


def test_it_ends_when_it_is_told_to():
    stop = threading.Event()
    with served(Archive(numbered=False, posts=1)) as address:
        following = JetstreamFeed(address).follow("", stop)
        assert next(following)
        assert next(following) is None
        stop.set()
        assert list(following) == []


@pytest.mark.parametrize(
    "address",
    ["wss://a.example", "wss://a.example/", "https://a.example/subscribe", "wss://a.example/other"],
)
def test_addresses_that_are_no_jetstream(address):
    with pytest.raises(UsageError) as caught:
        JetstreamFeed(address)
    assert FIRST in caught.value.hint


def test_its_name_holds_neither_names_nor_keys():
    feed = JetstreamFeed("wss://user:key@a.example:8080/subscribe/?wantedDids=did:plc:member1")
    assert feed.name == "wss://a.example:8080/subscribe"
    assert open_feed("wss://a.example/subscribe").name == "wss://a.example/subscribe"
