"""Listening to a real NATS JetStream server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sayso.content.events import Delete, Upsert
from sayso.errors import UsageError
from sayso.sources.items import Rejected
from sayso.sources.live import LostError
from sayso.sources.nats_stream import NatsFeed, tail
from tests.corpus.world import event, post
from tests.sources.following import Follower, until
from tests.sources.nats_server import STREAM, NatsServer

URI = "https://square.example/users/member-1/statuses/1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    server.make_stream("content.>", "other.*")
    yield server
    server.kill()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that a test may kill."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    server.make_stream("content.>")
    yield server
    server.kill()


def data(value: object) -> bytes:
    return json.dumps(value).encode()


def following(server: NatsServer, durable: str, **how: str) -> Follower:
    return Follower(NatsFeed(server.address, STREAM, durable, **how))


def test_all_forms_of_messages_arrive(server):
    begun = datetime.now(UTC) - timedelta(seconds=60)
    structured = {
        "specversion": "1.0",
        "id": "1",
        "source": "/test",
        "type": "net.content.upsert",
        "data": post(2),
    }
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "2",
        "ce-source": "/test",
        "ce-type": "net.content.upsert",
        "content-type": "application/json",
        "Nats-Msg-Id": "2",
    }
    server.publish(
        [
            ("content.post-1", data(post(1))),
            ("content.post-2", data(structured)),
            ("content.post-3", data(post(3)), binary),
            ("content.post-4", data(event("content.upsert", **post(4)))),
            (f"content.{URI}", b""),
            ("other.x", b"zwiebelfisch"),
            ("content.post-5", data([post(5), post(6)])),
        ]
    )
    follower = following(server, "forms")
    items = follower.go(lambda: len(follower.items) == 8)
    made = [item.record.id for item in items if isinstance(item, Upsert)]
    assert made == [f"post-{n}" for n in (1, 2, 3, 4, 5, 6)]
    assert items[4] == Delete(URI)
    assert isinstance(items[5], Rejected)
    assert "zwiebelfisch" not in str(items)
    assert all(begun < arrived.at < datetime.now(UTC) for arrived in follower.arrived)
    follower.settle()
    follower.end()
    assert until(lambda: server.unsettled("forms") == 0)


def test_what_is_not_settled_comes_again(own):
    own.make_consumer("again", ack_wait=1)
    own.publish(("content.x", data(post(n))) for n in range(20, 25))
    first = following(own, "again")
    first.go(lambda: len(first.items) == 5)
    first.arrived, rest = first.arrived[:-3], first.arrived[-3:]
    first.settle()
    first.end()
    second = following(own, "again")
    second.go(lambda: len(second.items) == 3)
    assert [arrived.items for arrived in second.arrived] == [arrived.items for arrived in rest]
    second.settle()
    second.end()
    assert until(lambda: own.unsettled("again") == 0)


def test_only_the_wanted_subjects_come_and_a_subject_s_tail_is_the_id(server):
    server.publish([("other.post-30", b""), ("content.post-31", b"")])
    follower = following(server, "tails", subject="other.*")
    items = follower.go(lambda: Delete("post-30") in follower.items)
    assert Delete("post-31") not in items
    follower.end()


@pytest.mark.parametrize(
    ("subject", "wanted", "expected"),
    [
        (f"content.{URI}", "", URI),
        (f"a.b.{URI}", "a.b.>", URI),
        ("a.b.c", "a.*.>", "b.c"),
        ("content.x", ">", "x"),
        ("content", "", ""),
        ("content.x", "content.x", ""),
    ],
)
def test_the_tail_of_a_subject(subject, wanted, expected):
    assert tail(subject, wanted) == expected


def test_an_empty_message_without_an_id_is_rejected(own):
    own.publish([("content.x", b"")])
    follower = following(own, "sayso", subject="content.x")
    (item,) = follower.go(lambda: follower.items)
    assert isinstance(item, Rejected)
    follower.end()


def test_a_server_that_dies_is_lost_and_settling_then_is_harmless(own):
    own.make_consumer("sayso", ack_wait=1)
    own.publish(("content.x", data(post(n))) for n in range(3))
    follower = following(own, "sayso")
    follower.go(lambda: len(follower.items) == 3)
    own.kill()
    with pytest.raises(LostError, match="cannot be reached"):
        follower.go(lambda: False)
    follower.settle()
    own.start()
    again = following(own, "sayso")
    again.go(lambda: len(again.items) == 3)
    again.end()
    # What comes again comes in any order.
    assert sorted(map(repr, again.items)) == sorted(map(repr, follower.items))


def test_what_is_refused_is_said(tmp_path, server):
    with pytest.raises(UsageError, match="has no stream elsewhere"):
        Follower(NatsFeed(server.address, "elsewhere")).go(lambda: False)
    guarded = NatsServer(tmp_path / "guarded", token="a-secret")
    guarded.start()
    try:
        guarded.make_stream("content.>")
        for wrong in ("", "b-secret"):
            with pytest.raises(UsageError, match="refuses us") as error:
                Follower(NatsFeed(guarded.address, STREAM, token=wrong)).go(lambda: False)
            assert "secret" not in error.value.problem + error.value.hint
        guarded.publish([("content.x", data(post(1)))])
        follower = Follower(NatsFeed(guarded.address, STREAM, token="a-secret"))
        assert follower.go(lambda: follower.items)
        assert "secret" not in NatsFeed(guarded.address, STREAM, token="a-secret").name
        follower.end()
    finally:
        guarded.kill()
