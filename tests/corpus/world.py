"""A workspace as tests of the corpus need it: lines go in, and everything on disk can be read."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from lance.file import LanceFileReader

from sayso.corpus import admission
from sayso.corpus.batch import Report
from sayso.corpus.ingest import import_stream
from sayso.corpus.store import Store
from sayso.rights import people, tombstones
from sayso.rights.database import Rights
from sayso.workspace import Workspace
from tests.conftest import AT


def post(number: int, text: str = "low tide at the pier", **fields: Any) -> dict[str, Any]:
    """A record by one of three people, public and old enough to train."""
    author = {"id": f"member-{number % 3}@square", "age_band": "adult"}
    known = {"id": f"post-{number}", "service": "square", "author": author, "audience": "public"}
    return known | {"created_at": "2026-03-01", "language": "en", "text": text} | fields


def event(name: str, /, **data: Any) -> dict[str, Any]:
    """An event envelope."""
    return {"type": f"net.{name}", "data": data}


def lines(*given: object) -> bytes:
    """JSON Lines of objects; bytes stand for themselves."""
    return b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in given
    )


def take(workspace: Workspace, *given: object, batch: int = 4000) -> Report:
    """Import lines."""
    return import_stream(workspace, io.BytesIO(lines(*given)), "lines.jsonl", batch)


def state(workspace: Workspace) -> dict[str, list[Any]]:
    """All that an import leaves, but for the moments it happened at."""
    store, rights = Store(workspace), Rights(workspace)
    found = {
        "records": store.records.read().drop("ingested_at").sort("key"),
        "fingerprints": store.fingerprints.read().sort("key"),
        "interactions": store.interactions.read().sort("key"),
        "tombstones": tombstones.frame(rights).sort("key"),
        "accounts": people.frame(rights).sort("account_key"),
        "verdicts": admission.judge_all(workspace, AT).records.select("key", "rule").sort("key"),
    }
    return {name: frame.to_dicts() for name, frame in found.items()}


def texts(workspace: Workspace) -> dict[str, str]:
    """The stored records' texts by id."""
    return dict(Store(workspace).records.read(["id", "text"]).iter_rows())


def traces(workspace: Workspace, marker: str) -> list[str]:
    """Where in the workspace's files a word is left, in plain bytes or in a page once decoded."""
    found = []
    for path in sorted(p for p in workspace.home.rglob("*") if p.is_file()):
        if any(marker in form for form in (path.name, *_readings(path))):
            found.append(str(path.relative_to(workspace.home)))
    return found


def _readings(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    yield data.decode("utf-8", "replace")
    if data.endswith(b"LANC") and path.suffix == ".lance":
        yield str(LanceFileReader(str(path)).read_all().to_table().to_pylist())
    elif data.startswith(b"PAR1"):
        yield str(pl.read_parquet(path).to_dicts())
    elif path.suffix == ".jsonl":
        yield str([json.loads(line) for line in data.splitlines()])
