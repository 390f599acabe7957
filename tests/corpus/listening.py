"""Listeners in tests: feeds by a script, and listeners in threads of their own."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sayso.corpus.imported import Report
from sayso.corpus.listen import listen
from sayso.corpus.store import Store
from sayso.rights.database import Rights
from sayso.rights.listeners import Listener, every
from sayso.sources.live import Arrived, Feed
from sayso.workspace import Workspace

Step = Arrived | None | Exception | Callable[[], object]


class Script:
    """A feed that plays one list of steps a connection; behind the last it waits to be ended."""

    name = "script"

    def __init__(self, *connections: Sequence[Step], endless: bool = False) -> None:
        self.connections = list(connections)
        self.endless = endless
        self.cursors: list[str] = []
        self.is_parted = False

    def follow(self, cursor: str, stop: threading.Event) -> Iterator[Arrived | None]:
        self.cursors.append(cursor)
        self.is_parted = False
        for step in self.connections.pop(0):
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step()
            else:
                yield step
        while self.endless and not stop.is_set():
            yield None
        self.is_parted = True


class Listening:
    """A listener in a thread."""

    def __init__(self, workspace: Workspace, feed: Feed, **how: Any) -> None:
        self.workspace = workspace
        self.stop = threading.Event()
        self.report: Report | None = None
        self.error: BaseException | None = None
        self._progress = threading.Condition()
        self._feed = feed
        self._how = how
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.report = listen(
                self.workspace, self._feed, self.stop, on_batch=self._note, **self._how
            )
        except BaseException as error:
            self.error = error
            with self._progress:
                self._progress.notify_all()

    def _note(self, report: Report) -> None:
        with self._progress:
            self._progress.notify_all()

    def until(self, found: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something holds after a batch."""
        with self._progress:
            done = self._progress.wait_for(lambda: self.error or found(), seconds)
        if self.error:
            raise self.error
        assert done, "it did not come to that"

    def end(self) -> Report:
        """End it cleanly."""
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        assert self.report
        return self.report


@contextmanager
def listening(workspace: Workspace, feed: Feed, **how: Any) -> Iterator[Listening]:
    listener = Listening(workspace, feed, **how)
    try:
        yield listener
    finally:
        listener.stop.set()
        listener.end()


def ids(workspace: Workspace) -> list[str]:
    """The ids of all stored records."""
    return sorted(Store(workspace).records.read(["id"])["id"].to_list())


def state_of(workspace: Workspace) -> Listener:
    """How the only listener is."""
    (one,) = every(Rights(workspace))
    return one


def states(workspace: Workspace) -> list[str]:
    """The states of all listeners."""
    return [listener.state for listener in every(Rights(workspace))]
