"""What the gate is told of each record, why it decided, and the note of it in the ledger."""

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import polars as pl
import pytest

from sayso import report
from sayso.corpus import admission, erase
from sayso.corpus.ingest import import_stream
from sayso.errors import UsageError
from sayso.gate import policy
from sayso.rights import ledger, objections
from sayso.rights.database import Rights
from sayso.rights.ledger import Entry
from sayso.rights.signals.model import evidence, said
from sayso.training.compare import compare
from sayso.workspace import Workspace

from ..conftest import AT

LONG = "the same old joke that everybody in this harbour tells each winter again"


def take_in(workspace: Workspace, *events: dict[str, Any]) -> None:
    lines = b"\n".join(msgspec.json.encode(event) for event in events)
    import_stream(workspace, io.BytesIO(lines), "events")


def account(name: str, **fields: str) -> dict[str, Any]:
    return {"type": "net.account.update", "data": {"account": name, "age_band": "adult"} | fields}


def post(name: str, author: str = "member-1@square", **fields: object) -> dict[str, Any]:
    return {
        "id": name,
        "service": author.rpartition("@")[2],
        "author": author,
        "audience": "public",
        "created_at": "2026-09-05T08:00:00Z",
        "text": f"a text that only {name} has",
    } | fields


def deleted(name: str) -> dict[str, Any]:
    return {"type": "net.content.delete", "data": {"id": name}}


def facts(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in admission.judge_all(workspace, AT).records.to_dicts()}


def rules(workspace: Workspace) -> dict[str, str]:
    return {name: row["rule"] for name, row in facts(workspace).items()}


def objects(workspace: Workspace, person: str) -> str:
    return objections.receive(Rights(workspace), person)[0].number


def entries(workspace: Workspace, kind: str) -> list[Entry]:
    with Rights(workspace).reading() as connection:
        return [entry for entry in ledger.read(connection) if entry.kind == kind]


def erasing(workspace: Workspace) -> Iterator[None]:
    """Go on before the tombstones, with them, and after the bytes went."""
    yield
    erase.mark(workspace)
    yield
    erase.erase(workspace)
    yield


@pytest.fixture
def town(workspace: Workspace) -> Workspace:
    """Three adults whose posts train unless something else speaks against it."""
    take_in(
        workspace,
        *(account(f"member-{n}@square", person=f"person-{n}") for n in (1, 2, 3)),
        account("member-1@gallery", person="person-1"),
    )
    return workspace


@pytest.mark.parametrize(
    ("parent", "audience", "rule"),
    [
        ("public", "public", "allowed"),
        ("followers", "followers", "parent-private"),
        ("unlisted", "unlisted", "parent-private"),
        ("deleted", "public", "allowed"),
        ("deleted-followers", "followers", "parent-private"),
        ("objector", "public", "allowed"),
        ("letter", "direct", "parent-private"),
        ("deleted-unseen", "unknown", "parent-private"),
        ("unseen", None, "parent-unknown"),
    ],
)
def test_a_reply_is_judged_by_its_parents_audience(
    town: Workspace, parent: str, audience: str | None, rule: str
) -> None:
    take_in(
        town,
        post("public"),
        post("followers", audience="followers"),
        post("unlisted", audience="unlisted"),
        post("deleted"),
        post("deleted-followers", audience="followers"),
        post("objector", "member-3@square"),
        post("letter", audience="direct"),
        post("reply", "member-2@square", reply_to=parent),
    )
    take_in(town, deleted("deleted"), deleted("deleted-followers"), deleted("deleted-unseen"))
    objects(town, "person-3")
    for _ in erasing(town):
        reply = facts(town)["reply"]
        assert reply["is_reply"]
        assert (reply["parent_audience"], reply["rule"]) == (audience, rule)


def test_a_parent_that_comes_later_counts(town: Workspace) -> None:
    take_in(town, post("reply", reply_to="parent"), post("no-reply"))
    assert rules(town) == {"reply": "parent-unknown", "no-reply": "allowed"}
    take_in(town, post("parent", "member-2@square"))
    assert rules(town)["reply"] == "allowed"
    take_in(town, post("parent", "member-2@square", rev=2, audience="only_me"))
    assert rules(town)["reply"] == "parent-private"


