"""Claim: imports are fast, and their memory is flat whatever the size.

The sample's texts, again and again with fresh ids, are written as Sayso's JSON Lines, as a
Mastodon archive and as a Facebook export, and imported into empty workspaces: parsed, checked,
pseudonymised, fingerprinted, and written to the tables. Each import runs in a process of its own
whose peak memory is noted, for a smaller and a larger file. Beside it, in the same run, the time
that parsing the same bytes alone takes: orjson and json line by line, ijson for documents.
`--profile` says instead where the time of the first goes.

    python bench/importing.py [--json] [--quick] [--profile]
"""

import argparse
import cProfile
import itertools
import json
import pstats
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, Final

import ijson
import msgspec
import orjson
from rich.console import Console
from rich.table import Table

from quiet import wait_until_quiet
from sayso.corpus.ingest import import_paths
from sayso.workspace import Workspace

SAMPLE: Final = Path(__file__).parents[1] / "sample"
SIZES: Final = (25, 100)  # MB
QUICK: Final = (1, 4)
NAMED: Final = ("id", "reply_to", "quote_of")
PUBLIC: Final = "https://www.w3.org/ns/activitystreams#Public"
ACTOR: Final = "https://harbour.example/users/member"
MB: Final = 1e6


def main() -> None:
    options = parse()
    sizes = QUICK if options.quick else SIZES
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as temporary:
        folder = Path(temporary)
        if options.profile:
            profile(write_lines(folder / "lines", sizes[0]), folder / "home")
            return
        load_average = wait_until_quiet(0 if options.quick else 4)
        rows = []
        for name, (write, peers) in SOURCES.items():
            for size in sizes:
                path = write(folder / f"{name}-{size}", size)
                alone = {
                    peer: round(path.stat().st_size / MB / seconds(parse, path), 1)
                    for peer, parse in peers.items()
                }
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    done = pool.submit(take_in, path, folder / f"{name}-{size}-home").result()
                rows.append({"source": name, "alone_mb_per_second": alone} | done)
    show({"load": load_average, "imports": rows}, as_json=options.json)


def take_in(path: Path, home: Path) -> dict[str, float]:
    """Import a file into an empty workspace, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    report = import_paths(Workspace.create(home), [root(path)])
    took = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = path.stat().st_size / MB
    return {
        "mb": round(size, 1),
        "records": report.stored,
        "seconds": round(took, 1),
        "mb_per_second": round(size / took, 1),
        "mb_per_processor_second": round(size / processor, 1),
        "records_per_second": round(report.stored / took),
        "memory_mb_peak": peak_memory(),
    }


def peak_memory() -> int:
    """MB at most so far; `ru_maxrss` would begin at the parent's peak."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def root(path: Path) -> Path:
    """The export that a file belongs to."""
    return {"outbox.json": path.parent, "your_posts_1.json": path.parents[2]}.get(path.name, path)


def seconds(parse: Callable[[BinaryIO], None], path: Path) -> float:
    """Seconds to turn the bytes into objects and throw them away."""
    begun = time.perf_counter()
    with path.open("rb") as file:
        parse(file)
    return time.perf_counter() - begun


def by_line(decode: Callable[[bytes], Any]) -> Callable[[BinaryIO], None]:
    def parse(file: BinaryIO) -> None:
        for line in file:
            decode(line)

    return parse


def by_item(prefix: str) -> Callable[[BinaryIO], None]:
    def parse(file: BinaryIO) -> None:
        for _ in ijson.items(file, prefix, buf_size=256 * 1024):
            pass

    return parse


def records() -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the sample's records over and over, with the number of the round."""
    files = (file for file in sorted(SAMPLE.glob("*.jsonl")) if file.stem != "accounts")
    known = [
        record
        for file in files
        for record in map(json.loads, file.read_text("utf-8").splitlines())
        if "id" in record  # events apart
    ]
    for turn in itertools.count():
        for record in known:
            yield turn, record


def write_lines(path: Path, megabytes: int) -> Path:
    """Write Sayso's JSON Lines."""
    path = path.with_suffix(".jsonl")
    written = 0
    with path.open("wb") as file:
        for turn, record in records():
            fresh = {name: f"{record[name]}-{turn}" for name in NAMED if record.get(name)}
            written += file.write(msgspec.json.encode(record | fresh) + b"\n")
            if written >= megabytes * MB:
                break
    return path


