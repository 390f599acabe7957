"""Many chats at once through the real program; see serving.py."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from sayso.settings import Api, Serving, Settings
from sayso.workspace import Workspace

TOKENS: Final = 64
STARTING_SECONDS: Final = 60.0
ANSWERING_SECONDS: Final = 600.0


def measure(home: Path, number: int, threads: int) -> dict[str, Any]:
    """Ask `number` questions at once; return errors, tokens/s in all, seconds to first tokens."""
    settings = Settings(serving=Serving(threads=threads), api=Api(at_once=0, requests_per_minute=0))
    Workspace.create(home, settings)
    with serving(home) as address:
        asyncio.run(ask_all(address, 4))  # everything is loaded then
        start = time.perf_counter()
        answers = asyncio.run(ask_all(address, number))
        took = time.perf_counter() - start
    good = [answer for answer in answers if answer is not None]
    return {
        "chats": number,
        "errors": number - len(good),
        "tokens_per_second": sum(tokens for _, tokens in good) / took,
        "first_tokens": sorted(first for first, _ in good),
        "seconds": took,
    }


@contextlib.contextmanager
def serving(home: Path) -> Iterator[str]:
    """Run `sayso serve` until the block ends; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).parent / "sayso"
    command = [program, "--home", home, "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with (home / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + STARTING_SECONDS
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{address}/healthz").is_success:
                    break
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"the server did not start; see {home}/serve.log")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(STARTING_SECONDS)


async def ask_all(address: str, number: int) -> list[tuple[float, int] | None]:
    limits = httpx2.Limits(max_connections=number)
    async with httpx2.AsyncClient(
        base_url=address, timeout=ANSWERING_SECONDS, limits=limits
    ) as client:
        return await asyncio.gather(*(ask(client, at) for at in range(number)))


async def ask(client: httpx2.AsyncClient, number: int) -> tuple[float, int] | None:
    """Return the seconds to the first token, and the tokens; None for an error."""
    body = {
        "model": "sayso",
        "messages": [{"role": "user", "content": f"Tell me {number + 2} things about the sea."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": TOKENS,
        "temperature": 0.7,
        # Of an empty community the assistant says that it knows nothing; here the model must talk.
        "sayso": {"posts": False},
    }
    start, first, tokens = time.perf_counter(), None, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            return None
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = msgspec.json.decode(line.removeprefix("data: "))
            if "error" in event:
                return None
            if event["choices"] and event["choices"][0]["delta"].get("content"):
                first = first or time.perf_counter() - start
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
    return (first, tokens) if first is not None else None
