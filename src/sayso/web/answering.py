"""From the blocking assistant to the event loop: threads, turns, and stopping in time."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, Self, TypeVar

import anyio
from anyio import CancelScope, CapacityLimiter, Semaphore, to_thread
from starlette.types import Receive

from sayso.assistant.answer import Answer
from sayso.assistant.chat import Assistant
from sayso.assistant.engine import Chunk, Message, Options
from sayso.assistant.retrieval import Source
from sayso.assistant.uploads import Upload
from sayso.web.metrics import Meter

QUEUE_PER_SLOT: Final = 16
Result = TypeVar("Result")


class BusyError(Exception):
    """More questions wait than could be answered in good time."""


class Reply:
    """An answer under way: iterate over it once for its pieces of text.

    Args:
        answer: the blocking answer.
        limiter: whose threads may run it.
    """

    def __init__(self, answer: Answer, limiter: CapacityLimiter) -> None:
        self.sources: list[Source] = answer.sources
        self.release = answer.release
        self.finish_reason = ""
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._chunks = answer.chunks
        self._limiter = limiter
        self._first: Chunk | None = None

    async def begin(self) -> None:
        """Wait for the first chunk: messages that cannot be answered fail here."""
        self._first = await self.next()

    # Not an async generator: one that is left midway is closed only some time later.
    def __aiter__(self) -> Self:
        """Iterate over the pieces of text; usage and finish reason are set on the way."""
        return self

    async def __anext__(self) -> str:
        """Return the next piece of text."""
        while (chunk := await self.next()) is not None:
            if chunk.text:
                return chunk.text
        raise StopAsyncIteration

    async def next(self) -> Chunk | None:
        """Return the next chunk, with text or function calls or neither; None at the end."""
        if first := self._first:
            self._first = None
            return first
        if (chunk := await self._pull()) is not None:
            self._note(chunk)
        return chunk

    async def close(self) -> None:
        """Stop generating and free the slot, whether or not the answer was read to its end."""
        if close := getattr(self._chunks, "close", None):
            with CancelScope(shield=True):
                await self._in_thread(close)

    async def _pull(self) -> Chunk | None:
        return await self._in_thread(lambda: next(self._chunks, None))

    def _note(self, chunk: Chunk) -> None:
        self.release = chunk.release or self.release
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.prompt_tokens = max(self.prompt_tokens, chunk.prompt_tokens)
        self.completion_tokens = max(self.completion_tokens, chunk.completion_tokens)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await to_thread.run_sync(work, limiter=self._limiter)


class Answering:
    """Lets `parallel` answers run at once; later ones wait in the event loop, in order.

    An answer holds its turn from beginning to end and uses at most one thread at a time, so
    waiting never takes the threads that running answers need.
    """

    def __init__(self, assistant: Assistant, parallel: int, meter: Meter) -> None:
        self.assistant = assistant
        self._turns = Semaphore(parallel)
        self._limiter = CapacityLimiter(parallel)
        self._longest_queue = parallel * QUEUE_PER_SLOT
        self._waiting = 0
        self._meter = meter

    def answer(
        self,
        messages: list[dict[str, str]],
        options: Options,
        uploads: tuple[Upload, ...] = (),
        language: str = "",
    ) -> AbstractAsyncContextManager[Reply]:
        """Give the assistant's reply within its turn; leaving the block stops the generation.

        Args:
            messages: the talk.
            options: how to generate.
            uploads: its files.
            language: of the page or app, for messages too short to tell theirs.

        Raises:
            BusyError: too many wait already.
        """
        answer = self.assistant.answer
        return self._reply(partial(answer, messages, options, uploads=uploads, language=language))

    def pass_on(
        self, messages: list[Message], options: Options
    ) -> AbstractAsyncContextManager[Reply]:
        """Give the bare model's reply: no posts, no abilities, but functions if it is brought any.

        Raises:
            BusyError: too many wait already.
        """

        return self._reply(partial(self.assistant.pass_on, messages, options))

    @asynccontextmanager
    async def _reply(self, work: Callable[[], Answer]) -> AsyncIterator[Reply]:
        if self._waiting >= self._longest_queue:
            raise BusyError
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        started, outcome, reply = time.perf_counter(), "failed", None
        try:
            reply = Reply(await to_thread.run_sync(work, limiter=self._limiter), self._limiter)
            await reply.begin()
            yield reply
            outcome = "done"
        except (anyio.get_cancelled_exc_class(), GeneratorExit):
            outcome = "stopped"
            raise
        finally:
            if reply is not None:
                await reply.close()
            tokens = reply.completion_tokens if reply is not None else 0
            self._meter.answered(outcome, time.perf_counter() - started, tokens)
            self._turns.release()


async def unless_gone(receive: Receive, work: Callable[[], Awaitable[Result]]) -> Result | None:
    """Do the work, but cancel it when the client goes away; None then.

    Args:
        receive: the request's ASGI channel, its body already read.
        work: what to do.
    """
    result: Result | None = None
    failure: Exception | None = None
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            result = await work()
        except Exception as error:
            # Raised below: the task group would wrap it into an exception group.
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result
