"""transformers: serves bases that llama.cpp cannot, from a process for each release.

The processes are forked from one that has loaded torch already, so a release takes a second and no
lock of ours. Several times slower than llama.cpp on a CPU; it neither calls functions nor binds
answers to a schema.
"""

import importlib.util
import multiprocessing
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sayso.assistant.engines.local import LocalEngine
from sayso.assistant.engines.served import Can, Served
from sayso.assistant.engines.transformers_server import Order, serve
from sayso.errors import InputError, MissingPartError
from sayso.training import releases

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PROGRAM: Final = "transformers"
_MODEL: Final = "sayso.assistant.engines.transformers_model"


class Instance(Served):
    """A process that serves a release, probed.

    Args:
        release: the release's name.
        order: what it serves, and where.

    Raises:
        InputError: transformers cannot read the files.
        SaysoError: the probe got no sound answer.
    """

    can = Can(bind=False)

    def __init__(self, release: str, order: Order) -> None:
        super().__init__(order.socket, PROGRAM)
        self.release = release
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_MODEL])
        report, sent = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(order, sent), daemon=True)
        self._process.start()
        self.close = weakref.finalize(self, _end, self._process)
        sent.close()
        try:
            problem = report.recv()
        except EOFError:
            problem = "it has ended"
        report.close()
        if problem:
            self.close()
            raise InputError(
                f"transformers cannot load release {release!r}",
                "check that the adapter was made for this base; `sayso train` makes it again",
            )
        self.probe(order.adapter)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()


class TransformersEngine(LocalEngine):
    """Serves one release at a time; every method may be called from any thread.

    Args:
        base: the base model's folder, in Hugging Face form.
        threads: threads for generation; 0 = all cores.
        parallel: answers generated at once; more wait for their turn.
        context_tokens: longest prompt and answer together, for each answer.

    Raises:
        MissingPartError: torch or transformers is not installed.
    """

    def __init__(self, base: Path, *, threads: int, parallel: int, context_tokens: int) -> None:
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise MissingPartError(
                    f"the package {package}, which runs the model, is not installed",
                    "pip install 'sayso[train]'",
                )
        super().__init__(releases.WEIGHTS)
        self._base = base
        self._shape: dict[str, Any] = {
            "threads": threads,
            "parallel": parallel,
            "context_tokens": context_tokens,
        }

    def _start(self, release: str, folder: Path | None, socket_path: Path) -> Instance:
        order = Order(
            socket=str(socket_path),
            model=str(self._base),
            adapter=str(folder or ""),
            **self._shape,
        )
        return Instance(release, order)


def _end(process: "BaseProcess") -> None:
    """End it at once: there is nothing that it would have to save."""
    process.kill()
    process.join()
