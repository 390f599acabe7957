"""What is held of a person (GDPR Art. 15): accounts, objections, every record with its verdict."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
import polars as pl

from sayso.corpus import admission
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.gate import gate
from sayso.rights import objections, people
from sayso.rights.database import Rights
from sayso.workspace import Workspace


def held(workspace: Workspace, name: str, at: datetime) -> Iterator[bytes]:
    """Yield JSON lines: the person's accounts, their objections, their records and verdicts.

    Raises:
        UsageError: nobody of this name is known.
    """
    rights, store = Rights(workspace), Store(workspace)
    with rights.reading() as connection:
        accounts = people.find(connection, name)
    persons = {account.person for account in accounts} | {name}
    made = [o for o in objections.list_all(rights) if o.person in persons]
    if not accounts and not made:
        raise UsageError("nothing is held of anybody by this name", "try an account's full name")
    for account in accounts:
        yield _line("account", msgspec.to_builtins(account))
    for objection in made:
        yield _line("objection", msgspec.to_builtins(objection))
    keys = [account.key for account in accounts]
    judged = admission.judge_all(workspace, at).records.select("key", "verdict", "rule")
    theirs = store.records.read().filter(pl.col("account_key").is_in(keys))
    reactions = store.interactions.read().filter(pl.col("account_key").is_in(keys))
    for row in reactions.sort("key").to_dicts():
        yield _line("interaction", row)
    for row in theirs.join(judged, on="key", how="left").sort("created_at", "id").to_dicts():
        reason = gate.reason(str(row["rule"]))
        yield _line("record", row | {"reason": reason, "media": msgspec.json.decode(row["media"])})


def _line(kind: str, fields: dict[str, object]) -> bytes:
    own = {"account_kind" if name == "kind" else name: value for name, value in fields.items()}
    return msgspec.json.encode({"kind": kind} | own)
