"""A server with vLLM's endpoints for LoRA adapters, before real llama.cpp processes.

It answers from them; of vLLM's own it has: adapters by name, a name loaded twice is refused, an
unknown model is not found, `/tokenize` with a count, errors in its shape. `traps` makes it do what
vLLM's issues tell: 'ignores' serves the base under every name, 'stale' the adapter loaded first.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sayso.assistant.engines.llama_instance import Instance

KEY = "remote-key"


class VllmLike:
    """The server; `seen` is what it was asked.

    Args:
        base: the base model's GGUF file.
        folder: for sockets.
    """

    def __init__(self, base: Path, folder: Path) -> None:
        self.base, self.folder = base, folder
        self.instances = {"base-model": self._instance(None)}
        self.first: Instance | None = None
        self.seen: list[str] = []
        self.running = 0
        self.trap = ""
        self.adapters = True

    def _instance(self, adapter: Path | None) -> Instance:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.sock"
        shape = {"threads": 1, "parallel": 2, "context_tokens": 512}
        return Instance("there", self.base, adapter, socket_path=path, **shape)

    @contextlib.contextmanager
    def listening(self) -> Iterator[str]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(self._app(), log_level="critical", lifespan="off", ws="none")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            finally:
                server.should_exit = True
                thread.join(20)
                for instance in self.instances.values():
                    instance.close()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/load_lora_adapter", self.load, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self.unload, methods=["POST"]),
                Route("/reset_prefix_cache", self.reset, methods=["POST"]),
                Route("/tokenize", self.tokenize, methods=["POST"]),
                Route("/v1/completions", self.forward, methods=["POST"]),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        self.seen.append(request.url.path)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "Unauthorized")
        return None

    async def models(self, request: Request) -> Response:
        names = [{"id": name, "object": "model"} for name in self.instances]
        return self._refused(request) or JSONResponse({"object": "list", "data": names})

    async def load(self, request: Request) -> Response:
        if (refused := self._refused(request)) or not self.adapters:
            return refused or error(404, "Not Found")
        body = await request.json()
        if body["lora_name"] in self.instances:
            return error(400, "The lora adapter has already been loaded.")
        path = Path(body["lora_path"]) / "adapter.gguf"
        if not path.is_file():
            return error(404, "No adapter found")
        if self.trap == "ignores":
            instance = self.instances["base-model"]
        elif self.trap == "stale" and self.first is not None:
            instance = self.first
        else:
            instance = self._instance(path)
        self.first = self.first or instance
        self.instances[body["lora_name"]] = instance
        return PlainTextResponse("Success: LoRA adapter added successfully.")

    async def unload(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        if self.instances.pop(body["lora_name"], None) is None:
            return error(404, "The lora adapter cannot be found.")
        return PlainTextResponse("Success: LoRA adapter removed successfully.")

    async def reset(self, request: Request) -> Response:
        return self._refused(request) or Response()

    async def tokenize(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        asked = {"content": body["prompt"], "add_special": body["add_special_tokens"]}
        tokens = self.instances[body["model"]].ask("POST", "/tokenize", asked)["tokens"]
        return JSONResponse({"count": len(tokens), "max_model_len": 512, "tokens": tokens})

    async def forward(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        told = self.instances[body["model"]].ask("POST", "/v1/completions", body)
        tokens = told["choices"][0]["logprobs"]["content"]
        told["choices"][0]["logprobs"] = {"token_logprobs": [one["logprob"] for one in tokens]}
        return JSONResponse(told)

    async def chat(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        instance = self.instances.get(body["model"])
        if instance is None:
            return error(404, "The model does not exist.")
        transport = httpx2.AsyncHTTPTransport(uds=instance._socket_path)
        client = httpx2.AsyncClient(transport=transport, timeout=60)
        url = "http://there/v1/chat/completions"
        asked = client.build_request("POST", url, json=body)
        response = await client.send(asked, stream=True)
        if response.status_code != 200:
            await response.aread()
            told: dict[str, Any] = msgspec.json.decode(response.content)["error"]
            return error(400, told["message"])

        async def pieces():
            self.running += 1
            try:
                async for piece in response.aiter_raw():
                    yield piece
            finally:
                self.running -= 1
                await response.aclose()
                await client.aclose()

        return StreamingResponse(pieces(), media_type="text/event-stream")


def error(status: int, message: str) -> Response:
    body = {"message": message, "type": "BadRequestError", "param": None, "code": status}
    return JSONResponse({"error": body}, status)
