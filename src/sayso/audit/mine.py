"""What is held of one member, with the verdicts as they stand now. Reads only.

It begins with the accounts whose person is exactly this one; rows are chosen by their pseudonyms
alone, so nothing that a browser sends can lead to somebody else's. The verdicts are those of the
last training; what can change at once (objections, what was taken out, the account's own state) is
laid over them, for judging all records anew takes too long for a page.
"""

import re
from datetime import UTC, datetime
from typing import Final

import polars as pl
from msgspec import Struct
from sqlalchemy import Connection, select

from sayso.content.record import MESSAGE_SURFACES
from sayso.corpus.store import Store
from sayso.gate import gate
from sayso.gate.rules import ALLOWED, BY_NAME, FROZEN, Verdict
from sayso.rights import items, ledger, objections, people, tombstones
from sayso.rights.database import Rights, signed, unsigned
from sayso.rights.objection import ALL_SERVICES, OWN, Objection
from sayso.rights.people import MINOR, Account
from sayso.rights.tables import suppressions
from sayso.rights.tables import tombstones as stones_table
from sayso.workspace import Workspace

# Beside the gate's rules: what came after the last look, and what is to be looked at again.
NOT_JUDGED: Final = "not-judged"
AGAIN: Final = "again"
# These are known at every moment, in the order in which the gate's rules decide.
OBJECTION, ITEM = "objection", "item-objection"
SIGNAL: Final = "machine-readable-no"
AT_ONCE: Final = (OBJECTION, ITEM, "minor", "account-gone", SIGNAL)
# Messages are refused at the door. Should one ever be stored, no page repeats it.
NO_MESSAGE: Final = (pl.col("audience") != "direct") & (
    pl.col("audience").is_in(["public", "unlisted"]) | ~pl.col("surface").is_in(MESSAGE_SURFACES)
)
_COLUMNS: Final = (
    "key account_key service created_at ingested_at train_signal audience surface"
).split()
_PLACE: Final = re.compile(r"(-?[0-9]{1,18})-([0-9a-f]{16})")
FEW: Final = 5000
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Member(Struct, frozen=True):
    """A person with all of their accounts; which of these objections keep out, or freeze."""

    person: str
    accounts: tuple[Account, ...]
    objections: tuple[Objection, ...]
    out: frozenset[int]
    frozen: frozenset[int]

    @property
    def where(self) -> str:
        """A filter of Lance: rows of exactly these accounts; of none, if there is none."""
        return f"account_key IN ({', '.join(str(account.key) for account in self.accounts) or 0})"


def member(rights: Rights, person: str) -> Member:
    """Return what is known of a person; nothing for '' and for whoever has no account here."""
    if not person:
        return Member("", (), (), frozenset(), frozenset())
    made = tuple(objections.of_person(rights, person))
    with rights.reading() as connection:
        theirs = people.of_person(connection, person)
        keys = [signed(account.key) for account in theirs]
        kept = select(suppressions.c.key).where(suppressions.c.key.in_(keys))
        suppressed = {unsigned(key) for key in connection.scalars(kept)}
    return Member(
        person,
        tuple(theirs),
        made,
        frozenset(_covered(theirs, made, "confirmed") | suppressed),
        frozenset(_covered(theirs, made, "pending")),
    )


def as_of(rights: Rights) -> datetime | None:
    """Return when all records were last judged; None before the first time."""
    with rights.reading() as connection:
        found = [ledger.last(connection, kind) for kind in ("gate", "release")]
    return max((datetime.fromisoformat(entry.at) for entry in found if entry), default=None)


def records(workspace: Workspace, rights: Rights, member: Member) -> pl.DataFrame:
    """Return a member's records, newest first.

    Returns:
        A frame of key, account_key, service, at (µs since 1970), rule, verdict.
    """
    if not member.accounts:
        return pl.DataFrame(schema=_SCHEMA)
    theirs = Store(workspace).records.read(_COLUMNS, member.where).filter(NO_MESSAGE)
    with rights.reading() as connection:
        stones = _stones(connection, member)
        # Of many records it is quicker to read all that was ever taken out.
        among = theirs["key"].to_list() if len(theirs) <= FEW else None
        out, waiting = items.out_keys(connection, among), items.frozen_keys(connection, among)
    states = pl.DataFrame(
        [(account.key, _at_once(account, member)) for account in member.accounts],
        schema={"account_key": pl.UInt64, "state": pl.String},
        orient="row",
    )
    known = theirs.join(_judged(workspace, theirs["key"]), on="key", how="left")
    return (
        known.join(stones, on="key", how="left")
        .join(states, on="account_key", how="left")
        .with_columns(
            at=pl.coalesce("created_at", "ingested_at").dt.epoch("us"),
            rule=_rule(
                out=pl.col("key").is_in(pl.Series(out).implode()),
                frozen=pl.col("key").is_in(pl.Series(waiting).implode())
                | pl.col("account_key").is_in(list(member.frozen)),
                late=_late(as_of(rights)),
            ),
        )
        .with_columns(verdict=pl.col("rule").replace_strict(VERDICTS, default="denied"))
        .select(*_SCHEMA)
        .sort("at", "key", descending=True)
    )


