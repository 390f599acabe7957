"""Serving: Sayso's engine beside bare llama.cpp (xllamacpp), same file, adapter, threads, prompt.

    .venv/bin/python bench/serving.py [--base FILE] [--adapter FILE] [--threads N] [--parallel N]
                                      [--tokens N] [--rounds N] [--chats N] [--json FILE]

One run measures, in turns: tokens/s of `LlamaEngine.stream` and of xllamacpp's own streaming call
(greedy, so that both make the same text), alone and with `--parallel` answers at once; and the
seconds that `LlamaEngine.load` takes for a LoRA over all linear layers (rank 16, 20 MB, random
unless given). Ratios are medians of the rounds'; the one by CPU time hardly feels other programs
on the machine (that of the engine's process is counted with ours). Bare llama.cpp has the advantage
of the engine's OpenMP setting; `--own-openmp` leaves OpenMP, for it, as its users find it.

Then the seconds until the first token of an answer to a prompt of 500 tokens that nobody sent
before, beside the limit: those that bare llama.cpp takes to read the same prompt and make one
token. Last, `--chats` (50) chats at once through the real program (`sayso serve` on an empty
workspace, the web included): errors, tokens/s of all together, first tokens.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

import chats
from sayso.assistant.engine import Options
from sayso.assistant.engines.llama import LlamaEngine
from sayso.assistant.engines.llama_instance import OPENMP
from sayso.training import releases
from sayso.training.base import find_gguf
from sayso.training.gguf import read_header, write_lora

CONTEXT_TOKENS: Final = 1024
PROMPT_TOKENS: Final = 500
WORDS: Final = (
    "tide mussel rope gull lantern harbour engine paint bread net winter ferry pier sail fog bell "
    "market stone bridge garden letter window river morning boat".split()
)
LOADS: Final = 5
MESSAGES: Final = [
    {"role": "system", "content": "You are a helpful assistant. Answer at length."},
    {"role": "user", "content": "Explain how a small town could organise its own newspaper."},
]
LAYERS: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
Ask = Callable[[], int]


def main() -> None:
    arguments = parse()
    if not arguments.own_openmp:
        os.environ.update(OPENMP)  # read as xllamacpp is imported
    base = arguments.base or find_gguf("smollm2")
    with tempfile.TemporaryDirectory() as folder:
        adapter = arguments.adapter or random_adapter(base, Path(folder) / releases.GGUF)
        engine = LlamaEngine(
            base,
            threads=arguments.threads,
            parallel=arguments.parallel,
            context_tokens=CONTEXT_TOKENS,
        )
        loads = [seconds(engine.load, str(number), adapter.parent) for number in range(LOADS)]
        bare = bare_server(base, adapter, arguments.threads, arguments.parallel)
        sides: dict[str, Ask] = {
            "sayso": lambda: ask_engine(engine, arguments.tokens),
            "bare": lambda: ask_bare(bare, arguments.tokens),
        }
        result: dict[str, Any] = {
            "adapter_bytes": adapter.stat().st_size,
            "threads": arguments.threads,
            "load_seconds": loads,
        }
        for at_once in sorted({1, arguments.parallel}):
            result[f"at_once_{at_once}"] = compare(sides, at_once, arguments.rounds)
        result["first_token"] = first_tokens(engine, bare, arguments.rounds)
        engine.close()
        sides.clear()
        result["chats"] = chats.measure(Path(folder) / "home", arguments.chats, arguments.threads)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def compare(sides: dict[str, Ask], at_once: int, rounds: int) -> dict[str, Any]:
    """Measure both sides in turns, so that both meet the same neighbours on the machine."""
    for ask in sides.values():
        ask()
    speed: dict[str, list[float]] = {name: [] for name in sides}
    effort: dict[str, list[float]] = {name: [] for name in sides}
    with ThreadPoolExecutor(at_once) as pool:
        for number in range(rounds):
            for name in sorted(sides, reverse=bool(number % 2)):
                start, worked = time.perf_counter(), processor_seconds()
                asked = [pool.submit(sides[name]) for _ in range(at_once)]
                tokens = sum(future.result() for future in asked)
                speed[name].append(tokens / (time.perf_counter() - start))
                effort[name].append(tokens / (processor_seconds() - worked))
    return {
        "tokens_per_second": speed,
        "tokens_per_cpu_second": effort,
        "ratio": median_ratio(speed),
        "cpu_ratio": median_ratio(effort),
    }


def first_tokens(engine: LlamaEngine, bare: Any, rounds: int) -> dict[str, Any]:
    """Return the seconds until the first token of prompts that are new to both sides."""
    took: dict[str, list[float]] = {"sayso": [], "bare": []}
    for number in range(2 * rounds):
        prompt = new_prompt(engine, number)
        for name in sorted(took, reverse=bool(number % 2)):
            start = time.perf_counter()
            if name == "sayso":
                stream = engine.stream(prompt, Options(max_tokens=8, temperature=0))
                next(chunk for chunk in stream if chunk.text)
                took[name].append(time.perf_counter() - start)
                list(stream)
            else:
                request = {"messages": prompt, "max_tokens": 1, "temperature": 0, "stream": True}
                bare.handle_chat_completions(request, lambda event: None)
                took[name].append(time.perf_counter() - start)
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "seconds": took,
        "median": {name: statistics.median(values) for name, values in took.items()},
    }


def new_prompt(engine: LlamaEngine, number: int) -> list[dict[str, str]]:
    """Return a message of 500 tokens that differs from all others from its first word on."""
    random = np.random.default_rng(number)
    words = [str(number), *(WORDS[at] for at in random.integers(0, len(WORDS), PROMPT_TOKENS))]
    while engine.count_tokens(" ".join(words)) > PROMPT_TOKENS:
        words.pop()
    return [{"role": "user", "content": " ".join(words)}]


def processor_seconds() -> float:
    """Processor time of this program and of the engine's process."""
    children = (child.cpu_times() for child in psutil.Process().children())
    return time.process_time() + sum(times.user + times.system for times in children)


