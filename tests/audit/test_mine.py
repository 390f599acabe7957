"""A member's records with their verdicts: as the gate decides, at once where it matters."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.audit import mine, whereabouts
from sayso.corpus import admission
from sayso.corpus.store import Store
from sayso.gate.rules import ALLOWED
from sayso.rights import items, objections
from sayso.rights.database import Rights
from sayso.rights.objection import ITEMS, Given
from sayso.settings import Settings
from sayso.training.train import train
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, take

PERSON = "p:1"
ACCOUNTS = ("member-1@square", "member-4@square")
POSTS = 6
WORDS = "tide mussel rope gull lantern harbour engine paint bread net winter ferry".split()


def mine_of(number: int, **fields: object) -> dict[str, object]:
    """A post of the person, by one account or the other."""
    author = {"id": ACCOUNTS[number % 2], "age_band": "adult"}
    text = " ".join(f"{word}{number}" for word in WORDS[:9])
    return post(number, text, **({"author": author} | fields))


def fill(workspace: Workspace) -> None:
    linked = [event("account.update", account=name, person=PERSON) for name in ACCOUNTS]
    take(workspace, *map(mine_of, range(POSTS)), post(30), *linked)


def key(workspace: Workspace, number: int) -> int:
    return workspace.pseudonyms.number("record", f"post-{number}")


def rules(workspace: Workspace) -> dict[int, str]:
    rights = Rights(workspace)
    frame = mine.records(workspace, rights, mine.member(rights, PERSON))
    assert frame["at"].is_sorted(descending=True)
    assert frame["verdict"].to_list() == [mine.verdict_of(rule) for rule in frame["rule"]]
    return dict(frame.select("key", "rule").iter_rows())


def truth(workspace: Workspace) -> dict[int, str]:
    """What the gate says of the person's stored records at this moment."""
    rights = Rights(workspace)
    theirs = [account.key for account in mine.member(rights, PERSON).accounts]
    judged = admission.judge_all(workspace, AT).records
    return dict(
        judged.filter(pl.col("account_key").is_in(theirs)).select("key", "rule").iter_rows()
    )


@st.composite
def acts(draw: st.DrawFn) -> list[tuple[str, int]]:
    names = ("out", "back", "object", "claim", "withdraw", "state", "signal", "edit", "look")
    return draw(st.lists(st.tuples(st.sampled_from(names), st.integers(0, POSTS - 1)), max_size=8))


def perform(workspace: Workspace, name: str, number: int) -> None:
    rights, account = Rights(workspace), ACCOUNTS[number % 2]
    owner = {key(workspace, number): workspace.pseudonyms.number("account", account)}
    own = [o for o in objections.of_person(rights, PERSON) if o.about == "own" and o.stands]
    match name:
        case "out":
            items.take_out(rights, Given(name=PERSON, about=ITEMS, confirmed_by="member"), owner)
        case "back":
            items.put_back(rights, PERSON, owner)
        case "object" | "claim":
            by = "member" if name == "object" else ""
            where = ("square",) if number % 2 else ("*",)
            given = Given(name=PERSON, services=where, confirmed_by=by)
            objections.receive_all(rights, [given])
        case "withdraw":
            for objection in own[:1]:
                objections.withdraw(rights, objection.number)
        case "state":
            to = "active" if number < 2 else "private"
            take(workspace, event("account.update", account=account, state=to))
        case "signal":
            said = {"train": "deny" if number < 3 else "unset"}
            take(workspace, event("account.update", account=account, policy=said))
        case "edit":
            take(workspace, mine_of(number, rev=number + 2, audience="followers"))
        case "look":
            admission.note(workspace, admission.judge_all(workspace, AT))


