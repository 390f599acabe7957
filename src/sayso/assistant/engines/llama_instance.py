"""One llama.cpp process with one release."""

import contextlib
import importlib.util
import os
import select
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Final

import msgspec

from sayso.assistant.engines.llama_server import Order, Report
from sayso.assistant.engines.served import Can, Served
from sayso.errors import InputError, MissingPartError

LOADING_SECONDS: Final = 600  # the largest models, from slow disks
# Read once, as libgomp is loaded. By default a waiting thread spins for milliseconds: beside
# two busy processes on two cores, 1 to 3 tokens/s instead of 7 to 20 (alone, 68 for 61).
OPENMP: Final = {"GOMP_SPINCOUNT": "1000"}


def check_library() -> None:
    """Check that xllamacpp is there, without importing it (80 ms).

    Raises:
        MissingPartError: it is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingPartError(
            "the package xllamacpp, which runs the model, is not installed",
            "pip install 'sayso[serve]'",
        )


class Process(Served):
    """A llama.cpp process; it ends when nothing refers to it any more, or with this program.

    Args:
        order: what it serves.
        named: what it serves, in words for errors.

    Raises:
        InputError: llama.cpp cannot read the files.
    """

    def __init__(self, order: Order, named: str) -> None:
        super().__init__(order.socket, "llama.cpp")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sayso.assistant.engines.llama_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=OPENMP | os.environ,
            process_group=0,  # signals for us are not for it; niceness counts within a session
        )
        self.close = weakref.finalize(self, _end, self._process)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: then it says nothing either
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
        # One that hangs would keep every later release from being served.
        waiting = select.poll()
        waiting.register(self._process.stdout, select.POLLIN | select.POLLHUP)
        speaks = waiting.poll(LOADING_SECONDS * 1000)
        said = self._process.stdout.readline() if speaks else b""
        if not said or msgspec.json.decode(said, type=Report).problem:
            self.close()
            raise InputError(
                f"llama.cpp cannot load {named}",
                "check that the adapter was made for this base; `sayso train` makes it again",
            )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None


class Instance(Process):
    """A process that serves a release, probed.

    Args:
        release: the release's name.
        base: the base model's GGUF file.
        adapter: the release's LoRA file; None = the bare base.
        socket_path: where it listens.
        threads: threads for generation; 0 = all cores.
        parallel: answers at once.
        context_tokens: prompt and answer together, for each answer.

    Raises:
        InputError: llama.cpp cannot read the files.
        SaysoError: the probe got no sound answer.
    """

    def __init__(
        self,
        release: str,
        base: Path,
        adapter: Path | None,
        *,
        socket_path: Path,
        threads: int,
        parallel: int,
        context_tokens: int,
    ) -> None:
        self.release = release
        order = Order(
            socket=str(socket_path),
            model=str(base),
            adapter=str(adapter or ""),
            threads=threads,
            parallel=parallel,
            context_tokens=context_tokens,
        )
        files = f"{base.name} with {adapter.name if adapter else 'no adapter'}"
        super().__init__(order, f"release {release!r}: {files}")
        self.probe(order.adapter)
        able = self.ask("GET", "/props")["chat_template_caps"]
        self.can = Can(read_tools=able["supports_tools"])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it at once: there is nothing that it would have to save."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
