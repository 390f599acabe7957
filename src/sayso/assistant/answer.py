"""An answer in the making, and who asked for it."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from sayso.assistant.engine import Chunk, Engine, Message, Options
from sayso.assistant.filters import masked, unlooped
from sayso.assistant.prompt import fitting
from sayso.assistant.retrieval import Source
from sayso.workspace import Workspace


class Asked(Struct, frozen=True):
    """A question with all that it takes to answer it.

    `words` are the member's own last words, `language` ('de' or 'en') that of fixed sentences,
    `uploads` the files of the conversation.
    """

    workspace: Workspace
    engine: Engine
    messages: list[Message]
    words: str
    options: Options
    language: str
    uploads: tuple[Any, ...] = ()


class Answer(Struct):
    """An answer in the making; closing `chunks` frees the engine."""

    sources: list[Source]
    release: str
    chunks: Iterator[Chunk]


def spoken(pieces: Iterable[str], count: Callable[[str], int], release: str) -> Iterator[Chunk]:
    """Say what no model made, word by word."""
    said = []
    for piece in pieces:
        said.append(piece)
        for word in re.findall(r"\s*\S+\s*|\s+", piece):
            yield Chunk(word, release=release)
    tokens = count("".join(said))
    yield Chunk("", finish_reason="stop", completion_tokens=tokens, release=release)


def ending(chunks: Iterator[Chunk], text: str) -> Iterator[Chunk]:
    """Say something at the end of an answer; closing the iterator closes `chunks`."""
    try:
        for chunk in chunks:
            if chunk.finish_reason:
                yield Chunk(text, release=chunk.release)
            yield chunk
    finally:
        if close := getattr(chunks, "close", None):
            close()


def written(asked: Asked, messages: list[Message], sources: list[Source]) -> Answer:
    """Let the model answer; contact data of others is masked in what it says.

    Args:
        asked: who asks.
        messages: the prompt, the system message first; its oldest turns go if it is too long.
        sources: the posts in it.
    """
    engine, room = asked.engine, asked.workspace.settings.serving.context_tokens
    left = max(room - asked.options.max_tokens, room // 2)
    options = structs.replace(asked.options, tools=())  # posts must never start a tool
    chunks = engine.stream(fitting(messages, left, engine.count_tokens), options)
    said = [str(m.get("content") or "") for m in asked.messages if m["role"] in ("user", "tool")]
    keep = "\n".join([*said, *(f"@{s.handle}\n{s.excerpt}" for s in sources)])
    return Answer(sources, engine.release, masked(unlooped(chunks), asked.language, keep))
