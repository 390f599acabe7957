"""What an engine is: it serves one release at a time and answers from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sayso.errors import InputError, SaysoError

Message = dict[str, Any]


class NotLoadedError(SaysoError):
    """No release is being served (yet, or any more)."""


class PromptTooLongError(InputError):
    """The messages have more tokens than the context holds."""


class Options(msgspec.Struct, frozen=True):
    """How to answer; `seed` makes an answer repeatable as long as no other runs beside it.

    `tools` are functions that the model may call, as OpenAI's API describes them, `tool_choice`
    says which it may or must, `parallel_tool_calls` whether several at once; the calls come in
    `Chunk.tool_calls`. `response_format` binds the answer to JSON, as OpenAI's API has it.
    """

    max_tokens: int = 512
    temperature: float = 0.2
    top_p: float = 0.95
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    response_format: dict[str, Any] | None = None


class Chunk(msgspec.Struct, frozen=True):
    """A piece of an answer.

    `text` is empty while the prompt is read (a chance for the caller to leave) and in the last
    chunk, which alone has `finish_reason` ('stop', 'length' or 'tool_calls') and the counts.
    `release` is the one that this answer comes from, the same from its first chunk to its last.
    `tool_calls` are deltas as in OpenAI's stream.
    """

    text: str
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    release: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()


class Engine(Protocol):
    """Serves one release at a time; every method may be called from any thread."""

    @property
    def release(self) -> str:
        """Name of the release being served; empty before the first and after a crash."""

    def load(self, release: str, folder: Path | None) -> None:
        """Serve another release; answers under way end on the one they started with.

        The new one starts beside the old one and must pass a probe; if it does not, the old one
        goes on. The old one is dropped with its last answer.

        Args:
            release: its name.
            folder: where it was published (`sayso.training.releases`); None = the bare base.

        Raises:
            InputError: its files are missing, or cannot be read.
            SaysoError: the probe got no sound answer.
            NotLoadedError: the engine is closed.
        """

    def drop(self) -> None:
        """Serve nothing until the next `load`; answers under way end early."""

    def stream(self, messages: list[Message], options: Options) -> Iterator[Chunk]:
        """Answer a conversation, piece by piece; closing the iterator stops the generation.

        Args:
            messages: `role` ('system', 'user', 'assistant', 'tool') and `content` each, oldest
                first; `tool_calls` and `tool_call_id` as in OpenAI's API.
            options: length, sampling, stop texts, functions.

        Raises:
            UsageError: there is nothing to answer, an option is out of range, or one that this
                engine cannot do.
            NotLoadedError: no release is loaded.
            PromptTooLongError: raised by the first `next`.
            SaysoError: raised by a `next`: the messages were refused, or the answer broke off.
        """

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text exactly, with the tokenizer of the model being served.

        Raises:
            NotLoadedError: no release is loaded.
        """

    def close(self) -> None:
        """Stop all answers (they end early, without a last chunk) and free the model."""


def generate(engine: Engine, messages: list[Message], options: Options) -> str:
    """Return a whole answer at once; raises what `Engine.stream` does."""
    return "".join(chunk.text for chunk in engine.stream(messages, options))
