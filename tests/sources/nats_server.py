"""A real NATS server with JetStream on 127.0.0.1, and what a publisher does there."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from tests.sources.following import until

PROGRAM = Path(sys.executable).parent / "nats-server"
STREAM = "posts"
Message = tuple[str, bytes] | tuple[str, bytes, dict[str, str]]


class NatsServer:
    """The server; what it keeps survives its death."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder = folder
        self.port = _free_port()
        self.address = f"nats://127.0.0.1:{self.port}"
        self.token = token
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        place = ["-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]
        secret = ["--auth", self.token] if self.token else []
        self._process = subprocess.Popen(
            [str(PROGRAM), *place, *secret], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: _answers(self.port))

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_stream(self, *subjects: str) -> None:
        self._do(lambda context: context.add_stream(name=STREAM, subjects=list(subjects)))

    def make_consumer(self, durable: str, ack_wait: float) -> None:
        """Make a consumer that gives what is not acknowledged again soon."""
        config = ConsumerConfig(
            durable_name=durable, ack_policy=AckPolicy.EXPLICIT, ack_wait=ack_wait
        )
        self._do(lambda context: context.add_consumer(STREAM, config))

    def publish(self, messages: Iterable[Message]) -> None:
        async def all_of_them(context: JetStreamContext) -> None:
            for subject, body, *headers in messages:
                await context.publish(subject, body, headers=headers[0] if headers else None)

        self._do(all_of_them)

    def unsettled(self, durable: str = "sayso") -> int:
        """How many messages the consumer has not acknowledged, or not even been given."""
        found = self._consumer(durable)
        return int(found.num_ack_pending + found.num_pending)

    def given(self, durable: str = "sayso") -> int:
        """How many messages the consumer was given and has not acknowledged."""
        return int(self._consumer(durable).num_ack_pending)

    def _consumer(self, durable: str) -> Any:
        return self._do(lambda context: context.consumer_info(STREAM, durable))

    def _do(self, what: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            client = await nats.connect(self.address, token=self.token or None)
            try:
                return await what(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return connection.recv(4) == b"INFO"
    except OSError:
        return False
