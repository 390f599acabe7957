"""Facts of records, valid policies, and the gate's answer to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from sayso.content.record import AUDIENCES, MESSAGE_SURFACES
from sayso.gate import gate
from sayso.gate.keyset import KeySet
from sayso.gate.policy import NEVER, Policy
from sayso.gate.rules import FACTS

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
OBJECTORS = [2, 2**64 - 1]
SURFACES = ["post", "comment", "story", "reel", "photo", "image", "bio", *MESSAGE_SURFACES]
MAY = [audience for audience in AUDIENCES if audience not in NEVER]

# One record that every built-in policy allows.
GOOD: dict[str, Any] = {
    "account_key": 1,
    "co_authors": 0,
    "surface": "post",
    "audience": "public",
    "date_state": "given",
    "created_at": AT - timedelta(days=30),
    "ingested_at": AT - timedelta(days=29),
    "train_signal": "",
    "kind": "person",
    "age_band": "adult",
    "state": "active",
    "assistant": False,
    "item_out": False,
    "quotes_objector": False,
    "shows_objector": False,
    "shared_by_several": False,
    "is_reply": False,
    "parent_audience": None,
    "frozen": False,
}
MOMENTS = [AT + timedelta(days=days) for days in (-30_000, -400, -30, -8, -6.9, -1, 0, 2, 400)]
# For each fact the values it may have, null apart.
DOMAINS: dict[str, list[Any]] = {
    "account_key": [0, 1, 2, 2**63, 2**64 - 1],
    "co_authors": [0, 1, 7],
    "surface": [*SURFACES, "poll"],
    "audience": [*AUDIENCES, "everyone"],
    "date_state": ["given", "absent", "unreadable", ""],
    "created_at": MOMENTS,
    "ingested_at": MOMENTS,
    "train_signal": ["", "allow", "deny", "unreadable"],
    "kind": ["person", "page", "bot"],
    "age_band": ["adult", "minor", "unknown", ""],
    "state": ["active", "deleted", "private", "opted_out"],
    "assistant": [False, True],
    "item_out": [False, True],
    "quotes_objector": [False, True],
    "shows_objector": [False, True],
    "shared_by_several": [False, True],
    "is_reply": [False, True],
    "parent_audience": list(AUDIENCES),
    "frozen": [False, True],
}


def _mostly_good(name: str) -> st.SearchStrategy[Any]:
    # Most facts as they should be, or else nothing ever gets past the first rules.
    nulls = [] if name == "account_key" else [None]
    spoilt = st.sampled_from(nulls + DOMAINS[name])
    return st.one_of(*[st.just(GOOD[name])] * 4, spoilt)


rows = st.fixed_dictionaries({name: _mostly_good(name) for name in GOOD})
policies = st.builds(
    Policy,
    name=st.just("any"),
    audiences=st.lists(st.sampled_from(MAY), min_size=1, unique=True).map(tuple),
    surfaces=st.lists(st.sampled_from(SURFACES), unique=True).map(lambda s: ("post", *s)),
    kinds=st.lists(st.sampled_from(["person", "page", "bot"]), unique=True).map(tuple),
    ages=st.sampled_from([("adult",), ("adult",), ()]),
    waiting_days=st.sampled_from([0, 7, 3650]),
    assistant_audiences=st.lists(st.sampled_from(MAY), unique=True).map(tuple),
    assistant_surfaces=st.lists(st.sampled_from(SURFACES), unique=True).map(tuple),
    unknown_parents=st.sampled_from(["held", "allowed"]),
    waiting_from=st.sampled_from(["published", "collected"]),
)


def frame(*given: dict[str, Any]) -> pl.DataFrame:
    """Facts as the gate takes them; `key` passes through."""
    schema = {name: kind for name, kind in FACTS.items() if name != "objected"}
    found = pl.DataFrame(list(given), schema=schema, orient="row")
    return found.with_columns(key=pl.int_range(pl.len(), dtype=pl.UInt64))


def judge(policy: Policy, *given: dict[str, Any]) -> pl.DataFrame:
    """The gate's verdicts on rows of facts."""
    return gate.judge(frame(*given), KeySet(np.array(OBJECTORS, np.uint64)), policy, AT)
