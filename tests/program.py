"""The program `sayso` as tests call it: in this process, as its script does."""

import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sayso.__main__ import main
from sayso.corpus.ingest import import_stream
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.workspace import Workspace
from tests.corpus.world import lines, post

SAYSO = Path(sys.executable).parent / "sayso"


class Ended(NamedTuple):
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Program:
    """Calls of the program with one workspace; whatever the input, there is no traceback."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._patch = patch
        self._capture = capture

    def __call__(self, *arguments: object, home: Path | None = None, stdin: bytes = b"") -> Ended:
        """Run `sayso --home HOME ARGUMENTS…`."""
        words = ["sayso", "--home", str(home or self.home), *map(str, arguments)]
        self._patch.setattr(sys, "argv", words)
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        ended = Ended(end.value.code, *self._capture.readouterr())
        assert "Traceback" not in ended.err
        assert "unforeseen" not in ended.err, ended.err
        return ended


def fill(folder: Path) -> None:
    """Make a workspace in `folder` with six posts by three people, of whom one objects."""
    given = lines(*(post(n, f"tide number {n}") for n in range(6)))
    (folder / "posts.jsonl").write_bytes(given)
    workspace = Workspace.create(folder / "home")
    import_stream(workspace, io.BytesIO(given), "posts.jsonl")
    (objection,) = objections.receive(Rights(workspace), "member-2@square")
    (folder / "receipt.jws").write_text(objection.receipt)
