"""Taking in: the same whatever the order, the batches, the repetitions and interruptions."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lance
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sayso.corpus import ingest
from sayso.corpus.store import Store, Table
from sayso.errors import InputError, WorkspaceError
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.world import event, lines, post, state, take, texts, traces

MARKER = "zwiebelfisch"
# An example makes whole workspaces, so they are few, and a failing one is not made smaller.
few = settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


@contextmanager
def fresh() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory(prefix="sayso-test-") as folder:
        yield Workspace.create(Path(folder) / "home", Settings(), KEY)


def after(given_lines: list[object], batch: int = 4000) -> dict[str, list[object]]:
    """What importing these lines leaves."""
    with fresh() as workspace:
        take(workspace, *given_lines, batch=batch)
        return state(workspace)


@st.composite
def posts(draw) -> dict[str, object]:
    # The same id and revision always says the same, as on every real service.
    number, rev = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    fields = {"rev": rev, "audience": "followers" if (number, rev) == (1, 2) else "public"}
    if number > 2:
        fields |= {"reply_to": f"post-{number - 3}", "surface": "comment"}
    return post(number, f"text {rev} of {number}", **fields)


reactions = st.builds(
    lambda who, what: event(
        "interaction", actor=f"member-{who}@square", verb="like", object=f"post-{what}"
    ),
    st.integers(0, 1),
    st.integers(0, 1),
)
deletions = st.integers(0, 2).map(lambda number: event("content.delete", id=f"post-{number}"))
changes = st.builds(
    lambda who, fields: event("account.update", account=f"member-{who}@square", **fields),
    st.integers(0, 2),
    st.sampled_from([{"state": "private"}, {"state": "active"}, {"kind": "bot"}]),
)
sizes = st.integers(1, 7)


@few
@given(st.lists(posts(), min_size=2, max_size=10), st.randoms(), sizes, sizes)
def test_revisions_in_any_order_and_batch_leave_the_highest(given_posts, random, one, other):
    shuffled = list(given_posts)
    random.shuffle(shuffled)
    first = after(given_posts, one)
    assert first == after(shuffled, other)
    highest: dict[object, int] = {}
    for fields in given_posts:
        highest[fields["id"]] = max(fields["rev"], highest.get(fields["id"], 0))
    assert {row["id"]: row["rev"] for row in first["records"]} == highest


@few
@given(st.lists(st.one_of(posts(), posts(), reactions, changes), min_size=2, max_size=12), sizes)
def test_batches_and_repetitions_make_no_difference(given_lines, size):
    with fresh() as workspace:
        take(workspace, *given_lines, batch=size)
        once = state(workspace)
        again = take(workspace, *given_lines, batch=size)
        assert (again.stored, again.updated) == (0, 0)
        assert state(workspace)["records"] == once["records"]
        assert state(workspace)["interactions"] == once["interactions"]
    assert once == after(given_lines)


@few
@given(st.lists(st.one_of(posts(), posts(), deletions), min_size=2, max_size=12), sizes)
def test_batches_make_no_difference_to_deletions(given_lines, size):
    found, whole = after(given_lines, size), after(given_lines)
    for table in ("records", "fingerprints", "tombstones", "verdicts"):
        assert found[table] == whole[table], table


def test_a_reply_to_a_deleted_post_is_judged_the_same_in_any_batch():
    reply = post(1, "indeed", reply_to="post-0")
    given_lines = [post(0), reply, event("content.delete", id="post-0")]
    verdicts = [after(given_lines, batch)["verdicts"] for batch in (1, 2, 4000)]
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_a_quote_of_an_objectors_deleted_post_is_denied_in_any_batch():
    quote = post(1, "see there", quote_of="post-0")
    for batch in (1, 4000):
        with fresh() as workspace:
            take(workspace, post(0), quote, event("content.delete", id="post-0"), batch=batch)
            objections.receive(Rights(workspace), "member-0@square")
            rules = [row["rule"] for row in state(workspace)["verdicts"]]
        assert rules == ["quotes-objector"], batch


def test_a_reaction_with_two_values_counts_the_same_in_any_batch():
    dwelt = {"actor": "member-1@square", "verb": "dwell", "object": "post-1", "unit": "s"}
    given_lines = [event("interaction", **dwelt, value=value) for value in (1, 2)]
    assert after(given_lines, 1)["interactions"] == after(given_lines, 2)["interactions"]


@pytest.mark.parametrize("batch", [1, 4000])
def test_a_minor_stays_a_minor_in_any_batch(workspace, batch):
    minor = {"id": "member-1@square", "age_band": "minor"}
    take(workspace, post(1), post(4, author=minor), post(7), batch=batch)
    assert state(workspace)["verdicts"] == []
    assert {row["reason"] for row in state(workspace)["tombstones"]} == {"minor"}


def test_a_deletion_counts_whichever_comes_first(workspace):
    take(workspace, event("content.delete", id="post-1"), post(1, MARKER), post(2))
    done = take(workspace, post(1, MARKER, rev=9), event("content.delete", id="post-2"))
    assert (done.deletions, done.skipped) == (1, {"deleted before": 1})
    assert texts(workspace) == {}
    assert traces(workspace, MARKER) == []


@pytest.mark.parametrize("batch", [1, 4000])
def test_an_edit_leaves_nothing_of_the_old_words(workspace, batch):
    done = take(workspace, post(1, f"{MARKER} was here"), post(2, "stays", rev=2), batch=batch)
    assert (done.stored, done.updated) == (2, 0)
    assert traces(workspace, MARKER) != []  # the search finds what is there
    done = take(workspace, post(1, "edited", rev=2), post(2, "older", rev=1), batch=batch)
    assert (done.stored, done.updated, done.unchanged) == (0, 1, 1)
    assert texts(workspace) == {"post-1": "edited", "post-2": "stays"}
    assert traces(workspace, MARKER) == []


@pytest.mark.parametrize("batch", [1, 4000])
def test_an_edit_without_a_revision_counts_as_one(workspace, batch):
    take(workspace, post(1, "before"), post(1, "after"), batch=batch)
    assert texts(workspace) == {"post-1": "after"}
    again = take(workspace, post(1, "after"), batch=batch)
    assert (again.updated, again.unchanged) == (0, 1)


@pytest.mark.parametrize("batch", [1, 4000])
def test_nothing_becomes_public_again_without_a_newer_revision(workspace, batch):
    flips = [post(1), post(1, audience="only_me"), post(1)]
    take(workspace, *flips, batch=batch)
    assert Store(workspace).records.read(["audience"])["audience"].to_list() == ["only_me"]
    take(workspace, post(1, rev=2), batch=batch)
    assert Store(workspace).records.read(["audience"])["audience"].to_list() == ["public"]


@pytest.mark.parametrize("batch", [1, 2, 4000])
def test_a_deletion_is_taken_back_only_by_its_opposite(workspace, batch):
    gone, back = (event(f"content.{name}", id="post-1") for name in ("delete", "undelete"))
    take(workspace, post(1, MARKER), gone, post(1, MARKER, rev=5), batch=batch)
    assert texts(workspace) == {}
    take(workspace, back, post(1, rev=6), batch=batch)
    assert list(texts(workspace)) == ["post-1"]
    assert traces(workspace, MARKER) == []


@pytest.mark.parametrize("batch", [1, 2, 4000])
def test_a_deleted_account_takes_everything_along(workspace, batch):
    def account(state):
        return event("account.update", account="member-1@square", state=state)

    like = event("interaction", actor="member-1@square", verb="like", object="post-2")
    take(
        workspace, post(1, MARKER), post(2), like, account("deleted"), post(4, MARKER), batch=batch
    )
    assert list(texts(workspace)) == ["post-2"]
    assert Store(workspace).interactions.open().count_rows() == 0
    assert traces(workspace, MARKER) == []
    take(workspace, account("active"), post(4), batch=batch)
    assert sorted(texts(workspace)) == ["post-2", "post-4"]


@pytest.mark.parametrize("batch", [1, 4000])
def test_a_reaction_is_taken_back_by_its_id(workspace, batch):
    like = event("interaction", actor="m@square", verb="like", object="post-2", id="like-1")
    take(workspace, like, event("content.delete", id="like-1"), batch=batch)
    assert Store(workspace).interactions.open().count_rows() == 0
    take(workspace, like, batch=batch)  # a late copy
    assert Store(workspace).interactions.open().count_rows() == 0


def test_reactions_are_stored_once(workspace):
    like = {"actor": "member-1@square", "verb": "like", "object": "post-1"}
    times = [{"at": "2026-03-01T08:00:00Z"}, {"at": "2026-03-01T10:00:00+02:00"}, {"at": "once"}]
    given_lines = [event("interaction", **like | at) for at in (*times, {}, {})]
    for batch in (1, 4000):
        assert take(workspace, *given_lines, batch=batch).interactions == 5
        assert Store(workspace).interactions.open().count_rows() == 2  # with a time, and without
    take(workspace, event("interaction", **like | {"actor": "member-2@square"}))
    assert Store(workspace).interactions.open().count_rows() == 3


def test_what_is_rejected_is_kept_with_place_and_reason(workspace, tmp_path):
    public = b'{"id":"1","audience":"public","text":"\xff ' + MARKER.encode() + b'"}'
    secret = b'{"id":"1","audience":"friends","rev":0,"text":"between us"}'
    path = tmp_path / "some.jsonl"
    path.write_bytes(lines(post(1), public, post(2), secret, b"garbage"))
    done = ingest.import_paths(workspace, [path])
    assert (done.read, done.stored, len(done.rejected)) == (5, 2, 3)
    kept = [msgspec.json.decode(line) for line in Path(done.rejects_file).read_bytes().splitlines()]
    assert [(r["file"], r["where"]) for r in kept] == [
        ("some.jsonl", f"line {n}") for n in (2, 4, 5)
    ]
    assert all(r["reason"] for r in kept)
    assert MARKER in kept[0]["raw"]
    assert "raw" not in kept[1]
    assert "raw" not in kept[2]


def test_several_files_come_in_accounts_first_and_others_are_counted(workspace, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines(post(1)))
    bot = event("account.update", account="member-1@square", kind="bot")
    (folder / "accounts.jsonl").write_bytes(lines(bot))
    (folder / "readme.txt").write_text("no source")
    seen = []
    done = ingest.import_paths(workspace, [folder], lambda *at: seen.append(at))
    assert (done.files, done.stored, done.accounts) == (2, 1, 1)
    assert done.skipped == {"file of no use": 1}
    total = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
    assert seen[-1] == ("in", total, total)


def test_one_path_that_is_none_and_nothing_is_imported(workspace, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(post(1)))
    with pytest.raises(InputError):
        ingest.import_paths(workspace, [tmp_path / "a.jsonl", tmp_path / "missing"])
    assert texts(workspace) == {}


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_an_interrupted_import_is_finished_by_importing_again(tmp_path, stop_after):
    bot = event("account.update", account="member-2@square", kind="bot")
    contents = [
        [post(1), event("content.delete", id="post-6"), post(3)],
        [post(1, "edited", rev=2), post(2), bot],
        [post(3, audience="direct"), post(6), b"garbage", post(4, reply_to="post-5"), post(5)],
    ]
    files = [tmp_path / f"{number}.jsonl" for number in range(len(contents))]
    for path, given_lines in zip(files, contents, strict=True):
        path.write_bytes(lines(*given_lines))
    straight = Workspace.create(tmp_path / "straight", Settings(), KEY)
    ingest.import_paths(straight, files)
    cut = Workspace.create(tmp_path / "cut", Settings(), KEY)
    calls = []

    def progress(name: str, done: int, total: int) -> None:
        calls.append(name)
        if len(calls) == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.import_paths(cut, files, progress)
    ingest.import_paths(cut, files)
    assert state(cut) == state(straight)


fields = st.dictionaries(
    st.sampled_from(["id", "author", "text", "service", "created_at", "language", "reply_to"]),
    st.one_of(st.text(), st.integers(), st.none()),
    max_size=7,
)


@few
@given(st.lists(fields, max_size=8))
def test_whatever_is_in_the_lines_the_import_ends_well(given_lines):
    known = {"id": "\x00", "service": "s", "text": "x"}
    given_lines = [line if n % 2 else known | line for n, line in enumerate(given_lines)]
    with fresh() as workspace:
        done = take(workspace, *given_lines)
        counts = done.stored + done.updated + done.unchanged + len(done.rejected)
        assert counts <= done.read == len(given_lines)
        assert len(state(workspace)["records"]) == done.stored


def test_an_objectors_posts_are_not_stored_but_counted_as_erased(workspace):
    objections.receive(Rights(workspace), "member-1@square")
    done = take(workspace, post(1, MARKER), post(2))
    assert (done.stored, list(texts(workspace))) == (1, ["post-2"])
    assert [row["reason"] for row in state(workspace)["tombstones"]] == ["objection"]
    assert traces(workspace, MARKER) == []


def test_a_table_of_another_version_is_said_to_be_one(workspace):
    take(workspace, post(1))
    table = Store(workspace).records
    lance.dataset(str(table.path)).drop_columns(["url"])
    with pytest.raises(WorkspaceError, match="another version"):
        take(workspace, post(2))


def test_a_deletion_cut_off_before_the_row_went_is_finished_by_the_same_again(
    workspace, monkeypatch
):
    class CutError(Exception):
        """The process ends here."""

    def cut(*_):
        raise CutError

    take(workspace, post(1, MARKER), post(2))
    gone = event("content.delete", id="post-1")
    with monkeypatch.context() as patch, pytest.raises(CutError):
        patch.setattr(Table, "remove", cut)
        take(workspace, gone)
    take(workspace, gone)
    assert list(texts(workspace)) == ["post-2"]
    assert traces(workspace, MARKER) == []
