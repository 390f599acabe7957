"""Live sources by their address."""

import io
import os
import sys
import threading

import pytest

from sayso.content.events import Upsert
from sayso.errors import UsageError
from sayso.sources.feeds import LinesFeed, open_feed
from sayso.sources.kafka_stream import KafkaFeed
from sayso.sources.mastodon_stream import MastodonFeed
from sayso.sources.nats_stream import NatsFeed
from tests.corpus.world import lines, post
from tests.sources.following import Follower, until

TOKEN = "a-token"


def test_mastodon():
    feed = open_feed("mastodon+https://square.example/?from=start", TOKEN)
    assert isinstance(feed, MastodonFeed)
    assert (feed.base, feed.token, feed.from_start) == ("https://square.example", TOKEN, True)
    assert feed.name == "mastodon:square.example"
    assert open_feed("mastodon+http://127.0.0.1:3000", TOKEN).name == "mastodon:127.0.0.1:3000"


def test_nats():
    feed = open_feed("nats://[::1]:4222/posts?durable=one&subject=content.%3E", TOKEN)
    assert isinstance(feed, NatsFeed)
    assert (feed.server, feed.stream) == ("nats://[::1]:4222", "posts")
    assert (feed.durable, feed.subject, feed.token) == ("one", "content.>", TOKEN)
    assert TOKEN not in feed.name


def test_kafka(tmp_path):
    settings = tmp_path / "kafka.properties"
    settings.write_text("# secrets\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n\n")
    feed = open_feed(f"kafka://one:9092,two:9092/content,lifecycle?group=g&config={settings}")
    assert isinstance(feed, KafkaFeed)
    assert (feed.brokers, feed.topics) == ("one:9092,two:9092", ["content", "lifecycle"])
    assert feed.group == "g"
    assert feed.settings == {"security.protocol": "SASL_SSL", "sasl.password": "a=b"}
    assert "a=b" not in feed.name


@pytest.mark.parametrize("url", ["wss://jetstream.example/subscribe", "ws://127.0.0.1:1/subscribe"])
def test_jetstream(url):
    from sayso.sources.jetstream_feed import JetstreamFeed

    assert isinstance(open_feed(url), JetstreamFeed)


def test_a_file_and_stdin(tmp_path, monkeypatch):
    path = tmp_path / "posts.jsonl"
    path.write_bytes(lines(post(1), post(2)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(post(3)))))
    for address, number, name in ((str(path), 2, str(path)), ("-", 1, "stdin")):
        feed = open_feed(address)
        assert feed.name == name
        follower = Follower(feed)
        with pytest.raises(StopIteration):
            follower.go(lambda: False)
        assert sum(isinstance(item, Upsert) for item in follower.items) == number


def test_a_quiet_stream_of_lines_can_be_ended():
    ends = os.pipe()
    read, write = os.fdopen(ends[0], "rb"), os.fdopen(ends[1], "wb")
    with write:
        follower = Follower(LinesFeed(read, "pipe"))
        write.write(lines(post(1)))
        write.flush()
        follower.go(lambda: follower.items)
        quiet = follower.ticks
        follower.go(lambda: follower.ticks > quiet)
        follower.end()
    until(lambda: read.closed)


@pytest.mark.parametrize(
    ("address", "token", "problem"),
    [
        ("https://square.example", TOKEN, "no known kind"),
        ("gopher://square.example", "", "no known kind"),
        ("mastodon+https://square.example", "", "a user token is needed"),
        ("mastodon+http://square.example", TOKEN, "without encryption"),
        ("mastodon+https://square.example/about", TOKEN, "has no path"),
        ("mastodon+https://square.example?from=then", TOKEN, "unknown \\?from="),
        ("mastodon+https://square.example?since=1", TOKEN, "unknown or empty options"),
        ("mastodon+https://square.example", "two words", "characters that no token has"),
        ("mastodon+https://zwiebel:fisch@square.example", TOKEN, "name or password"),
        ("nats://zwiebelfisch@square.example/posts", "", "name or password"),
        ("nats://square.example", "", "names no stream"),
        ("nats://square.example/a.b", "", "names no stream"),
        ("nats://square.example/posts?durable=", "", "unknown or empty options"),
        ("nats:///posts", "", "no URL with a host"),
        ("nats://square.example:x/posts", "", "no URL with a host"),
        ("kafka://square.example", "", "names no topic"),
        ("kafka://square.example/a?config=/no/such/file", "", "cannot be read"),
        ("no-such-file.jsonl", "", "cannot be read"),
        (".", "", "cannot be read"),
    ],
)
def test_wrong_addresses_are_told_without_their_secrets(address, token, problem):
    with pytest.raises(UsageError, match=problem) as error:
        open_feed(address, token)
    told = error.value.problem + error.value.hint
    assert error.value.hint
    assert "zwiebel" not in told
    assert not token or token not in told


def test_an_interrupted_reader_does_not_hold_the_program_up():
    feed = LinesFeed(io.BytesIO(lines(*map(post, range(100)))), "x")
    stop = threading.Event()
    arrivals = feed.follow("", stop)
    assert next(arrivals)
    stop.set()
    assert len(list(arrivals)) <= 1
