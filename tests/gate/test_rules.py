"""The rules: what no policy can allow, that doubt never allows, and what each rule decides."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.content.record import MESSAGE_SURFACES
from sayso.errors import SaysoError
from sayso.gate import gate
from sayso.gate.keyset import KeySet
from sayso.gate.policy import Policy, load
from sayso.gate.rules import FACTS, RULES
from tests.gate.conftest import AT, DOMAINS, GOOD, OBJECTORS, frame, judge, policies, rows

quick = settings(max_examples=50)
several = st.lists(rows, max_size=12)
VERDICTS = {rule.name: rule.verdict for rule in RULES} | {"allowed": "allowed"}


@quick
@given(policies, several)
def test_objectors_minors_and_private_messages_are_allowed_by_no_policy(policy, given_rows):
    for row, out in zip(given_rows, judge(policy, *given_rows).to_dicts(), strict=True):
        private = row["audience"] == "direct" or (
            row["surface"] in MESSAGE_SURFACES and row["audience"] not in ("public", "unlisted")
        )
        if row["account_key"] in OBJECTORS:
            assert (out["verdict"], out["rule"]) == ("denied", "objection")
        elif private or row["age_band"] == "minor":
            assert out["verdict"] == "denied"
        if row["account_key"] in OBJECTORS or private or row["age_band"] == "minor":
            assert not out["answerable"]


@quick
@given(policies, several)
def test_verdicts_follow_their_rules_and_add_up(policy, given_rows):
    judged = judge(policy, *given_rows)
    assert judged["key"].to_list() == list(range(len(given_rows)))
    for out in judged.to_dicts():
        assert out["verdict"] == VERDICTS[out["rule"]]
    counts = gate.counts(judged)
    assert sum(n for group in counts.values() for n in group.values()) == len(given_rows)
    assert set(counts) == {"allowed", "denied", "held"}
    for verdict, group in counts.items():
        assert all(VERDICTS[rule] == verdict for rule in group)
        assert sum(group.values()) == (judged["verdict"] == verdict).sum()
    assert len(gate.admit(judged).frame) == sum(counts["allowed"].values())


@quick
@given(policies, rows)
def test_the_first_rule_that_fires_decides(policy, row):
    findings = gate.findings(frame(row), KeySet(np.array(OBJECTORS, np.uint64)), policy, AT)
    assert [f.rule for f in findings] == [rule.name for rule in RULES]
    first = next((f.rule for f in findings if f.fired), "allowed")
    assert judge(policy, row)["rule"].item() == first
    for finding, rule in zip(findings, RULES, strict=True):
        assert set(finding.evidence) == set(rule.evidence)


@quick
@given(policies, several)
def test_what_answers_is_public_and_of_nobody_who_objected(policy, given_rows):
    for row, out in zip(given_rows, judge(policy, *given_rows).to_dicts(), strict=True):
        if out["answerable"]:
            assert row["audience"] == "public"
            assert row["account_key"] not in (0, *OBJECTORS)
            assert (row["age_band"], row["state"]) == ("adult", "active")
            assert not row["quotes_objector"]
            assert not row["item_out"] and not row["shows_objector"]
            assert out["rule"] in ("allowed", "waiting", "frozen")  # those for training only


@quick
@given(policies, rows, st.sampled_from(["unknown", "everyone", None]))
def test_an_unknown_audience_never_trains(policy, row, audience):
    out = judge(policy, row | {"audience": audience}).row(0, named=True)
    assert out["verdict"] != "allowed"
    assert not out["answerable"]


def test_an_unknown_audience_alone_is_held():
    for name in ("strict", "article"):
        found = judge(load(name), GOOD | {"audience": "unknown"})
        assert found.select("verdict", "rule").row(0) == ("held", "audience-unknown")


def variants() -> list[Policy]:
    strict = load("strict")
    return [
        strict,
        load("article"),
        replace(strict, waiting_from="collected", unknown_parents="allowed"),
        replace(strict, waiting_days=0, assistant_audiences=("friends",)),
    ]


@pytest.mark.parametrize("fact", [name for name in DOMAINS if name != "account_key"])
def test_a_missing_fact_allows_nothing_that_some_value_of_it_would_not(fact):
    """Fail closed: if a record passes without the fact, it would pass whatever the fact was."""
    values = [None, *DOMAINS[fact]]
    others = [(name, value) for name in GOOD for value in [None, *DOMAINS[name]] if name != fact]
    bases = [
        GOOD | {name: value} for name, value in others if (name, value) != ("account_key", None)
    ]
    for policy in variants():
        judged = judge(policy, *(base | {fact: value} for base in bases for value in values))
        for number, base in enumerate(bases):
            found = judged[number * len(values) : (number + 1) * len(values)]
            # Two nulls are answers: there is no date, and the parent was never seen.
            if fact == "parent_audience" or (
                fact == "created_at" and base["date_state"] == "absent"
            ):
                continue
            for column, good in (("verdict", "allowed"), ("answerable", True)):
                without, *known = (found[column] == good).to_list()
                refused = [v for v, passes in zip(values[1:], known, strict=True) if not passes]
                assert not without or not refused, (policy.name, column, base, refused)


@quick
@given(policies)
def test_where_nothing_is_known_nothing_is_allowed(policy):
    nothing = dict.fromkeys(GOOD) | {"account_key": 1}
    out = judge(policy, nothing).row(0, named=True)
    assert out["verdict"] == "denied"
    assert not out["answerable"]


@pytest.mark.parametrize("fact", [name for name in FACTS if name != "objected"])
def test_without_a_column_of_facts_nothing_is_judged_at_all(fact):
    keys = KeySet(np.array([], np.uint64))
    with pytest.raises((SaysoError, pl.exceptions.PolarsError)):
        gate.judge(frame(GOOD).drop(fact), keys, load("strict"), AT)


@pytest.mark.parametrize("wrong", ["words", True, 1.5])
def test_facts_of_a_wrong_kind_are_not_judged(wrong):
    keys, facts = KeySet(np.array(OBJECTORS, np.uint64)), frame(GOOD)
    with pytest.raises(SaysoError, match="none is admitted"):
        gate.judge(facts.with_columns(created_at=pl.lit(wrong)), keys, load("strict"), AT)


def test_an_account_without_key_is_not_judged():
    keys = KeySet(np.array(OBJECTORS, np.uint64))
    facts = frame(GOOD, GOOD).with_columns(account_key=pl.Series([1, None], dtype=pl.UInt64))
    with pytest.raises(SaysoError, match="none is admitted"):
        gate.judge(facts, keys, load("strict"), AT)


def test_nothing_but_the_gate_admits():
    with pytest.raises(SaysoError, match="only the gate"):
        gate.Admitted(frame(GOOD), frame(), _token=object())


def days(number: float):
    return AT - timedelta(days=number)


COMMON = [
    ({}, "allowed"),
    ({"account_key": 2}, "objection"),
    ({"account_key": 2, "audience": "direct", "age_band": "minor"}, "objection"),
    ({"audience": "direct"}, "direct-message"),
    ({"surface": "message", "audience": "friends"}, "direct-message"),
    ({"surface": "message"}, "allowed"),
    ({"age_band": "minor"}, "minor"),
    ({"state": "private"}, "account-gone"),
    ({"state": "opted_out"}, "account-gone"),
    ({"train_signal": "deny"}, "machine-readable-no"),
    ({"train_signal": "allow"}, "allowed"),
    ({"train_signal": "unreadable"}, "signal-unreadable"),
    ({"quotes_objector": True}, "quotes-objector"),
    ({"shared_by_several": True}, "shared-by-several"),
    ({"kind": "bot"}, "not-a-person"),
    ({"kind": "page"}, "allowed"),
    ({"surface": "poll"}, "surface-excluded"),
    ({"audience": "unknown"}, "audience-unknown"),
    ({"account_key": 0}, "author-unknown"),
    ({"co_authors": 1}, "several-authors"),
    ({"age_band": "unknown"}, "age-unknown"),
    ({"is_reply": True, "parent_audience": "public"}, "allowed"),
    ({"is_reply": True, "parent_audience": "followers"}, "parent-private"),
    ({"is_reply": True, "parent_audience": "direct"}, "parent-private"),
    ({"is_reply": True}, "parent-unknown"),
    ({"date_state": "unreadable", "created_at": None}, "date-unreadable"),
    ({"date_state": "absent", "created_at": None}, "allowed"),
    ({"created_at": days(25_000)}, "date-unreadable"),  # 1958: older than the epoch
    ({"created_at": days(27)}, "date-unreadable"),  # two days after it was taken in
    ({"created_at": days(28.5)}, "allowed"),  # clocks differ by less than a day
    ({"created_at": days(-1), "ingested_at": days(0)}, "waiting"),
]
STRICT = [
    ({"audience": "unlisted"}, "audience-private"),
    ({"audience": "followers", "assistant": True}, "audience-private"),
    ({"created_at": days(6.9), "ingested_at": days(6)}, "waiting"),
    ({"created_at": days(7.1), "ingested_at": days(0)}, "allowed"),
    ({"date_state": "absent", "created_at": None, "ingested_at": days(6.9)}, "waiting"),
]
ARTICLE = [
    ({"audience": "unlisted"}, "allowed"),
    ({"audience": "followers"}, "audience-private"),
    ({"audience": "followers", "assistant": True}, "allowed"),
    ({"audience": "only_me", "assistant": True, "surface": "reel"}, "allowed"),
    ({"audience": "friends", "assistant": True, "surface": "comment"}, "audience-private"),
    ({"audience": "friends", "assistant": True, "surface": "message"}, "direct-message"),
    ({"audience": "direct", "assistant": True}, "direct-message"),
    ({"audience": "followers", "assistant": True, "account_key": 2}, "objection"),
    ({"created_at": days(0.1), "ingested_at": days(0.1)}, "allowed"),
    ({"is_reply": True, "parent_audience": "friends", "assistant": True}, "parent-private"),
]


@pytest.mark.parametrize(
    ("name", "examples"), [("strict", COMMON + STRICT), ("article", COMMON + ARTICLE)]
)
def test_examples(name, examples):
    judged = judge(load(name), *(GOOD | changes for changes, _ in examples))
    for (changes, expected), rule in zip(examples, judged["rule"], strict=True):
        assert rule == expected, changes


def test_private_posts_may_train_under_article_but_are_never_shown():
    judged = judge(load("article"), GOOD | {"audience": "followers", "assistant": True}, GOOD)
    assert judged["verdict"].to_list() == ["allowed", "allowed"]
    assert judged["answerable"].to_list() == [False, True]


def test_a_waiting_post_answers_but_does_not_train():
    judged = judge(load("strict"), GOOD | {"created_at": days(1), "ingested_at": days(1)})
    assert (judged["verdict"].item(), judged["answerable"].item()) == ("held", True)


def test_waiting_may_count_from_the_collection():
    late = GOOD | {"created_at": days(400), "ingested_at": days(6)}
    strict = load("strict")
    collected = replace(strict, waiting_from="collected")
    assert judge(strict, late)["rule"].item() == "allowed"
    assert judge(collected, late)["rule"].item() == "waiting"
