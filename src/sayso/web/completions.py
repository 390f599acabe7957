"""One chat completion in OpenAI's shapes: whole, or in chunks."""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec

from sayso.assistant.retrieval import Source
from sayso.web.answering import Reply
from sayso.web.callers import Caller
from sayso.web.chat_request import ChatRequest
from sayso.web.languages import translations
from sayso.web.site import Site

NEWEST: Final = "sayso"


class Completion:
    """One answer.

    Args:
        site: whose assistant answers.
        wish: what was asked for.
        caller: who asks.
        citing_language: of the line that names the sources.
    """

    def __init__(self, site: Site, wish: ChatRequest, caller: Caller, citing_language: str) -> None:
        self._site = site
        self._wish = wish
        self._caller = caller
        self._language = citing_language
        self._options = wish.options()
        self._passed_on = wish.passed_on
        self._messages = wish.all_messages() if self._passed_on else wish.plain_messages()
        self._uploads = wish.uploads(site.workspace.settings.uploads)
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    async def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        with self._caller.answering():
            async with self._replying() as reply:
                text, calls = "", list[dict[str, Any]]()
                while (chunk := await reply.next()) is not None:
                    text += chunk.text
                    for delta in chunk.tool_calls:
                        _join(calls, delta)
                return self._object(reply, text + self._citation(reply), calls)

    def _object(self, reply: Reply, text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message |= {"content": text or None, "tool_calls": calls}
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
        with self._caller.answering():
            async with self._replying() as reply:
                first = {"role": "assistant", "content": ""}
                yield self._chunk(reply, first) | {"sayso": _extras(reply)}
                while (chunk := await reply.next()) is not None:
                    if chunk.text:
                        yield self._chunk(reply, {"content": chunk.text})
                    if chunk.tool_calls:
                        yield self._chunk(reply, {"tool_calls": chunk.tool_calls})
                if citation := self._citation(reply):
                    yield self._chunk(reply, {"content": citation})
                yield self._chunk(reply, {}, reply.finish_reason or "stop")
                if self._wish.with_usage:
                    yield self._head(reply, "chat.completion.chunk") | {
                        "choices": [],
                        "usage": _usage(reply),
                    }

    def _replying(self) -> AbstractAsyncContextManager[Reply]:
        answering = self._site.answering
        if self._passed_on:
            return answering.pass_on(self._messages, self._options)
        return answering.answer(self._messages, self._options, self._uploads, self._language)

    def _head(self, reply: Reply, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": reply.release or NEWEST,
        }

    def _chunk(
        self, reply: Reply, delta: dict[str, Any], finish_reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = self._head(reply, "chat.completion.chunk") | {"choices": [choice]}
        return chunk | {"usage": None} if self._wish.with_usage else chunk

    def _citation(self, reply: Reply) -> str:
        return cite(reply.sources, self._language) if self._wish.cited_in_text else ""


def cite(sources: list[Source], language: str) -> str:
    """Return a paragraph that names the sources, each post's author, service, day and link."""
    named = " · ".join(
        f"{handle(s)} ({', '.join(filter(None, (s.service, s.date[:10], s.link)))})"
        for s in sources
    )
    return f"\n\n{translations(language).gettext('Sources')}: {named}" if named else ""


def handle(source: Source) -> str:
    """Return the author's handle with one @ before it."""
    return f"@{source.handle.removeprefix('@')}"


def _join(calls: list[dict[str, Any]], delta: dict[str, Any]) -> None:
    """Put a delta to the call that it belongs to: names come once, arguments in pieces."""
    function = delta.get("function", {})
    if delta.get("index", 0) >= len(calls):
        new = {"name": function.get("name", ""), "arguments": function.get("arguments") or ""}
        calls.append({"id": delta.get("id", ""), "type": "function", "function": new})
    else:
        calls[delta["index"]]["function"]["arguments"] += function.get("arguments") or ""


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }


def _extras(reply: Reply) -> dict[str, Any]:
    return {"release": reply.release, "sources": msgspec.to_builtins(reply.sources)}