def test_a_quote_of_somebody_who_objects_is_denied_whatever_is_left_of_theirs(
    town: Workspace,
) -> None:
    take_in(
        town,
        post("theirs", "member-3@square"),
        post("others", "member-1@square"),
        post("quotes-them", "member-2@square", quote_of="theirs"),
        post("quotes-others", "member-2@square", quote_of="others"),
        post("quotes-unseen", "member-2@square", quote_of="never-seen"),
    )
    assert set(rules(town).values()) == {"allowed"}
    number = objects(town, "person-3")
    for _ in erasing(town):
        found = facts(town)
        quoting = {name for name, row in found.items() if row["quotes_objector"]}
        assert quoting == {"quotes-them"}
        assert found["quotes-them"]["rule"] == "quotes-objector"
        assert found["quotes-others"]["rule"] == "allowed"
    erase.withdraw(town, number)
    assert rules(town)["quotes-them"] == "allowed"


def test_a_text_of_several_people_is_nobodys_even_after_one_of_them_objects(
    town: Workspace,
) -> None:
    take_in(
        town,
        post("first", "member-1@square", text=LONG),
        post("second", "member-2@square", text=LONG.upper() + "!"),
        post("own", "member-3@square"),
        post("short", "member-1@square", text="good morning"),
        post("short-too", "member-2@square", text="good morning"),
    )
    shared = {name for name, row in facts(town).items() if row["shared_by_several"]}
    assert shared == {"first", "second"}
    objects(town, "person-2")
    erase.erase(town)
    assert rules(town) == {"first": "shared-by-several", "own": "allowed", "short": "allowed"}


def test_a_persons_accounts_do_not_make_several_people(town: Workspace) -> None:
    take_in(town, *(post(where, f"member-1@{where}", text=LONG) for where in ("square", "gallery")))
    assert set(rules(town).values()) == {"allowed"}
    take_in(town, account("member-1@gallery", person="person-9"))
    assert set(rules(town).values()) == {"shared-by-several"}
    take_in(town, account("member-1@gallery", person="person-1"))
    assert set(rules(town).values()) == {"allowed"}


def test_every_record_is_counted_once(town: Workspace) -> None:
    take_in(
        town,
        *(post(f"post-{n}", f"member-{n % 3 + 1}@square") for n in range(9)),
        post("letter", audience="direct"),
        post("gone"),
        deleted("gone"),
    )
    objects(town, "person-1")
    denied = {"objection": 3, "direct-message": 1, "deleted": 1}
    for _ in erasing(town):
        counts = admission.judge_all(town, AT).counts
        assert counts == {"allowed": {"allowed": 6}, "denied": denied, "held": {}}


def test_explain_agrees_with_the_verdicts(town: Workspace) -> None:
    take_in(
        town,
        post("good"),
        post("private", audience="followers"),
        post("unseen-parent", reply_to="nowhere"),
        post("young", created_at="2026-11-22T08:00:00Z"),
        post("authorless", "", service="square"),
        post("no", policy={"train": "deny"}),
        post("stranger", "member-8@square"),
    )
    found = rules(town)
    assert len(found) == 7
    for name, rule in found.items():
        explained, findings = admission.explain(town, name, AT)
        assert explained == rule
        fired = [finding.rule for finding in findings if finding.fired]
        assert fired[:1] == ([] if rule == "allowed" else [rule])
        assert all(finding.reason and finding.verdict in ("denied", "held") for finding in findings)


def test_explain_says_why_a_record_is_not_there(town: Workspace) -> None:
    take_in(
        town,
        post("gone"),
        deleted("gone"),
        post("letter", audience="direct"),
        post("theirs", "member-3@square"),
    )
    objects(town, "person-3")
    assert admission.explain(town, "theirs", AT)[0] == "objection"
    erase.erase(town)
    expected = {"gone": "deleted", "letter": "direct-message", "theirs": "objection"}
    for name, rule in expected.items():
        explained, (finding,) = admission.explain(town, name, AT)
        assert explained == finding.rule == rule
        assert (finding.fired, finding.verdict) == (True, "denied")
        assert finding.reason
    with pytest.raises(UsageError) as caught:
        admission.explain(town, "never-seen", AT)
    assert caught.value.hint
    assert "never-seen" not in caught.value.problem


