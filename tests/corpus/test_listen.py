"""Listening: nothing lost and nothing doubled, whatever is lost, killed, repeated or misordered."""

import io
import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from sayso.audit.overview import overview
from sayso.content.events import Delete, Upsert
from sayso.content.record import Record
from sayso.corpus.ingest import import_stream
from sayso.corpus.listen import GOOD_SECONDS, LONGEST_DELAY, Backoff, listen
from sayso.corpus.store import Store
from sayso.errors import UsageError, WorkspaceError
from sayso.rights.database import Rights
from sayso.rights.tables import listeners
from sayso.settings import Settings
from sayso.sources import messages
from sayso.sources.feeds import LinesFeed
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.sources.live import Arrived, LostError
from sayso.sources.mastodon_stream import MastodonFeed
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.listening import Script, ids, listening, state_of, states
from tests.corpus.world import event, lines, post, texts
from tests.program import SAYSO
from tests.sources.following import until
from tests.sources.mastodon_api import TOKEN, reply, running, status

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    Store(workspace).records.open()  # tests look into it while it is written
    return workspace


def record(number: int, text: str = "low tide", rev: int = 1) -> Upsert:
    return Upsert(
        Record(id=f"post-{number}", rev=rev, service="square", author="acct:member-1@square",
               audience="public", text=text)
    )  # fmt: skip


def arrived(cursor: object, *items: Item, settle: object = None) -> Arrived:
    return Arrived(items, str(cursor), AT, settle)  # type: ignore[arg-type]


def test_what_arrives_is_stored_then_its_cursor_kept_then_settled(workspace):
    seen = []

    def settle() -> None:
        seen.append((ids(workspace), state_of(workspace).cursor))

    script = Script([arrived(1, record(1), settle=settle), None, arrived(2, record(2)), None])
    report = listen(workspace, script)
    assert seen == [(["post-1"], "1")]
    assert (report.stored, state_of(workspace).cursor, state_of(workspace).stored) == (2, "2", 2)
    assert state_of(workspace).state == "stopped"
    listen(workspace, again := Script([]))
    assert again.cursors == ["2"]


def test_batches_are_of_500_items_at_most(workspace):
    sizes = []
    steps = [arrived(n, record(n), record(n + 10_000)) for n in range(600)]
    listen(workspace, Script(steps), on_batch=lambda report: sizes.append(report.read))
    assert sizes[0] <= 500
    assert sizes[-1] == 1200


def test_a_quiet_moment_stores_what_came(workspace):
    with listening(workspace, Script([arrived(1, record(1)), None], endless=True)) as listener:
        listener.until(lambda: ids(workspace) == ["post-1"], seconds=30)


def test_lost_connections_are_made_again_from_the_last_cursor(workspace):
    waits: list[float] = []
    lost = LostError("the line is cut")
    script = Script(
        [lost],
        [arrived(1, record(1)), lost],  # the batch was not full
        [arrived(2, record(2)), None, arrived("", record(3)), lost],
        [arrived(4, record(1), record(4))],
    )
    report = listen(workspace, script, wait=waits.append)
    assert script.cursors == ["", "", "1", "2"]
    assert ids(workspace) == ["post-1", "post-2", "post-3", "post-4"]
    assert (report.stored, report.unchanged) == (4, 1)
    assert len(waits) == 3
    one = state_of(workspace)
    assert (one.errors, one.last_error) == (3, "LostError: the line is cut")


def test_a_listener_that_waits_says_so_and_can_be_ended(workspace):
    script = Script([LostError("gone")], [LostError("gone")], endless=True)
    with listening(workspace, script) as listener:
        until(lambda: states(workspace) == ["waiting"])
        listener.end()
    assert state_of(workspace).state == "stopped"


@given(st.lists(st.floats(0, 200), max_size=30), st.floats(0, 1, exclude_max=True))
def test_waits_grow_up_to_a_minute_and_begin_anew_after_a_good_connection(lives, chance):
    backoff = Backoff(lambda: chance)
    longest = 1.0
    for lived in lives:
        longest = 1.0 if lived >= GOOD_SECONDS else longest
        assert longest / 2 <= backoff.after(lived) <= longest <= LONGEST_DELAY
        longest = min(2 * longest, LONGEST_DELAY)


