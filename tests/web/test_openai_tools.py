"""Function calls and formats, as OpenAI's own client asks for them and reads them."""

import pytest
from openai import BadRequestError

from sayso.assistant.engine import Options
from tests.web.conftest import ANSWER, Running

QUESTION = [{"role": "user", "content": "How is the weather in Kiel?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
# In pieces, as models write them.
DELTAS = [
    {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather"}},
    {"index": 0, "function": {"arguments": '{"place": '}},
    {"index": 0, "function": {"arguments": '"Kiel"}'}},
    {"index": 1, "id": "call_2", "type": "function", "function": {"name": "weather"}},
    {"index": 1, "function": {"arguments": "{}"}},
]


def test_calls_come_whole_and_nothing_of_the_community_with_them(site: Running) -> None:
    site.assistant.tool_calls, site.assistant.pieces = DELTAS, []
    with site.openai() as client:
        answer = client.chat.completions.create(
            model="sayso",
            messages=QUESTION,
            tools=[WEATHER],
            tool_choice="required",
            parallel_tool_calls=False,
        )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert [(c.id, c.function.name, c.function.arguments) for c in choice.message.tool_calls] == [
        ("call_1", "weather", '{"place": "Kiel"}'),
        ("call_2", "weather", "{}"),
    ]
    assert answer.sayso["sources"] == []  # type: ignore[attr-defined]
    assert site.assistant.uploads == []  # the bare model was asked
    (options,) = site.assistant.options
    assert options == Options(tools=(WEATHER,), tool_choice="required", parallel_tool_calls=False)


def test_calls_come_in_pieces(site: Running) -> None:
    site.assistant.tool_calls, site.assistant.pieces = DELTAS, []
    with site.openai() as client:
        chunks = list(
            client.chat.completions.create(
                model="sayso", messages=QUESTION, tools=[WEATHER], stream=True
            )
        )
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [delta.index for delta in deltas] == [0, 0, 0, 1, 1]
    assert "".join(delta.function.arguments or "" for delta in deltas[:3]) == '{"place": "Kiel"}'
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_results_go_back_to_the_model(site: Running) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    talk = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "storm"},
    ]
    with site.openai() as client:
        answer = client.chat.completions.create(model="sayso", messages=talk, tools=[WEATHER])
    assert answer.choices[0].message.content == "".join(ANSWER)  # and no line of sources
    assert site.assistant.asked[0][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "storm"},
    ]


@pytest.mark.parametrize(
    ("wish", "form"),
    [
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {}}},
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
        ),
    ],
)
def test_a_format_binds_the_model_alone(site: Running, wish: dict, form: dict) -> None:
    with site.openai() as client:
        client.chat.completions.create(model="sayso", messages=QUESTION, response_format=wish)
        assert site.assistant.options[0].response_format == form
        assert not site.assistant.uploads
        client.chat.completions.create(
            model="sayso", messages=QUESTION, response_format={"type": "text"}
        )
    assert site.assistant.options[1].response_format is None
    assert site.assistant.uploads == [()]  # the assistant was asked


def test_posts_can_be_left_out(site: Running) -> None:
    with site.openai() as client:
        answer = client.chat.completions.create(
            model="sayso", messages=QUESTION, extra_body={"sayso": {"posts": False}}
        )
    assert answer.choices[0].message.content == "".join(ANSWER)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [WEATHER], "sayso": {"posts": True}}, "sayso.posts"),
        ({"response_format": {"type": "json_object"}, "sayso": {"posts": True}}, "sayso.posts"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": {"enum": ["x" * 70_000]}},
                }
            },
            "tools",
        ),
    ],
)
def test_what_cannot_be_is_refused(site: Running, body: dict, param: str) -> None:
    with site.openai() as client, pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="sayso", messages=QUESTION, extra_body=body)
    assert caught.value.param == param
    assert not site.assistant.asked
