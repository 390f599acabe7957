"""A program under watch: it ends, with all it started, when its time or memory is used up."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final, Literal

import psutil

Reason = Literal["", "time", "memory", "output"]
_EVERY: Final = 0.05  # seconds


class Watched:
    """A started program and why it was stopped, if it was.

    Args:
        process: leader of a process group; what it starts are its descendants.
        seconds: by the clock on the wall.
        memory_bytes: resident, of all its processes together.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, memory_bytes: int) -> None:
        self.process = process
        self.stopped: Reason = ""
        self._started = monotonic()
        self._until = self._started + seconds
        self._memory = memory_bytes
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return monotonic() - self._started

    def stop(self, reason: Reason = "") -> None:
        """End it and all it started; the first reason stays."""
        with self._lock:
            if self.process.poll() is None:
                self.stopped = self.stopped or reason
                _end(self.process)

    def close(self) -> None:
        """End it if it still runs, and wait for it."""
        self.stop()
        self._over.set()
        self._thread.join()
        self.process.wait()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY) and self.process.poll() is None:
            if monotonic() > self._until:
                self.stop("time")
            elif _resident(self.process.pid) > self._memory:
                self.stop("memory")


@contextlib.contextmanager
def watched(
    command: Sequence[str],
    descriptors: Sequence[int],
    *,
    seconds: float,
    memory_bytes: int,
    talks: bool = False,
) -> Iterator[Watched]:
    """Start a program with pipes and without our environment; it is ended at the latest here.

    Args:
        command: what to run.
        descriptors: what it inherits.
        seconds: by the clock on the wall.
        memory_bytes: of all its processes together.
        talks: whether it reads what we write, and its errors go nowhere; else its input is empty.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if talks else subprocess.PIPE,
        pass_fds=descriptors,
        env={},
        cwd="/",
        start_new_session=True,
    ) as process:
        watch = Watched(process, seconds, memory_bytes)
        try:
            yield watch
        finally:
            watch.close()
            if process.stdin:
                with contextlib.suppress(BrokenPipeError):  # what it did not read any more
                    process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program's namespace by its first process; bubblewrap then takes leave of it and ends.

    Were bubblewrap killed first, that process would be left to whoever is process 1 here.
    """
    with contextlib.suppress(psutil.Error, subprocess.TimeoutExpired):
        for child in psutil.Process(process.pid).children():
            child.kill()
            process.wait(1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and its descendants."""
    total = 0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in [top, *top.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total
