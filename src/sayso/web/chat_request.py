"""Chat requests of the OpenAI-compatible API, checked and made into what the assistant takes.

Shapes after OpenAI's published openapi.json (2026-08); unknown fields are ignored.
"""

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sayso.assistant.engine import Options
from sayso.assistant.uploads import Upload
from sayso.settings import Uploads
from sayso.web import chat_parts
from sayso.web.failures import ApiError

ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "function": "user",
}
_TOOLS: Final = ("tool", "function")
JSON_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
LONGEST_SCHEMA: Final = 64 * 1024  # a grammar is made of it for each request
# What `cite` appended to earlier answers: left in, a model learns to invent such lines.
CITED: Final = re.compile(r"\n\n(?:Sources|Quellen): @[^\n]*\Z")
_PLACE: Final = re.compile(r"^(.*) - at `\$\.?(.*)`$")
_Body = TypeVar("_Body", bound=Struct)
Name = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(Struct, omit_defaults=True):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Struct):
    """A tool; of OpenAI's kinds, functions are here."""

    type: Literal["function"]
    function: Function


class CalledFunction(Struct):
    """What was called; `arguments` is JSON as the model wrote it."""

    name: str
    arguments: str


class ToolCall(Struct):
    """A call in an earlier answer."""

    id: str
    function: CalledFunction
    type: Literal["function"] = "function"


class Message(Struct):
    """One message; content is text, or a list of parts: text and files."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class StreamOptions(Struct):
    """What a stream holds besides the text."""

    include_usage: bool | None = False


class JsonSchema(Struct):
    """A schema that binds the answer."""

    name: Name
    schema: dict[str, Any] = {}


class ResponseFormat(Struct):
    """What the answer must be."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Extras(Struct):
    """Sayso's own options.

    `cite`: 'text' names the sources after the answer, 'separate' does not. `posts`: whether the
    answer draws on the community's posts; None = unless tools or a format are asked for.
    """

    cite: Literal["text", "separate"] = "text"
    posts: bool | None = None


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
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = True
    response_format: ResponseFormat | None = None
    sayso: Extras | UnsetType = UNSET

    @property
    def cited_in_text(self) -> bool:
        """Whether the sources are named in the text as well."""
        return self.sayso is UNSET or self.sayso.cite == "text"

    @property
    def with_usage(self) -> bool:
        """Whether the stream ends with the tokens' counts."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def passed_on(self) -> bool:
        """Whether the model is asked as it is, without the community's posts and abilities.

        So it is where tools or a format are asked for: no post may ever start a tool.
        """
        posts = None if self.sayso is UNSET else self.sayso.posts
        return self._is_bound or posts is False

    @property
    def _is_bound(self) -> bool:
        return bool(self.tools) or bool(
            self.response_format and self.response_format.type != "text"
        )

    def check(self) -> None:
        """Check what no single field can say.

        Raises:
            ApiError: 400; more than one answer, or two things at once that exclude each other.
        """
        if self.n not in (None, 1):
            raise ApiError(
                f"`n` is {self.n}, but one answer at a time is given: leave `n` out", param="n"
            )
        if self._is_bound and self.sayso is not UNSET and self.sayso.posts:
            raise ApiError(
                "`sayso.posts`: posts are never put before a model that may call tools, nor into "
                "an answer in a format; leave one of them out",
                param="sayso.posts",
            )
        shapes = [tool.function.parameters for tool in self.tools or ()]
        if self.response_format and self.response_format.type == "json_schema":
            if self.response_format.json_schema is None:
                raise ApiError("`response_format`: expected `json_schema`", param="response_format")
            shapes.append(self.response_format.json_schema.schema)
        if len(msgspec.json.encode(shapes)) > LONGEST_SCHEMA:
            raise ApiError(f"schemas have more than {LONGEST_SCHEMA} bytes", param="tools")
        names = [tool.function.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise ApiError("`tools`: two functions have the same name", param="tools")
        if self.passed_on and any(chat_parts.files(message.content) for message in self.messages):
            raise ApiError(
                "files are read by the assistant alone: leave `tools` and formats out",
                param="messages",
            )

    def plain_messages(self) -> list[dict[str, str]]:
        """Return the messages as the assistant takes them: role and text.

        What a tool says stays a tool's: it is none of the member's own words, which alone start
        anything.
        """
        return [
            {
                "role": "tool" if message.role in _TOOLS else ROLES[message.role],
                "content": _text(message, index),
            }
            for index, message in enumerate(self.messages)
        ]

    def all_messages(self) -> list[dict[str, Any]]:
        """Return the messages as engines take them, with calls and their results."""
        told: list[dict[str, Any]] = []
        for index, message in enumerate(self.messages):
            role = "tool" if message.role == "tool" else ROLES[message.role]
            told.append({"role": role, "content": _text(message, index)})
            if message.tool_calls and role == "assistant":
                told[-1]["tool_calls"] = msgspec.to_builtins(message.tool_calls)
            if role == "tool":
                told[-1]["tool_call_id"] = message.tool_call_id or ""
        return told

    def uploads(self, limits: Uploads) -> tuple[Upload, ...]:
        """Return the files that came along, in all messages, each once.

        Raises:
            ApiError: 400; one is not given within the request, or not accepted.
        """
        return chat_parts.uploads([message.content for message in self.messages], limits)

    def options(self) -> Options:
        """Return the options for generating, with the assistant's defaults where none are given."""
        limit = self.max_completion_tokens or self.max_tokens
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        bound = self.response_format if self._is_bound else None
        given = {
            "max_tokens": limit,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": tuple(word for word in stop if word),
            "seed": self.seed,
            "tools": tuple(msgspec.to_builtins(self.tools or ())),
            "tool_choice": self.tool_choice if self.tools else None,
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": msgspec.to_builtins(bound) if bound else None,
        }
        if bound and bound.type != "json_schema":
            given["response_format"] = {"type": bound.type}
        return msgspec.structs.replace(
            Options(), **{name: value for name, value in given.items() if value is not None}
        )


def parse(body: bytes) -> ChatRequest:
    """Read and check a request's body.

    Raises:
        ApiError: 400; it is not JSON, a field has the wrong type or is out of range, or two of
            them exclude each other.
    """
    request = decode(body, ChatRequest)
    request.check()
    return request


def decode(body: bytes, kind: type[_Body]) -> _Body:
    """Read a request's body.

    Raises:
        ApiError: 400; it is not JSON, or a field has the wrong type or is out of range.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text, place = _split(str(error))
        raise ApiError(text, param=place) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("the body is not valid JSON", code="invalid_json") from error


def _split(message: str) -> tuple[str, str | None]:
    """Take a message of msgspec apart: what is wrong, and the field's path."""
    if found := _PLACE.match(message):
        return f"`{found[2]}`: {found[1]}", found[2]
    if found := re.search(r"missing required field `(\w+)`", message):
        return message, found[1]
    return message, None


def _text(message: Message, index: int) -> str:
    text = chat_parts.text(message.content, f"messages[{index}].content")
    return CITED.sub("", text) if message.role == "assistant" else text
