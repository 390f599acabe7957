"""Where results, progress and logs are shown."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)
WIDE = 10_000


@contextmanager
def bytes_progress(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show progress in bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    times = TimeRemainingColumn()
    with Progress(*columns, times, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda name, done, total: bar.update(
            task, completed=done, total=total or None, description=f"{what} {name}"
        )


@contextmanager
def cells_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress in cells."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TextColumn("cells"), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(
        *columns, *times, console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def log_to_stderr() -> None:
    """Send log lines to stderr."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)


def as_object(value: Any) -> None:
    """Print one JSON object."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def plain(fields: Mapping[str, Any], as_json: bool) -> None:
    """Report named values."""
    if as_json:
        as_object(fields)
        return
    if not fields:
        out.print("none")
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        out.print(f"{name:<{width}}  {as_text(value)}", markup=False)


def as_text(value: object) -> str:
    """Return a value as people read it."""
    match value:
        case None | "" | [] | ():
            return "–"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value))
        case datetime():
            return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)


def table(columns: Mapping[str, int], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below the names of their columns.

    Args:
        columns: by name the least width; a column that has one is not broken.
        rows: of as many cells.
    """
    shown = Table(box=None, pad_edge=False)
    for name, width in columns.items():
        shown.add_column(name, min_width=width or None, no_wrap=bool(width))
    for cells in rows:
        shown.add_row(*map(Text, cells))  # as text: people's words are no markup
    # In a file or a pipe, one row is one line.
    Console(highlight=False, width=None if out.is_terminal else WIDE).print(shown)
