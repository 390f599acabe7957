"""Private messages: refused at the door, and no byte of them in any file afterwards."""

from pathlib import Path

import pytest

from sayso.corpus import ingest
from sayso.errors import RefusedError
from tests.corpus.world import event, lines, post, state, take, texts, traces

MARKER = "zwiebelfisch"


def test_a_post_made_private_message_later_goes(workspace):
    take(workspace, post(1, f"{MARKER} was here"), post(2))
    take(workspace, post(1, f"{MARKER} was here", rev=2, audience="direct"), post(2))
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


@pytest.mark.parametrize("batch", [30, 4000])
def test_no_byte_of_a_private_message_is_stored_anywhere(workspace, batch):
    messages = private_messages()
    mixed = [post(n // 2) if n % 2 else messages[n // 2] for n in range(2 * len(messages))]
    done = take(workspace, *mixed, batch=batch)
    assert done.refused == {"direct-message": 2 * 17}
    assert len(done.rejected) == 5 * 17
    assert done.stored == len(messages)
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
    with pytest.raises(RefusedError, match="nothing but private messages"):
        ingest.import_paths(workspace, [path])
    found = state(workspace)
    assert not any(found.values())
    assert traces(workspace, MARKER) == []
    assert not workspace.rejects.exists()
