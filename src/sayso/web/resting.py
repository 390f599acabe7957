"""Numbers that cost something to count, on pages that anybody may open as often as they like."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

# A tenth of one thread's time at most goes into counting, however many ask.
REST: Final = 9.0
_T = TypeVar("_T")


class Resting(Generic[_T]):
    """Counts anew when it has rested nine times as long as the last count took.

    Args:
        count: what is asked for; called by one thread at a time.
    """

    def __init__(self, count: Callable[[], _T]) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._last: tuple[_T, float] | None = None

    def __call__(self) -> _T:
        """Return what was counted last, or count."""
        last = self._last
        if last is not None and time.monotonic() < last[1]:
            return last[0]
        if last is not None and not self._lock.acquire(blocking=False):
            return last[0]  # somebody counts already
        if last is None:
            self._lock.acquire()
        try:
            if self._last is last:
                began = time.monotonic()
                found = self._count()
                ended = time.monotonic()
                self._last = found, ended + REST * (ended - began)
                return found
            assert self._last is not None
            return self._last[0]
        finally:
            self._lock.release()
