"""Function calls: which may be made, and how a model makes them whose template knows none.

Such a model is told of the functions in words and bound by a JSON schema to answer with one object:
`{"answer": "…"}` or `{"calls": [{"name": …, "arguments": {…}}]}`. Shapes of functions, choices and
calls are those of OpenAI's openapi.json (2026-08).
"""

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from sayso.assistant.engine import Message, Options
from sayso.errors import UsageError

Tool = dict[str, Any]

_ASKED: Final = (
    "You can call these functions:\n{functions}\n"
    'Answer with a JSON object: {{"calls": [{{"name": …, "arguments": {{…}}}}]}}{or_answer}.'
)
_OR_ANSWER: Final = ' to call functions, or {"answer": …} to answer in words'
_ANSWER: Final = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
# As far as it is whole: neither half an escape nor half a pair of surrogates at its end.
_WHOLE: Final = re.compile(
    r'(?:[^"\\]|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}'
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4})*"
)


class _Call(Struct):
    name: str
    arguments: dict[str, Any]


class _Calls(Struct):
    calls: list[_Call]


def chosen(options: Options) -> tuple[tuple[Tool, ...], bool]:
    """Return the functions that may be called, and whether one must be.

    Raises:
        UsageError: the choice is none that there is, or names a function that was not brought.
    """
    match options.tool_choice:
        case None | "auto":
            return options.tools, False
        case "none":
            return (), False
        case "required":
            return _named(options.tools, None), True
        case {"type": "function", "function": {"name": str(name)}}:
            return _named(options.tools, [name]), True
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            names = [tool.get("function", {}).get("name") for tool in tools if type(tool) is dict]
            return _named(options.tools, names), mode == "required"
        case _:
            raise UsageError(
                "`tool_choice` is none of 'auto', 'none', 'required', a function, allowed tools"
            )


def _named(tools: tuple[Tool, ...], names: list[str] | None) -> tuple[Tool, ...]:
    found = tuple(t for t in tools if names is None or t["function"]["name"] in names)
    if not found or len(found) < len(set(names or ())):
        raise UsageError("`tool_choice` asks for a function that is not among `tools`")
    return found


def plain(messages: Iterable[Message]) -> list[Message]:
    """Return messages with calls and results in words, for templates that know neither."""
    names: dict[str, str] = {}
    told: list[Message] = []
    for message in messages:
        content = message.get("content") or ""
        if calls := message.get("tool_calls"):
            names |= {call["id"]: call["function"]["name"] for call in calls}
            content += json.dumps({"calls": [_plain(call) for call in calls]}, ensure_ascii=False)
            told.append({"role": "assistant", "content": content})
        elif message.get("role") == "tool":
            name = names.get(message.get("tool_call_id", ""), "the function")
            told.append({"role": "user", "content": f"{name} returned: {content}"})
        else:
            told.append(message)
    return told


def _plain(call: dict[str, Any]) -> dict[str, Any]:
    try:
        arguments = json.loads(call["function"]["arguments"])
    except ValueError:
        arguments = call["function"]["arguments"]
    return {"name": call["function"]["name"], "arguments": arguments}


def described(messages: list[Message], tools: tuple[Tool, ...], must: bool) -> list[Message]:
    """Return messages in words, the functions told in the first one."""
    functions = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    text = _ASKED.format(functions=functions, or_answer="" if must else _OR_ANSWER)
    told = plain(messages)
    if told and told[0].get("role") == "system":
        text, told = f"{told[0].get('content') or ''}\n\n{text}", told[1:]
    return [{"role": "system", "content": text}, *told]


def schema(tools: tuple[Tool, ...], must: bool, parallel: bool) -> dict[str, Any]:
    """Return the JSON schema of an answer that calls functions, or, if it need not, says words."""
    definitions: dict[str, Any] = {}
    kinds = []
    for number, tool in enumerate(tools):
        function = tool["function"]
        parameters = function.get("parameters") or {"type": "object"}
        kept = _moved({k: v for k, v in parameters.items() if k != "$defs"}, number)
        definitions |= {
            f"{number}.{name}": _moved(value, number)
            for name, value in parameters.get("$defs", {}).items()
        }
        kinds.append(_object(name={"const": function["name"]}, arguments=kept))
    calls: dict[str, Any] = {"type": "array", "items": {"anyOf": kinds}, "minItems": 1}
    if not parallel:
        calls["maxItems"] = 1
    calling = _object(calls=calls)
    whole = calling if must else {"anyOf": [_object(answer={"type": "string"}), calling]}
    return {"$defs": definitions, **whole} if definitions else whole


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _moved(value: Any, number: int) -> Any:
    """Let a function's references lead to its definitions in the common schema."""
    match value:
        case {"$ref": str(place)} if place.startswith("#/$defs/"):
            return value | {"$ref": f"#/$defs/{number}.{place.removeprefix('#/$defs/')}"}
        case dict():
            return {name: _moved(part, number) for name, part in value.items()}
        case list():
            return [_moved(part, number) for part in value]
        case _:
            return value


class Reader:
    """Reads such an answer as it comes."""

    def __init__(self) -> None:
        self._text = ""
        self._told = 0  # characters of the answer

    def read(self, piece: str) -> str:
        """Take a piece, and return what it adds to the answer in words."""
        self._text += piece
        begun = _ANSWER.match(self._text)
        if begun is None:
            return ""
        whole = _WHOLE.match(self._text, begun.end())
        answer: str = json.loads(f'"{whole[0]}"', strict=False) if whole else ""
        new, self._told = answer[self._told :], len(answer)
        # A low surrogate without its high one is no text.
        return new.encode("utf-8", "replace").decode()

    def calls(self) -> tuple[dict[str, Any], ...]:
        """Return the calls as deltas of OpenAI's stream; none if the answer was cut off."""
        try:
            calls = msgspec.json.decode(self._text, type=_Calls).calls
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return ()
        return tuple(
            {
                "index": index,
                "id": f"call_{uuid.uuid4().hex[:24]}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for index, call in enumerate(calls)
        )
