"""Claim: the gate judges 3,000,000 records/s from disk to verdict with 100 million objections.

A Lance table of records' facts is read in batches and every record gets its verdict, the rule that
decided, and whether it may answer; memory does not grow with the table. Objections take at most 16
bytes each. Beside it: a bare Polars join, which only drops objectors' records, on the same table,
all of it in memory, with a tenth of the objections. And `judge_all`, the whole of `sayso gate`:
the same rules, but first the accounts, parents, quotes and copies of all records are looked up.

    python bench/gate.py [--json] [--quick]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import lance
import numpy as np
import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from quiet import wait_until_quiet
from sayso.corpus import admission
from sayso.corpus.columns import FINGERPRINTS, RECORDS
from sayso.corpus.duplicates import PLACES
from sayso.corpus.store import Store
from sayso.gate import gate
from sayso.gate.keyset import KeySet
from sayso.gate.policy import load
from sayso.gate.rules import FACTS
from sayso.rights.database import Rights, signed
from sayso.rights.tables import accounts
from sayso.workspace import Workspace

AT: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICY: Final = load("strict")
COLUMNS: Final = [name for name in FACTS if name != "objected"]
BATCH: Final = 262_144
PART: Final = 500_000  # rows made and written at once
OBJECTING: Final = 0.02  # share of the accounts

# What a day of a network may look like: values and their shares.
SHARES: Final[dict[str, dict[str | None, float]]] = {
    "surface": {"post": 0.4, "comment": 0.45, "story": 0.05, "reel": 0.05, "photo": 0.05},
    "audience": {"public": 0.7, "unlisted": 0.03, "followers": 0.2, "unknown": 0.07},
    "date_state": {"given": 0.98, "absent": 0.015, "unreadable": 0.005},
    "train_signal": {"": 0.95, "allow": 0.02, "deny": 0.025, "unreadable": 0.005},
    "kind": {"person": 0.9, "page": 0.07, "bot": 0.03},
    "age_band": {"adult": 0.9, "minor": 0.05, "unknown": 0.05},
    "state": {"active": 0.97, "deleted": 0.01, "private": 0.01, "opted_out": 0.01},
    "parent_audience": {"public": 0.9, "followers": 0.07, None: 0.03},
}  # fmt: skip


def main() -> None:
    options = parse()
    rows, objections, whole = (400_000, 5_000_000, 20_000) if options.quick else SIZES
    peers = objections // 10
    with tempfile.TemporaryDirectory(prefix="sayso-bench-") as folder:
        table, home = Path(folder) / "facts.lance", Path(folder) / "home"
        # In another process, so that its memory is not counted as the gate's.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            authors = pool.submit(write_facts, table, rows).result()
            pool.submit(fill_workspace, home, whole).result()
        load_average = wait_until_quiet(0 if options.quick else 4)
        keys = np.random.default_rng(1).integers(1, 2**64, objections, dtype=np.uint64)
        who = authors[: max(1, int(len(authors) * OBJECTING))]
        keys[: len(who)] = who
        few = pl.Series("account_key", keys[:peers]).to_frame()
        held, building = timed(KeySet, keys)
        del keys
        before = memory(reset=True)
        runs: dict[str, Callable[[], Any]] = {
            "gate": lambda: judge_all_of(table, held),
            "join": lambda: bare_join(table, few),
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        results: dict[str, Any] = {}
        peak = 0
        for turn in range(options.rounds):
            for name in sorted(runs, reverse=bool(turn % 2)):
                memory(reset=True)
                results[name], took = timed(runs[name])
                seconds[name].append(took)
                peak = max(peak, memory()) if name == "gate" else peak
        sayso_gate, judged = whole_gate(Workspace.open(home)), whole
    fast, bare = rows / min(seconds["gate"]), rows / min(seconds["join"])
    show(
        {
            "records": rows,
            "objections": objections,
            "load": load_average,
            "records_per_second": round(fast),
            "records_per_second_median": round(rows / statistics.median(seconds["gate"])),
            "bytes_an_objection": round(held.bytes_per_key, 2),
            "seconds_to_load": round(building, 1),
            "memory_mb_before": before // 2**20,
            "memory_mb_peak_while_judging": peak // 2**20,
            "peer_objections": peers,
            "peer_records_per_second": round(bare),
            "ratio": round(fast / bare, 3),
            "judge_all_records": judged,
            "judge_all_records_per_second": round(judged / sayso_gate),
            "verdicts": dict(results["gate"].most_common()),
        },
        as_json=options.json,
    )


def judge_all_of(path: Path, objectors: KeySet) -> Counter[str]:
    """From disk to verdict, one batch after the other; Lance reads ahead in threads of its own."""
    found: Counter[str] = Counter()
    for batch in lance.dataset(str(path)).to_batches(
        columns=COLUMNS, batch_size=BATCH, batch_readahead=2
    ):
        facts = pl.DataFrame(pa.Table.from_batches([batch]))
        judged = gate.judge(facts, objectors, POLICY, AT)
        found.update(dict(judged.group_by("verdict").len().iter_rows()))
    return found


def bare_join(path: Path, objectors: pl.DataFrame) -> int:
    """What any other program would have to do at least: read, and drop who objected."""
    facts = pl.DataFrame(lance.dataset(str(path)).to_table(columns=COLUMNS))
    return len(facts.join(objectors, on="account_key", how="anti"))


def whole_gate(workspace: Workspace) -> float:
    """Seconds of `sayso gate` on a workspace, the objections in it none."""
    judged, seconds = timed(admission.judge_all, workspace, AT)
    if not judged.counts["allowed"]:
        raise SystemExit("nothing was allowed: the workspace is not what it should be")
    return seconds


def write_facts(path: Path, rows: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Write a table of facts; return its authors, a tenth as many as rows."""
    random = np.random.default_rng(0)
    authors = random.integers(1, 2**64, rows // 10, dtype=np.uint64)
    for start in range(0, rows, PART):
        n = min(PART, rows - start)
        frame = facts_of(random, authors, n).select(COLUMNS)
        lance.write_dataset(
            frame.to_arrow(compat_level=pl.CompatLevel.oldest()), str(path), mode="append"
        )
    return authors


def facts_of(random: np.random.Generator, authors: Any, n: int) -> pl.DataFrame:
    """Facts of n records; some authors write much more than others."""
    ingested = int(AT.timestamp() * 1e6) - (random.random(n) * 300 * 86400e6).astype(np.int64)
    created = ingested - (random.random(n) ** 4 * 30 * 86400e6).astype(np.int64)
    columns: dict[str, Any] = {
        "account_key": authors[(random.random(n) ** 2 * len(authors)).astype(np.int64)],
        "co_authors": (random.random(n) < 0.01).astype(np.int32),
        "assistant": random.random(n) < 0.2,
        "quotes_objector": random.random(n) < 0.002,
        "shared_by_several": random.random(n) < 0.02,
        "is_reply": random.random(n) < 0.45,
    } | {name: pick(random, shares, n) for name, shares in SHARES.items()}
    frame = pl.DataFrame(columns | {"created_at": created, "ingested_at": ingested})
    given = pl.col("date_state") == "given"
    return frame.with_columns(
        pl.when(given).then("created_at").cast(pl.Datetime("us", "UTC")),
        pl.col("ingested_at").cast(pl.Datetime("us", "UTC")),
        pl.when("is_reply").then("parent_audience"),
    )


def pick(random: np.random.Generator, shares: dict[str | None, float], n: int) -> pl.Series:
    drawn = random.choice(len(shares), n, p=list(shares.values())).astype(np.uint32)
    return pl.Series(list(shares), dtype=pl.String).gather(drawn)


def fill_workspace(home: Path, n: int) -> None:
    """A workspace with n records, their accounts and fingerprints, as an import leaves it."""
    random, workspace = np.random.default_rng(2), Workspace.create(home)
    authors = random.integers(1, 2**63, max(1, n // 10), dtype=np.uint64)
    keys = random.integers(1, 2**64, n, dtype=np.uint64)
    made = facts_of(random, authors, n)
    parents = np.where(made["is_reply"].to_numpy(), random.permutation(keys), 0)
    columns: dict[str, Any] = {
        "id": [f"record-{number}" for number in range(n)],
        "key": keys,
        "print_key": keys,
        "rev": np.ones(n, np.int32),
        "text": ["words that an author wrote one evening at the harbour"] * n,
        "reply_key": parents.astype(np.uint64),
        "quote_key": np.zeros(n, np.uint64),
    }
    there = made.with_columns(**{name: pl.Series(column) for name, column in columns.items()})
    empty = [pl.lit("").alias(name) for name in RECORDS.names if name not in there.columns]
    store = Store(workspace)
    store.records.append(there.with_columns(empty))
    prints = pl.DataFrame(
        {
            "key": keys,
            "account_key": made["account_key"],
            "exact": random.integers(0, 2**64, n, dtype=np.uint64),
            "signature": random.integers(0, 2**32, (n, PLACES), dtype=np.uint32),
            "long": random.random(n) < 0.7,
        }
    )
    store.fingerprints.append(prints.select(FINGERPRINTS.names))
    with Rights(workspace).writing() as connection:
        rows = [
            {"account": f"member-{key}", "key": signed(int(key)), "person": f"member-{key}",
             "service": "forum", "kind": "person", "age_band": "adult"}
            for key in authors
        ]  # fmt: skip
        connection.execute(insert(accounts), rows)


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - begun


def memory(*, reset: bool = False) -> int:
    """Return the most bytes this process ever held; `reset` begins anew from now (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


SIZES: Final = (4_000_000, 100_000_000, 200_000)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows or less")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    title = f"{figures['records']:,} records from disk; load {figures['load']} at the start"
    table = Table("", "objections", "records/s", "ratio", title=title)
    fast, bare = figures["records_per_second"], figures["peer_records_per_second"]
    table.add_row(
        "gate, all rules", f"{figures['objections']:,}", f"{fast:,}", f"{fast / bare:.2f}"
    )
    table.add_row("bare Polars join", f"{figures['peer_objections']:,}", f"{bare:,}", "1")
    slow = figures["judge_all_records_per_second"]
    table.add_row(
        f"judge_all, {figures['judge_all_records']:,} records",
        "0",
        f"{slow:,}",
        f"{slow / bare:.2f}",
    )
    console = Console()
    console.print(table)
    console.print(
        f"{figures['bytes_an_objection']} bytes an objection, loaded in "
        f"{figures['seconds_to_load']} s; memory {figures['memory_mb_before']:,} MB "
        f"with them, at most {figures['memory_mb_peak_while_judging']:,} MB while judging"
    )
    console.print(f"verdicts: {figures['verdicts']}")


if __name__ == "__main__":
    main()
