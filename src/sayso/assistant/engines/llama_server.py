"""A program that serves one release through llama.cpp on a UNIX socket, until its input ends.

    python -m sayso.assistant.engines.llama_server

It reads one `Order` as a line of JSON, answers with one `Report`, and lives until its standard
input is closed: by its parent, or by the parent's end. A process of its own, since xllamacpp holds
Python's lock while it loads (0.3 to 0.5 s), and a crash in it would be the server's.
"""

import os
import signal
import sys
from typing import Any, Final

import msgspec
from msgspec import Struct

# Prompts are read in pieces of this many tokens, so that a long one lets other answers through.
PIECE_TOKENS: Final = 256
UNREADABLE: Final = "unreadable"
# Waiting answers hold a thread each; counting tokens must not wait for them.
_SPARE_THREADS: Final = 8


class Order(Struct, kw_only=True):
    """What to serve, and where.

    `threads` generate (0 = all cores), `parallel` answers run at once, `context_tokens` hold the
    prompt and answer of each. `embedding` = it makes vectors of texts, and no answers.
    """

    socket: str
    model: str
    adapter: str = ""
    threads: int
    parallel: int
    context_tokens: int
    embedding: bool = False


class Report(Struct):
    """What became of it; an empty `problem` = it listens."""

    problem: str = ""


def parameters(llama: Any, order: Order) -> Any:
    """Put an order into xllamacpp's words."""
    params = llama.CommonParams()
    params.model.path = order.model
    if order.adapter:
        params.lora_adapters = [llama.CommonAdapterLoraInfo(order.adapter, 1.0)]
    params.n_parallel = order.parallel
    params.n_ctx = order.context_tokens * order.parallel
    params.n_batch = PIECE_TOKENS
    if order.embedding:
        params.embedding = True
        # A text is read at once: each of its words attends to all others.
        params.n_batch = params.n_ubatch = order.context_tokens
    params.cpuparams.n_threads = order.threads or os.cpu_count() or 1
    params.cpuparams_batch.n_threads = order.threads or os.cpu_count() or 1
    params.hostnames = [order.socket]
    params.n_threads_http = 2 * order.parallel + _SPARE_THREADS
    params.endpoint_slots = False  # would show prompts
    params.ui = False
    params.verbosity = -1
    params.cache_ram_mib = 0  # no prompt outlives its slot
    params.cache_idle_slots = False
    params.fit_params = False  # the context's length is ours to choose
    params.warmup = False  # the probe warms up
    params.prefill_assistant = False
    # Each request says `reasoning_format` "none": text in, text out. With the pure content parser
    # there would be no tools, no schemas, and white space would be cut off at the beginning.
    return params


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us decides when to end
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    parent = os.fdopen(os.dup(1), "wb")
    # llama.cpp's log would hold members' words.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    import xllamacpp

    report = Report()
    server = None
    try:
        server = xllamacpp.Server(parameters(xllamacpp, order))
    except (RuntimeError, ValueError):
        report = Report(UNREADABLE)
    parent.write(msgspec.json.encode(report) + b"\n")
    parent.close()
    if server is not None:
        sys.stdin.buffer.read()
    # Without asking llama.cpp: an object that never answered waits for its loop for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