def test_at_the_end_everything_is_stored_and_settled_before_the_source_is_parted(workspace):
    settled = []
    script = Script(endless=True)
    listener_stop = threading.Event()
    steps = [
        arrived(n, record(n), settle=lambda: settled.append(script.is_parted)) for n in range(3)
    ]
    script.connections.append([*steps, listener_stop.set])
    listen(workspace, script, listener_stop)
    assert settled == [False] * 3
    assert script.is_parted
    assert ids(workspace) == ["post-0", "post-1", "post-2"]


@pytest.mark.parametrize("size", [1, 4])
def test_repeated_and_misordered_events_leave_the_same(workspace, size):
    made = [record(1, "new words", rev=2), record(1, "old words"), Delete("post-2"), record(2),
            record(3), record(3), record(3, "edited", rev=5), record(4), Delete("post-4"),
            Refused(messages.DIRECT, "post-5"), record(5)]  # fmt: skip
    steps = [arrived(n, *made[n : n + size]) for n in range(0, len(made), size)]
    listen(workspace, Script([step for each in steps for step in (each, None)]))
    listen(workspace, Script(steps[::-1]))
    assert texts(workspace) == {"post-1": "new words", "post-3": "edited"}


def test_bad_messages_never_end_it_and_are_told_without_their_words(workspace):
    bad = Rejected("script", "message 1", "not JSON in UTF-8")
    script = Script([arrived(1, bad), None, arrived(2, record(1), Skipped("boost"), bad), None])
    report = listen(workspace, script, endless=True)
    one = state_of(workspace)
    assert (report.stored, one.errors, one.last_error) == (1, 2, "rejected: not JSON in UTF-8")
    assert report.rejected == []
    assert report.rejects_file
    assert len(report.keys) == 0


def test_a_source_that_refuses_us_ends_it(workspace):
    script = Script([arrived(1, record(1)), UsageError("the token is not taken")])
    with pytest.raises(UsageError):
        listen(workspace, script)
    one = state_of(workspace)
    assert (one.state, one.last_error) == ("stopped", "UsageError: the token is not taken")


def test_there_is_one_listener_of_a_name(workspace):
    with listening(workspace, Script([], endless=True)):
        until(lambda: states(workspace) == ["live"])
        with pytest.raises(WorkspaceError, match="runs already"):
            listen(workspace, Script([]))
        listen(workspace, Script([]), name="second")
    listen(workspace, Script([]))


def test_the_overview_tells_how_listeners_are(workspace):
    now = datetime.now(UTC)
    late = Arrived((record(1),), "secret-cursor", now - timedelta(seconds=30))
    listen(workspace, Script([late]))
    (told,) = overview(workspace)["listeners"]  # type: ignore[misc]
    assert (told["name"], told["state"], told["stored"], told["errors"]) == (
        "script", "stopped", 1, 0)  # fmt: skip
    assert 30 <= told["lag_seconds"] < 90
    assert "secret-cursor" not in str(told)
    with Rights(workspace).writing() as connection:
        connection.execute(
            update(listeners).values(state="live", heartbeat_at=now - timedelta(minutes=5))
        )
    assert state_of(workspace).state == "silent"


def test_lines_are_followed_to_their_end_whatever_their_dialect(workspace):
    sent = lines(post(1), b"garbage", event("content.delete", id="post-9"))
    report = listen(workspace, LinesFeed(io.BytesIO(sent), "stdin"))
    assert (report.stored, report.deletions, len(report.rejected)) == (1, 1, 1)
    assert Path(report.rejects_file).exists()
    told = {"stream": ["public:local"], "event": "delete", "payload": "17"}
    report = listen(workspace, LinesFeed(io.BytesIO(lines(told)), "stdin"))
    assert (report.deletions, report.rejected) == (1, [])


