"""No byte of a private message gets anywhere, whatever it came in and whatever it was called."""

import json
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from sayso.cli import cli
from tests.corpus.world import traces

MARKER = "quittenmarmelade"

THREAD = json.dumps(
    {
        "participants": [{"name": "Member One"}, {"name": "Member Two"}],
        "messages": [{"sender_name": "Member One", "timestamp_ms": 1, "content": MARKER}],
        "thread_path": "inbox/x",
    }
)
ENCRYPTED = json.dumps(
    {
        "participants": ["Member One", "Member Two"],
        "threadName": "x",
        "messages": [{"senderName": "Member One", "text": MARKER, "timestamp": 1, "type": "text"}],
    }
)
WHATSAPP = f"[04/03/25, 14:05:09] Member One: {MARKER}\n[04/03/25, 14:06:00] Member Two: ok\n"
X_MESSAGES = "window.YTD.direct_messages.part0 = " + json.dumps(
    [{"dmConversation": {"messages": [{"messageCreate": {"text": MARKER}}]}}]
)
TELEGRAM = json.dumps(
    {
        "name": "Member Two",
        "type": "personal_chat",
        "id": 7,
        "messages": [
            {"id": 1, "type": "message", "date_unixtime": "1700000000", "from_id": "user1",
             "text": MARKER, "text_entities": []}
        ],
    }
)  # fmt: skip
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
ACTOR = "https://social.example/users/member_one"


def note(number: int, text: str, to: str) -> dict[str, object]:
    name = f"{ACTOR}/statuses/{number}"
    return {
        "type": "Create",
        "id": f"{name}/activity",
        "actor": ACTOR,
        "published": "2025-01-01T09:00:00Z",
        "to": [to],
        "cc": [],
        "object": {"id": name, "type": "Note", "attributedTo": ACTOR, "content": f"<p>{text}</p>",
                   "published": "2025-01-01T09:00:00Z", "to": [to], "cc": []},
    }  # fmt: skip


OUTBOX = json.dumps(
    {
        "id": "outbox.json",
        "type": "OrderedCollection",
        "orderedItems": [
            note(1, MARKER, "https://social.example/users/x"),
            note(2, "low tide", PUBLIC),
        ],
    }
)
ACTOR_FILE = json.dumps({"id": ACTOR, "type": "Person", "preferredUsername": "member_one"})

MESSAGES = {
    "your_facebook_activity/messages/inbox/x_1/message_1.json": THREAD,
    "messages/e2ee_cutover/x_1/message_1.html": f"<p>{MARKER}</p>",
    "your_instagram_activity/messages/inbox/x/message_1.json": THREAD,
    "Member Two_12.json": ENCRYPTED,
    "posts/your_posts_7.json": THREAD,
    "holiday.dat": ENCRYPTED,
    "_chat.txt": WHATSAPP,
    "notes.txt": WHATSAPP,
    "WhatsApp Chat with Member Two.txt": f"nothing that looks like it {MARKER}",
    "data/direct-messages.js": X_MESSAGES,
    "data/renamed.js": X_MESSAGES,
    "result.json": TELEGRAM,
    "chat.jsonl": json.dumps({"$type": "chat.bsky.convo.defs#messageView", "text": MARKER}),
    "messages.csv": f"id,body\n1,{MARKER}\n",
}
POST = {
    "your_facebook_activity/posts/your_posts_1.json": json.dumps(
        [{"timestamp": 1700000000, "data": [{"post": "low tide"}], "attachments": []}]
    )
}


def as_zip(folder: Path, members: dict[str, str]) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def as_tar(folder: Path, members: dict[str, str]) -> Path:
    path = folder / "export.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, BytesIO(text.encode()))
    return path


def as_folder(folder: Path, members: dict[str, str]) -> Path:
    for name, text in members.items():
        path = folder / "export" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "export"


FORMS = [as_zip, as_tar, as_folder]
Form = Callable[[Path, dict[str, str]], Path]


def run(workspace, path: Path):
    """Import by the command line; whatever it says must not have the marker either."""
    home = ["--home", str(workspace.home)]
    done = CliRunner().invoke(cli, [*home, "import", str(path), "--json"])
    assert MARKER not in done.output
    assert MARKER not in repr(done.exception)
    assert traces(workspace, MARKER) == []
    return done


@pytest.mark.parametrize("form", FORMS)
def test_in_a_mixed_export_the_messages_are_left_out_and_counted(workspace, tmp_path, form: Form):
    done = run(workspace, form(tmp_path, MESSAGES | POST))
    report = json.loads(done.stdout)
    assert (done.exit_code, report["stored"], report["rejected"]) == (0, 1, [])
    assert sum(report["refused"].values()) == len(MESSAGES)
    assert len(report["refused"]) >= 5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MESSAGES)
def test_messages_alone_are_refused_as_a_whole(tmp_path, form: Form, name: str):
    from sayso.workspace import Workspace

    workspace = Workspace(tmp_path / "home")
    done = run(workspace, form(tmp_path, {name: MESSAGES[name]}))
    assert done.exit_code != 0
    assert not workspace.home.exists()


@pytest.mark.parametrize("form", FORMS)
def test_direct_posts_among_public_ones_are_refused(workspace, tmp_path, form: Form):
    done = run(workspace, form(tmp_path, {"outbox.json": OUTBOX, "actor.json": ACTOR_FILE}))
    report = json.loads(done.stdout)
    assert (report["source"], report["stored"]) == ("mastodon", 1)
    assert report["refused"] == {"direct-message": 1}


def test_the_search_would_find_it(workspace, tmp_path):
    path = tmp_path / "own.jsonl"
    record = {"id": "1", "service": "s", "text": MARKER, "audience": "public"}
    path.write_text(json.dumps(record) + "\n")
    CliRunner().invoke(cli, ["--home", str(workspace.home), "import", str(path)])
    assert traces(workspace, MARKER) != []