def write_document(path: Path, megabytes: int, head: bytes, tail: bytes, item: Callable) -> Path:
    """Write one JSON document with an array of items made of the sample's texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("wb") as file:
        file.write(head)
        texts = ((n, r["text"]) for n, (_, r) in enumerate(records()) if r.get("text"))
        for number, text in texts:
            written += file.write((b"," if number and written else b"") + item(number, text))
            if written >= megabytes * MB:
                break
        file.write(tail)
    return path


def write_outbox(path: Path, megabytes: int) -> Path:
    """Write a Mastodon archive as a folder; return its outbox."""

    def item(number: int, text: str) -> bytes:
        name = f"{ACTOR}/statuses/{number}"
        note = {
            "id": name, "type": "Note", "summary": None, "inReplyTo": None,
            "published": "2025-01-01T09:00:00Z", "url": name, "attributedTo": ACTOR,
            "to": [PUBLIC], "cc": [f"{ACTOR}/followers"], "sensitive": False,
            "content": f"<p>{text} ({number})</p>",
            "contentMap": {"de": f"<p>{text} ({number})</p>"},
            "attachment": [], "tag": [],
        }  # fmt: skip
        return orjson.dumps(
            {
                "id": f"{name}/activity", "type": "Create", "actor": ACTOR,
                "published": "2025-01-01T09:00:00Z", "to": [PUBLIC],
                "cc": [f"{ACTOR}/followers"], "object": note,
            }
        )  # fmt: skip

    path.mkdir()
    actor = {"id": ACTOR, "type": "Person", "preferredUsername": "member"}
    (path / "actor.json").write_bytes(orjson.dumps(actor))
    head = b'{"id":"outbox.json","type":"OrderedCollection","orderedItems":['
    return write_document(path / "outbox.json", megabytes, head, b"]}", item)


def write_posts(path: Path, megabytes: int) -> Path:
    """Write a Facebook export as a folder; return its posts."""

    def item(number: int, text: str) -> bytes:
        # Meta writes each byte of UTF-8 as a character of its own.
        said = f"{text} ({number})".encode().decode("latin-1")
        photo = {
            "uri": f"your_facebook_activity/posts/media/a/{number}.jpg",
            "creation_timestamp": 1_700_000_000 + number, "title": "Timeline photos",
            "media_metadata": {"photo_metadata": {"exif_data": [{"upload_ip": "192.0.2.1"}]}},
            "description": said,
        }  # fmt: skip
        post = {
            "timestamp": 1_700_000_000 + number, "title": "Member One added a new photo.",
            "attachments": [{"data": [{"media": photo}]}],
            "data": [{"post": said}, {"update_timestamp": 1_700_000_000 + number}],
        }  # fmt: skip
        return json.dumps(post).encode()

    file = path / "your_facebook_activity" / "posts" / "your_posts_1.json"
    return write_document(file, megabytes, b"[", b"]", item)


SOURCES: Final[dict[str, tuple[Callable[[Path, int], Path], dict[str, Callable]]]] = {
    "jsonl": (write_lines, {"orjson": by_line(orjson.loads), "json": by_line(json.loads)}),
    "mastodon": (write_outbox, {"ijson": by_item("orderedItems.item")}),
    "facebook": (write_posts, {"ijson": by_item("item")}),
}


def profile(path: Path, home: Path) -> None:
    workspace, profiler = Workspace.create(home), cProfile.Profile()
    profiler.runcall(import_paths, workspace, [path])
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


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
        "", "MB", "records/s", "MB/s", "MB per CPU second", "parsing alone, MB/s",
        "peak memory, MB",
        title=f"load {figures['load']} at the start",
    )  # fmt: skip
    for done in figures["imports"]:
        alone = ", ".join(f"{n} {speed}" for n, speed in done["alone_mb_per_second"].items())
        table.add_row(
            done["source"],
            f"{done['mb']}",
            f"{done['records_per_second']:,}",
            f"{done['mb_per_second']}",
            f"{done['mb_per_processor_second']}",
            alone,
            f"{done['memory_mb_peak']}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
