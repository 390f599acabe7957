"""Server-sent events of OpenAI's API."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sayso.web.answering import unless_gone
from sayso.web.failures import api_error_body, as_api_error


class EventStream(Response):
    """Server-sent events, ended by `[DONE]`.

    The status is sent with the first event, so that an error before it has its own; a later one
    becomes an event. The work is cancelled when the client goes away.

    Args:
        events: called once to make the events.
    """

    media_type = "text/event-stream"

    def __init__(self, events: Callable[[], AsyncGenerator[dict[str, Any]]]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        started = False

        async def emit(data: bytes, more: bool = True) -> None:
            nonlocal started
            if not started:
                started = True
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
            await send({"type": "http.response.body", "body": data, "more_body": more})

        async def work() -> None:
            try:
                async with aclosing(self._events()) as events:
                    async for event in events:
                        await emit(b"data: %s\n\n" % msgspec.json.encode(event))
            except Exception as error:
                if not started:
                    raise
                known = as_api_error(error)
                body = api_error_body(known.message, known.status, known.code, known.param)
                await emit(b"data: %s\n\n" % msgspec.json.encode(body), more=False)
                if known.status == 500:
                    raise
            else:
                await emit(b"data: [DONE]\n\n", more=False)

        await unless_gone(receive, work)
