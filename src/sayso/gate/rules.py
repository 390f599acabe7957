"""The rules, in the order in which they decide: pure Polars expressions over one record's facts.

A rule fires where its expression is true, or null: a check that cannot be made counts against
training (fail closed). The first rule that fires decides.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import polars as pl
from msgspec import Struct

from sayso.content.record import MESSAGE_SURFACES
from sayso.gate.policy import Policy

Verdict = Literal["allowed", "denied", "held"]
ALLOWED: Final = "allowed"
FROZEN: Final = "frozen"
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW: Final = timedelta(days=1)

# The facts a rule may look at, for each record.
FACTS: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "account_key": pl.UInt64,  # the author's account; 0 = no author
    "co_authors": pl.Int32,
    "surface": pl.String,
    "audience": pl.String,
    "date_state": pl.String,  # given | absent | unreadable
    "created_at": pl.Datetime("us", "UTC"),
    "ingested_at": pl.Datetime("us", "UTC"),
    "train_signal": pl.String,  # '' | allow | deny | unreadable
    "kind": pl.String,  # of the account; null = not known
    "age_band": pl.String,
    "state": pl.String,
    "assistant": pl.Boolean,
    "objected": pl.Boolean,
    "item_out": pl.Boolean,  # its author, or a person in it, took this one record out
    "quotes_objector": pl.Boolean,
    "shows_objector": pl.Boolean,  # it has pictures and tags somebody who objected
    "shared_by_several": pl.Boolean,  # the same text came from several people
    "is_reply": pl.Boolean,
    "parent_audience": pl.String,  # null = the parent was never seen
    "frozen": pl.Boolean,  # an objection to it waits to be confirmed, or a match to be looked at
}


class Rule(Struct, frozen=True):
    """One rule: where `fires` is true (or null) the record gets `verdict`."""

    name: str
    verdict: Verdict
    reason: str
    evidence: tuple[str, ...]
    fires: Callable[[Policy, datetime], pl.Expr]
    training_only: bool = False  # does not keep a public post out of answers


def _col(name: str) -> pl.Expr:
    return pl.col(name)


def _assistant_private(policy: Policy) -> pl.Expr:
    return (
        _col("assistant")
        & _col("audience").is_in(policy.assistant_audiences)
        & _col("surface").is_in(policy.assistant_surfaces)
    )


def _audience_allowed(policy: Policy) -> pl.Expr:
    return _col("audience").is_in(policy.audiences) | _assistant_private(policy)


def _since(policy: Policy) -> pl.Expr:
    published = pl.coalesce("created_at", "ingested_at")
    return published if policy.waiting_from == "published" else _col("ingested_at")


RULES: Final = (
    Rule(
        "objection",
        "denied",
        "the author objected (GDPR Art. 21); nothing outweighs it",
        ("objected",),
        lambda policy, at: _col("objected"),
    ),
    Rule(
        "item-objection",
        "denied",
        "its author, or a person in it, took this one out (GDPR Art. 21)",
        ("item_out",),
        lambda policy, at: _col("item_out"),
    ),
    Rule(
        "direct-message",
        "denied",
        "a private message: never used, by no policy",
        ("surface", "audience"),
        lambda policy, at: (
            (_col("audience") == "direct")
            | (
                _col("surface").is_in(MESSAGE_SURFACES)
                & ~_col("audience").is_in(["public", "unlisted"])
            )
        ),
    ),
    Rule(
        "minor",
        "denied",
        "the author is a minor",
        ("age_band",),
        lambda policy, at: _col("age_band") == "minor",
    ),
    Rule(
        "account-gone",
        "denied",
        "the account was deleted, made private or opted out",
        ("state",),
        lambda policy, at: _col("state") != "active",
    ),
    Rule(
        "machine-readable-no",
        "denied",
        "the record itself says, machine-readably, not to train on it (GDPR Art. 21(5))",
        ("train_signal",),
        lambda policy, at: _col("train_signal") == "deny",
    ),
    Rule(
        "quotes-objector",
        "denied",
        "it quotes a record of somebody who objected",
        ("quotes_objector",),
        lambda policy, at: _col("quotes_objector"),
    ),
    Rule(
        "shows-objector",
        "denied",
        "it has pictures and tags somebody who objected",
        ("shows_objector",),
        lambda policy, at: _col("shows_objector"),
    ),
    Rule(
        "shared-by-several",
        "denied",
        "several people posted this text: it is nobody's voice",
        ("shared_by_several",),
        lambda policy, at: _col("shared_by_several"),
    ),
    Rule(
        "not-a-person",
        "denied",
        "the policy leaves this kind of account out",
        ("kind",),
        lambda policy, at: ~_col("kind").is_in(policy.kinds),
    ),
    Rule(
        "surface-excluded",
        "denied",
        "the policy leaves this kind of content out",
        ("surface",),
        lambda policy, at: ~_col("surface").is_in(policy.surfaces),
    ),
    Rule(
        "audience-unknown",
        "held",
        "who could see it is not known",
        ("audience",),
        lambda policy, at: _col("audience") == "unknown",
    ),
    Rule(
        "audience-private",
        "denied",
        "it was not posted for everybody",
        ("audience", "assistant"),
        lambda policy, at: ~_audience_allowed(policy),
    ),
    Rule(
        "parent-private",
        "denied",
        "what it replies to was not posted for everybody",
        ("parent_audience",),
        lambda policy, at: (
            _col("is_reply") & ~_col("parent_audience").fill_null("public").is_in(policy.audiences)
        ),
    ),
    Rule(
        "signal-unreadable",
        "held",
        "its machine-readable word on training cannot be read, and that is never a yes",
        ("train_signal",),
        lambda policy, at: ~_col("train_signal").is_in(["", "allow"]),
    ),
    Rule(
        "author-unknown",
        "held",
        "it has no author who could object",
        ("account_key",),
        lambda policy, at: _col("account_key") == 0,
    ),
    Rule(
        "several-authors",
        "held",
        "it has several authors, and each would have to be asked",
        ("co_authors",),
        lambda policy, at: _col("co_authors") > 0,
    ),
    Rule(
        "age-unknown",
        "held",
        "the author is not known to be an adult",
        ("age_band",),
        lambda policy, at: ~_col("age_band").is_in(policy.ages),
    ),
    Rule(
        "parent-unknown",
        "held",
        "what it replies to was never seen",
        ("is_reply", "parent_audience"),
        lambda policy, at: (
            pl.lit(policy.unknown_parents == "held")
            & _col("is_reply")
            & _col("parent_audience").is_null()
        ),
    ),
    Rule(
        "date-unreadable",
        "held",
        "its date cannot be read or cannot be true",
        ("date_state", "created_at"),
        lambda policy, at: (
            ~_col("date_state").is_in(["given", "absent"])
            | _col("ingested_at").is_null()
            | (
                (_col("date_state") == "given")
                & (
                    (_col("created_at") < EARLIEST)
                    | (_col("created_at") > _col("ingested_at") + CLOCK_SKEW)
                )
            )
        ),
    ),
    Rule(
        "waiting",
        "held",
        "its waiting time is not over",
        ("created_at", "ingested_at"),
        lambda policy, at: _since(policy) + timedelta(days=policy.waiting_days) > pl.lit(at),
        training_only=True,
    ),
    Rule(
        FROZEN,
        "held",
        "an objection to it waits to be confirmed (GDPR Art. 18(1)(d)): nothing new trains on it",
        ("frozen",),
        lambda policy, at: _col("frozen"),
        training_only=True,
    ),
)

BY_NAME: Final = {rule.name: rule for rule in RULES}
