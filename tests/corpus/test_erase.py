"""Erasing: after an objection nothing of the person is left in any file; others lose nothing."""

import numpy as np
import polars as pl
import pytest
from lance.file import LanceFileReader
from lance.query import MatchQuery

from sayso.assistant.retrieval import search
from sayso.audit.erasure import leftovers, raw_rows
from sayso.corpus import admission, erase
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store
from sayso.corpus.terms import terms
from sayso.errors import UsageError
from sayso.gate.keyset import KeySet
from sayso.rights import items, objections, tombstones
from sayso.rights.database import Rights
from sayso.rights.objection import ITEMS, Given
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, take, texts, traces

MARKER = "zwiebelfisch"
OTHER = "springtide"


@pytest.fixture
def town(workspace):
    """Three people's posts, admitted, in the corpus and in an indexed table for retrieval."""
    fill(workspace, (0, 1, 2))
    return workspace


def fill(workspace, people) -> None:
    said = {0: f"the {OTHER} was high", 1: f"a {MARKER} in the text", 2: "low water"}
    lines = []
    for n in (n for n in range(12) if n % 3 in people):
        lines.append(post(n, f"{said[n % 3]}, part {n} of a long story"))
        if n < 6:
            like = {"actor": f"member-{n % 3}@square", "verb": "like", "object": f"post-{n}"}
            lines.append(event("interaction", **like))
    take(workspace, *lines)
    prepared(workspace)


def prepared(workspace) -> None:
    prepare(workspace, admission.judge_all(workspace, AT))
    Store(workspace).retrieval.erase()  # indexed, and no older versions about


def tables(workspace):
    store = Store(workspace)
    return [store.records, store.corpus, store.retrieval, store.interactions]


def found(workspace, word: str) -> int:
    """Full-text hits, by the index alone."""
    dataset = Store(workspace).retrieval.open()
    return len(dataset.scanner(full_text_query=MatchQuery(terms(word, "en"), "terms")).to_table())


def indexes(workspace) -> list[object]:
    """All word lists in the files of full-text indexes: a word that is gone makes a difference."""
    files = Store(workspace).retrieval.path.glob("_indices/*/*_tokens.lance")
    return [LanceFileReader(str(file)).read_all().to_table().to_pylist() for file in sorted(files)]


def left(workspace) -> list[int]:
    """Rows in each table's raw files of those who object, and of records with a tombstone."""
    rights = Rights(workspace)
    gone = tombstones.frame(rights)["key"].to_numpy()
    objectors = KeySet(objections.objectors(rights))
    return [leftovers(table, gone, objectors)[0] for table in tables(workspace)]


def test_after_an_objection_nothing_of_the_person_is_left(town):
    where = {path.split("/")[1] for path in traces(town, MARKER)}
    assert where == {"records.lance", "corpus.lance", "retrieval.lance"}
    assert found(town, MARKER) == 4
    assert search(town, MARKER, 9)
    objections.receive(Rights(town), "member-1@square")
    assert left(town) == [4, 4, 4, 2]
    assert erase.erase(town) == 4 + 4 + 4 + 2
    assert left(town) == [0, 0, 0, 0]
    assert traces(town, MARKER) == []
    assert found(town, MARKER) == 0
    assert search(town, MARKER, 9) == []
    assert found(town, OTHER) == 4  # nobody else's words went
    assert search(town, OTHER, 9)
    assert len(texts(town)) == 8
    assert erase.erase(town) == 0


def test_the_objection_counts_before_anything_is_erased(town):
    objections.receive(Rights(town), "member-1@square")
    assert found(town, MARKER) == 4
    assert search(town, MARKER, 9) == []
    assert admission.judge_all(town, AT).counts["denied"] == {"objection": 4}


def test_a_single_record_counts_as_out_of_answers_from_the_click_on(town):
    rights, number = Rights(town), town.pseudonyms.number
    before = [source.id for source in search(town, MARKER, 9)]
    owner = {number("record", before[0]): number("account", "member-1@square")}
    given = Given(name="member-1@square", about=ITEMS, confirmed_by="member")
    items.take_out(rights, given, owner)
    assert before[0] not in {source.id for source in search(town, MARKER, 9)}
    items.put_back(rights, "member-1@square", owner)
    assert before[0] in {source.id for source in search(town, MARKER, 9)}


def test_the_index_is_that_of_a_world_without_the_person(town, tmp_path):
    other = Workspace.create(tmp_path / "other", town.settings, KEY)
    fill(other, (0, 2))
    assert indexes(town)[-1:] != indexes(other)
    objections.receive(Rights(town), "member-1@square")
    erase.erase(town)
    assert indexes(town) == indexes(other)


