"""The desk: what is kept of a talk, how often somebody may write, what nobody else can see."""

import time

import pytest

from sayso.assistant.conversation import Inbound, Outbound, Talks
from sayso.content.events import Delete, Upsert
from sayso.content.record import Record
from sayso.corpus.imported import Report
from sayso.corpus.ingest import store_batch
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.web.channels.doors import doors
from sayso.workspace import Workspace
from tests.web.channels.conftest import PAGES, Known, fresh, running_with, text, tg, whatsapp
from tests.web.conftest import poll

MARKER = "Marzipanzeppelin-4711"


@pytest.fixture(scope="module")
def remembering(make, platform):
    """Telegram is asked for updates, and talks are remembered."""
    workspace = make(remember=5.0, updates="polling", messages_per_minute=30)
    with running_with(workspace, Known(), platform) as made:
        yield made


def update(community, message):
    before = len(community.platform.of("/sendMessage"))
    community.platform.updates.put(message)
    poll(lambda: len(community.platform.of("/sendMessage")) > before and community.desk.is_idle)


def test_updates_are_asked_for_and_each_is_done_with_once(remembering):
    first, second = tg("One?"), tg("Two?")
    update(remembering, first)
    update(remembering, second)
    poll(lambda: second["update_id"] + 1 in remembering.platform.offsets)
    asked = [messages[-1]["content"] for messages in remembering.assistant.asked]
    assert asked[-2:] == ["One?", "Two?"]
    # The route for what comes by webhook is not there.
    assert remembering.telegram(tg()).status_code == 404


def test_many_long_messages_at_once_are_all_read(remembering):
    before = len(remembering.assistant.asked)
    for number in range(60):
        remembering.platform.updates.put(tg("я" * 4096, chat=number, **{"from": {"id": number}}))
    poll(lambda: len(remembering.assistant.asked) == before + 60 and remembering.desk.is_idle)


def test_a_talk_is_remembered_by_itself_and_forgotten_on_request(remembering):
    def messages(said, **more):
        update(remembering, tg(said, **more))
        return [message["content"] for message in remembering.assistant.asked[-1]]

    update(remembering, tg("/new"))
    assert messages("First?") == ["First?"]
    assert len(messages("Second?")) == 3
    # In a group, or another person: another talk.
    mine = {"entities": [{"type": "mention", "offset": 0, "length": 12}]}
    assert messages("@harbour_bot Group?", chat=-4, kind="group", **mine) == ["Group?"]
    assert messages("Other?", chat=43, **{"from": {"id": 78}}) == ["Other?"]
    assert len(messages("Third?")) == 5
    update(remembering, tg("/new"))
    assert messages("Fourth?") == ["Fourth?"]


def test_no_two_talks_have_one_name(remembering):
    for thread, sender in (("a\nb", "c"), ("a", "b\nc")):
        assert remembering.app(text="Who?", thread=thread, sender=sender).status_code == 200
        poll(lambda: remembering.desk.is_idle)
        assert [m["content"] for m in remembering.assistant.asked[-1]] == ["Who?"]


def test_what_is_taken_back_is_forgotten(remembering):
    remembering.whatsapp(text("Secret?", id="r1"))
    poll(lambda: remembering.desk.is_idle)
    remembering.whatsapp({"type": "revoke", "revoke": {"original_message_id": "r1"}})
    remembering.whatsapp(text("And?"))
    poll(lambda: remembering.desk.is_idle)
    assert [m["content"] for m in remembering.assistant.asked[-1]] == ["And?"]


def test_whoever_writes_too_fast_is_told_so_once(remembering):
    remembering.meta("whatsapp", whatsapp(*(text(f"{n}?") for n in range(20)), number="49999"))
    poll(lambda: remembering.desk.is_idle)
    remembering.meta("whatsapp", whatsapp(*(text(f"{n}?") for n in range(15)), number="49999"))
    poll(lambda: remembering.desk.is_idle)
    said = [text for text in remembering.settled() if text]
    assert sum("more than I can answer" in text for text in said) == 1
    assert len(said) <= 31
    remembering.platform.clear()
    remembering.meta("whatsapp", whatsapp(text("Another's?"), number="49998"))
    assert len(remembering.settled()) == 1


