"""Chat requests of the OpenAI-compatible API, checked and made into what the assistant takes.

Shapes after OpenAI's published openapi.json (2026-08); unknown fields are ignored.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sayso.assistant.engine import Options
from sayso.web.failures import ApiError

ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    # Without tools a tool's result is one more thing that the user's side says.
    "tool": "user",
    "function": "user",
}
# What `cite` appended to earlier answers: left in, a model learns to invent such lines.
CITED: Final = re.compile(r"\n\n(?:Sources|Quellen): @[^\n]*\Z")
_PLACE: Final = re.compile(r"^(.*) - at `\$\.?(.*)`$")


class Message(Struct):
    """One message; content is text, or a list of parts of which text parts are taken."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(Struct):
    """What a stream holds besides the text."""

    include_usage: bool | None = False


class Extras(Struct):
    """Sayso's own options: 'text' names the sources after the answer, 'separate' does not."""

    cite: Literal["text", "separate"] = "text"


class ChatRequest(Struct):
    """The body of POST /v1/chat/completions."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    n: int | None = 1
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    sayso: Extras | UnsetType = UNSET

    @property
    def cited_in_text(self) -> bool:
        """Whether the sources are named in the text as well."""
        return self.sayso is UNSET or self.sayso.cite == "text"

    @property
    def with_usage(self) -> bool:
        """Whether the stream ends with the tokens' counts."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def plain_messages(self) -> list[dict[str, str]]:
        """Return the messages as the assistant takes them: role and text."""
        return [
            {"role": ROLES[message.role], "content": _text(message, index)}
            for index, message in enumerate(self.messages)
        ]

    def options(self) -> Options:
        """Return the options for generating, with the assistant's defaults where none are given."""
        limit = self.max_completion_tokens or self.max_tokens
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        given = {
            "max_tokens": limit,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": tuple(word for word in stop if word),
            "seed": self.seed,
        }
        return msgspec.structs.replace(
            Options(), **{name: value for name, value in given.items() if value is not None}
        )


_decode = msgspec.json.Decoder(ChatRequest).decode


def parse(body: bytes) -> ChatRequest:
    """Read and check a request's body.

    Raises:
        ApiError: 400; it is not JSON, a field has the wrong type or is out of range, or more than
            one answer is asked for.
    """
    try:
        request = _decode(body)
    except msgspec.ValidationError as error:
        text, place = _split(str(error))
        raise ApiError(text, param=place) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("the body is not valid JSON", code="invalid_json") from error
    if request.n not in (None, 1):
        raise ApiError(
            f"`n` is {request.n}, but one answer at a time is given: leave `n` out", param="n"
        )
    return request


def _split(message: str) -> tuple[str, str | None]:
    """Take a message of msgspec apart: what is wrong, and the field's path."""
    if found := _PLACE.match(message):
        return f"`{found[2]}`: {found[1]}", found[2]
    if found := re.search(r"missing required field `(\w+)`", message):
        return message, found[1]
    return message, None


def _text(message: Message, index: int) -> str:
    if isinstance(message.content, list):
        text = "\n".join(_part(part, f"messages[{index}].content") for part in message.content)
    else:
        text = message.content or ""
    return CITED.sub("", text) if message.role == "assistant" else text


def _part(part: dict[str, Any], param: str) -> str:
    match part:
        case {"type": "text" | "input_text" | "refusal"}:
            text = part.get("refusal" if part["type"] == "refusal" else "text")
            if isinstance(text, str):
                return text
            raise ApiError(f"`{param}`: a text part needs `text`, a string", param=param)
        case {"type": "image_url" | "input_image" | "image"}:
            raise ApiError(
                f"`{param}`: this model reads text only, got a picture: send text parts",
                param=param,
            )
        case _:
            raise ApiError(f"`{param}`: expected parts of the type 'text'", param=param)
