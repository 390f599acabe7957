"""Function calls in words: choices, schemas, and answers that are read as they come."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.assistant.engine import Options
from sayso.assistant.tool_calls import Reader, chosen, described, plain, schema
from sayso.errors import UsageError


def tool(name: str, **parameters: object) -> dict:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


A, B = tool("a", type="object"), tool("b", type="object")
NAMED = {"type": "function", "function": {"name": "b"}}


@given(st.text(), st.booleans(), st.lists(st.integers(0, 40)))
def test_an_answer_is_told_as_far_as_it_has_come(
    said: str, ascii_only: bool, cuts: list[int]
) -> None:
    whole = '{ "answer" : ' + json.dumps(said, ensure_ascii=ascii_only) + "}"
    places = sorted({0, len(whole), *(place for place in cuts if place < len(whole))})
    reader, told = Reader(), ""
    for start, end in itertools.pairwise(places):
        told += reader.read(whole[start:end])
        assert said.startswith(told)
    assert told == said
    assert reader.calls() == ()


@given(st.dictionaries(st.text(), st.integers() | st.text(), max_size=3), st.integers(0, 80))
def test_calls_are_there_once_they_are_whole(arguments: dict, cut: int) -> None:
    whole = json.dumps({"calls": [{"name": "a", "arguments": arguments}] * 2})
    reader = Reader()
    assert reader.read(whole[:-1][:cut]) == ""
    assert reader.calls() == ()
    assert reader.read(whole[:-1][cut:] + "}") == ""
    calls = reader.calls()
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2
    assert all(json.loads(call["function"]["arguments"]) == arguments for call in calls)


@pytest.mark.parametrize(
    ("choice", "tools", "must"),
    [
        (None, (A, B), False),
        ("auto", (A, B), False),
        ("none", (), False),
        ("required", (A, B), True),
        (NAMED, (B,), True),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
            (B,),
            False,
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}},
            (B,),
            True,
        ),
    ],
)
def test_choices(choice: object, tools: tuple, must: bool) -> None:
    assert chosen(Options(tools=(A, B), tool_choice=choice)) == (tools, must)


@pytest.mark.parametrize(
    "choice",
    [
        "maybe",
        7,
        {"type": "function", "function": {"name": "c"}},
        {"type": "function"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"x": 1}, 5]}},
    ],
)
def test_choices_that_are_none(choice: object) -> None:
    with pytest.raises(UsageError):
        chosen(Options(tools=(A, B), tool_choice=choice))


def test_references_lead_to_the_functions_own_definitions() -> None:
    ours = {"$defs": {"x": {"type": "string"}}, "properties": {"y": {"$ref": "#/$defs/x"}}}
    theirs = {"$defs": {"x": {"$ref": "#/$defs/z"}, "z": {"const": 1}}, "$ref": "#/$defs/x"}
    made = schema((tool("a", **ours), tool("b", **theirs)), must=True, parallel=False)
    assert made["$defs"] == {
        "0.x": {"type": "string"},
        "1.x": {"$ref": "#/$defs/1.z"},
        "1.z": {"const": 1},
    }
    first, second = made["properties"]["calls"]["items"]["anyOf"]
    assert first["properties"]["arguments"]["properties"]["y"] == {"$ref": "#/$defs/0.x"}
    assert second["properties"]["arguments"] == {"$ref": "#/$defs/1.x"}
    assert made["properties"]["calls"]["maxItems"] == 1
    assert len(schema((A,), must=False, parallel=True)["anyOf"]) == 2


def test_calls_and_results_are_told_in_words() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x": "ä"}'}}
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "7"},
    ]
    words = plain(talk)
    assert words[1:] == [
        {
            "role": "assistant",
            "content": '{"calls": [{"name": "a", "arguments": {"x": "ä"}}]}',
        },
        {"role": "user", "content": "a returned: 7"},
    ]
    first, *rest = described(talk, (A,), must=True)
    assert first["content"].startswith("Be brief.\n\n")
    assert '"name": "a"' in first["content"]
    assert rest == words[1:]
