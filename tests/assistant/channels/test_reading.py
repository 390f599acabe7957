"""Deliveries of any shape: what is none of ours is nothing, never an error."""

import hashlib
import hmac

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.assistant.channels import messenger, telegram, whatsapp
from sayso.assistant.conversation import Inbound
from sayso.errors import InputError, IntegrityError

WHATSAPP = whatsapp.Account("1122", "token", "a secret", "verify", "https://graph.example")
PAGE = messenger.Account("messenger", "555", "token", "a secret", "verify", "https://graph.example")
BOT = telegram.Account("harbour_bot", "111:x", "a secret", "https://api.example")
NAMES = """object entry id changes field value metadata phone_number_id contacts wa_id user_id
messages from timestamp type text body image document caption edit revoke original_message_id
message messaging sender recipient mid attachments payload postback message_edit message_id chat
date entities offset length photo reply_to_message edited_message edit_date""".split()
VALUES = ["whatsapp_business_account", "page", "messages", "1122", "555", "text", "edit", "revoke",
          "image", "mention", "private", "@harbour_bot", "17", "", "nan", 17, -1, 2**63, 1.5, True,
          None]  # fmt: skip
shapes = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=30,
)
WHOLE = {
    "object": "whatsapp_business_account",
    "entry": [{"changes": [{"field": "messages", "value": {
        "metadata": {"phone_number_id": "1122"},
        "contacts": [{"wa_id": "49151"}],
        "messages": [{"from": "49151", "id": "w1", "timestamp": "17", "type": "text",
                      "text": {"body": "When?"}}]}}]}],
}  # fmt: skip
PAGED = {
    "object": "page",
    "entry": [{"id": "555", "messaging": [{"sender": {"id": "7"}, "timestamp": 17,
                                           "message": {"mid": "m1", "text": "When?"}}]}],
}  # fmt: skip
UPDATE = {
    "update_id": 1,
    "message": {"message_id": 1, "date": 17, "from": {"id": 7}, "text": "When?",
                "chat": {"id": 7, "type": "private"}},
}  # fmt: skip


def places(value, path=()):
    yield path
    parts = {dict: dict.items, list: enumerate}.get(type(value), lambda _: ())(value)
    for name, part in parts:
        yield from places(part, (*path, name))


def replaced(value, path, by):
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], by)
    return copy


@st.composite
def damaged(draw, whole):
    return replaced(whole, draw(st.sampled_from(list(places(whole)))), draw(shapes))


def read(module, account, body):
    raw = msgspec.json.encode(body)
    digest = hmac.new(b"a secret", raw, hashlib.sha256).hexdigest()
    headers = {
        "x-hub-signature-256": f"sha256={digest}",
        "x-telegram-bot-api-secret-token": "a secret",
    }
    try:
        return module.read(headers, raw, account)
    except InputError:
        assert not isinstance(body, dict)
        return []


@given(damaged(WHOLE), damaged(PAGED), damaged(UPDATE))
@settings(max_examples=60, deadline=None)
def test_any_shape_is_read_as_messages_or_as_nothing(first, second, third):
    found = [
        *read(whatsapp, WHATSAPP, first),
        *read(messenger, PAGE, second),
        *read(telegram, BOT, third),
    ]
    for message in found:
        assert isinstance(message, Inbound) and message.sender and message.id and message.thread
        msgspec.convert(msgspec.to_builtins(message), Inbound)  # every field is of its type


def test_another_persons_contact_is_not_answered():
    value = WHOLE["entry"][0]["changes"][0]["value"]
    contacts = [{"wa_id": "49152", "user_id": "US.49152"}]
    body = replaced(WHOLE, ("entry", 0, "changes", 0, "value"), value | {"contacts": contacts})
    (message,) = read(whatsapp, WHATSAPP, body)
    assert (message.sender, message.thread) == ("49151", "49151")


@pytest.mark.parametrize("number", [10**400, 10**18, -1, True, "nan", "1e400"])
def test_a_moment_that_is_none_is_no_error(number):
    read(messenger, PAGE, replaced(PAGED, ("entry", 0, "messaging", 0, "timestamp"), number))
    read(telegram, BOT, replaced(UPDATE, ("message", "date"), number))


def test_only_topics_are_threads_of_their_own():
    reply = UPDATE["message"] | {"message_thread_id": 5}
    (message,) = read(telegram, BOT, {"message": reply})
    assert message.thread == "7"
    (message,) = read(telegram, BOT, {"message": reply | {"is_topic_message": True}})
    assert message.thread == "7:5"


def test_what_is_whole_is_read():
    for module, account, body in (
        (whatsapp, WHATSAPP, WHOLE), (messenger, PAGE, PAGED), (telegram, BOT, UPDATE)
    ):  # fmt: skip
        (message,) = read(module, account, body)
        assert (message.text, message.at.timestamp()) == (
            "When?",
            17 if body is not PAGED else 0.017,
        )
        with pytest.raises(IntegrityError):
            module.read({}, msgspec.json.encode(body), account)