@settings(max_examples=12)
@given(acts())
def test_nothing_is_called_allowed_that_the_gate_would_not_allow(chosen: list) -> None:
    """Whatever happens, in any order; and what binds at once is named at once."""
    with TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "home", Settings(), KEY)
        fill(workspace)
        assert set(rules(workspace).values()) == {mine.NOT_JUDGED}
        perform(workspace, "look", 0)
        assert rules(workspace) == truth(workspace)
        for name, number in chosen:
            perform(workspace, name, number)
        shown, true = rules(workspace), truth(workspace)
        for record, rule in true.items():
            told = shown[record]
            assert told == rule or told != ALLOWED, (told, rule)
            if rule in (mine.OBJECTION, mine.ITEM):
                assert told == rule
            assert told in (rule, mine.NOT_JUDGED, mine.AGAIN), (told, rule)
        perform(workspace, "look", 0)
        edited = any(name == "edit" for name, _ in chosen)
        assert edited or rules(workspace) == truth(workspace)


def test_a_person_is_exactly_one(tmp_path: Path) -> None:
    """Not whose account is called what the person's id is, nor who is called nearly so."""
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    fill(workspace)
    adult = {"age_band": "adult"}
    names = ("p:1", "p:10", "P:1", "member-1@square2", "member-1")
    take(
        workspace,
        *(post(50 + n, "strange words", author={"id": a} | adult) for n, a in enumerate(names)),
        *(event("account.update", account=a, person="p:9") for a in names),
    )
    rights = Rights(workspace)
    found = mine.member(rights, PERSON)
    assert {account.account for account in found.accounts} == set(ACCOUNTS)
    assert set(rules(workspace)) == {key(workspace, number) for number in range(POSTS)}
    for nobody in ("", "%", "p:", "member-1@square"):
        nothing = mine.member(rights, nobody)
        assert nothing.accounts == ()
        assert not len(mine.records(workspace, rights, nothing))
        assert not len(mine.reactions(workspace, nothing))
        assert not len(Store(workspace).records.read(where=nothing.where))


@given(st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(0, 2**64 - 1)), max_size=30))
def test_pages_have_no_gap_and_no_repeat(rows: list[tuple[int, int]]) -> None:
    schema = {"at": pl.Int64, "key": pl.UInt64}
    frame = pl.DataFrame(list(set(rows)), schema=schema, orient="row")
    frame = frame.sort("at", "key", descending=True)
    for row in range(len(frame)):
        assert mine.begins(frame, mine.place(frame, row)) == row + 1
        without = frame.slice(0, row).vstack(frame.slice(row + 1))
        assert mine.begins(without, mine.place(frame, row)) == row
    assert mine.begins(frame, "no place") == 0


def test_where_a_record_is_follows_trainings(workspace: Workspace) -> None:
    fill(workspace)
    record, rights = key(workspace, 1), Rights(workspace)

    def where() -> whereabouts.Where:
        return whereabouts.find(workspace, rights, PERSON, [record])[record]

    assert where() == whereabouts.Where()
    first = train(workspace, AT, in_process=True).release
    found = where()
    assert (found.served, found.answers) == (first.name, True)
    assert found.cell in first.names
    assert found.cell.endswith("/2026-03")
    assert [(span.since.name, span.until) for span in found.spans] == [(first.name, None)]
    assert found.prepared is not None
    assert "mussel1" in found.prepared
    owner = {record: workspace.pseudonyms.number("account", ACCOUNTS[1])}
    items.take_out(rights, Given(name=PERSON, about=ITEMS, confirmed_by="member"), owner)
    assert where().served == first.name  # until the next training
    second = train(workspace, AT + timedelta(days=1), in_process=True)
    out = where()
    assert (out.cell, out.served, out.prepared, out.answers) == ("", "", None, False)
    assert [span.until.name for span in out.spans] == [(second.interim or second.release).name]
    other = key(workspace, 3)
    assert whereabouts.find(workspace, rights, PERSON, [other])[other].served
    assert not whereabouts.find(workspace, rights, "p:2", [other])[other].cell
