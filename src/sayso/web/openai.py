"""The OpenAI-compatible API: any client that speaks it can talk to the community's assistant."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sayso.assistant.retrieval import Source
from sayso.web import chat_request
from sayso.web.answering import Reply, unless_gone
from sayso.web.chat_request import ChatRequest
from sayso.web.failures import ApiError, api_error_body, as_api_error
from sayso.web.languages import choose, translations
from sayso.web.site import Site, site_of

NEWEST: Final = "sayso"
OWNER: Final = "sayso"
router = APIRouter(prefix="/v1", tags=["assistant"])


@router.get("/models", summary="List the models")
def models(request: Request) -> dict[str, Any]:
    """List the model: by the name that always means the newest release, and by its own."""
    site = site_of(request)
    names = dict.fromkeys(filter(None, (NEWEST, site.release)))
    return {"object": "list", "data": [_model(site, name) for name in names]}


@router.get("/models/{name:path}", summary="Describe a model")
def model(request: Request, name: str) -> dict[str, Any]:
    """Describe the model of this name."""
    site = site_of(request)
    _check_model(site, name)
    return _model(site, name)


@router.post(
    "/chat/completions",
    summary="Answer a chat",
    response_class=JSONResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def chat_completions(request: Request) -> Response:
    """Answer the last message, as one JSON object or (`stream: true`) as server-sent events.

    The member `sayso` of the answer (in a stream: of its first chunk) names the release and the
    posts that the answer draws on. They are named in the text too, for clients that show nothing
    else, unless the request says `{"sayso": {"cite": "separate"}}`.
    """
    site = site_of(request)
    wish = chat_request.parse(await request.body())
    _check_model(site, wish.model)
    completion = Completion(site, wish, citing_language=choose(request))
    if wish.stream:
        return EventStream(completion.events)
    body = await unless_gone(request.receive, completion.whole)
    # Without a body the client has gone: nobody reads this.
    return Response(status_code=499) if body is None else JSONResponse(body)


class Completion:
    """One answer in OpenAI's shapes.

    Args:
        site: whose assistant answers.
        wish: what was asked for.
        citing_language: of the line that names the sources.
    """

    def __init__(self, site: Site, wish: ChatRequest, citing_language: str) -> None:
        self._site = site
        self._wish = wish
        self._language = citing_language
        self._messages = wish.plain_messages()
        self._options = wish.options()
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    async def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        async with self._site.answering.answer(self._messages, self._options) as reply:
            text = "".join([piece async for piece in reply])
            message = {
                "role": "assistant",
                "content": text + self._citation(reply),
                "refusal": None,
            }
            choice = {
                "index": 0,
                "message": message,
                "finish_reason": reply.finish_reason or "stop",
                "logprobs": None,
            }
            return self._head(reply, "chat.completion") | {
                "choices": [choice],
                "usage": _usage(reply),
                "sayso": _extras(reply),
            }

    async def events(self) -> AsyncGenerator[dict[str, Any]]:
        """Yield the answer as chunks."""
        async with self._site.answering.answer(self._messages, self._options) as reply:
            first = {"role": "assistant", "content": ""}
            yield self._chunk(reply, first) | {"sayso": _extras(reply)}
            async for piece in reply:
                yield self._chunk(reply, {"content": piece})
            if citation := self._citation(reply):
                yield self._chunk(reply, {"content": citation})
            yield self._chunk(reply, {}, reply.finish_reason or "stop")
            if self._wish.with_usage:
                yield self._head(reply, "chat.completion.chunk") | {
                    "choices": [],
                    "usage": _usage(reply),
                }

    def _head(self, reply: Reply, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": reply.release or NEWEST,
        }

    def _chunk(
        self, reply: Reply, delta: dict[str, str], finish_reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = self._head(reply, "chat.completion.chunk") | {"choices": [choice]}
        return chunk | {"usage": None} if self._wish.with_usage else chunk

    def _citation(self, reply: Reply) -> str:
        return cite(reply.sources, self._language) if self._wish.cited_in_text else ""


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


def cite(sources: list[Source], language: str) -> str:
    """Return a paragraph that names the sources, each post's author, service and day."""
    named = " · ".join(f"{handle(s)} ({s.service}, {s.date[:10]})" for s in sources)
    return f"\n\n{translations(language).gettext('Sources')}: {named}" if named else ""


def handle(source: Source) -> str:
    """Return the author's handle with one @ before it."""
    return f"@{source.handle.removeprefix('@')}"


def _check_model(site: Site, name: str) -> None:
    if name not in (NEWEST, site.release):
        raise ApiError(
            f"there is no model of this name here; use '{NEWEST}', which is always the newest",
            404,
            "model_not_found",
            "model",
        )


def _model(site: Site, name: str) -> dict[str, Any]:
    since = site.board.released_at(site.release) or site.started_at
    return {"id": name, "object": "model", "created": int(since.timestamp()), "owned_by": OWNER}


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }


def _extras(reply: Reply) -> dict[str, Any]:
    return {"release": reply.release, "sources": msgspec.to_builtins(reply.sources)}
