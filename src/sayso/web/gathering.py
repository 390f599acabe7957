"""Many wait, one writes: what comes while the disk is busy is stored together after that.

Each transaction waits for the disk (`synchronous=FULL`), so a store that takes one thing at a time
takes as many a second as the disk can flush. Gathered, as many as come share one flush, and its
statements: of five that are stored together, each takes a third of the time that one alone takes.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

from anyio import CapacityLimiter, to_thread
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

MOST_WAITING: Final = 2000
AT_ONCE: Final = 100
RETRY_AFTER_SECONDS: Final = 5
Given = TypeVar("Given")
Made = TypeVar("Made")


class Gathering(Generic[Given, Made]):
    """Stores what several hand in by one transaction; used on one event loop.

    Args:
        store: writes all of it or nothing, and returns one thing for each, an error included; runs
            in a thread.
        writer: lets one thread write at a time.
        most_waiting: so many may wait to be stored; more are refused.
        apart: seconds from the beginning of one transaction to that of the next, at least. Whoever
            comes alone does not wait for it.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Given]], Sequence[Made]],
        writer: CapacityLimiter,
        most_waiting: int = MOST_WAITING,
        apart: float = 0.0,
    ) -> None:
        self._store = store
        self._writer = writer
        self._most_waiting = most_waiting
        self._apart = apart
        self._next = 0.0  # on the event loop's clock
        self._waiting: list[tuple[Given, asyncio.Future[Made]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, given: Given) -> Made:
        """Return what storing it led to, once it is on the disk.

        Whoever goes away meanwhile is stored all the same.

        Raises:
            HTTPException: 503 with Retry-After; too many wait, or the database does not take it.
            Exception: what storing it alone raises.
        """
        if len(self._waiting) >= self._most_waiting:
            raise later("too many wait to be stored")
        future: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        batch: list[tuple[Given, asyncio.Future[Made]]] = []
        try:
            while self._waiting:
                await asyncio.sleep(max(0.0, self._next - loop.time()))
                self._next = loop.time() + self._apart
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                work = partial(self._outcomes, [given for given, _ in batch])
                _tell(batch, await to_thread.run_sync(work, limiter=self._writer))
        except BaseException:
            for _, future in batch + self._waiting:
                future.cancel()
            self._waiting = []
            raise

    def _outcomes(self, given: Sequence[Given]) -> list[Made | Exception]:
        """Store all at once, or, where one is at fault, all but that one."""
        try:
            return list(self._store(given))
        except OperationalError:  # the database itself: it is at none of them
            return [later("the database does not take it now") for _ in given]
        except Exception as error:  # goes to whoever handed it in
            if len(given) == 1:
                return [error]
            half = len(given) // 2
            return self._outcomes(given[:half]) + self._outcomes(given[half:])


def _tell(
    batch: Sequence[tuple[Given, asyncio.Future[Made]]], outcomes: Sequence[Made | Exception]
) -> None:
    for (_, future), outcome in zip(batch, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def later(why: str, seconds: int = RETRY_AFTER_SECONDS) -> HTTPException:
    """Return the answer to a request of which nothing was stored: 503, come again."""
    return HTTPException(
        503,
        f"{why}; nothing of this request is stored, so send it again",
        headers={"Retry-After": str(seconds)},
    )
