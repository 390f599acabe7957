"""Claim: an import takes 50 MB of JSON a second on one core, in flat memory whatever the size.

Files of the sample's records, again and again with fresh ids, are imported into empty workspaces:
parsed, pseudonymised, fingerprinted, and written to the tables. Beside it, in turns: the time that
parsing the same lines alone takes, with `json` and with `msgspec`. Each import runs in a process of
its own whose peak memory is noted, for a smaller and a larger file. `--profile` says instead where
the time goes.

    python bench/importing.py [--json] [--quick] [--profile]
"""

import argparse
import cProfile
import itertools
import json
import os
import pstats
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from sayso.corpus.ingest import import_paths
from sayso.workspace import Workspace

SAMPLE: Final = Path(__file__).parents[1] / "sample"
SIZES: Final = (25, 100)  # MB
QUICK: Final = (1, 4)
NAMED: Final = ("id", "reply_to", "quote_of")
MB: Final = 1e6


def main() -> None:
    options = parse()
    small, large = QUICK if options.quick else SIZES
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as temporary:
        folder = Path(temporary)
        files = {size: write(folder / f"{size}.jsonl", size) for size in (small, large)}
        if options.profile:
            profile(files[small], folder / "home")
            return
        load_average = wait_until_quiet(0 if options.quick else 4)
        peers: dict[str, list[float]] = {"json": [], "msgspec": []}
        imports: dict[int, dict[str, float]] = {}
        for size, path in files.items():
            for name, decode in (("json", json.loads), ("msgspec", msgspec.json.decode)):
                peers[name].append(path.stat().st_size / MB / parse_alone(path, decode))
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                imports[size] = pool.submit(take_in, path, folder / f"home-{size}").result()
    show(
        {
            "load": load_average,
            "parsing_mb_per_second": {name: round(max(rows), 1) for name, rows in peers.items()},
            "imports": imports,
        },
        as_json=options.json,
    )


def take_in(path: Path, home: Path) -> dict[str, float]:
    """Import a file into an empty workspace, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    report = import_paths(Workspace.create(home), [path])
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    stored = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    return {
        "mb": round(path.stat().st_size / MB, 1),
        "records": report.stored,
        "seconds": round(seconds, 1),
        "mb_per_second": round(path.stat().st_size / MB / seconds, 2),
        "records_per_second": round(report.stored / seconds),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime, 1),
        "memory_mb_before": before.ru_maxrss // 1024,
        "memory_mb_peak": after.ru_maxrss // 1024,
        "disk_mb": round(stored / MB, 1),
    }


def parse_alone(path: Path, decode: Callable[[bytes], Any]) -> float:
    """Seconds to turn every line into objects and throw them away."""
    begun = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            decode(line)
    return time.perf_counter() - begun


def write(path: Path, megabytes: int) -> Path:
    """Write the sample's records over and over, each time under other ids."""
    records = [
        json.loads(line)
        for file in sorted(SAMPLE.glob("*.jsonl"))
        if file.stem != "accounts"
        for line in file.read_text("utf-8").splitlines()
    ]
    written = 0
    with path.open("wb") as file:
        for turn, record in ((turn, record) for turn in itertools.count() for record in records):
            fresh = {name: f"{record[name]}-{turn}" for name in NAMED if record.get(name)}
            written += file.write(msgspec.json.encode(record | fresh) + b"\n")
            if written >= megabytes * MB:
                return path
    raise AssertionError


def profile(path: Path, home: Path) -> None:
    workspace, profiler = Workspace.create(home), cProfile.Profile()
    profiler.runcall(import_paths, workspace, [path])
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def wait_until_quiet(minutes: float, most: float = 1.2) -> float:
    """Wait for other programs to end; return the load average (1 minute) it began with."""
    ends = time.monotonic() + minutes * 60
    while os.getloadavg()[0] > most and time.monotonic() < ends:
        time.sleep(5)
    return round(os.getloadavg()[0], 2)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="files of a few megabytes")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    return parser.parse_args()


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table(
        "", "MB", "records/s", "MB/s", "of json", "peak memory, MB",
        title=f"load {figures['load']} at the start",
    )  # fmt: skip
    peers = figures["parsing_mb_per_second"]
    for done in figures["imports"].values():
        table.add_row(
            "import",
            f"{done['mb']}",
            f"{done['records_per_second']:,}",
            f"{done['mb_per_second']}",
            f"{done['mb_per_second'] / peers['json']:.3f}",
            f"{done['memory_mb_peak']}",
        )
    for name, speed in peers.items():
        table.add_row(
            f"{name}, parsing alone", "", "", f"{speed}", f"{speed / peers['json']:.2f}", ""
        )
    Console().print(table)


if __name__ == "__main__":
    main()
