"""A bot on Mastodon: who is answered, who sees it, and what becomes of a lost connection."""

import base64
import itertools
import re
from typing import Any

import msgspec
import pytest

from sayso.assistant.channels.mastodon import WIDTHS, narrowed
from tests.web.channels.conftest import Known, running_with
from tests.web.channels.platforms import BOT
from tests.web.conftest import poll

PNG = base64.b64encode(b"\x89PNG and more").decode()
numbers = itertools.count(5000)


@pytest.fixture(scope="module")
def community(make, platform):
    with running_with(make(mastodon=True), Known(), platform) as made:
        poll(lambda: platform.followed)
        yield made


@pytest.fixture(autouse=True)
def known(community):
    community.assistant.pieces = ["Ask @member-9@net, it leaves at **07:15**."]
    community.assistant.go.set()


def status(**more: Any) -> dict[str, Any]:
    number = str(next(numbers))
    return {
        "id": number,
        "created_at": "2026-11-25T12:00:00.000Z",
        "edited_at": None,
        "visibility": "public",
        "language": "de",
        "spoiler_text": "",
        "content": '<p><span class="h-card"><a href="https://social.example/@bot" class="u-url '
        'mention">@<span>bot</span></a></span> When does the <b>ferry</b> leave?</p>',
        "account": {"id": "7", "acct": "member-1@net", "username": "member-1", "bot": False},
        "mentions": [
            {"id": BOT, "acct": "bot", "username": "bot", "url": "https://social.example/@bot"},
            {"id": "8", "acct": "member-2", "username": "member-2", "url": "https://x/@member-2"},
        ],
        "media_attachments": [],
    } | more


def mention(**more: Any) -> dict[str, Any]:
    said = status(**more)
    return {"id": said["id"], "type": "mention", "created_at": said["created_at"], "status": said}


def told(community, event: str, payload: Any) -> None:
    text = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
    community.platform.events.put((event, text))
    poll(community.platform.events.empty)


def asked(community, **more: Any) -> list[dict[str, Any]]:
    """The replies to a mention."""
    before = len(community.platform.of("/statuses"))
    told(community, "notification", mention(**more))
    poll(lambda: len(community.platform.of("/statuses")) > before and community.desk.is_idle)
    return community.platform.of("/statuses")[before:]


def test_a_reply_is_seen_by_nobody_else_and_calls_only_who_asked(community):
    (reply,) = asked(community, spoiler_text="ferries", visibility="direct")
    assert reply["visibility"] == "direct" and reply["spoiler_text"] == "ferries"
    assert reply["language"] == "de" and int(reply["in_reply_to_id"]) >= 5000
    assert reply["status"].startswith("@member-1@net Ich bin eine KI")
    assert reply["status"].count("@member") == 1
    assert community.assistant.asked[-1][-1]["content"] == "When does the ferry leave?"
    (reply,) = asked(community)
    assert reply["visibility"] == "unlisted" and "spoiler_text" not in reply
    (reply,) = asked(community, visibility="private")
    assert reply["visibility"] == "direct"
    (reply,) = asked(community, visibility="new and wide")
    assert reply["visibility"] == "direct"


@pytest.mark.parametrize("asked", WIDTHS)
@pytest.mark.parametrize("widest", WIDTHS)
def test_no_reply_is_wider_than_its_question(asked, widest):
    reply = WIDTHS.index(narrowed(asked, widest))
    assert reply >= WIDTHS.index(asked) and reply >= WIDTHS.index(widest)


def test_bots_and_itself_and_others_get_no_answer(community):
    author = {"id": "9", "acct": "robot", "username": "robot", "bot": True}
    told(community, "notification", mention(account=author))
    told(community, "notification", mention(account=author | {"id": BOT, "bot": False}))
    told(community, "notification", mention(mentions=[]))
    told(community, "notification", mention() | {"type": "favourite"})
    told(community, "update", status())
    assert len(asked(community)) == 1  # came after them
    assert len(community.platform.of("/statuses")) == 1


def test_a_long_answer_is_a_thread_and_pictures_have_descriptions(community):
    community.assistant.pieces = ["A sentence of the plan. " * 40,
                                  f"![A ferry](data:image/png;base64,{PNG})"]  # fmt: skip
    replies = asked(community)
    assert len(replies) >= 2
    assert all(len(reply["status"]) <= 500 for reply in replies)
    assert all(reply["status"].startswith("@member-1@net ") for reply in replies)
    assert replies[1]["in_reply_to_id"] != replies[0]["in_reply_to_id"]
    assert ["media_ids[]" in reply for reply in replies] == [*[False] * (len(replies) - 1), True]
    (media,) = community.platform.of("/media")
    assert media["description"] == "A ferry" and media["file"][1].startswith(b"\x89PNG")


@pytest.mark.parametrize("before", ["", "x", "xx"])
def test_no_name_begins_where_an_answer_is_cut(community, before):
    community.assistant.pieces = [before + "a@b" * 300]
    for reply in asked(community):
        said = reply["status"].removeprefix("@member-1@net ")
        assert not re.search(r"(?<![=/A-Za-z0-9_])@\w", said)


def test_no_question_floods_a_timeline(community):
    community.assistant.pieces = ["A sentence of the plan. " * 400]
    replies = asked(community, spoiler_text="x" * 480)
    assert len(replies) == 8 and replies[-1]["status"].endswith(" …")
    assert all(len(r["status"] + r["spoiler_text"]) <= 500 for r in replies)
    assert all(len(reply["status"]) > 200 for reply in replies)


def test_what_is_deleted_or_edited_is_not_answered_as_it_was(community):
    community.assistant.go.clear()
    before = len(community.assistant.asked)
    deleted, edited = mention(), mention()
    told(community, "notification", deleted)
    poll(lambda: len(community.assistant.asked) > before)
    told(community, "notification", edited)
    told(community, "delete", deleted["id"])
    changed = {"content": "<p>@bot When now?</p>", "edited_at": "2026-11-25T12:05:00.000Z"}
    told(community, "status.update", edited["status"] | changed)
    last = mention(account={"id": "17", "acct": "member-3", "username": "m", "bot": False})
    told(community, "notification", last)
    poll(lambda: len(community.assistant.asked) > before + 1)
    community.assistant.go.set()
    poll(lambda: len(community.platform.of("/statuses")) >= 2 and community.desk.is_idle)
    replied = {reply["in_reply_to_id"] for reply in community.platform.of("/statuses")}
    assert replied == {edited["id"], last["id"]}
    questions = [messages[-1]["content"] for messages in community.assistant.asked[before:]]
    assert "When now?" in questions


def test_what_came_while_the_stream_was_lost_is_answered_after_it(community):
    asked(community)  # from here on
    followed = community.platform.followed
    missed = [mention(), mention()]
    community.platform.missed += missed
    community.platform.clear()
    community.platform.hang_up.set()
    poll(lambda: community.platform.followed > followed and community.desk.is_idle)
    poll(lambda: len(community.platform.of("/statuses")) == 2)
    replied = [reply["in_reply_to_id"] for reply in community.platform.of("/statuses")]
    assert replied == [told["id"] for told in missed]
