"""Following a live stream of JSON lines: stored in small batches, as they come."""

import io
import os
import queue
import threading
from collections.abc import Callable
from typing import BinaryIO, Final

from sayso.content.events import Event
from sayso.corpus.batch import Report
from sayso.corpus.ingest import store_batch
from sayso.corpus.store import Store
from sayso.rights.database import Rights
from sayso.sources import jsonl
from sayso.workspace import Workspace

FLUSH_SECONDS: Final = 0.5
FLUSH_LINES: Final = 500

Item = Event | jsonl.Rejected | jsonl.Refused


def listen(
    workspace: Workspace,
    stream: BinaryIO,
    name: str,
    on_batch: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Store what comes in until the stream ends; a line is stored within about half a second.

    At least once in, exactly once stored: lines sent again after a crash change nothing.
    """
    stream = _own(stream)
    items: queue.Queue[Item | None] = queue.Queue(maxsize=10 * FLUSH_LINES)

    def read() -> None:
        for item in jsonl.read_stream(stream, name):
            items.put(item)
        items.put(None)

    threading.Thread(target=read, daemon=True).start()
    rights, store, report = Rights(workspace), Store(workspace), Report(files=1)
    ended = False
    while not ended:
        batch: list[Item] = []
        item = items.get()
        while item is not None:
            batch.append(item)
            if len(batch) >= FLUSH_LINES:
                break
            try:
                item = items.get(timeout=FLUSH_SECONDS)
            except queue.Empty:
                break
        else:
            ended = True
        store_batch(workspace, rights, store, batch, report)
        on_batch(report)
    return report


def _own(stream: BinaryIO) -> BinaryIO:
    """Read through a buffer of our own: Python cannot end while a thread waits on stdin's."""
    try:
        return os.fdopen(os.dup(stream.fileno()), "rb")
    except (io.UnsupportedOperation, AttributeError):
        return stream
