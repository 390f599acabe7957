"""OpenAI's own client against the API, and the shapes that it does not show."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import APIError, BadRequestError, InternalServerError, NotFoundError, RateLimitError

from sayso.assistant.engine import NotLoadedError, PromptTooLongError
from sayso.web.answering import QUEUE_PER_SLOT
from tests.web.conftest import ANSWER, RELEASE, Running, poll

QUESTION = [{"role": "user", "content": "When does the ferry leave?"}]
TEXT = "".join(ANSWER)
CITED = TEXT + "\n\nSources: @member-1 (forum, 2026-09-11) · @member-2 (net, 2026-09-12)"


def chat(site: Running, **body: object):
    with site.browser() as browser:
        return browser.post(
            "/v1/chat/completions", json={"model": "sayso", "messages": QUESTION} | body
        )


def test_client_lists_models(site: Running) -> None:
    with site.openai() as client:
        models = client.models.list().data
        assert [model.id for model in models][:2] == ["sayso", RELEASE]
        assert client.models.retrieve(RELEASE).owned_by == "sayso"
        with pytest.raises(NotFoundError) as caught:
            client.models.retrieve("gpt-unknown")
    assert caught.value.code == "model_not_found"


def test_client_gets_a_whole_answer(site: Running) -> None:
    with site.openai() as client:
        answer = client.chat.completions.create(
            model="sayso", messages=QUESTION, temperature=0.5, max_tokens=7, stop="X", seed=3
        )
    assert answer.object == "chat.completion"
    assert answer.model == RELEASE
    assert answer.choices[0].message.content == CITED
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (11, 14)
    assert answer.model_extra["sayso"]["release"] == RELEASE
    assert answer.model_extra["sayso"]["sources"][0]["handle"] == "member-1"
    options = site.assistant.options[0]
    assert (options.temperature, options.max_tokens) == (0.5, 7)
    assert (options.stop, options.seed, options.top_p) == (("X",), 3, 0.95)


def test_client_streams(site: Running) -> None:
    with site.openai() as client:
        chunks = list(
            client.chat.completions.create(
                model=RELEASE,
                messages=QUESTION,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].model_extra["sayso"]["sources"][1]["service"] == "net"
    assert all("sayso" not in chunk.model_extra for chunk in chunks[1:])
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == CITED
    assert [c.choices[0].finish_reason for c in chunks[:-1]].count("stop") == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == 14


def test_stream_on_the_wire(site: Running) -> None:
    response = chat(site, stream=True, sayso={"cite": "separate"})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-accel-buffering"] == "no"
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    bodies = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert bodies[0]["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    ]
    assert bodies[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    # Without include_usage no chunk speaks of usage; with cite=separate none names sources.
    assert not any("usage" in body for body in bodies)
    assert "".join(b["choices"][0]["delta"].get("content", "") for b in bodies) == TEXT


def test_sources_are_named_in_the_readers_language(site: Running) -> None:
    with site.browser(**{"Accept-Language": "de-AT,de;q=0.9"}) as browser:
        body = {"model": "sayso", "messages": QUESTION}
        answer = browser.post("/v1/chat/completions", json=body).json()
    assert (
        "\n\nQuellen: @member-1 (forum, 2026-09-11)" in answer["choices"][0]["message"]["content"]
    )


def test_own_citations_do_not_come_back_as_the_models_words(site: Running) -> None:
    talk = [*QUESTION, {"role": "assistant", "content": CITED}, *QUESTION]
    assert chat(site, messages=talk).status_code == 200
    assert [m["content"] for m in site.assistant.asked[0]] == [
        QUESTION[0]["content"],
        TEXT,
        QUESTION[0]["content"],
    ]


def test_parts_roles_and_unknown_fields(site: Running) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "12", "tool_call_id": "x"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    response = chat(site, messages=messages, user="x", metadata={}, logit_bias={}, tools=[])
    assert response.status_code == 200
    assert site.assistant.asked[0] == [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": "12"},
        {"role": "user", "content": "a\nb"},
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "pirate", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content",
        ),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"sayso": {"cite": "never"}}, "sayso.cite"),
    ],
)
def test_bad_requests_name_the_field(site: Running, body: dict, param: str) -> None:
    with site.openai() as client, pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(
            **{"model": "sayso", "messages": QUESTION} | {"extra_body": body}
        )
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert not site.assistant.asked


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/v1/nothing", None, 404, "unknown_url"),
        ("POST", "/v1/embeddings", b"{}", 400, None),
        ("POST", "/v1/images/generations", b"[]", 400, None),
        ("POST", "/v1/images/generations", b'{"prompt":"x"}', 404, "image_model_missing"),
        ("DELETE", "/v1/models", None, 405, None),
        ("GET", "/v1/chat/completions", None, 405, None),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"\xff", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b'{"x":' + b"[" * 100_000, 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[]", 400, None),
        ("POST", "/v1/chat/completions", b'{"model":"sayso"}', 400, None),
        ("POST", "/v1/chat/completions", b'{"model":"x","messages":[{"role":"user"}]}', 404, None),
        ("POST", "/v1/chat/completions", b" " * (8 * 1024 * 1024 + 1), 413, None),
    ],
)
def test_every_error_has_openais_shape(
    site: Running, method: str, path: str, content: bytes | None, status: int, code: str | None
) -> None:
    with site.browser() as browser:
        response = browser.request(method, path, content=content)
    error = response.json()["error"]
    assert response.status_code == status
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["code"] == code or code is None


@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_first_word_have_their_status(
    site: Running, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site.assistant.error = PromptTooLongError("9 tokens, expected fewer", "shorten them")
    with site.openai() as client:
        with pytest.raises(BadRequestError) as caught:
            client.chat.completions.create(model="sayso", messages=QUESTION, stream=stream)
        assert caught.value.code == "context_length_exceeded"
        site.assistant.error = NotLoadedError("no release is being served", "run `sayso train`")
        with pytest.raises(InternalServerError) as unready:
            client.chat.completions.create(model="sayso", messages=QUESTION, stream=stream)
        assert unready.value.status_code == 503
        site.assistant.error = ZeroDivisionError("member-1's words")
        with pytest.raises(InternalServerError) as bug:
            client.chat.completions.create(model="sayso", messages=QUESTION, stream=stream)
    assert bug.value.status_code == 500
    assert "member-1" not in bug.value.message
    assert "content-security-policy" in bug.value.response.headers
    assert "ZeroDivisionError in _chunks" in caplog.text
    assert "member-1" not in caplog.text


def test_error_in_the_middle_of_a_stream_raises(
    site: Running, caplog: pytest.LogCaptureFixture
) -> None:
    site.assistant.late_error = ZeroDivisionError("member-1's words")
    with site.openai() as client, pytest.raises(APIError) as caught:
        list(client.chat.completions.create(model="sayso", messages=QUESTION, stream=True))
    assert "member-1" not in caught.value.message
    poll(lambda: "ZeroDivisionError in _chunks" in caplog.text)
    assert "member-1" not in caplog.text


def test_generation_stops_when_the_client_leaves_a_stream(site: Running) -> None:
    site.assistant.endless = True
    with site.openai() as client:
        stream = client.chat.completions.create(model="sayso", messages=QUESTION, stream=True)
        next(iter(stream))
        assert not site.assistant.closed.is_set()
        stream.close()
        poll(site.assistant.closed.is_set)


def test_generation_stops_when_the_client_does_not_wait(site: Running) -> None:
    site.assistant.endless = True
    with site.browser() as browser, pytest.raises(Exception, match="timed out"):
        body = {"model": "sayso", "messages": QUESTION}
        browser.post("/v1/chat/completions", json=body, timeout=0.3)
    poll(site.assistant.closed.is_set)
    # The turn is free again.
    site.assistant.endless = False
    assert chat(site).status_code == 200


def test_a_long_queue_is_refused_and_the_rest_answered(site: Running) -> None:
    site.assistant.go.clear()
    served = 1 + QUEUE_PER_SLOT
    with ThreadPoolExecutor(served + 3) as pool:
        waiting = [pool.submit(chat, site) for _ in range(served + 3)]
        # One is answered and sixteen wait; three come back at once.
        poll(lambda: sum(each.done() for each in waiting) == 3)
        refused = [each.result() for each in waiting if each.done()]
        assert {response.status_code for response in refused} == {429}
        assert refused[0].headers["retry-after"] == "5"
        assert refused[0].json()["error"]["code"] == "rate_limit_exceeded"
        with site.openai() as client, pytest.raises(RateLimitError):
            client.chat.completions.create(model="sayso", messages=QUESTION)
        # The pages are served while answers wait.
        with site.browser() as browser:
            assert browser.get("/transparency").status_code == 200
        site.assistant.go.set()
        assert sorted(each.result().status_code for each in waiting) == [200] * served + [429] * 3
