"""Listening to an instance: what it streams, what was missed, what it never streams."""

import json
import threading
from datetime import UTC, datetime

import pytest

from sayso.content.events import Delete, Upsert
from sayso.errors import UsageError
from sayso.sources.items import Item, Refused, Rejected
from sayso.sources.live import LostError
from sayso.sources.mastodon_rest import pause
from sayso.sources.mastodon_stream import MastodonFeed
from tests.sources.following import Follower
from tests.sources.mastodon_api import TOKEN, Instance, number, reply, running, status


@pytest.fixture
def instance():
    with running() as instance:
        yield instance


def feed(instance: Instance, token: str = TOKEN, *, from_start: bool = False) -> MastodonFeed:
    return MastodonFeed(instance.base, token, from_start=from_start, pace=0.01)


def ids(items: list[Item]) -> list[str]:
    """The records' ids, each once: what comes twice changes nothing."""
    return list(dict.fromkeys(item.record.id for item in items if isinstance(item, Upsert)))


def streaming(instance: Instance, cursor: str = "", **how: bool) -> Follower:
    """A follower who is connected."""
    follower = Follower(feed(instance, **how), cursor)
    follower.go(lambda: instance.connections)
    return follower


def test_what_is_posted_edited_and_deleted_arrives(instance):
    follower = streaming(instance)
    first, second = status(1), status(2)
    instance.post(first, second)
    edited = first | {"content": "<p>edited</p>", "edited_at": "2026-11-20T09:00:00.000Z"}
    instance.tell("status.update", edited)
    instance.delete(second)
    items = follower.go(lambda: any(isinstance(item, Delete) for item in follower.items))
    assert ids(items) == [first["uri"], second["uri"]]
    host = instance.base.removeprefix("http://")
    edit, deletion = items[-2:]
    assert (edit.record.id, edit.record.text) == (first["uri"], "edited")
    assert deletion == Delete(f"mastodon:{host}/{second['id']}")
    assert follower.arrived[-2].at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    follower.end()


def test_it_begins_now_unless_told_otherwise(instance):
    instance.post(*(status(n) for n in range(100)), told=False)
    newest = streaming(instance)
    assert ids(newest.items) == [status(n)["uri"] for n in range(40, 100)]
    newest.end()
    instance.drop()
    everything = streaming(instance, from_start=True)
    assert ids(everything.items) == [status(n)["uri"] for n in range(100)]


def test_after_a_gap_what_was_missed_comes_first(instance):
    follower = streaming(instance)
    instance.post(status(0))
    follower.go(lambda: ids(follower.items))
    instance.drop()
    with pytest.raises(LostError, match="closed the stream"):
        follower.go(lambda: False)
    missed = [status(100 + n) for n in range(95)]  # three pages
    instance.post(*missed, told=False)
    again = streaming(instance, follower.cursor)
    assert ids(again.items)[-95:] == [s["uri"] for s in missed]
    instance.post(status(300))
    again.go(lambda: status(300)["uri"] in ids(again.items))


def test_comments_are_asked_for_account_by_account(instance):
    follower = streaming(instance)
    topic = status(100, who="member-2")
    instance.post(topic)
    follower.go(lambda: ids(follower.items))
    # Neither is streamed; whom the second replies to only the server can tell.
    one = reply(101, topic, "member-2", visibility="unlisted")
    two = reply(102, status(50, who="far@hill.example", host="hill.example"), "member-2",
                mentions=[])  # fmt: skip
    far = status(50, who="far@hill.example", host="hill.example", visibility="unlisted")
    secret = status(103, who="member-2", visibility="direct")
    instance.post(one, two, far, secret, told=False)
    items = follower.go(lambda: {one["uri"], two["uri"]} <= set(ids(follower.items)))
    follower.go(lambda: any(isinstance(item, Refused) for item in follower.items))
    replies = {i.record.id: i.record.reply_to for i in items if isinstance(i, Upsert)}
    assert replies[one["uri"]] == topic["uri"]
    assert replies[two["uri"]] == far["uri"]
    assert all(arrived.at is None or ids(list(arrived.items)) == [topic["uri"]]
               for arrived in follower.arrived)  # fmt: skip
    # The next round begins behind this one, after a restart, too.
    follower.go(lambda: int(json.loads(follower.cursor)["comments"]) > int(number(0)))
    assert json.loads(follower.cursor)["accounts"] == {topic["account"]["id"]: None}


def test_a_busy_server_is_given_time(instance):
    instance.busy = 2
    instance.post(status(1), told=False)
    follower = Follower(feed(instance, from_start=True))
    assert ids(follower.go(lambda: instance.connections)) == [status(1)["uri"]]
    quiet = follower.ticks
    follower.go(lambda: follower.ticks > quiet)
    # When it streams, the stream goes on meanwhile.
    instance.busy = 10**6
    instance.post(status(500))
    follower.go(lambda: status(500)["uri"] in ids(follower.items), seconds=10)


def test_waiting_ends_when_told():
    stop = threading.Event()
    waiting = pause(1000, stop)
    next(waiting)
    stop.set()
    assert list(waiting) == []


def test_it_stops_when_told(instance):
    follower = streaming(instance)
    follower.end()
    with pytest.raises(StopIteration):
        follower.go(lambda: False)


def test_one_bad_message_is_rejected_and_the_next_taken(instance):
    follower = streaming(instance)
    instance.tell("update", '{"id": "1", "content": "zwiebelfisch"')
    instance.connections[0].send("zwiebelfisch")
    instance.post({"id": number(3), "visibility": "public", "in_reply_to_account_id": None,
                   "account": {"id": "1"}})  # fmt: skip
    instance.post(status(5))
    items = follower.go(lambda: ids(follower.items))
    assert sum(isinstance(item, Rejected) for item in items) >= 3
    assert "zwiebelfisch" not in str(items)


@pytest.mark.parametrize("wrong", ["no", "a-token_of-44-characters"])
def test_a_refused_token_is_said_so_and_not_told(instance, wrong):
    with pytest.raises(UsageError, match="refuses the token") as error:
        Follower(feed(instance, wrong)).go(lambda: False)
    assert wrong not in error.value.problem + error.value.hint


def test_a_token_that_was_taken_back_ends_it(instance):
    follower = streaming(instance)
    instance.connections[0].send('{"error": "The access token is invalid", "status": 401}')
    with pytest.raises(UsageError, match="refuses the token"):
        follower.go(lambda: False)


def test_a_stream_without_encryption_never_gets_the_token(instance):
    instance.streams_from = "ws://streaming.example"
    with pytest.raises(UsageError, match="without encryption"):
        Follower(feed(instance)).go(lambda: False)


def test_no_server_is_a_lost_one():
    with running() as gone:
        pass
    with pytest.raises(LostError, match="cannot be reached"):
        Follower(feed(gone)).go(lambda: False)
