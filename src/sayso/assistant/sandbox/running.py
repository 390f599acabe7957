"""Running code and showing what came of it."""

import os
import selectors
import signal
import subprocess
from typing import Final

from msgspec import Struct

from sayso.assistant.markdown import fenced
from sayso.assistant.sandbox.confining import MIB, PYTHON, available, confined
from sayso.assistant.sandbox.watching import Reason, Watched, watched
from sayso.errors import InputError, MissingPartError
from sayso.settings import Sandbox

_PROGRAMS: Final = {
    "python": [PYTHON, "-I", "-B", "-u", "-X", "utf8", "/code"],
    "sh": ["/bin/sh", "/code"],
}
LANGUAGES: Final = tuple(_PROGRAMS)
_PIECE: Final = 65536


class Ran(Struct, frozen=True):
    """What a program printed, how it ended (negative: by that signal), and what stopped it."""

    stdout: str
    stderr: str
    exit_code: int
    seconds: float
    stopped: Reason


def run(code: str, language: str = "python", *, limits: Sandbox | None = None) -> Ran:
    """Run code where it can reach nothing of ours.

    Args:
        code: a program of the language.
        language: one of `LANGUAGES`.
        limits: the section [sandbox] of the settings.

    Raises:
        InputError: the language is none of them, or the code is too long.
        MissingPartError: there is no sandbox here; the code was not run.
    """
    limits = limits or Sandbox()
    program = _PROGRAMS.get(language)
    if program is None:
        raise InputError(
            "no program for this language is in the sandbox", f"use {' or '.join(LANGUAGES)}"
        )
    data = code.encode("utf-8", "replace")
    if len(data) > limits.code_bytes:
        raise InputError(
            f"the code is longer than {limits.code_bytes} bytes", "see [sandbox] code_bytes"
        )
    if not limits.enabled:
        raise MissingPartError("code is not run here", "set [sandbox] enabled = true")
    if why := available():
        raise MissingPartError("code is not run here: there is no sandbox", why)
    with (
        confined(program, limits, files={"/code": data}) as (command, descriptors),
        watched(
            command,
            descriptors,
            seconds=limits.seconds,
            memory_bytes=limits.memory_mb * MIB,
        ) as watch,
    ):
        out, err = _read(watch, limits.output_bytes)
        # Its output may be closed long before it ends.
        code_of_exit = watch.process.wait()
        seconds = watch.seconds
    # The shell that starts it tells of a signal by 128 and its number.
    ended = 128 - code_of_exit if code_of_exit > 128 else code_of_exit
    stopped = watch.stopped or ("time" if ended == -signal.SIGXCPU else "")
    return Ran(_text(out), _text(err), ended, round(seconds, 3), stopped)


def _read(watch: Watched, most: int) -> tuple[bytes, bytes]:
    """Read both outputs to their ends, or to the most that is kept; then the program is ended."""
    process: subprocess.Popen[bytes] = watch.process
    assert process.stdout is not None
    assert process.stderr is not None
    kept: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            kept[pipe.fileno()] = bytearray()
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for ready, _ in selector.select():
                piece = os.read(ready.fd, _PIECE)
                if not piece:
                    selector.unregister(ready.fileobj)
                kept[ready.fd] += piece
                if len(kept[ready.fd]) > most:
                    watch.stop("output")
                    selector.unregister(ready.fileobj)
    out, err = (bytes(buffer[:most]) for buffer in kept.values())
    return out, err


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


_WORDS: Final = {
    "en": {
        "output": "It printed:",
        "errors": "It reported:",
        "silent": "It ended without printing anything.",
        "time": "It was stopped: its time was over.",
        "memory": "It was stopped: it wanted too much memory.",
        "too much": "It was stopped: it printed too much.",
        "failed": "It ended with an error (exit code {code}).",
    },
    "de": {
        "output": "Ausgabe:",
        "errors": "Meldungen:",
        "silent": "Es lief durch und gab nichts aus.",
        "time": "Angehalten: Die Zeit war um.",
        "memory": "Angehalten: Es wollte zu viel Speicher.",
        "too much": "Angehalten: Es gab zu viel aus.",
        "failed": "Es endete mit einem Fehler (Exit-Code {code}).",
    },
}


def markdown(ran: Ran, language: str = "en") -> str:
    """Return what came of it as Markdown; what the program printed cannot leave its block."""
    words = _WORDS["de" if language == "de" else "en"]
    parts = []
    if ran.stopped:
        parts.append(words["too much" if ran.stopped == "output" else ran.stopped])
    elif ran.exit_code:
        parts.append(words["failed"].format(code=ran.exit_code))
    elif not (ran.stdout.strip() or ran.stderr.strip()):
        parts.append(words["silent"])
    for name, text in (("output", ran.stdout), ("errors", ran.stderr)):
        if text.strip():
            parts += [words[name], fenced(text, "text")]
    return "\n\n".join(parts)
