"""Following a feed in a test: step by step, each with a deadline."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from sayso.sources.items import Item
from sayso.sources.live import Arrived, Feed

T = TypeVar("T")
SECONDS = 60.0


def until(found: Callable[[], T], seconds: float = SECONDS) -> T:
    """Return what `found` returns once that is true."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come to that"
        pause.wait(0.01)
    return value


class Follower:
    """Somebody who follows a feed, and settles what arrives when told to."""

    def __init__(self, feed: Feed, cursor: str = "") -> None:
        self.stop = threading.Event()
        self.arrived: list[Arrived] = []
        self.ticks = 0  # how often nothing came for a while
        self._arrivals: Iterator[Arrived | None] = feed.follow(cursor, self.stop)

    @property
    def items(self) -> list[Item]:
        return [item for arrived in self.arrived for item in arrived.items]

    @property
    def cursor(self) -> str:
        return next((a.cursor for a in reversed(self.arrived) if a.cursor), "")

    def go(self, enough: Callable[[], object], seconds: float = SECONDS) -> list[Item]:
        """Take what arrives until it is enough; return all items so far."""
        deadline = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < deadline, "it did not come to that"
            if (arrived := next(self._arrivals)) is None:
                self.ticks += 1
            else:
                self.arrived.append(arrived)
        return self.items

    def settle(self) -> None:
        """Say that everything so far is stored."""
        for arrived in self.arrived:
            if arrived.settle:
                arrived.settle()

    def end(self) -> None:
        """Stop, and see that the feed does."""
        self.stop.set()
        for arrived in self._arrivals:
            assert arrived is None or isinstance(arrived, Arrived)
