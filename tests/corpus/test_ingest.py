"""Taking in: the same whatever the batches and repetitions, and never a private message."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.corpus import ingest
from sayso.corpus.store import Store
from sayso.errors import InputError, RefusedError
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.world import event, lines, post, state, take, texts, traces

MARKER = "zwiebelfisch"
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def fresh() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory(prefix="sayso-test-") as folder:
        yield Workspace.create(Path(folder) / "home", Settings(), KEY)


def after(given_lines: list[object], batch: int = 4000) -> dict[str, list[object]]:
    """What importing these lines leaves."""
    with fresh() as workspace:
        for line in given_lines if batch == 0 else [given_lines]:
            take(workspace, *(line if batch else [line]), batch=batch or 1)
        return state(workspace)


@st.composite
def posts(draw) -> dict[str, object]:
    # The same id and revision always says the same, as on every real service.
    number, rev = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    audience = "followers" if (number, rev) == (1, 2) else "public"
    fields = {"rev": rev, "audience": audience}
    if number > 2:
        fields |= {"reply_to": f"post-{number - 3}", "surface": "comment"}
    return post(number, f"text {rev} of {number}", **fields)


reactions = st.builds(
    lambda who, what, value: event(
        "interaction",
        actor=f"member-{who}@square",
        verb="dwell",
        object=f"post-{what}",
        value=value,
    ),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(1, 2),
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
    highest = {str(p["id"]): max(q["rev"] for q in given_posts if q["id"] == p["id"])
               for p in given_posts}  # fmt: skip
    assert {r["id"]: r["rev"] for r in first["records"]} == highest


@few
@given(st.lists(st.one_of(posts(), posts(), reactions, changes), min_size=2, max_size=12), sizes)
def test_batches_make_no_difference(given_lines, size):
    assert after(given_lines) == after(given_lines, size)


@few
@given(st.lists(st.one_of(posts(), posts(), deletions), min_size=2, max_size=12), sizes)
def test_batches_make_no_difference_to_deletions_and_replies(given_lines, size):
    assert after(given_lines) == after(given_lines, size)


@few
@given(st.lists(st.one_of(posts(), reactions, deletions, changes), min_size=1, max_size=10), sizes)
def test_importing_again_changes_nothing(given_lines, size):
    with fresh() as workspace:
        take(workspace, *given_lines, batch=size)
        once = state(workspace)
        again = take(workspace, *given_lines, batch=size)
        assert state(workspace) == once
        assert (again.stored, again.updated) == (0, 0)


@pytest.mark.parametrize("batch", [1, 4000])
def test_a_minor_stays_a_minor_in_any_batch(workspace, batch):
    minor = {"id": "member-1@square", "age_band": "minor"}
    take(workspace, post(1), post(4, author=minor), post(7), batch=batch)
    assert {row["rule"] for row in state(workspace)["verdicts"]} == {"minor"}


def test_a_deletion_counts_whichever_comes_first(workspace):
    take(workspace, event("content.delete", id="post-1"), post(1, MARKER), post(2))
    done = take(workspace, post(1, MARKER, rev=9), event("content.delete", id="post-2"))
    assert (done.deletions, done.skipped) == (1, {"deleted before": 1})
    assert texts(workspace) == {}
    assert traces(workspace, MARKER) == []


@pytest.mark.parametrize("batch", [1, 4000])
def test_an_edit_leaves_nothing_of_the_old_words(workspace, batch):
    done = take(workspace, post(1, f"{MARKER} was here"), post(2, "stays"), batch=batch)
    assert (done.stored, done.updated) == (2, 0)
    assert traces(workspace, MARKER) != []  # the search finds what is there
    done = take(workspace, post(1, "edited", rev=2), post(2, "not newer"), batch=batch)
    assert (done.stored, done.updated, done.unchanged) == (0, 1, 1)
    assert texts(workspace) == {"post-1": "edited", "post-2": "stays"}
    assert traces(workspace, MARKER) == []


def test_a_post_made_private_message_later_goes(workspace):
    take(workspace, post(1, f"{MARKER} was here"), post(2))
    take(workspace, post(1, f"{MARKER} was here", rev=2, audience="direct"))
    assert list(texts(workspace)) == ["post-2"]
    assert traces(workspace, MARKER) == []
    take(workspace, post(1, f"{MARKER} again", rev=3))
    assert traces(workspace, MARKER) == []


def private_messages() -> list[object]:
    """Messages of every kind, with the marker in every text of them."""
    secret = {
        "id": f"{MARKER}-1",
        "service": MARKER,
        "author": {"id": f"{MARKER}@square", "age_band": "adult", "kind": MARKER},
        "text": f"{MARKER} is between us",
        "content_warning": MARKER,
        "media": [{"path": f"{MARKER}.png", "alt": MARKER}],
        "reply_to": f"{MARKER}-0",
        "license": MARKER,
        "source": MARKER,
        "created_at": "2026-03-01",
    }
    made: list[object] = []
    for surface in ("post", "message", "letter", "chat", "direct"):
        for audience in ("direct", "friends", "unknown", None):
            message = secret | {"surface": surface, "audience": audience}
            if surface == "post" and audience != "direct":
                continue  # a post for few; no message
            whole = lines(message).strip()
            made += [
                message,
                event("content.upsert", **message),
                whole[:-20],
                whole[:-2] + b"\xff}",
            ]
            made += [message | {"rev": "one"}, {"type": "net.message.create", "data": message}]
            made += [event("content.upsert", **message | {"text": [MARKER]})]
    return made


@pytest.mark.parametrize("batch", [1, 5, 4000])
def test_no_byte_of_a_private_message_is_stored_anywhere(workspace, batch):
    messages = private_messages()
    mixed = [post(n) if n % 3 else messages[n // 3] for n in range(3 * len(messages))]
    done = take(workspace, *mixed, batch=batch)
    assert done.refused == {"direct-message": 2 * 17}
    assert len(done.rejected) == 5 * 17
    assert done.stored == 2 * len(messages)
    assert Path(done.rejects_file).exists()  # their places are noted
    assert traces(workspace, MARKER) == []


def test_a_message_that_is_too_long_to_read_is_not_stored_either(workspace):
    whole = lines(post(1, MARKER, audience="direct", source=" " * 17_000_000)).strip()
    done = take(workspace, whole, post(2))
    assert (len(done.rejected), done.stored) == (1, 1)
    assert traces(workspace, MARKER) == []


def test_where_there_are_only_messages_nothing_is_stored(workspace, tmp_path):
    messages = [post(n, MARKER, audience="direct") for n in range(3)]
    path = tmp_path / "messages.jsonl"
    path.write_bytes(lines(*messages))
    with pytest.raises(RefusedError, match="all 3 records are private messages"):
        ingest.import_paths(workspace, [path])
    found = state(workspace)
    assert not any(found[name] for name in ("records", "fingerprints", "accounts", "interactions"))
    assert {row["reason"] for row in found["tombstones"]} == {"direct-message"}
    assert traces(workspace, MARKER) == []
    assert not workspace.rejects.exists()


def test_reactions_are_stored_once(workspace):
    like = {"actor": "member-1@square", "verb": "like", "object": "post-1"}
    times = [{"at": "2026-03-01T08:00:00Z"}, {"at": "2026-03-01T10:00:00+02:00"}, {"at": "2026-04"}]
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
    kept = [msgspec.json.decode(line) for line in Path(done.rejects_file).open("rb")]
    assert [(r["file"], r["line"]) for r in kept] == [("some.jsonl", n) for n in (2, 4, 5)]
    assert all(r["reason"] for r in kept)
    assert MARKER in kept[0]["raw"]
    assert "raw" not in kept[1]
    assert "raw" not in kept[2]


def test_several_files_come_in_accounts_first_and_others_are_counted(workspace, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(post(1)))
    (tmp_path / "accounts.jsonl").write_bytes(
        lines(event("account.update", account="m", kind="bot"))
    )
    (tmp_path / "readme.txt").write_text("no source")
    seen = []
    done = ingest.import_paths(workspace, [tmp_path], lambda *at: seen.append(at))
    assert (done.files, done.stored, done.accounts) == (2, 1, 1)
    assert done.skipped == {"not JSON Lines": 1}
    assert [name for name, _, _ in seen] == ["accounts.jsonl", "a.jsonl"]
    assert seen[-1][1] == seen[-1][2] == sum(p.stat().st_size for p in tmp_path.glob("*.jsonl"))


def test_one_path_that_is_none_and_nothing_is_imported(workspace, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(post(1)))
    with pytest.raises(InputError):
        ingest.import_paths(workspace, [tmp_path / "a.jsonl", tmp_path / "missing"])
    assert texts(workspace) == {}


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_an_interrupted_import_is_finished_by_importing_again(tmp_path, stop_after):
    files = [[post(1), event("content.delete", id="post-6"), post(3)],
             [post(1, "edited", rev=2), post(2), event("account.update", account="m", kind="bot")],
             [post(3, audience="direct"), post(5), post(6), b"garbage", post(4, reply_to="post-5")]]  # fmt: skip
    for number, given_lines in enumerate(files):
        (tmp_path / f"{number}.jsonl").write_bytes(lines(*given_lines))
    straight = Workspace.create(tmp_path / "straight", Settings(), KEY)
    ingest.import_paths(straight, [tmp_path / f"{n}.jsonl" for n in range(3)])
    cut = Workspace.create(tmp_path / "cut", Settings(), KEY)
    calls = []

    def progress(name: str, done: int, total: int) -> None:
        calls.append(name)
        if len(calls) == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.import_paths(cut, [tmp_path / f"{n}.jsonl" for n in range(3)], progress)
    ingest.import_paths(cut, [tmp_path / f"{n}.jsonl" for n in range(3)])
    assert state(cut) == state(straight)


@few
@given(st.lists(st.dictionaries(
    st.sampled_from(["id", "author", "text", "service", "created_at", "language", "reply_to"]),
    st.one_of(st.text(), st.integers(), st.none()), max_size=7), max_size=8))  # fmt: skip
def test_whatever_is_in_the_lines_the_import_ends_well(given_lines):
    known = {"id": "\x00", "service": "s", "text": "x"}
    given_lines = [line if n % 2 else known | line for n, line in enumerate(given_lines)]
    with fresh() as workspace:
        try:
            done = ingest.import_stream(workspace, io.BytesIO(lines(*given_lines)), "x")
        except RefusedError:
            return
        counts = done.stored + done.updated + done.unchanged + len(done.rejected)
        assert counts <= done.read == len(given_lines)
        assert len(state(workspace)["records"]) == done.stored


def test_an_objectors_posts_are_not_stored_but_counted_as_erased(workspace):
    from sayso.rights import objections

    objections.receive(Rights(workspace), "member-1@square")
    done = take(workspace, post(1, MARKER), post(2))
    assert (done.stored, list(texts(workspace))) == (1, ["post-2"])
    assert [row["reason"] for row in state(workspace)["tombstones"]] == ["objection"]
    assert traces(workspace, MARKER) == []