def test_erased_records_are_still_counted_and_explained(town):
    objections.receive(Rights(town), "member-1@square")
    assert erase.mark(town) == 4
    assert erase.mark(town) == 4  # marking again changes nothing
    erase.erase(town)
    judged = admission.judge_all(town, AT)
    assert judged.counts == {"allowed": {"allowed": 8}, "denied": {"objection": 4}, "held": {}}
    rule, (finding,) = admission.explain(town, "post-1", AT)
    assert (rule, finding.verdict, finding.fired) == ("objection", "denied", True)
    stones = tombstones.frame(Rights(town))
    assert stones["reason"].to_list() == ["objection"] * 4
    assert stones["audience"].to_list() == ["public"] * 4
    assert set(stones["account_key"]) == {town.pseudonyms.number("account", "member-1@square")}


def test_the_audit_sees_rows_that_are_only_marked_as_deleted(town):
    """A control: Lance's own delete leaves the bytes, and the look through the files finds them."""
    objections.receive(Rights(town), "member-1@square")
    for table in tables(town):
        mine = table.read(["key", "account_key"]).filter(
            pl.col("account_key") == town.pseudonyms.number("account", "member-1@square")
        )
        table.delete(mine["key"].to_list())
    assert len(texts(town)) == 8
    assert left(town) == [4, 4, 4, 2]
    assert traces(town, MARKER) != []


def test_an_objection_to_one_service_erases_that_services_records(workspace):
    both = [("square", "a@square"), ("gallery", "a@gallery")]
    for number, (service, account) in enumerate(both):
        link = event("account.update", account=account, person="a", age_band="adult")
        here = post(number, f"{MARKER} on the {service}", service=service, author=account)
        take(workspace, link, here)
    prepared(workspace)
    objections.receive(Rights(workspace), "a", services=["gallery"])
    erase.erase(workspace)
    assert texts(workspace) == {"post-0": f"{MARKER} on the square"}
    assert traces(workspace, "on the gallery") == []
    assert sum(left(workspace)) == 0


def test_a_person_whose_every_record_goes_leaves_empty_tables(workspace):
    take(workspace, post(1, MARKER), post(4, MARKER))
    prepared(workspace)
    objections.receive(Rights(workspace), "member-1@square")
    erase.erase(workspace)
    assert traces(workspace, MARKER) == []
    assert all(table.open().count_rows() == 0 for table in tables(workspace))
    take(workspace, post(2, OTHER))
    prepared(workspace)
    assert found(workspace, OTHER) == 1


def test_what_was_deleted_or_edited_goes_from_everywhere(town):
    take(town, event("content.delete", id="post-1"), post(4, "edited", rev=2), post(13))
    for number in (7, 10):
        take(town, event("content.delete", id=f"post-{number}"))
    assert not [t for t in traces(town, MARKER) if "records.lance" in t]
    erase.erase(town)
    left_over = {path.split("/")[1] for path in traces(town, MARKER)}
    assert left_over <= {"corpus.lance", "retrieval.lance"}  # the edit's old revision, until
    prepared(town)
    tidy(town, admission.judge_all(town, AT))
    assert traces(town, MARKER) == []


def test_what_could_not_be_read_goes_with_its_author(workspace):
    """A rejected public line is kept for mending: it, too, is the objector's words."""
    take(workspace, post(1), post(4, MARKER, rev=0))
    assert traces(workspace, MARKER) != []
    objections.receive(Rights(workspace), "member-1@square")
    erase.erase(workspace)
    assert traces(workspace, MARKER) == []


def test_a_withdrawal_lets_in_what_comes_from_now_on(town):
    (objection,) = objections.receive(Rights(town), "member-1@square")
    withdrawn = erase.withdraw(town, objection.number)
    assert not withdrawn.stands
    assert traces(town, MARKER) == []  # erased although the worker never came round
    assert len(texts(town)) == 8
    assert admission.judge_all(town, AT).counts["denied"] == {"objection": 4}
    take(town, post(1, "here again"), post(4, "and here"))
    assert texts(town)["post-1"] == "here again"
    counts = admission.judge_all(town, AT).counts
    assert (counts["allowed"], counts["denied"]) == ({"allowed": 10}, {"objection": 2})
    assert erase.erase(town) == 0


def test_withdrawing_what_does_not_stand_is_refused(town):
    (objection,) = objections.receive(Rights(town), "member-1@square")
    erase.withdraw(town, objection.number)
    for number in (objection.number, "OBJ-0"):
        with pytest.raises(UsageError):
            erase.withdraw(town, number)


def test_a_deletion_outlasts_objection_and_withdrawal(town):
    take(town, event("content.delete", id="post-1"))
    (objection,) = objections.receive(Rights(town), "member-1@square")
    erase.withdraw(town, objection.number)
    take(town, post(1, MARKER, rev=9), post(4, MARKER))
    assert "post-1" not in texts(town)
    assert "post-4" in texts(town)


def test_raw_rows_decodes_what_a_file_holds(town):
    files = sorted((Store(town).records.path / "data").glob("*.lance"))
    rows = pl.concat([raw_rows(file) for file in files])
    wanted = {town.pseudonyms.number("record", f"post-{n}") for n in range(12)}
    assert set(rows["key"]) == wanted
    none = KeySet(np.array([], np.uint64))
    assert leftovers(Store(town).records, rows["key"].to_numpy()[:3], none) == (3, len(files))
