"""`sayso audit`: nothing of what was erased is left in the bytes on disk.

Pages are compressed, so searching files for a text proves nothing: every data file of every table
is decoded, deleted rows included, and looked through for records that should be gone.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from lance.file import LanceFileReader

from sayso.audit.verify import Verdict
from sayso.corpus.store import Store, Table
from sayso.errors import IntegrityError
from sayso.gate.keyset import KeySet
from sayso.rights import ledger, objections, tombstones
from sayso.rights.database import Rights
from sayso.training import releases
from sayso.training.adapters import AdapterStore
from sayso.workspace import Workspace


def audit(workspace: Workspace) -> Verdict:
    """Check the ledger, the raw bytes of all tables and the adapters that lie about."""
    verdict = Verdict()
    rights, store = Rights(workspace), Store(workspace)
    with rights.reading() as connection:
        try:
            entries, head = ledger.verify(connection)
            verdict.add("ledger", detail=f"{entries} entries, head {head[:16]}…")
        except IntegrityError as error:
            verdict.add("ledger", error.problem)
    gone = tombstones.frame(rights)["key"].to_numpy()
    objectors = KeySet(objections.objectors(rights))
    texts = (store.records, store.corpus, store.retrieval, store.vectors)
    for table in (*texts, store.interactions):
        left, files = leftovers(table, gone, objectors)
        verdict.add(
            f"erased from {table.path.stem}",
            f"{left} rows that should be gone are still in its files; run `sayso train`"
            if left
            else "",
            f"{files} files decoded, deleted rows included",
        )
    for index, table in (("full-text", store.retrieval), ("vectors'", store.vectors)):
        stale = _stale_indexes(table)
        verdict.add(
            f"erased from the {index} index",
            f"{stale} index folders of older versions are left" if stale else "",
            "only the present index is there",
        )
    codes = _codes_without_row(store.vectors)
    verdict.add(
        "erased from the vectors' codes",
        f"{codes} codes of vectors that are gone are left in their index" if codes else "",
        "each code in the index belongs to a row",
    )
    verdict.add("adapters", *_adapters(workspace))
    return verdict


def leftovers(table: Table, gone: np.ndarray, objectors: KeySet) -> tuple[int, int]:
    """Count the rows in a table's raw files that should be gone, and the files decoded."""
    if not table.path.exists():
        return 0, 0
    count, files = 0, sorted((table.path / "data").glob("*.lance"))
    for file in files:
        rows = raw_rows(file)
        tombstoned = np.isin(rows["key"].to_numpy(), gone)
        count += int((tombstoned | objectors.contains(rows["account_key"].to_numpy())).sum())
    return count, len(files)


def raw_rows(file: Path) -> pl.DataFrame:
    """Decode the keys of every row in a Lance data file, marked as deleted or not."""
    table: pa.Table = LanceFileReader(str(file)).read_all().to_table()
    keys = [pc.cast(table[name], pa.uint64()) for name in ("key", "account_key")]
    return pl.DataFrame({"key": keys[0].to_numpy(), "account_key": keys[1].to_numpy()})


def _stale_indexes(table: Table) -> int:
    folder = table.path / "_indices"
    if not folder.exists():
        return 0
    present = {str(index["uuid"]) for index in table.open().list_indices()}
    return sum(path.name not in present for path in folder.iterdir())


def _codes_without_row(table: Table) -> int:
    """Count the shortened vectors in the files of an index whose row is not there any more."""
    files = sorted(table.path.glob("_indices/*/auxiliary.idx"))
    if not files:
        return 0
    there = table.open().to_table(columns=["key"], with_row_id=True)["_rowid"].to_numpy()
    coded = [
        LanceFileReader(str(file)).read_all().to_table()["_rowid"].to_numpy() for file in files
    ]
    return sum(int((~np.isin(rows, there)).sum()) for rows in coded)


def _adapters(workspace: Workspace) -> tuple[str, str]:
    release = releases.current(workspace)
    if release is None:
        return "", "none yet"
    others = AdapterStore(workspace).keys() - set(release.trained_on)
    old = [p for p in workspace.releases.iterdir() if p.is_dir() and p.name != release.name]
    if others or old:
        return f"{len(others)} adapters and {len(old)} releases are left from before", ""
    return "", f"{len(release.trained_on)}, all of the served release {release.name}"
