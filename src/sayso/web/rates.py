"""How often somebody may call: so many times a minute, and no faster in the long run."""

import math
import time
from typing import Final

from starlette.exceptions import HTTPException

MOST_NAMES: Final = 10_000


class Rates:
    """Counts calls by name.

    Args:
        per_minute: how many of one name; 0 = any number.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count a call.

        Raises:
            HTTPException: 429, with the seconds to wait; this name called too often.
        """
        if not self._per_minute:
            return
        now, per_second = time.monotonic(), self._per_minute / 60
        left, at = self._left.get(name, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - at) * per_second)
        if left < 1:
            seconds = math.ceil((1 - left) / per_second)
            raise HTTPException(
                429,
                f"more than {self._per_minute} requests a minute",
                headers={"Retry-After": str(seconds)},
            )
        if len(self._left) > MOST_NAMES:
            self._left.clear()
        self._left[name] = (left - 1, now)
