"""Claim: a member with 50,000 records among a million sees their page in half a second.

A workspace of a million records by 20,000 accounts, as an import leaves it, is written straight
into the tables; the real application serves it, and one member reads their own pages.

    python bench/my_data.py [--records 1000000] [--theirs 50000] [--rounds 5] [--quick]
                            [--json FILE]

The peer: the same page from a scan, reading all records into memory and choosing there.
"""

import argparse
import contextlib
import json
import re
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np
import polars as pl
import uvicorn
from rich.console import Console
from sqlalchemy import insert

from quiet import wait_until_quiet
from sayso.corpus.columns import RECORDS
from sayso.corpus.store import Store
from sayso.rights import ledger, sessions
from sayso.rights.database import Rights, now, signed
from sayso.rights.tables import accounts, users
from sayso.settings import Settings
from sayso.training import lineage
from sayso.web.app import create_app
from sayso.web.signin.sessions import NAME
from sayso.workspace import Workspace

PEOPLE: Final = 20_000
AT_ONCE: Final = 100_000
BEGUN: Final = datetime(2024, 1, 1, tzinfo=UTC)
WORDS: Final = "tide mussel rope gull lantern harbour engine paint bread net winter ferry".split()
RULES: Final = ("allowed", "waiting", "shared-by-several", "parent-unknown")
_EMPTY: Final = {"string": "", "bool": False, "int32": 0, "uint64": 0, "int64": 1}


def main() -> None:
    options = parse()
    figures: dict[str, Any] = {"load": wait_until_quiet(0 if options.quick else 4)}
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as folder:
        workspace = Workspace.create(Path(folder) / "home", Settings(community="bench"))
        fill(workspace, options.records, options.theirs)
        with (
            serving(workspace) as address,
            httpx2.Client(base_url=address, timeout=120) as browser,
        ):
            browser.cookies.set(NAME, token(workspace), domain="127.0.0.1")
            figures |= measure(browser, options.rounds)
        figures["peer: a scan"] = median(lambda: scan(workspace), options.rounds)
    Console().print_json(data=figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


class NoAssistant:
    """Nobody asks it anything here."""

    release = ""


@contextlib.contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """Run the application until the block ends; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = create_app(workspace, NoAssistant())  # type: ignore[arg-type]
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def measure(browser: httpx2.Client, rounds: int) -> dict[str, Any]:
    """Return seconds of each page (median), and of a whole copy."""

    def get(path: str) -> str:
        answer = browser.get(path)
        answer.raise_for_status()
        return answer.text

    first = get("/my-data")
    older = re.findall(r'href="(/my-data\?[^"]*)" rel="next"', first)[0].replace("&amp;", "&")
    paths = {
        "first page": "/my-data",
        "next page": older,
        "filtered": "/my-data?service=net&verdict=held",
        "reactions": "/my-data/reactions",
    }
    found = {name: median(lambda path=path: get(path), rounds) for name, path in paths.items()}
    begun, size = time.perf_counter(), 0
    with browser.stream("GET", "/my-data/download") as answer:
        for piece in answer.iter_raw():
            size += len(piece)
    seconds = round(time.perf_counter() - begun, 1)
    return found | {"whole copy": {"seconds": seconds, "MB": round(size / 1e6, 1)}}


def scan(workspace: Workspace) -> pl.DataFrame:
    """What the first page would take without choosing in the table."""
    wanted = workspace.pseudonyms.number("account", "member-1@forum")
    return Store(workspace).records.read().filter(pl.col("account_key") == wanted)


def median(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return round(statistics.median(times), 3)


def token(workspace: Workspace) -> str:
    rights = Rights(workspace)
    with rights.writing() as connection:
        row = {"name": "one", "role": "member", "person": "p:1", "created_at": now()}
        connection.execute(insert(users).values(row))
        return sessions.begin(connection, rights, "one")


def fill(workspace: Workspace, number: int, theirs: int) -> None:
    """Write records, corpus, answers, reactions, lineage and verdicts of a made-up community."""
    key = workspace.pseudonyms.number
    names = ["member-1@forum", "member-1@net"]
    names += [f"member-{n}@{'net' if n % 2 else 'forum'}" for n in range(2, PEOPLE)]
    keys = np.array([key("account", name) for name in names], np.uint64)
    with Rights(workspace).writing() as connection:
        rows = [
            {
                "account": name,
                "key": signed(int(of)),
                "service": name.rpartition("@")[2],
                "person": "p:1" if name.startswith("member-1@") else name,
                "age_band": "adult",
                "age_source": "service",
            }
            for name, of in zip(names, keys, strict=True)
        ]
        connection.execute(insert(accounts), rows)
    draw = np.random.default_rng(0)
    who = draw.integers(2, PEOPLE, number)
    who[draw.choice(number, theirs, replace=False)] = draw.integers(0, 2, theirs)
    records = np.array([key("record", f"post-{n}") for n in range(number)], np.uint64)
    for start in range(0, number, AT_ONCE):
        part = range(start, min(start + AT_ONCE, number))
        texts = [" ".join(row) for row in draw.choice(WORDS, (len(part), 25))]
        store(workspace, part, records, [names[n] for n in who[part]], keys[who[part]], texts)
    rules = np.array(RULES)[draw.choice(len(RULES), number, p=[0.8, 0.1, 0.05, 0.05])]
    verdicts = pl.DataFrame({"key": records, "before": rules}).sort("key")
    verdicts.write_parquet(workspace.content / "verdicts.parquet")
    with Rights(workspace).writing() as connection:
        ledger.append(connection, "gate", {"allowed": number})


def store(
    workspace: Workspace,
    part: range,
    keys: np.ndarray,
    names: list[str],
    owners: np.ndarray,
    texts: list[str],
) -> None:
    at = [BEGUN + timedelta(minutes=n) for n in part]
    given = {
        "id": [f"post-{n}" for n in part],
        "key": keys[part],
        "service": [name.rpartition("@")[2] for name in names],
        "author": names,
        "account_key": owners,
        "created_at": at,
        "ingested_at": at,
        "text": texts,
        "print_key": keys[part],
        "url": [f"https://forum.example/{n}" for n in part],
    }
    usual = {"surface": "post", "audience": "public", "date_state": "given", "language": "en"}
    usual["media"] = "[]"
    empty = [
        pl.lit(usual.get(name, _EMPTY.get(str(kind)))).alias(name)
        for name, kind in zip(RECORDS.names, RECORDS.types, strict=True)
        if name not in given
    ]
    rows = pl.DataFrame(given).with_columns(empty)
    tables = Store(workspace)
    tables.records.append(rows.select(RECORDS.names).to_arrow().cast(RECORDS))
    both = rows.select("key", "rev", "account_key", "service", "language", "text")
    both = both.with_columns(written=rows["created_at"], treatment=pl.lit(0, pl.UInt64))
    tables.corpus.append(both.with_columns(masked=pl.lit("{}"), exact=pl.col("key")))
    tables.retrieval.append(
        both.with_columns(id=rows["id"], handle=rows["author"], url=pl.lit(""), terms=rows["text"])
    )
    liked = rows.select("key", "account_key", object_key="key", at="created_at")
    tables.interactions.append(
        liked.with_columns(verb=pl.lit("like"), value=pl.lit(0.0), unit=pl.lit(""))
    )
    noted = rows.select("key", "print_key", url_key="key")
    lineage.table(workspace).append(
        noted.with_columns(
            public=pl.lit(value=True), release=pl.lit(1, pl.Int64), inside=pl.lit(value=True)
        )
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--theirs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="do not wait for a quiet machine")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
