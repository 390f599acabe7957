"""Telegram's exports: public channels and groups are read, nothing else is even looked at."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Upsert
from sayso.content.record import Medium
from sayso.errors import InputError
from sayso.sources import telegram
from sayso.sources.items import Refused, Rejected, Skipped
from tests.sources.trees import (
    LOOSE,
    damaged,
    everything,
    of_kind,
    put,
    records,
    survives,
    tree_of,
    with_loose_fields,
)

MESSAGE = {
    "id": 17,
    "type": "message",
    "date": "2024-05-02T20:11:04",
    "date_unixtime": "1714673464",
    "from": "Member One",
    "from_id": "user1000000001",
    "text": "low tide",
    "text_entities": [{"type": "plain", "text": "low tide"}],
}
SERVICE = {
    "id": 1,
    "type": "service",
    "date": "2019-04-04T10:45:05",
    "date_unixtime": "1554399905",
    "actor": "Member One",
    "actor_id": "user1000000001",
    "action": "migrate_from_group",
    "title": "secret",
    "text": "",
    "text_entities": [],
}
REFUSED = Refused("telegram-private-chat")
PRIVATE = [
    *("personal_chat", "bot_chat", "saved_messages", "replies", "verify_codes", "private_group"),
    *("private_supergroup", "private_channel", "Public_channel", "", "unknown"),
]


def chat(*messages: object, kind: object = "public_supergroup", **more: object):
    return {"name": "The Pier", "type": kind, "id": 2000000001, "messages": list(messages)} | more


def read(content: object, **files: object):
    return list(telegram.read(tree_of({"ChatExport/result.json": content, **files})))


def one(**fields: object):
    (record,) = records(read(chat(MESSAGE | fields)))
    return record


def test_a_whole_message():
    record = one(
        text=["low ", {"type": "bold", "text": "tide"}, {"type": "hashtag", "text": " #pier"}],
        text_entities=[
            {"type": "hashtag", "text": "#pier"},
            {"type": "mention", "text": "@member_two"},
            {"type": "mention_name", "text": "Two", "user_id": 2},
        ],
        reply_to_message_id=16,
        edited="2024-05-02T21:11:04",
        edited_unixtime="1714677064",
        reactions=[{"type": "emoji", "count": 4, "emoji": "❤"}],
    )
    assert (record.id, record.service) == ("telegram:2000000001/17", "telegram")
    assert (record.surface, record.reply_to) == ("comment", "telegram:2000000001/16")
    assert (record.author, record.kind, record.age_band) == ("acct:user1000000001@telegram", "", "")
    assert (record.audience, record.audience_source) == ("public", "asserted")
    assert record.created_at == datetime(2024, 5, 2, 18, 11, 4, tzinfo=UTC)
    assert record.edited_at == datetime(2024, 5, 2, 19, 11, 4, tzinfo=UTC)
    assert record.rev == 1714677064000
    assert record.text == "low tide #pier"
    assert record.tags == ("pier",)
    assert record.mentions == ("acct:member_two@telegram", "acct:user2@telegram")
    assert (record.container, record.source) == ("telegram:2000000001", "telegram-export")
    assert not record.is_message


def test_a_post_of_a_channel_is_the_channels_own():
    post = MESSAGE | {"from": "The Pier", "from_id": "channel2000000001", "author": "Member One"}
    items = read(chat(post, kind="public_channel"))
    update = AccountUpdate(
        "acct:channel2000000001@telegram", "telegram", handle="The Pier", kind="page"
    )
    assert items[0] == update
    (record,) = records(items)
    assert (record.author, record.kind, record.surface) == (update.account, "page", "post")
    assert "Member One" not in repr(items)
    del post["from_id"], post["from"]
    assert read(chat(post, kind="public_channel")) == items


def test_accounts_are_told_of_once():
    items = read(chat(MESSAGE, MESSAGE | {"id": 18}, MESSAGE | {"id": 19, "from_id": "user5"}))
    assert of_kind(items, AccountUpdate) == [
        AccountUpdate("acct:user1000000001@telegram", "telegram", handle="Member One"),
        AccountUpdate("acct:user5@telegram", "telegram", handle="Member One"),
    ]


@pytest.mark.parametrize(
    ("told", "author"),
    [
        (1000000001, "acct:user1000000001@telegram"),
        (2000000001, "acct:channel2000000001@telegram"),
        (None, ""),
        (["user1"], ""),
        ("", ""),
    ],
)
def test_old_exports_name_authors_by_numbers(told, author):
    assert one(from_id=told).author == author


def test_the_zoneless_date_counts_only_where_there_is_no_other():
    assert one().created_at == datetime(2024, 5, 2, 18, 11, 4, tzinfo=UTC)
    assert one(date_unixtime=None).created_at == datetime(2024, 5, 2, 20, 11, 4, tzinfo=UTC)
    assert one(date_unixtime="0", date=None).date_state == "unreadable"
    assert one(date_unixtime=None, date=None).date_state == "absent"


def test_a_reply_to_another_chat_names_it():
    record = one(reply_to_message_id=5, reply_to_peer_id="channel7")
    assert record.reply_to == "telegram:7/5"


def test_what_is_not_its_senders_own_is_skipped():
    items = read(
        chat(
            SERVICE,
            MESSAGE | {"forwarded_from": "Member Two"},
            MESSAGE | {"forwarded_from": None},
            MESSAGE | {"saved_from": "Member Two"},
            MESSAGE | {"via_bot": "@gif"},
            {"id": 3, "type": "unsupported"},
            MESSAGE | {"text": "", "text_entities": []},
        )
    )
    assert of_kind(items, Skipped) == [
        Skipped("service message"),
        *[Skipped("forwarded")] * 3,
        Skipped("written by a bot"),
        Skipped("service message"),
        Skipped("nothing in it"),
    ]
    assert not records(items)


def test_polls_are_words():
    answers = [{"text": "high", "voters": 2, "chosen": False}, {"text": "low", "voters": 1}]
    poll = {"question": "Which tide?", "closed": False, "total_voters": 3, "answers": answers}
    assert one(text="", text_entities=[], poll=poll).text == "Which tide?\nhigh\nlow"
    assert one(poll=poll).text == "low tide\nWhich tide?\nhigh\nlow"


def test_media_that_lie_in_the_export():
    absent = "(File not included. Change data exporting settings to download.)"
    files = {f"ChatExport/{name}": b"x" for name in ("p.jpg", "v.mp4", "a.ogg", "d.pdf", "s.webp")}
    content = chat(
        MESSAGE | {"photo": "p.jpg"},
        MESSAGE | {"file": "v.mp4", "media_type": "video_file", "mime_type": "video/mp4"},
        MESSAGE | {"file": "a.ogg", "media_type": "voice_message", "text": ""},
        MESSAGE | {"file": "p.jpg", "mime_type": "image/png"},
        MESSAGE | {"file": "d.pdf", "mime_type": "application/pdf"},
        MESSAGE | {"file": "s.webp", "media_type": "sticker", "mime_type": "image/webp"},
        MESSAGE | {"photo": absent},
    )
    tree = tree_of({"ChatExport/result.json": content, **files})
    media = [record.media for record in records(telegram.read(tree))]
    photo = (Medium("ChatExport/p.jpg", "image"),)
    assert media == [
        photo,
        (Medium("ChatExport/v.mp4", "video"),),
        (Medium("ChatExport/a.ogg", "audio"),),
        photo,
        (),
        (),
        (),
    ]
    assert not tree.get("ChatExport/s.webp").used


@pytest.mark.parametrize("kind", [*PRIVATE, None, 1, ["public_channel"]])
def test_other_chats_are_refused_without_a_look_at_their_messages(kind):
    # Its only message could not even be read, were it looked at.
    assert read(chat(MESSAGE | {"text": "\ud83d"}, "secret", kind=kind)) == [REFUSED]


def test_a_type_that_comes_too_late_or_not_at_all_is_no_type():
    late = {"name": "x", "id": 1, "messages": [MESSAGE], "type": "public_channel"}
    assert read(late) == [REFUSED]
    account = {"chats": {"list": [{"name": "x", "id": 1, "messages": [MESSAGE]}, late]}}
    assert read(account) == [REFUSED, REFUSED]


def test_a_type_that_is_told_twice_must_be_public_twice():
    text = '{"type":"%s","id":1,"type":"%s","messages":[%s]%s}'
    message = json.dumps(MESSAGE)
    for kinds in (("private_group", "public_channel"), ("public_channel", "private_group")):
        assert read(text % (*kinds, message, "")) == [REFUSED]
    assert len(records(read(text % ("public_channel", "public_channel", message, "")))) == 1
    # Had its messages been read by then, nothing of the whole file would be kept.
    after = ',"type":"private_group"'
    with pytest.raises(InputError, match="two types"):
        read(text % ("public_channel", "public_channel", message, after))
    early = f'{{"messages":[{message}],"type":"public_channel","id":1,"messages":[{message}]}}'
    assert read(early) == [REFUSED]


def test_of_a_whole_account_only_public_chats_are_read():
    account = {
        "about": "Here is the data you requested.",
        "personal_information": {"phone_number": "secret", "first_name": "secret"},
        "contacts": {"list": [{"first_name": "secret", "phone_number": "secret"}]},
        "frequent_contacts": {"list": [{"id": 1, "type": "user", "name": "secret"}]},
        "sessions": {"list": [{"last_ip": "secret"}]},
        "chats": {
            "about": "This page lists all chats.",
            "list": [
                chat(MESSAGE),
                *(chat({"text": "secret"}, kind=kind) for kind in PRIVATE),
                {"type": "saved_messages", "id": 5, "messages": [{"text": "secret"}]},
            ],
        },
        "left_chats": {"list": [chat(MESSAGE, id=7), chat(MESSAGE, kind="private_channel")]},
    }
    items = read(account)
    ids = [record.id for record in records(items)]
    assert ids == ["telegram:2000000001/17", "telegram:7/17"]
    assert items.count(REFUSED) == len(PRIVATE) + 2
    assert "secret" not in repr(items)


def test_an_account_with_more_contacts_than_are_looked_at_is_known():
    contacts = {"list": [{"first_name": "x" * 90} for _ in range(2000)]}
    account = {"about": "x", "contacts": contacts, "chats": {"list": [chat(MESSAGE)]}}
    assert len(records(read(json.dumps(account)))) == 1


def test_other_documents_are_not_telegrams():
    for other in ({"type": "x", "id": 1}, {"about": "x"}, {"orderedItems": []}, [chat(MESSAGE)]):
        assert not telegram.claims(tree_of({"result.json": other}))
    assert not telegram.claims(tree_of({"result.jpg": chat(MESSAGE)}))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("secret", "object"),
        (MESSAGE | {"id": None}, "id"),
        (MESSAGE | {"id": "secret"}, "id"),
        (MESSAGE | {"text": "\ud83d"}, "surrogate"),
        (MESSAGE | {"text": "x" * 1_000_001}, "longer"),
    ],
)
def test_what_is_no_message_is_rejected_and_the_others_are_read(message, reason):
    items = read(chat(message, MESSAGE))
    (rejected,) = of_kind(items, Rejected)
    assert reason in rejected.reason
    assert rejected.where.startswith("character ")
    assert (rejected.file, rejected.raw) == ("ChatExport/result.json", None)
    assert "secret" not in repr(items)
    assert len(records(items)) == 1


def test_messages_of_a_chat_without_a_number_have_no_names():
    (item,) = read(chat(MESSAGE, id=None))
    assert isinstance(item, Rejected)


def test_a_broken_file_stops_the_import():
    for broken in (json.dumps(chat(MESSAGE))[:-3], json.dumps(chat(MESSAGE)) + "x"):
        with pytest.raises(InputError, match=r"result\.json"):
            read(broken)


def test_several_exports_in_a_folder(tmp_path):
    put(
        tmp_path,
        {
            "a/result.json": json.dumps(chat(MESSAGE), indent=1),
            "b/result (1).json": json.dumps(chat(MESSAGE, id=5), indent=1),
            "c/renamed.json": json.dumps(chat(MESSAGE, kind="personal_chat"), indent=1),
        },
    )
    items = everything(tmp_path)
    assert sorted(record.id for record in records(items)) == [
        "telegram:2000000001/17",
        "telegram:5/17",
    ]
    assert items.count(REFUSED) == 1


FULL = MESSAGE | {
    "edited_unixtime": "1714677064",
    "reply_to_message_id": 16,
    "reply_to_peer_id": "channel7",
    "photo": "p.jpg",
    "file": "p.jpg",
    "media_type": "video_file",
    "mime_type": "image/png",
    "poll": {"question": "x", "answers": [{"text": "y"}]},
}


@given(st.lists(st.one_of(LOOSE, with_loose_fields(FULL)), max_size=4), LOOSE, LOOSE)
def test_no_fields_break_the_reading(messages, number, name):
    items = read(chat(*messages, id=number, name=name))
    outcomes = of_kind(items, Upsert) + of_kind(items, Skipped) + of_kind(items, Rejected)
    assert len(outcomes) == len(messages)
    for record in records(items):
        json.dumps([record.text, record.author, record.id], ensure_ascii=False).encode()


@given(
    st.one_of(st.sampled_from(PRIVATE), LOOSE), st.permutations(["type", "id", "name", "messages"])
)
def test_no_chat_but_a_public_one_yields_records(kind, order):
    whole = chat(MESSAGE, kind=kind)
    items = read({"chats": {"list": [{key: whole[key] for key in order}]}})
    assert items == [REFUSED]


@given(st.permutations(["type", "id", "name", "messages"]))
def test_a_public_chat_yields_records_if_its_type_comes_first(order):
    whole = chat(MESSAGE)
    items = read({"chats": {"list": [{key: whole[key] for key in order}]}})
    before = order[: order.index("messages")]
    assert len(records(items)) == ("type" in before and "id" in before)
    assert (REFUSED in items) == ("type" not in before)


@given(damaged({"chats": {"list": [chat(FULL), chat({"text": "zwiebelfisch"}, kind="bot_chat")]}}))
def test_damage_anywhere_is_an_error_or_none(content):
    assert "zwiebelfisch" not in repr(survives(telegram.read, {"result.json": content}))
