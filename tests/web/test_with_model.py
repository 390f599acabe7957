"""The whole way: real records, the real assistant and base model, OpenAI's client, an objection."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sayso.assistant.chat import Assistant
from sayso.corpus import admission
from sayso.corpus.ingest import import_paths
from sayso.corpus.prepare import prepare
from sayso.errors import MissingPartError
from sayso.settings import Serving, Settings
from sayso.workspace import Workspace
from tests.conftest import SAMPLE
from tests.web.conftest import Running, serving

pytestmark = pytest.mark.base_model
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    workspace = Workspace.create(
        tmp_path_factory.mktemp("real") / "home",
        Settings(community="Muschelhaven", serving=Serving(threads=1, parallel=2, quote=False)),
    )
    import_paths(workspace, [SAMPLE / "accounts.jsonl", SAMPLE / "quay.jsonl"])
    prepare(workspace, admission.judge_all(workspace, AT))
    try:
        assistant = Assistant.start(workspace)
    except MissingPartError as error:
        pytest.skip(error.problem)
    try:
        with serving(workspace, assistant) as address:
            yield Running(address, assistant, workspace)
    finally:
        assistant.engine.close()


def test_answers_draw_on_posts_until_their_author_objects(real: Running, tmp_path: Path) -> None:
    question = [{"role": "user", "content": "Wann fährt die Gerda nach Lütt Oog?"}]
    with real.openai() as client:
        names = [model.id for model in client.models.list().data]
        assert names[:2] == ["sayso", real.assistant.release]
        stream = client.chat.completions.create(
            model="sayso", messages=question, stream=True, max_tokens=24, temperature=0, seed=1
        )
        chunks = list(stream)
        sources = chunks[0].model_extra["sayso"]["sources"]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        whole = client.chat.completions.create(
            model="sayso", messages=question, max_tokens=24, temperature=0, seed=1
        )
    assert sources
    assert whole.choices[0].message.content == text
    answer, _, cited = text.partition("\n\nSources: ")
    assert answer.strip()
    assert all(f"@{source['handle']} ({source['service']}, " in cited for source in sources)
    assert whole.usage.completion_tokens in range(1, 25)
    assert whole.usage.prompt_tokens > 50
    assert whole.choices[0].finish_reason in ("stop", "length")

    author = sources[0]["handle"]
    with real.service() as browser:
        body = {"account": f"{author}@{sources[0]['service']}"}
        assert browser.post("/api/objections", json=body).json()["account_known"] is True
        after = browser.post(
            "/v1/chat/completions", json={"model": "sayso", "messages": question, "max_tokens": 1}
        ).json()
    assert author not in [source["handle"] for source in after["sayso"]["sources"]]


def test_too_long_a_prompt_is_a_clear_400(real: Running) -> None:
    with real.browser() as browser:
        messages = [{"role": "user", "content": "fish " * 5000}]
        for stream in (False, True):
            body = {"model": "sayso", "messages": messages, "stream": stream}
            response = browser.post("/v1/chat/completions", json=body)
            assert response.status_code == 400
            assert response.json()["error"]["code"] == "context_length_exceeded"
            assert "fish" not in response.text


def test_leaving_frees_the_slot(real: Running) -> None:
    question = [{"role": "user", "content": "Tell me a very long story about the harbour."}]
    with real.openai() as client:
        for _ in range(3):
            stream = client.chat.completions.create(
                model="sayso", messages=question, stream=True, max_tokens=1000
            )
            next(iter(stream))
            stream.close()
        # Both slots would be taken for a minute if leaving did not stop them.
        answer = client.chat.completions.create(
            model="sayso", messages=question, max_tokens=2, timeout=20
        )
    assert answer.usage.completion_tokens <= 2


def test_a_function_is_called_by_the_smallest_model(real: Running) -> None:
    place = {"type": "object", "properties": {"place": {"enum": ["Kiel", "Husum"]}}}
    place |= {"required": ["place"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "weather", "parameters": place}}
    question = [{"role": "user", "content": "How is the weather in Husum?"}]
    wish = {"model": "sayso", "messages": question, "tools": [tool], "tool_choice": "required"}
    wish |= {"temperature": 0, "seed": 1, "max_tokens": 60, "parallel_tool_calls": False}
    with real.openai() as client:
        answer = client.chat.completions.create(**wish)
        chunks = list(client.chat.completions.create(**wish, stream=True))
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["place"] in ("Kiel", "Husum")
    deltas = [d for chunk in chunks for d in chunk.choices[0].delta.tool_calls or ()]
    assert "".join(d.function.arguments for d in deltas) == call.function.arguments