def test_the_ledger_notes_changes_once_and_only_changes(town: Workspace) -> None:
    def note() -> int:
        return admission.note(town, admission.judge_all(town, AT))

    def changes(entry: Entry) -> set[tuple[str | None, str | None]]:
        path = town.content / "verdict-changes" / f"{entry.body['changes']}.parquet"
        data = path.read_bytes()
        assert hashlib.blake2b(data, digest_size=16).hexdigest() == entry.body["changes"]
        frame = pl.read_parquet(data)
        assert frame["key"].n_unique() == len(frame) == entry.body["changed"]
        return set(frame.select("before", "after").rows())

    take_in(town, post("a"), post("b", "member-2@square"), post("letter", audience="direct"))
    assert (note(), note()) == (3, 0)
    take_in(town, post("c", "member-3@square"), deleted("b"))
    assert (note(), note()) == (2, 0)
    objects(town, "person-3")
    assert (note(), note()) == (1, 0)
    erase.erase(town)
    assert note() == 0
    noted = entries(town, "gate")
    assert len(noted) == 3
    assert changes(noted[0]) == {(None, "allowed"), (None, "direct-message")}
    assert changes(noted[1]) == {(None, "allowed"), ("allowed", "deleted")}
    assert changes(noted[2]) == {("allowed", "objection")}
    assert noted[2].body["denied"] == {"deleted": 1, "direct-message": 1, "objection": 1}


def test_a_policys_difference_is_counted_record_by_record(
    town: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in(
        town,
        post("public"),
        *(post(f"unlisted-{n}", audience="unlisted") for n in range(3)),
        *(post(f"young-{n}", created_at="2026-11-22T08:00:00Z") for n in range(2)),
    )

    def difference(name: str) -> object:
        report.policy_diff(compare(town, AT, policy.load(name)), as_json=True)
        return json.loads(capsys.readouterr().out)["changes"]

    assert difference("article") == [
        {"from": "audience-private", "to": "allowed", "records": 3},
        {"from": "waiting", "to": "allowed", "records": 2},
    ]
    assert difference("strict") == []


def test_using_a_policy_is_noted_with_its_hash(town: Workspace) -> None:
    admission.use_policy(town, "article")
    (entry,) = entries(town, "policy")
    assert entry.body == {"name": "article", "hash": policy.load("article").digest}
    again = Workspace.open(town.home)
    assert again.settings == msgspec.structs.replace(town.settings, policy="article")
    assert admission.judge_all(again, AT).policy == policy.load("article")


def test_a_parent_whose_account_goes_private_takes_its_replies_along(town):
    take_in(town, post("parent"), post("reply", "member-2@square", reply_to="parent"))
    assert rules(town)["reply"] == "allowed"
    take_in(town, account("member-1@square", state="private"))
    assert rules(town) == {"parent": "account-gone", "reply": "parent-private"}
    take_in(town, account("member-1@square", state="active"))
    assert rules(town)["reply"] == "allowed"


@pytest.mark.parametrize(
    ("record", "person", "rule"),
    [
        ("unset", "deny", "machine-readable-no"),
        ("allow", "deny", "machine-readable-no"),
        ("deny", "allow", "machine-readable-no"),
        ("allow", "unheard of", "signal-unreadable"),
        ("maybe", "allow", "signal-unreadable"),
        ("unset", "allow", "allowed"),
    ],
)
def test_an_accounts_word_on_training_holds_for_its_records(town, record, person, rule):
    # As a software sets it: a person's own no would be an objection, and erase the record.
    default = evidence([said("activitypub", "deny", raw={"indexable": False})])
    word = {"account": "member-1@square", "policy": {"train": person}, "evidence": default}
    take_in(town, post("a", policy={"train": record}), {"type": "net.account.update", "data": word})
    assert rules(town) == {"a": rule}
    word["policy"] = {"train": "unset"}
    take_in(town, {"type": "net.account.update", "data": word})
    assert rules(town)["a"] == {"deny": "machine-readable-no", "maybe": "signal-unreadable"}.get(
        record, "allowed"
    )


def test_services_of_adults_are_the_operators_word(town):
    minor = {"id": "pupil@square", "age_band": "minor"}
    unknown = {"id": "somebody@square", "age_band": "unknown"}
    take_in(
        town,
        post("a", "stranger@square"),
        post("b", "pupil@square") | {"author": minor},
        post("c", "somebody@square") | {"author": unknown},
    )
    assert rules(town) == {"a": "age-unknown", "c": "age-unknown"}  # a minor's are not stored
    own = msgspec.structs.replace(policy.load("strict"), adult_services=("square",))
    judged = admission.judge_all(town, AT, own)
    assert dict(judged.records.select("id", "rule").iter_rows()) == {
        "a": "allowed",
        "c": "age-unknown",
    }
    assert judged.counts["denied"] == {"minor": 1}


def test_what_moves_takes_its_objections_along(town):
    take_in(town, post("a", "stranger@elsewhere"), account("stranger@elsewhere"))
    objects(town, "person-1")
    take_in(town, account("member-1@square", moved_to="stranger@elsewhere"))
    take_in(town, post("b", "stranger@elsewhere"))
    assert rules(town) == {"a": "objection"}