def test_an_unreadable_stream_is_an_error(workspace):
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(ValueError, match="closed file"):
        listen(workspace, LinesFeed(stream, "stdin"))


class TestNumbered:
    """Mastodon's streams delete by number."""

    HOST = "square.example"

    def status(self, number: int, host: str = HOST) -> dict[str, object]:
        return post(number, id=f"https://{host}/users/member-1/statuses/{number}", service=host)

    def delete(self, number: int, host: str = HOST) -> Arrived:
        return arrived("", Delete(f"mastodon:{host}/{number}"))

    def test_a_deletion_finds_what_came_by_any_way(self, workspace):
        given_lines = [self.status(n) for n in (1, 11, 111)] + [self.status(11, "hill.example")]
        import_stream(workspace, io.BytesIO(lines(*given_lines)), "archive.jsonl")
        listen(workspace, Script([self.delete(11), None, self.delete(1, host="")]))
        assert ids(workspace) == sorted(str(s["id"]) for s in given_lines[2:])
        # They stay out, under their own ids.
        import_stream(workspace, io.BytesIO(lines(*given_lines)), "archive.jsonl")
        assert ids(workspace) == sorted(str(s["id"]) for s in given_lines[2:])

    @pytest.mark.parametrize("together", [True, False])
    def test_a_deletion_keeps_out_what_comes_later(self, workspace, together):
        stream = io.BytesIO(lines(self.status(1), self.status(2)))
        made = [a for a in LinesFeed(stream, "x").follow("", threading.Event()) if a]
        quiet = [] if together else [None]
        listen(workspace, Script([self.delete(1), *quiet, *made, *quiet, self.delete(2)]))
        listen(workspace, Script(made))
        assert ids(workspace) == []


def test_a_member_s_posts_on_an_instance(workspace):
    with running() as instance:
        feed = MastodonFeed(instance.base, TOKEN, pace=0.01)
        host = instance.base.removeprefix("http://")
        # Who only ever comments is not heard of.
        own = [status(n, f"tide {n}", f"member-{n % 4 // 3}", host=host) for n in range(6)]
        for entity in own:  # this instance has no https
            entity["uri"] = entity["uri"].replace("https", "http")
        with listening(workspace, feed, wait=lambda seconds: None) as listener:
            instance.wait_for_listener()
            instance.post(*own[:3])
            listener.until(lambda: len(ids(workspace)) == 3)
            instance.delete(own[1])
            instance.tell("status.update", own[2] | {
                "content": "<p>edited</p>", "edited_at": "2026-11-21T00:00:00.000Z"})  # fmt: skip
            instance.tell("delete", own[5]["id"])  # before it is made known
            listener.until(lambda: "edited" in texts(workspace).values())
            instance.drop()
            instance.post(*own[3:5], told=False)
            instance.wait_for_listener()
            instance.post(own[5])
            answer = reply(9, own[0], "member-1", host=host)
            instance.post(answer, told=False)
            listener.until(lambda: answer["uri"] in ids(workspace))
    assert texts(workspace) == {
        own[0]["uri"]: "tide 0",
        own[2]["uri"]: "edited",
        own[3]["uri"]: "tide 3",
        own[4]["uri"]: "tide 4",
        answer["uri"]: "so it is",
    }
    one = state_of(workspace)
    assert (one.name, one.state) == (f"mastodon:{host}", "stopped")
    assert one.last_error.startswith("LostError")


def test_the_token_comes_from_a_file_or_the_environment(tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")
    with running() as instance:
        command = [SAYSO, "--home", tmp_path / "home", "listen", f"mastodon+{instance.base}"]
        known = os.environ | {"SAYSO_TOKEN": "from-outside"}
        for more in ([], ["--token-file", tmp_path / "token"]):
            ended = subprocess.run(
                [*map(str, command), *map(str, more)],
                check=False,
                env=known,
                capture_output=True,
                timeout=60,
            )
            assert ended.returncode == 2
            assert b"refuses the token" in ended.stderr
            assert b"from-" not in ended.stderr + ended.stdout
        assert instance.tokens == {"from-outside", "from-a-file"}
