"""A cluster on 127.0.0.1 that speaks Kafka's real protocol: librdkafka's mock broker."""

from collections.abc import Iterable

from confluent_kafka import Producer

Record = tuple[str, bytes | None] | tuple[str, bytes | None, dict[str, str]]


class KafkaCluster:
    """The cluster; it lives as long as its first producer."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._producer.list_topics(timeout=10).brokers.values()
        self.brokers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def make(self, *topics: str) -> None:
        for topic in topics:
            self._producer.list_topics(topic, timeout=10)

    def publish(self, topic: str, records: Iterable[Record], partition: int = 0) -> None:
        for key, value, *headers in records:
            self._producer.produce(
                topic, value, key.encode(), partition, headers=dict(*headers) if headers else None
            )
        assert self._producer.flush(10) == 0
