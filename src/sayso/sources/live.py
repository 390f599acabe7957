"""What every live source offers: what arrived, and where to go on after a restart.

At least once in, exactly once stored: what arrived is stored first, then its cursor is kept and
`settle` called. Whatever comes twice changes nothing, since records have ids and revisions.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from sayso.errors import SaysoError
from sayso.sources.items import Item


class Arrived(Struct, frozen=True):
    """One message of a stream.

    `cursor` is the place to go on behind it ('' where the stream keeps its own place), `at` the
    moment it happened at its source (for the lag), `settle` tells the source that it is stored.
    """

    items: tuple[Item, ...]
    cursor: str = ""
    at: datetime | None = None
    settle: Callable[[], None] | None = None


class LostError(SaysoError):
    """The connection to a live source was lost; whoever follows it connects again."""


class Feed(Protocol):
    """A live source.

    `name` is stable and says where it leads without secrets: its cursor is kept under it.
    """

    name: str

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        """Connect and yield what arrives behind `cursor` ('' = from now on, or all there is).

        Yields None at least twice a second while nothing arrives, and returns when `stop` is set
        (or the source has ended for good).

        Raises:
            LostError: the connection could not be made or was lost.
            UsageError: the source refuses us: a wrong address, token or name.
        """
        ...
