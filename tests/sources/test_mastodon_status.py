"""Mastodon's statuses: what becomes of them, and of the files that hold them."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.content.events import Delete, Interaction, Upsert
from sayso.content.record import Medium, Record
from sayso.sources import lines, messages
from sayso.sources.detect import find
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.sources.mastodon_status import aliases, is_alias
from tests.sources.mastodon_api import HOST, account, message, number, reply, status


def read(*given_lines: object) -> list[Item]:
    data = b"".join(json.dumps(line).encode() + b"\n" for line in given_lines)
    return list(lines.read_stream(io.BytesIO(data), "recorded.jsonl"))


def record(entity: object) -> Record:
    (item,) = read(entity)
    assert isinstance(item, Upsert)
    return item.record


def test_a_status_becomes_a_record():
    entity = status(
        60,
        'low <a href="https://square.example/tags/tide">#<span>tide</span></a><br>and calm',
        sensitive=True,
        spoiler_text="weather",
        tags=[{"name": "tide", "url": "https://square.example/tags/tide"}],
        mentions=[
            {"id": "7", "username": "b", "url": "https://hill.example/@b", "acct": "b@hill.example"}
        ],
        media_attachments=[
            {"id": "1", "type": "gifv", "url": "https://files.example/1.mp4", "description": "sea"},
            {"id": "2", "type": "image", "url": "https://files.example/2.png", "description": None},
        ],
    )
    assert record(entity) == Record(
        id=f"https://{HOST}/users/member-1/statuses/{number(60)}",
        service=HOST,
        author=f"acct:member-1@{HOST}",
        age_band="",
        kind="person",
        audience="public",
        audience_source="asserted",
        created_at=datetime(2026, 11, 20, 8, 1, tzinfo=UTC),
        date_state="given",
        language="en",
        text="low #tide\nand calm",
        content_warning="weather",
        sensitive=True,
        media=(
            Medium("https://files.example/1.mp4", "video", "sea"),
            Medium("https://files.example/2.png", "image"),
        ),
        mentions=("acct:b@hill.example",),
        tags=("tide",),
        url=f"https://{HOST}/@member-1/{number(60)}",
        source="mastodon-api",
    )


@pytest.mark.parametrize(
    ("visibility", "more", "audience"),
    [
        ("public", {}, "public"),
        ("unlisted", {}, "unlisted"),
        ("private", {}, "followers"),
        ("public", {"local_only": True}, "custom"),
        ("somehow", {}, "unknown"),
    ],
)
def test_the_visibility_is_the_audience(visibility, more, audience):
    found = record(status(1, visibility=visibility, **more))
    assert found.audience == audience
    assert found.audience_source == ("" if audience == "unknown" else "asserted")


def test_direct_statuses_and_conversations_are_refused():
    entity = status(1, visibility="direct")
    conversation = {"id": "3", "unread": True, "accounts": [], "last_status": entity}
    assert read(entity, message("update", entity), message("conversation", conversation)) == [
        Refused(messages.DIRECT, entity["uri"]),
        Refused(messages.DIRECT, entity["uri"]),
        Refused(messages.DIRECT),
    ]


def test_an_edit_is_a_higher_revision_of_the_same_record():
    made = status(1)
    edited = made | {"content": "<p>high tide</p>", "edited_at": "2026-11-20T09:00:00.000Z"}
    first, second = read(message("update", made), message("status.update", edited))
    assert isinstance(first, Upsert)
    assert isinstance(second, Upsert)
    assert first.record.id == second.record.id
    assert first.record.rev == 1
    assert second.record.rev == int(datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp() * 1000)
    assert second.record.text == "high tide"


def test_a_boost_is_a_reaction_and_a_private_one_nothing():
    boosted = status(1, who="member-2")
    boost = status(2, content="", reblog=boosted)
    assert read(boost) == [
        Interaction(
            f"acct:member-1@{HOST}",
            "share",
            boosted["uri"],
            at=datetime(2026, 11, 20, 8, 0, 2, tzinfo=UTC),
            id=boost["uri"],
        )
    ]
    assert read(boost | {"visibility": "private"}) == [Skipped("boost")]


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({}, ""),
        ({"indexable": None}, ""),
        ({"indexable": False}, "deny"),
        ({"note": '<p>hi <a href="https://x/tags/noai">#<span>NoAI</span></a></p>'}, "deny"),
        ({"note": "<p>I say #noaim and noai</p>"}, ""),
        ({"locked": True}, ""),
    ],
)
def test_the_account_s_word_on_training(fields, signal):
    assert record(status(1, account=account("member-1", **fields))).train_signal == signal


@pytest.mark.parametrize(
    ("fields", "kind"), [({}, "person"), ({"bot": True}, "bot"), ({"group": True}, "page")]
)
def test_the_account_s_kind(fields, kind):
    assert record(status(1, account=account("member-1", **fields))).kind == kind


def test_a_poll_s_choices_are_words_of_its_author():
    poll = {"id": "1", "options": [{"title": "ebb", "votes_count": 1}, {"title": "flow"}]}
    assert record(status(1, "which?", poll=poll)).text == "which?\n\nebb\nflow"


def test_statuses_of_elsewhere_are_of_elsewhere():
    found = record(status(1, who="member-9@hill.example", host="hill.example"))
    assert (found.service, found.author) == ("hill.example", "acct:member-9@hill.example")


def test_replies_name_their_parents_where_these_can_be_told():
    parent = status(1, who="member-2")
    answer, thread = reply(2, parent, "member-1"), reply(2, parent, "member-2")
    assert (record(answer).reply_to, record(answer).surface) == (parent["uri"], "comment")
    assert (record(thread).reply_to, record(thread).surface) == (parent["uri"], "post")
    unknown = record(reply(2, parent, "member-1", mentions=[]))
    assert is_alias(unknown.reply_to)
    assert not is_alias(parent["uri"])
    assert not is_alias(f"mastodon:{parent['uri']}")


@pytest.mark.parametrize(
    "quote",
    [
        {"state": "accepted", "quoted_status": status(1)},
        status(1),  # as forks of Mastodon had it
    ],
)
def test_a_quote_says_what_it_quotes(quote):
    assert record(status(5, quote=quote)).quote_of == status(1)["uri"]


def test_deletions_name_a_number_that_leads_to_the_record():
    entity = status(1)
    (deletion,) = read(message("delete", entity["id"]))
    assert isinstance(deletion, Delete)
    assert deletion.id in aliases(entity["uri"])
    numeric = f"https://{HOST}/ap/users/115/statuses/{entity['id']}"
    assert deletion.id in aliases(numeric)
    assert not aliases(f"{entity['uri']}/activity")
    assert not aliases("https://hill.example/objects/1")


def test_what_is_no_status_is_rejected_without_its_words():
    secret = "zwiebelfisch"
    broken = [
        message("update", {"id": 1, "content": secret}),
        message("update", f"{secret}{{"),
        message("delete", f"{secret} {secret}"),
        status(1, uri=secret),
        status(1, uri="https://x.example/" + "x" * 2000),
    ]
    items = read(*broken)
    assert [type(item) for item in items] == [Rejected] * len(broken)
    assert [item.where for item in items] == [f"line {n + 1}" for n in range(len(broken))]
    assert secret not in str(items)


def test_notices_and_empty_statuses_are_skipped():
    assert [type(item) for item in read(
        message("filters_changed", "undefined"), message("notification", {"id": "1"}),
        status(1, content="<p></p>"),
    )] == [Skipped] * 3  # fmt: skip


def test_an_array_of_statuses_is_recognised(tmp_path):
    path = tmp_path / "page.json"
    direct = status(3, visibility="direct")
    path.write_text(json.dumps([status(1), {"id": "2", "uri": 5}, direct], indent=1))
    (export,) = find([path])
    assert [source.name for source in export.sources] == ["mastodon-api"]
    made, broken, refused = export.read()
    assert isinstance(made, Upsert)
    assert isinstance(broken, Rejected)
    assert broken.where == "item 2"
    assert refused == Refused(messages.DIRECT, direct["uri"])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(anything, st.sampled_from(sorted(status(1))))
def test_whatever_a_field_holds_nothing_is_raised_or_made_public(value, name):
    for line in (status(1) | {name: value}, message("update", status(1) | {name: value})):
        (item,) = read(line)
        if name == "visibility" and isinstance(item, Upsert):
            assert item.record.audience == "unknown" or value in ("public", "unlisted", "private")