def test_what_is_too_long_for_anybody_is_not_asked(remembering):
    asked = len(remembering.assistant.asked)
    remembering.app(text="x" * 16_001, thread="long")
    (said,) = remembering.settled()
    assert "too long for me" in said and len(remembering.assistant.asked) == asked


def test_a_full_desk_takes_nothing_and_says_so(remembering):
    remembering.assistant.go.clear()
    names = [fresh() for _ in range(199)]
    many = [whatsapp(text("?", id=name), number=f"4960000{name[4:]}") for name in names]
    body = many[0] | {"entry": [entry for one in many for entry in one["entry"]]}
    assert remembering.meta("whatsapp", body).status_code == 200
    last = {"id": fresh()}
    full = remembering.app(**last), remembering.app(**last)
    assert [answer.status_code for answer in full] == [200, 503]
    assert full[1].headers["retry-after"] == "30"
    # All but the last are taken back, for which there is always room.
    gone = [{"type": "revoke", "revoke": {"original_message_id": name}} for name in names]
    assert remembering.meta("whatsapp", whatsapp(*gone)).status_code == 200
    remembering.assistant.go.set()
    assert len(remembering.settled()) == 1


def test_chats_are_in_no_file_of_the_workspace(remembering):
    remembering.assistant.pieces, said = [f"You said {MARKER}."], f"{MARKER}: when?"
    remembering.meta("whatsapp", whatsapp(text(said), number="4915114711"))
    for channel in ("messenger", "instagram"):
        remembering.page(channel, message={"mid": fresh(), "text": said}, sender={"id": MARKER})
    remembering.app(text=said, sender=MARKER, thread=MARKER)
    update(remembering, tg(said, chat=4915114711))
    answers = remembering.settled()
    assert len(answers) == 5 and all(MARKER in answer for answer in answers)
    workspace = remembering.workspace
    assert in_files(workspace, MARKER) == in_files(workspace, "4915114711") == []
    # The search finds what is there.
    note = workspace.home / "note"
    note.write_bytes(b"x" + MARKER.encode())
    assert in_files(workspace, MARKER) == ["note"]
    note.unlink()


def in_files(workspace, marker):
    files = [path for path in workspace.home.rglob("*") if path.is_file()]
    assert any(path.name == "rights.db" for path in files)
    return [path.name for path in files if marker.encode() in path.read_bytes()]


def test_no_store_takes_a_message(remembering):
    """By type: it is no event and no record, so nothing that stores knows what to do with it."""
    message = Inbound(channel="x", thread="t", sender="s", id="1", at=moment(), text=MARKER)
    for one in (message, Outbound("t", MARKER, message)):
        assert not isinstance(one, Record | Upsert | Delete)
        report = Report()
        store = Store(remembering.workspace)
        before = store.records.open().count_rows()
        store_batch(remembering.workspace, remembering.rights, store, [one], report)
        assert (report.stored, store.records.open().count_rows()) == (0, before)
        assert in_files(remembering.workspace, MARKER) == []


def moment():
    from datetime import UTC, datetime

    return datetime.now(UTC)


def test_talks_are_let_go_though_nobody_writes(make, platform):
    with running_with(make(remember=0.02), Known(), platform) as made:
        made.app(text=MARKER)
        kept = made.desk._talks._talks
        poll(lambda: made.desk.is_idle)
        assert len(kept) == 1
        poll(lambda: not kept)


def test_talks_end_by_themselves():
    talks = Talks(minutes=0.0005)
    talks.add("t", "1", "question", "answer")
    assert len(talks.messages("t")) == 2
    end = time.monotonic() + 5
    while talks.messages("t") and time.monotonic() < end:
        pass
    assert talks.messages("t") == []
    nothing = Talks(0)
    nothing.add("t", "1", "question", "answer")
    assert nothing.messages("t") == []


def test_a_channel_without_its_secrets_is_not_opened(make):
    for name in ("app", "shared", "bot-secret", "token"):
        workspace = make()
        assert len(doors(workspace)) == 5
        (workspace.keys / name).write_text("short\n")
        with pytest.raises(UsageError):
            doors(workspace)
    workspace = make()
    toml = workspace.settings_file.read_text()
    workspace.settings_file.write_text(toml.replace(f'url = "{PAGES}"', 'url = ""'))
    with pytest.raises(UsageError, match="no address to object at"):
        doors(Workspace.open(workspace.home))
