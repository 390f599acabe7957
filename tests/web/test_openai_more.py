"""Files, vectors and pictures in OpenAI's shapes."""

import base64
import struct
import zlib

import numpy as np
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from sayso.assistant.embedding import Embedder
from sayso.web.app import create_app
from sayso.web.openai_images import Drawing
from tests.web.conftest import RELEASE, Running, listening

CSV = b"day,ferries\nMonday,7\n"


def part(name: str, data: str) -> dict:
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def encoded(data: bytes, kind: str = "text/csv") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def asking(*parts: dict) -> list[dict]:
    return [{"role": "user", "content": [{"type": "text", "text": "How many?"}, *parts]}]


def test_files_come_along_once(site: Running) -> None:
    file = part("../ferries.csv", encoded(CSV))
    with site.openai() as client:
        client.chat.completions.create(model="sayso", messages=asking(file) + asking(file))
    (uploads,) = site.assistant.uploads
    assert [(u.name, u.media_type, u.data) for u in uploads] == [("ferries.csv", "text/csv", CSV)]
    assert [message["content"] for message in site.assistant.asked[0]] == ["How many?"] * 2


@pytest.mark.parametrize(
    "refused",
    [
        part("a.csv", "https://files.example/a.csv"),
        part("a.csv", "data:text/csv;base64,%%%"),
        part("a.csv", encoded(b"")),
        part("a.exe", encoded(b"MZ", "application/octet-stream")),
        part("a.xlsx", encoded(CSV)),
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "image_url", "image_url": {"url": "https://files.example/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {}},
    ],
)
def test_other_files_are_refused(site: Running, refused: dict) -> None:
    with site.openai() as client, pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="sayso", messages=asking(refused))
    assert caught.value.param == "messages[0].content"
    assert not site.assistant.asked


def test_a_model_with_tools_gets_no_files(site: Running) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    with site.openai() as client, pytest.raises(BadRequestError):
        client.chat.completions.create(
            model="sayso", messages=asking(part("a.csv", encoded(CSV))), tools=[tool]
        )


def test_vectors(site: Running) -> None:
    model = Embedder.start(site.workspace)
    texts = ["The ferry leaves at seven.", "Die Fähre fährt um sieben."]
    with site.openai() as client:
        assert model.name in [one.id for one in client.models.list().data]
        made = client.embeddings.create(model=model.name, input=texts)  # base64, unasked
        floats = client.embeddings.create(
            model=model.name, input=texts[0], encoding_format="float", dimensions=model.width
        )
        for wrong in (
            {"input": [1, 2]},
            {"input": [[1, 2]]},
            {"input": ""},
            {"input": []},
            {"input": "a", "dimensions": 7},
            {"input": ["a"] * 257},
        ):
            with pytest.raises(BadRequestError):
                client.embeddings.create(model=model.name, **wrong)
        with pytest.raises(NotFoundError):
            client.embeddings.create(model=RELEASE, input="a")
    expected = model.embed(texts)
    assert [one.index for one in made.data] == [0, 1]
    np.testing.assert_allclose([one.embedding for one in made.data], expected, atol=1e-3)
    np.testing.assert_allclose(floats.data[0].embedding, expected[0], atol=1e-3)
    assert made.usage.prompt_tokens == sum(map(model.count_tokens, texts))
    model.close()


class OneColour:
    """Draws a picture of one colour: the seed."""

    name = "one-colour"

    def draw(self, prompt: str, width: int, height: int, seed: int) -> bytes:
        def chunk(kind: bytes, data: bytes) -> bytes:
            body = kind + data
            return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

        rows = (b"\0" + bytes([seed % 256]) * width) * height
        head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        data = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data


def test_pictures(site: Running) -> None:
    with site.openai() as client:
        with pytest.raises(NotFoundError) as caught:
            client.images.generate(prompt="A ferry", model="sayso")
        assert caught.value.code == "image_model_missing"
    app = create_app(site.workspace, site.assistant)
    app.state.drawing = Drawing(OneColour())
    with listening(app) as address, OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        assert "one-colour" in [one.id for one in client.models.list().data]
        made = client.images.generate(
            prompt="A ferry", n=2, size="64x128", model="one-colour", extra_body={"seed": 7}
        )
        linked = client.images.generate(
            prompt="A ferry", response_format="url", size="auto", extra_body={"seed": 7}
        )
        for wrong in ({"size": "63x64"}, {"size": "2048x64"}, {"n": 5}, {"size": "big"}):
            with pytest.raises(BadRequestError):
                client.images.generate(prompt="A ferry", **wrong)
        with pytest.raises(NotFoundError):
            client.images.generate(prompt="A ferry", model="dall-e-3")
    draw = OneColour().draw
    assert [base64.b64decode(one.b64_json) for one in made.data] == [
        draw("A ferry", 64, 128, 7),
        draw("A ferry", 64, 128, 8),
    ]
    picture = base64.b64encode(draw("A ferry", 512, 512, 7)).decode()
    assert linked.data[0].url == f"data:image/png;base64,{picture}"


def test_open_webui_gets_what_it_asks_for(site: Running) -> None:
    """Requests as its release 0.12.4 sends them (its routers `openai`, `tasks`; `retrieval`)."""
    with site.browser(authorization="Bearer none") as browser:
        models = browser.get("/v1/models").json()["data"]
        assert models[0]["id"] == "sayso"
        talk = [{"role": "user", "content": [{"type": "text", "text": "When?"}]}]
        chat = {"model": "sayso", "messages": talk, "stream": True, "chat_id": "1", "id": "2"}
        chat["stream_options"] = {"include_usage": True}
        answer = browser.post("/v1/chat/completions", json=chat)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text.endswith("data: [DONE]\n\n")
        task = {"model": "sayso", "stream": False, "max_completion_tokens": 1000}
        task["messages"] = [{"role": "user", "content": "### Task:\nGenerate a concise title"}]
        titled = browser.post("/v1/chat/completions", json=task)
        assert titled.json()["choices"][0]["message"]["content"]
        vectors = browser.post("/v1/embeddings", json={"model": models[-1]["id"], "input": ["a"]})
        assert isinstance(vectors.json()["data"][0]["embedding"][0], float)
        drawn = {"model": "x", "prompt": "a", "n": 1, "size": "512x512"}
        drawn["response_format"] = "b64_json"
        refused = browser.post("/v1/images/generations", json=drawn)
        assert refused.json()["error"]["code"] == "image_model_missing"
