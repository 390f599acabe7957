"""What each record was trained in: kept when a release is published, as keyed pseudonyms only.

Releases and cells go when they are out of date; people may ask later all the same what their
records were in. So whenever a release takes records in or leaves some out, just these are noted,
in rows that are only ever added. Nothing of training depends on them.
"""

import hashlib
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa
from sqlalchemy import select

from sayso.corpus.store import Store, Table
from sayso.errors import IntegrityError, WorkspaceError
from sayso.rights.database import Rights
from sayso.rights.tables import ledger
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.training.build import Plan
from sayso.training.releases import Release
from sayso.workspace import Workspace, write_atomically

# Pseudonyms outlive their records, as fingerprints do: no text, no id, no account.
TRAINED: Final = pa.schema(
    [
        ("key", pa.uint64()),  # of the record
        ("print_key", pa.uint64()),  # of its text, in the fingerprints
        ("url_key", pa.uint64()),  # of its address; 0 = it has none
        ("public", pa.bool_()),  # whether anybody could read it when it was taken in
        ("release", pa.int64()),  # the release's place in the ledger
        ("inside", pa.bool_()),  # taken in by that release, or left out from there on
    ]
)
PUBLIC: Final = ("public", "unlisted")
_FEW: Final = 2000  # rows that are looked up one by one; more are read in one go
_TIDY_EVERY: Final = 64  # versions of the table after which old ones are removed


def table(workspace: Workspace) -> Table:
    """Return the table of what was trained in which releases; see `TRAINED`."""
    return Table(workspace.content / "trained.lance", TRAINED)


def note(workspace: Workspace, release: Release, plan: Plan, training: pl.DataFrame) -> int:
    """Note which records a release that was just published takes in or leaves out.

    Args:
        workspace: where.
        release: the newest release of the ledger.
        plan: the cells that it was made of.
        training: rows with hash, key, print_key of all examples of the plan.

    Returns:
        How many records came in or went.
    """
    made_of = set(release.trained_on)
    inside = {
        digest
        for chain in plan
        for planned in chain
        if planned.key in made_of
        for digest in planned.cell.manifest
    }
    if not len(training):
        training = pl.DataFrame(
            schema={"hash": pl.String, "key": pl.UInt64, "print_key": pl.UInt64}
        )
    return _note(workspace, training.filter(pl.col("hash").is_in(list(inside))))


def catch_up(workspace: Workspace) -> int:
    """Note the served release, if a crash came between its publication and its note."""
    if _newest(workspace) <= noted_up_to(workspace):
        return 0
    try:
        release, store = releases.current(workspace), AdapterStore(workspace)
        inside = {
            digest
            for key in (release.trained_on if release else ())
            for digest in store.note(key).manifest
        }
    except (IntegrityError, WorkspaceError):
        return 0  # what it was trained on cannot be told; training replaces it
    records, rows = Store(workspace), []
    prints = dict(records.records.read(["key", "print_key"]).iter_rows())
    for key, text in records.corpus.read(["key", "text"]).iter_rows():
        digest = hashlib.blake2b(f"{key}\n{text}".encode(), digest_size=16).hexdigest()
        if digest in inside and key in prints:
            rows.append((key, prints[key]))
    schema = {"key": pl.UInt64, "print_key": pl.UInt64}
    return _note(workspace, pl.DataFrame(rows, schema=schema, orient="row"))


def spans(workspace: Workspace, where: str = "") -> pl.DataFrame:
    """Return from which release to which one records were inside.

    Args:
        workspace: where.
        where: a filter of Lance over `TRAINED`; it must not part the rows of one record.

    Returns:
        A frame of key, print_key, since, until (places in the ledger): inside from `since` up to,
        but not in, `until`; null = still inside.
    """
    rows = table(workspace).read(["key", "print_key", "release", "inside"], where)
    return (
        rows.sort("key", "print_key", "release")
        .with_columns(until=pl.col("release").shift(-1).over("key", "print_key"))
        .filter("inside")
        .select("key", "print_key", pl.col("release").alias("since"), "until")
    )


def noted_up_to(workspace: Workspace) -> int:
    """Return the place in the ledger of the newest release that is noted; 0 = none."""
    path = _mark(workspace)
    return int(path.read_text()) if path.exists() else 0


def url_key(workspace: Workspace, url: str) -> int:
    """Return the pseudonym of an address, however it is written; 0 for none."""
    parts = urlsplit(url.strip())
    if not parts.netloc:
        return 0
    # http or https, a slash at the end, a place within the page: the same post.
    address = f"{parts.netloc.lower()}{parts.path.rstrip('/')}?{parts.query}"
    return workspace.pseudonyms.number("url", address)


def _note(workspace: Workspace, now_inside: pl.DataFrame) -> int:
    """Add a row for each record that came in or went since the last note; `release` is newest."""
    trained, release = table(workspace), _newest(workspace)
    both = ["key", "print_key"]
    known = (
        trained.read().sort("release").group_by(both, maintain_order=True).last().filter("inside")
    )
    now_inside = now_inside.select(both).unique()
    fresh = _described(workspace, now_inside.join(known, on=both, how="anti"))
    gone = known.join(now_inside, on=both, how="anti")
    rows = pl.concat(
        [
            frame.with_columns(release=pl.lit(release, pl.Int64), inside=pl.lit(inside)).select(
                TRAINED.names
            )
            for frame, inside in ((fresh, True), (gone, False))
        ]
    )
    trained.append(rows.sort("key", "print_key"))
    if len(rows) and trained.open().version % _TIDY_EVERY == 0:
        trained.erase()
    write_atomically(_mark(workspace), str(release).encode())
    return len(rows)


def _described(workspace: Workspace, fresh: pl.DataFrame) -> pl.DataFrame:
    """Add to new records the pseudonym of their address, and whether anybody could read them."""
    records, columns = Store(workspace).records, ["key", "url", "audience"]
    if len(fresh) > _FEW:
        about = records.read(columns)
    else:
        about = records.find(fresh["key"].to_list(), columns)
    joined = fresh.join(about.unique("key"), on="key", how="left")
    urls = [url_key(workspace, url or "") for url in joined["url"]]
    return joined.select(
        "key",
        "print_key",
        pl.Series("url_key", urls, dtype=pl.UInt64),
        public=pl.col("audience").is_in(PUBLIC).fill_null(value=False),
    )


def _newest(workspace: Workspace) -> int:
    """Return the place of the newest release in the ledger, 0 before the first."""
    query = select(ledger.c.seq).where(ledger.c.kind == "release").order_by(ledger.c.seq.desc())
    with Rights(workspace).reading() as connection:
        return connection.scalar(query.limit(1)) or 0


def _mark(workspace: Workspace) -> Path:
    return workspace.content / "trained-up-to"
