"""The facts of all stored records, judged by the gate; and the note of it in the ledger."""

import hashlib
import io
from datetime import datetime
from typing import Final

import msgspec
import polars as pl
from msgspec import Struct

from sayso.corpus import depicted
from sayso.corpus.duplicates import shared_by_several
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.gate import gate, history
from sayso.gate.keyset import KeySet
from sayso.gate.policy import Policy, source
from sayso.gate.policy import load as load_policy
from sayso.rights import items, ledger, objections, people, tombstones
from sayso.rights.database import Rights
from sayso.settings import dump
from sayso.workspace import Workspace, write_atomically

_FACT_COLUMNS: Final = [
    "id",
    "key",
    "rev",
    "service",
    "surface",
    "account_key",
    "co_authors",
    "audience",
    "created_at",
    "ingested_at",
    "date_state",
    "train_signal",
    "reply_key",
    "quote_key",
    "print_key",
]


_NO_ACCOUNT: Final = {
    "kind": "person",
    "age_band": "unknown",
    "state": "active",
    "assistant": False,
    "account_signal": "",
    "handle": "",
}


class Judged(Struct, frozen=True):
    """Every record's verdict at one moment.

    `records` has a row for each stored record; `absent` counts those that are not stored any more
    (or never were), by the reason of their tombstone.
    """

    at: datetime
    policy: Policy
    records: pl.DataFrame
    absent: dict[str, int]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Verdicts of all records ever named: {'allowed': {...}, 'denied': {...}, 'held': ...}."""
        table = gate.counts(self.records)
        for reason, number in sorted(self.absent.items()):
            table["denied"][reason] = table["denied"].get(reason, 0) + number
        return table


def judge_all(workspace: Workspace, at: datetime, policy: Policy | None = None) -> Judged:
    """Judge every stored record as of a moment."""
    rights, store = Rights(workspace), Store(workspace)
    policy = policy or load_policy(workspace.settings.policy)
    stones = tombstones.frame(rights)
    objectors = KeySet(objections.objectors(rights))
    facts = _facts(workspace, rights, store, stones, objectors, policy)
    judged = gate.judge(facts, objectors, policy, at)
    absent = dict(stones.group_by("reason").len().iter_rows())
    return Judged(at, policy, judged, absent)


def explain(workspace: Workspace, record_id: str, at: datetime) -> tuple[str, list[gate.Finding]]:
    """Return the verdict on one record ('rule' that decided) and how each rule looked at it.

    Raises:
        UsageError: no record of this id was ever seen.
    """
    rights, store = Rights(workspace), Store(workspace)
    key = workspace.pseudonyms.number("record", record_id)
    stones = tombstones.frame(rights)
    policy = load_policy(workspace.settings.policy)
    objectors = KeySet(objections.objectors(rights))
    facts = _facts(workspace, rights, store, stones, objectors, policy)
    facts = facts.filter(pl.col("key") == key)
    if len(facts):
        found = gate.findings(facts, objectors, policy, at)
        return next((f.rule for f in found if f.fired), "allowed"), found
    with rights.reading() as connection:
        stone = tombstones.find(connection, [key]).get(key)
    if stone is None:
        raise UsageError(
            "no record of this id was ever seen here", "ids are those of the imported files"
        )
    reasons = {
        tombstones.DELETED: "it was deleted on its service; nothing of it is kept",
        tombstones.DIRECT_MESSAGE: "a private message, refused at the door; nothing was stored",
        tombstones.OBJECTION: "its author objected; it was erased",
        tombstones.ACCOUNT_DELETED: "its author's account was deleted; it was erased",
        tombstones.MINOR: "its author is known as a minor; it was erased",
    }
    evidence: dict[str, object] = {"since": stone.at, "audience": stone.audience}
    return stone.reason, [
        gate.Finding(stone.reason, "denied", True, reasons[stone.reason], evidence)
    ]


def note(workspace: Workspace, judged: Judged) -> int:
    """Write the verdicts that changed since the last note to the ledger; return how many did.

    The changes lie in a Parquet file named by its hash (key, before, after); the entry holds the
    hash, so the chain covers every single change. A policy whose file was edited since it was put
    in use is noted first, as a new version.
    """
    history.notice(Rights(workspace), judged.policy, workspace.settings.policy)
    path = workspace.content / "verdicts.parquet"
    after = judged.records.select("key", after="rule")
    stones = tombstones.frame(Rights(workspace)).select("key", after="reason")
    after = pl.concat([after, stones]).unique("key", keep="first").sort("key")
    before = (
        pl.read_parquet(path)
        if path.exists()
        else pl.DataFrame(schema={"key": pl.UInt64, "before": pl.String})
    )
    changes = (
        before.join(after, on="key", how="full", coalesce=True)
        .filter(pl.col("before").ne_missing(pl.col("after")))
        .sort("key")
    )
    if not len(changes):
        return 0
    data = io.BytesIO()
    changes.write_parquet(data)
    digest = hashlib.blake2b(data.getvalue(), digest_size=16).hexdigest()
    write_atomically(workspace.content / "verdict-changes" / f"{digest}.parquet", data.getvalue())
    with Rights(workspace).writing() as connection:
        ledger.append(
            connection,
            "gate",
            {
                "at": judged.at.isoformat(),
                "policy": judged.policy.name,
                "policy_hash": judged.policy.digest,
                "changed": len(changes),
                "changes": digest,
                "allowed": sum(judged.counts["allowed"].values()),
                "denied": judged.counts["denied"],
                "held": judged.counts["held"],
            },
        )
    verdicts = io.BytesIO()
    after.rename({"after": "before"}).write_parquet(verdicts)
    write_atomically(path, verdicts.getvalue())
    return len(changes)


def _facts(
    workspace: Workspace,
    rights: Rights,
    store: Store,
    stones: pl.DataFrame,
    objectors: KeySet,
    policy: Policy,
) -> pl.DataFrame:
    records = store.records.read(_FACT_COLUMNS).join(stones, on="key", how="anti")
    accounts = people.frame(rights)
    parents = ["key", "account_key", "audience"]
    audiences = (
        pl.concat([store.records.read(parents), stones.select(parents)])
        .unique("key", keep="last")
        .join(accounts.select("account_key", "state"), on="account_key", how="left")
        .with_columns(
            # An account that was made private takes its posts along, and the replies to them.
            audience=pl.when(pl.col("state") == "private")
            .then(pl.lit("followers"))
            .otherwise("audience")
        )
    )
    objecting = _records_of_objectors(store, stones, objectors)
    shown = depicted.shows_objector(store, workspace.pseudonyms, objectors)
    records = _with_items(records, rights, KeySet(shown.to_numpy()))
    return (
        records.join(accounts, on="account_key", how="left")
        .join(
            audiences.select(reply_key="key", parent_audience="audience"),
            on="reply_key",
            how="left",
        )
        .join(_shared(workspace, store, accounts), on="print_key", how="left")
        .with_columns(
            # No author means no account to say these things of; `author-unknown` decides.
            *(_unless_authorless(name, value) for name, value in _NO_ACCOUNT.items()),
            train_signal=_stricter("train_signal", "account_signal"),
            is_reply=pl.col("reply_key") != 0,
            quotes_objector=pl.col("quote_key").is_in(objecting.implode())
            & (pl.col("quote_key") != 0),
        )
        .with_columns(age_band=_age(policy))
        .sort("key")
    )


def _with_items(records: pl.DataFrame, rights: Rights, shown: KeySet) -> pl.DataFrame:
    """Add what objections say of single records, and which wait for one to be confirmed.

    Args:
        records: all that are stored.
        rights: the rights database.
        shown: keys of records that show somebody who objected.
    """
    with rights.reading() as connection:
        out = KeySet(items.out_keys(connection))
        waiting = KeySet(items.frozen_keys(connection))
    claimed = KeySet(objections.claimed(rights))
    keys, authors = records["key"].to_numpy(), records["account_key"].to_numpy()
    return records.with_columns(
        item_out=pl.Series(out.contains(keys)),
        frozen=pl.Series(waiting.contains(keys) | claimed.contains(authors)),
        shows_objector=pl.Series(shown.contains(keys)),
    )


def _age(policy: Policy) -> pl.Expr:
    """The author's age band; where nothing was ever said of it, the operator's word counts."""
    attested = (pl.col("age_source") == "") & pl.col("service").is_in(policy.adult_services)
    return pl.when(attested).then(pl.lit("adult")).otherwise("age_band")


def _stricter(record: str, account: str) -> pl.Expr:
    """Of a record's and its account's words on training: any deny wins, else what is unreadable."""
    either = [pl.col(record), pl.col(account).fill_null("")]
    return (
        pl.when(pl.any_horizontal(word == "deny" for word in either))
        .then(pl.lit("deny"))
        .when(pl.any_horizontal(~word.is_in(["", "allow"]) for word in either))
        .then(pl.lit("unreadable"))
        .otherwise(pl.max_horizontal(either))
    )


def _unless_authorless(name: str, value: object) -> pl.Expr:
    no_author = pl.col("account_key") == 0
    return pl.when(no_author).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)


def _records_of_objectors(store: Store, stones: pl.DataFrame, objectors: KeySet) -> pl.Series:
    owned = pl.concat(
        [store.records.read(["key", "account_key"]), stones.select("key", "account_key")]
    )
    return owned.filter(pl.Series(objectors.contains(owned["account_key"].to_numpy())))["key"]


def _shared(workspace: Workspace, store: Store, accounts: pl.DataFrame) -> pl.DataFrame:
    """Mark the fingerprints whose text came from several people."""
    prints = (
        store.fingerprints.read()
        .join(accounts.select("account_key", "person_key"), on="account_key", how="left")
        .with_columns(pl.coalesce("person_key", "account_key"))
        .sort("key")
    )
    several = shared_by_several(
        exact=prints["exact"].to_numpy(),
        signatures=prints["signature"].to_numpy(),
        people=prints["person_key"].to_numpy(),
        long=prints["long"].to_numpy(),
        threshold=workspace.settings.corpus.near_duplicate,
    )
    return pl.DataFrame({"print_key": prints["key"], "shared_by_several": several})


def use_policy(workspace: Workspace, name: str, by: str = "", because: str = "") -> None:
    """Make a policy the workspace's own; it is kept whole, and noted by its hash in the ledger."""
    policy, text = load_policy(name), source(name).decode()
    settings = msgspec.structs.replace(workspace.settings, policy=name)
    with Rights(workspace).writing() as connection:
        history.put(connection, policy, text, by, because)
    write_atomically(workspace.settings_file, dump(settings))
