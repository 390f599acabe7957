"""`sayso demo`: the whole story on real parts; it fails if one step does not hold."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.panel import Panel

from sayso import report
from sayso.demo.memory import MemoryWatch
from sayso.demo.setting import SAMPLE, objector
from sayso.demo.story import Story
from sayso.rights import passwords, users
from sayso.rights.database import Rights
from sayso.workspace import Workspace, write_atomically

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
    _invite(story.workspace, story.at)


def _invite(workspace: Workspace, at: datetime) -> None:
    """Make users for whoever goes on by hand: a member whose posts are in the model, and staff."""
    rights = Rights(workspace)
    person = objector(workspace, at, "")
    signs_in = {"member": passwords.generated(), "staff": passwords.generated()}
    users.add(rights, "member", "member", signs_in["member"], person)
    users.add(rights, "staff", "operator", signs_in["staff"])
    report.out.print(
        Panel(
            f"Now you. At /sign-in: [b]member[/b] with the password {signs_in['member']} "
            "is somebody whose posts are in the model. See /my-data, then object: Settings, "
            "Privacy, AI and data processing.\n"
            f"[b]staff[/b] with {signs_in['staff']} sees /operator. "
            "Without signing in: /object and /am-i-in-it.",
            title="Try it yourself",
        )
    )