def median_ratio(values: dict[str, list[float]]) -> float:
    pairs = zip(values["sayso"], values["bare"], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def ask_engine(engine: LlamaEngine, tokens: int) -> int:
    chunks = engine.stream(MESSAGES, Options(max_tokens=tokens, temperature=0))
    return sum(chunk.completion_tokens for chunk in chunks)


def ask_bare(server: Any, tokens: int) -> int:
    """The plainest streaming call: a dictionary in, dictionaries back."""
    made = 0

    def take(event: dict[str, Any]) -> None:
        nonlocal made
        made += event.get("usage", {}).get("completion_tokens", 0)

    request = {
        "messages": MESSAGES,
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    server.handle_chat_completions(request, take)
    return made


def bare_server(base: Path, adapter: Path, threads: int, parallel: int) -> Any:
    """Xllamacpp as its README shows it, with the same model, adapter, threads and slots."""
    import xllamacpp as llama

    params = llama.CommonParams()
    params.model.path = str(base)
    params.lora_adapters = [llama.CommonAdapterLoraInfo(str(adapter), 1.0)]
    params.n_ctx = CONTEXT_TOKENS * parallel
    params.n_parallel = parallel
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    return llama.Server(params)


def random_adapter(base: Path, path: Path, rank: int = 16) -> Path:
    header = read_header(base)
    random = np.random.default_rng(0)
    adapter = {}
    for layer in range(header.values["llama.block_count"]):
        for name, tensor in LAYERS.items():
            rows, columns = header.shapes[f"blk.{layer}.{tensor}.weight"]
            a = (random.standard_normal((rank, columns)) / np.sqrt(columns)).astype("f4")
            b = (random.standard_normal((rows, rank)) * 0.01).astype("f4")
            adapter[f"model.layers.{layer}.{name}"] = a, b
    write_lora(path, base, adapter)
    return path


def seconds(work: Callable[..., None], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def show(result: dict[str, Any]) -> None:
    table = Table("answers at once", "Sayso, tokens/s", "bare, tokens/s", "ratio", "by CPU time")
    for name, part in result.items():
        if name.startswith("at_once_"):
            speed = part["tokens_per_second"]
            table.add_row(
                name.rpartition("_")[2],
                f"{statistics.median(speed['sayso']):.1f}",
                f"{statistics.median(speed['bare']):.1f}",
                f"{part['ratio']:.3f}",
                f"{part['cpu_ratio']:.3f}",
            )
    console = Console()
    console.print(table)
    first = result["first_token"]["median"]
    console.print(
        f"first token of {PROMPT_TOKENS} new ones: median {first['sayso']:.2f} s, bare llama.cpp "
        f"{first['bare']:.2f} s (ratio {first['sayso'] / first['bare']:.3f})"
    )
    many = result["chats"]
    console.print(
        f"{many['chats']} chats at once: {many['errors']} errors, "
        f"{many['tokens_per_second']:.1f} tokens/s in all; first token: "
        f"median {statistics.median(many['first_tokens']):.1f} s, slowest "
        f"{max(many['first_tokens']):.1f} s"
    )
    loads = result["load_seconds"]
    console.print(
        f"load of {result['adapter_bytes'] / 1e6:.1f} MB: median {statistics.median(loads):.2f} s, "
        f"longest {max(loads):.2f} s; {result['threads']} threads"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--base", type=Path)
    parser.add_argument("--adapter", type=Path, help="a release's adapter.gguf")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--own-openmp", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
