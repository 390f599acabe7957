"""Listening to Kafka topics: the protocol is real, the cluster librdkafka's own."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sayso.content.events import Delete, Upsert
from sayso.errors import UsageError
from sayso.sources.items import Rejected
from sayso.sources.kafka_stream import KafkaFeed
from sayso.sources.live import LostError
from tests.corpus.world import post
from tests.sources.following import Follower
from tests.sources.kafka_cluster import KafkaCluster

# Who left its group without a word is missed soon.
QUICK = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}


@pytest.fixture
def cluster() -> KafkaCluster:
    return KafkaCluster()


def data(value: object) -> bytes:
    return json.dumps(value).encode()


def following(cluster: KafkaCluster, *topics: str, group: str = "sayso") -> Follower:
    return Follower(KafkaFeed(cluster.brokers, list(topics), group, QUICK))


def posts(*numbers: int) -> list[tuple[str, bytes]]:
    return [(f"post-{n}", data(post(n))) for n in numbers]


def test_all_forms_of_records_arrive_until_the_cluster_dies():
    cluster = KafkaCluster()
    begun = datetime.now(UTC) - timedelta(seconds=60)
    structured = {
        "specversion": "1.0",
        "id": "1",
        "source": "/test",
        "type": "net.content.upsert",
        "data": post(2),
    }
    binary = {
        "ce_specversion": "1.0",
        "ce_id": "2",
        "ce_source": "/test",
        "ce_type": "net.content.upsert",
        "content-type": "application/json",
    }
    kind = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    cluster.publish(
        "content",
        [
            *posts(1),
            ("post-2", data(structured), kind),
            ("post-3", data(post(3)), binary),
            ("post-4", None),
            ("post-5", b"zwiebelfisch"),
            ("", None),
        ],
    )
    cluster.publish("lifecycle", [("post-6", None)])
    follower = following(cluster, "content", "lifecycle")
    follower.go(lambda: len(follower.items) == 7)
    items = [i for i in follower.items if i != Delete("post-6")]
    assert len(items) == 6
    assert [item.record.id for item in items if isinstance(item, Upsert)] == [
        "post-1",
        "post-2",
        "post-3",
    ]
    assert items[3] == Delete("post-4")
    assert all(isinstance(item, Rejected) for item in items[4:])
    assert "zwiebelfisch" not in str(items)
    assert all(begun < arrived.at < datetime.now(UTC) for arrived in follower.arrived)
    del cluster
    with pytest.raises(LostError, match="_ALL_BROKERS_DOWN"):
        follower.go(lambda: False)
    follower.settle()  # harmless: they come again


def test_only_what_is_settled_is_committed(cluster):
    cluster.publish("content", posts(1, 2, 3))
    first = following(cluster, "content")
    first.go(lambda: len(first.items) == 3)
    first.arrived, rest = first.arrived[:1], first.arrived[1:]
    first.settle()
    first.end()
    second = following(cluster, "content")
    second.go(lambda: len(second.items) == 2)
    assert [arrived.items for arrived in second.arrived] == [arrived.items for arrived in rest]
    second.settle()
    cluster.publish("content", posts(4))
    second.go(lambda: len(second.items) == 3)
    second.end()


def test_what_is_refused_is_said(cluster):
    cluster.make("content")
    with pytest.raises(UsageError, match="UNKNOWN_TOPIC_OR_PART"):
        following(cluster, "elsewhere").go(lambda: False)
    with pytest.raises(UsageError, match="does not take these settings"):
        Follower(KafkaFeed(cluster.brokers, ["content"], settings={"no.such": "1"})).go(
            lambda: False
        )


def test_no_cluster_is_a_lost_one():
    with pytest.raises(LostError, match=r"kafka://127\.0\.0\.1:1/content.*_ALL_BROKERS_DOWN"):
        Follower(KafkaFeed("127.0.0.1:1", ["content"])).go(lambda: False)
