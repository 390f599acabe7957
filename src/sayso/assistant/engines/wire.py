"""OpenAI's chat completions as engines read and write them."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from sayso.assistant.engine import Chunk, Message, Options, PromptTooLongError
from sayso.assistant.tool_calls import Reader
from sayso.errors import SaysoError, UsageError


class Delta(msgspec.Struct):
    """New text or function calls, if any."""

    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(msgspec.Struct):
    """The only alternative of an answer."""

    delta: Delta
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """Token counts, in the last event."""

    prompt_tokens: int
    completion_tokens: int


class Failure(msgspec.Struct):
    """Why an answer was refused; the message is left out, for it may quote the conversation."""

    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class Event(msgspec.Struct):
    """A line of the stream: OpenAI's chat completion chunk, or an error."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Failure | None = None


EVENTS: Final = msgspec.json.Decoder(Event)


def check(messages: list[Message], options: Options) -> None:
    """Check what every engine asks of a request.

    Raises:
        UsageError: there is nothing to answer, or an option is out of range.
    """
    if not any((m.get("content") or "").strip() or m.get("tool_calls") for m in messages):
        raise UsageError(
            f"got {len(messages)} messages without a word", "send at least one message with text"
        )
    if options.max_tokens < 1 or options.temperature < 0 or not 0 < options.top_p <= 1:
        raise UsageError(
            f"got max_tokens {options.max_tokens}, temperature {options.temperature}, top_p "
            f"{options.top_p}; expected at least 1, at least 0, above 0 and at most 1"
        )


def encode(request: dict[str, Any]) -> bytes:
    """Encode a request's body.

    Raises:
        UsageError: a message is no Unicode text.
    """
    try:
        return msgspec.json.encode(request)
    except UnicodeEncodeError as error:
        raise UsageError("a message holds characters that are not Unicode text") from error


def chunks(
    events: Callable[[], Iterator[Event]], release: str, program: str, reader: Reader | None = None
) -> Iterator[Chunk]:
    """Turn events into chunks: progress, text, calls, the reason of the end, the counts.

    Args:
        events: makes those of one answer. Not they themselves: an error would keep them.
        release: that it comes from.
        program: what refuses, in errors.
        reader: takes calls out of the text, for a model whose template knows none.

    Raises:
        PromptTooLongError: the messages do not fit.
        UsageError: something of the request cannot be done.
        SaysoError: the messages were refused.
    """
    reason = "stop"
    for event in events():
        if event.error is not None:
            raise _refusal(event.error, program)
        for choice in event.choices:
            reason = choice.finish_reason or reason
            text = choice.delta.content or ""
            calls = tuple(choice.delta.tool_calls or ())
            yield Chunk(reader.read(text) if reader else text, release=release, tool_calls=calls)
        if event.usage is not None:
            if reader and (made := reader.calls()):
                reason = "tool_calls"
                yield Chunk("", release=release, tool_calls=made)
            counts = event.usage
            yield Chunk("", reason, counts.prompt_tokens, counts.completion_tokens, release)


def _refusal(failure: Failure, program: str) -> SaysoError:
    if failure.type == "exceed_context_size_error":
        return PromptTooLongError(
            f"the messages have {failure.n_prompt_tokens} tokens, expected fewer than "
            f"{failure.n_ctx} with the answer",
            "shorten them, or raise serving.context_tokens in sayso.toml",
        )
    kind = UsageError if failure.type == "invalid_request_error" else SaysoError
    return kind(f"{program} refused the messages ({failure.type})")
