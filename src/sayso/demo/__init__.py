"""`sayso demo`: the whole story on real parts; it fails if one step does not hold."""

import json
import time
from pathlib import Path
from typing import Final

from rich.panel import Panel

from sayso import report
from sayso.demo.memory import MemoryWatch
from sayso.demo.setting import SAMPLE
from sayso.demo.story import Story
from sayso.workspace import write_atomically

DEFAULT_TOKENS: Final = 16_000


def run(home: Path, data: Path | None, tokens: int | None, report_file: Path | None) -> None:
    """Tell the story in a fresh workspace at `home`.

    Raises:
        UsageError: there is a workspace at `home` that is not a demonstration's.
        SaysoError: a step did not hold.
    """
    story = Story(home, data or SAMPLE, tokens or DEFAULT_TOKENS, is_sample=data is None)
    with MemoryWatch() as memory:
        try:
            story.tell()
        finally:
            story.figures["peak_memory_mb"] = memory.peak_mb
            story.figures["seconds"]["total"] = round(time.monotonic() - story.begun, 1)
            if report_file:
                write_atomically(report_file, json.dumps(story.figures, indent=2).encode() + b"\n")
    report.out.print(
        Panel(
            f"Every step held. {story.figures['seconds']['total']:.0f} s in all, "
            f"at most {memory.peak_mb} MB of memory.",
            style="green",
        )
    )