def reactions(workspace: Workspace, member: Member) -> pl.DataFrame:
    """Return a member's reactions, newest first: key, account_key, verb, object_key, at (µs)."""
    if not member.accounts:
        return pl.DataFrame(schema=_REACTIONS)
    rows = Store(workspace).interactions.read(["key", *list(_REACTIONS)[1:]], member.where)
    moment = pl.col("at").fill_null(_BEGINNING).dt.epoch("us")
    return rows.with_columns(at=moment).select(*_REACTIONS).sort("at", "key", descending=True)


def begins(frame: pl.DataFrame, after: str) -> int:
    """Return where in a frame of these, sorted as they are, what comes after a place begins."""
    if (found := _PLACE.fullmatch(after)) is None:
        return 0
    at, key = int(found[1]), int(found[2], 16)
    later = (pl.col("at") < at) | ((pl.col("at") == at) & (pl.col("key") < key))
    return len(frame) - int(frame.select(later.sum()).item())


def place(frame: pl.DataFrame, row: int) -> str:
    """Return what names a row's place, for `begins`; it stays good when rows come or go."""
    return f"{frame['at'][row]}-{frame['key'][row]:016x}"


def verdict_of(rule: str) -> Verdict:
    """Return what a rule decides; tombstones deny."""
    return VERDICTS.get(rule, "denied")


def reason(rule: str) -> str:
    """Say in words why: a rule's reason, or what became of a record."""
    return _REASONS.get(rule) or gate.reason(rule)


_REASONS: Final = {
    NOT_JUDGED: "it came or was changed after the gate last looked, and is not used until it does",
    AGAIN: "what kept it out does not stand any more; the gate looks at it again",
    tombstones.DELETED: "it was deleted on its service; it is being erased",
    tombstones.ACCOUNT_DELETED: "its author's account was deleted; it is being erased",
}
VERDICTS: Final[dict[str, Verdict]] = {
    **{name: rule.verdict for name, rule in BY_NAME.items()},
    ALLOWED: "allowed",
    NOT_JUDGED: "held",
    AGAIN: "held",
}
_SCHEMA: Final = {
    "key": pl.UInt64,
    "account_key": pl.UInt64,
    "service": pl.String,
    "at": pl.Int64,
    "rule": pl.String,
    "verdict": pl.String,
}
_REACTIONS: Final = {
    "key": pl.UInt64,
    "account_key": pl.UInt64,
    "verb": pl.String,
    "object_key": pl.UInt64,
    "at": pl.Int64,
}


def _covered(theirs: list[Account], made: tuple[Objection, ...], state: str) -> set[int]:
    standing = [o for o in made if o.stands and o.about == OWN and o.state == state]
    return {
        account.key
        for account in theirs
        if any(o.service in (ALL_SERVICES, account.service) for o in standing)
    }


def _at_once(account: Account, member: Member) -> str | None:
    """Return the first rule that an account's own state makes fire, whatever the record is."""
    if account.key in member.out:
        return OBJECTION
    if account.age_band == MINOR:
        return "minor"
    if account.state != "active":
        return "account-gone"
    return SIGNAL if account.train_signal == "deny" else None


def _stones(connection: Connection, member: Member) -> pl.DataFrame:
    """Return the tombstones of a member's records: key, stone (its reason)."""
    keys = [signed(account.key) for account in member.accounts]
    stones = stones_table.c
    query = select(stones.key, stones.reason).where(stones.account.in_(keys))
    rows = [(unsigned(key), reason) for key, reason in connection.execute(query)]
    return pl.DataFrame(rows, schema={"key": pl.UInt64, "stone": pl.String}, orient="row")


def _judged(workspace: Workspace, keys: pl.Series) -> pl.DataFrame:
    """Return the verdicts of the last look on these records: key, judged (the rule)."""
    path = workspace.content / "verdicts.parquet"
    if not path.exists():
        return pl.DataFrame(schema={"key": pl.UInt64, "judged": pl.String})
    rows = pl.scan_parquet(path).filter(pl.col("key").is_in(keys.implode()))
    return rows.select("key", judged="before").collect()


def _late(looked: datetime | None) -> pl.Expr:
    """Whether a record came, or was changed, after the last look."""
    return pl.lit(value=True) if looked is None else pl.col("ingested_at") > looked


def _rule(out: pl.Expr, frozen: pl.Expr, late: pl.Expr) -> pl.Expr:
    judged, state = pl.col("judged"), pl.col("state")
    # The account's word is taken back, or what was taken out is back: the gate has to look again.
    over = judged.is_in(AT_ONCE) & ~((judged == SIGNAL) & (pl.col("train_signal") == "deny"))
    lifted = ~judged.is_in(list(VERDICTS))  # a tombstone that is there no more
    return (
        pl.when(state == OBJECTION)
        .then(state)
        .when(pl.col("stone").is_not_null())
        .then("stone")
        .when(out)
        .then(pl.lit(ITEM))
        .when(state.is_not_null())
        .then(state)
        .when(judged.is_null() | late)
        .then(pl.lit(NOT_JUDGED))
        .when(over | lifted | ((judged == FROZEN) & ~frozen))
        .then(pl.lit(AGAIN))
        .when((judged == ALLOWED) & frozen)
        .then(pl.lit(FROZEN))
        .otherwise(judged)
        .alias("rule")
    )
