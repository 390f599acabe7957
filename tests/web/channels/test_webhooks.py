"""Messages by webhook: who may deliver, what is answered, and that once."""

import base64
import hashlib
import hmac
import logging
import time

import pytest

from sayso.errors import UsageError
from sayso.settings import Channels, OtherApp, Settings
from sayso.web.channels.doors import doors
from sayso.workspace import Workspace
from tests.web.channels.conftest import (
    APP_SECRET,
    PAGES,
    VERIFY,
    fresh,
    text,
    tg,
    whatsapp,
)
from tests.web.conftest import poll

NEVER = "Nobody may ever read 5f2c."


@pytest.fixture(autouse=True)
def known(community):
    community.assistant.pieces = ["The **ferry** leaves at 07:15."]
    community.assistant.error = None
    community.assistant.go.set()
    return community


def shake(community, channel="whatsapp", **query):
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444"} | {
        f"hub.{name}": value for name, value in query.items()
    }
    return community.client.get(f"/channels/{channel}", params=query)


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram"])
def test_the_handshake_needs_the_token(community, channel):
    answer = shake(community, channel, verify_token=VERIFY)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert shake(community, channel, verify_token="another").status_code == 403
    assert shake(community, channel, verify_token="Vä").status_code == 403
    assert shake(community, channel).status_code == 403
    assert shake(community, channel, verify_token=VERIFY, mode="x").status_code == 403


def forged(community):
    signed = {"x-hub-signature-256": "sha256=" + "0" * 64}
    yield community.whatsapp(text(NEVER), **signed)
    yield community.whatsapp(text(NEVER), **{"x-hub-signature-256": ""})
    yield community.whatsapp(text(NEVER), **{"x-hub-signature-256": b"sha256=\xe4"})
    yield community.post("/channels/messenger", b"{}", {})
    yield community.telegram(tg(NEVER), "another secret")
    yield community.telegram(tg(NEVER), "")
    yield community.app(moment=time.time() - 301, text=NEVER)
    yield community.app(moment=time.time() + 301, text=NEVER)
    yield community.post("/channels/webhook", b"{}", {"webhook-signature": "v1,x v1a,y"})


def test_nothing_that_is_forged_is_taken(community, caplog):
    before = len(community.assistant.asked)
    assert [answer.status_code for answer in forged(community)] == [403] * 9
    assert community.settled() == [] and len(community.assistant.asked) == before
    assert NEVER not in caplog.text


def test_a_signature_is_over_the_bytes_as_they_came(community):
    raw = b'{"object": "whatsapp_business_account",  "entry": []}'
    digest = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    signed = {"x-hub-signature-256": f"sha256={digest}"}
    assert community.post("/channels/whatsapp", raw, signed).status_code == 200
    assert (
        community.post("/channels/whatsapp", raw.replace(b",  ", b", "), signed).status_code == 403
    )


def test_what_is_no_delivery_is_refused(community):
    assert community.meta("whatsapp", {"x": "y" * 3_200_000}).status_code == 413
    packed = {"content-encoding": "gzip"}
    assert community.post("/channels/whatsapp", b"\x1f\x8b", packed).status_code == 415
    assert community.app(text=5).status_code == 400
    assert community.app(thread="").status_code == 400
    # Shapes that nobody announced are read as nothing.
    for body in ({"object": "whatsapp_business_account", "entry": [{"changes": [7, {"value": 1}]}]},
                 {"object": "page", "entry": {}}, {}):  # fmt: skip
        assert community.meta("whatsapp", body).status_code == 200
    assert community.settled() == []


def deliver(community, channel, said="When does the ferry leave?", **more):
    match channel:
        case "whatsapp":
            return community.whatsapp(text(said, **more))
        case "telegram":
            return community.telegram(tg(said))
        case "webhook":
            return community.app(text=said, thread=fresh(), sender=fresh())
        case _:
            return community.page(channel, message={"mid": fresh(), "text": said})


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram", "telegram", "webhook"])
def test_an_answer_names_its_sources_and_the_first_says_that_an_ai_speaks(community, channel):
    assert deliver(community, channel).status_code == 200
    (first,) = community.settled()
    greeting = "Ich bin eine KI" if channel == "telegram" else "I am an AI"
    language = "de" if channel == "telegram" else "en"
    assert first.startswith(greeting) and f"{PAGES}/object?lang={language}" in first
    ferry = "*ferry*" if channel == "whatsapp" else "ferry"
    assert f"The {ferry} leaves at 07:15." in first
    assert "member-1 (forum, 2026-09-11)" in first
    if channel != "webhook":
        community.platform.clear()
        deliver(community, channel)
        (second,) = community.settled()
        assert second.startswith(f"The {ferry} leaves")


def test_a_delivery_that_comes_twice_is_answered_once(community):
    twice = text("When?", id=fresh())
    community.whatsapp(twice, twice)
    community.whatsapp(twice)
    assert len(community.settled()) == 1
    message = {"mid": fresh(), "text": "When?"}
    community.page("messenger", message=message)
    community.page("messenger", message=message)
    assert len(community.settled()) == 2
    name = fresh()
    assert [community.app(id=name).status_code for _ in range(2)] == [200, 200]
    assert len(community.settled()) == 3


def test_what_asks_nothing_is_not_answered(community):
    body = whatsapp({"type": "reaction", "reaction": {"emoji": "x"}}, {"type": "system"})
    body["entry"][0]["changes"][0]["value"]["statuses"] = [{"id": "wamid.1", "status": "read"}]
    assert community.meta("whatsapp", body).status_code == 200
    community.whatsapp(text("When?", group_id="g1"))
    other = whatsapp(text("When?"))
    other["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "another"
    community.meta("whatsapp", other)
    community.page("messenger", message={"mid": fresh(), "text": "When?", "is_echo": True})
    community.page("messenger", read={"watermark": 1})
    community.page("instagram", reaction={"mid": fresh(), "action": "react"})
    others = {"sender": {"id": "p"}, "timestamp": 1, "message": {"mid": fresh(), "text": "When?"}}
    standby = {"id": "555", "standby": [others]}
    community.meta("messenger", {"object": "page", "entry": [standby]})
    community.telegram(tg("When?", kind="supergroup"))  # in a group, to others
    bot = {"id": 5, "is_bot": True}
    community.telegram(tg("When?") | {"message": tg("When?")["message"] | {"from": bot}})
    assert community.settled() == []


def test_in_a_group_it_answers_who_calls_it(community):
    said = "🚢 @harbour_bot When does the ferry leave?"
    called = [{"type": "mention", "offset": 3, "length": 12}]
    topic = {"message_thread_id": 3, "is_topic_message": True}
    community.telegram(tg(said, chat=-9, kind="supergroup", entities=called, **topic))
    community.telegram(
        tg(
            "And on Sundays?",
            chat=-9,
            kind="group",
            reply_to_message={"from": {"id": 111222, "is_bot": True}},
        )
    )
    community.telegram(tg("@harbour_bots When?", chat=-9, kind="group",
                          entities=[{"type": "mention", "offset": 0, "length": 13}]))  # fmt: skip
    assert len(community.settled()) == 2
    asked = {messages[-1]["content"] for messages in community.assistant.asked[-2:]}
    assert asked == {"🚢  When does the ferry leave?", "And on Sundays?"}
    sent = community.platform.of("/sendMessage")
    assert {body["chat_id"] for body in sent} == {-9}
    assert {body.get("message_thread_id") for body in sent} == {3, None}


@pytest.mark.parametrize("command", ["/help", "/object", "/new"])
def test_commands_need_no_model(community, command):
    asked = len(community.assistant.asked)
    for channel in ("whatsapp", "messenger", "instagram", "telegram", "webhook"):
        deliver(community, channel, command)
    said = community.settled()
    assert len(said) == 5 and len(community.assistant.asked) == asked
    if command == "/object":
        assert all(f"{PAGES}/object?lang=" in text for text in said)


def test_what_cannot_be_read_is_said_once(community):
    picture = {"type": "image", "image": {"id": "65", "mime_type": "image/jpeg"}}
    sent = whatsapp(picture, picture | {"id": fresh()}, number="49777")
    community.meta("whatsapp", sent)
    (said,) = community.settled()
    assert "cannot read pictures" in said
    caption = {"type": "image", "image": {"id": "66", "mime_type": "image/png", "caption": "When?"}}
    community.meta("whatsapp", whatsapp(caption, number="49777"))
    assert community.settled()[1].startswith("The *ferry* leaves")
    attached = [{"type": "image", "payload": {"url": "http://127.0.0.1:1/secret"}}]
    message = {"mid": fresh(), "attachments": attached}
    community.page("messenger", message=message, sender={"id": "psid-9"})
    assert "cannot read pictures" in community.settled()[2]


def test_a_file_with_a_question_is_read_if_it_can_be(community):
    csv = {"mime_type": "text/csv", "filename": "ferries.csv", "caption": "How many?"}
    document = {"type": "document", "document": csv | {"id": "4711"}}
    community.meta("whatsapp", whatsapp(document, number="49778"))
    community.telegram(tg("", caption="How many?", document={
        "file_id": "AbC", "file_name": "ferries.csv", "mime_type": "text/csv"}))  # fmt: skip
    data = base64.b64encode(b"day,ferries\nMon,7\n").decode()
    community.app(uploads=[{"media_type": "text/csv", "name": "ferries.csv", "data": data}])
    assert not any("cannot read" in said for said in community.settled())
    files = [uploads for uploads in community.assistant.files if uploads]
    assert [(f.name, f.media_type, f.data) for (f,) in files] == 3 * [
        ("ferries.csv", "text/csv", b"day,ferries\nMon,7\n")
    ]


def test_a_file_is_fetched_from_nowhere_else_and_no_longer_one(community):
    fetched, given = len(community.platform.fetched), len(community.assistant.files)
    csv = {"mime_type": "text/csv", "filename": "ferries.csv", "caption": "How many?"}
    names = ["elsewhere", "../1122/messages", "long"]
    community.platform.elsewhere = community.address + "/files/x"  # another port
    documents = [{"type": "document", "document": csv | {"id": name}} for name in names]
    documents.append({"type": "image", "image": {"id": "77", "caption": "What?"}})
    documents.append({"type": "document", "document": csv | {"id": "1", "filename": "x.exe"}})
    community.meta("whatsapp", whatsapp(*documents, number="49779"))
    said = community.settled()
    assert len(said) == 5 and sum("cannot read pictures" in text for text in said) == 1
    assert community.assistant.files[given:] == [()] * 5
    assert community.platform.fetched[fetched:] == ["/files/long", "/files/1"]


def test_whoever_has_no_number_is_answered_by_their_id(community):
    body = whatsapp(text("When?"))
    value = body["entry"][0]["changes"][0]["value"]
    value["contacts"] = [{"profile": {"name": "Test"}, "user_id": "US.1349"}]
    del value["messages"][0]["from"]
    community.meta("whatsapp", body)
    assert len(community.settled()) == 1
    sent = [body for body in community.platform.of("/1122/messages") if "text" in body]
    assert sent[0]["recipient"] == "US.1349" and "to" not in sent[0]


def test_a_question_of_yesterday_is_not_answered(community):
    old = str(int(time.time()) - 24 * 3600)
    community.whatsapp(text("When?", timestamp=old))
    community.page("messenger", message={"mid": fresh(), "text": "When?"},
                   timestamp=int((time.time() - 24 * 3600) * 1000))  # fmt: skip
    assert community.settled() == [] and community.platform.sent == []


def test_a_refusal_stops_nobody_else(community, caplog):
    late = {"error": {"code": 131047, "message": "Re-engagement message"}}
    community.platform.fail(400, late)
    community.whatsapp(text("When?"))
    poll(lambda: community.desk.is_idle)
    assert "too late" in caplog.text and community.platform.texts() == []
    community.platform.fail(500, {"error": {"code": 131005}}, retry_after="3600")
    community.whatsapp(text("When?"))
    community.whatsapp(text("When?"))
    assert len(community.settled()) == 1
    community.assistant.error = ValueError(NEVER)
    community.whatsapp(text("When?"))
    poll(lambda: community.desk.is_idle)
    community.assistant.error = None
    community.whatsapp(text("When?"))
    assert len(community.settled()) == 3
    assert "cannot answer right now" in community.platform.texts()[1]
    assert "ValueError" in caplog.text and NEVER not in caplog.text


def test_a_platform_that_is_busy_is_asked_again(community):
    community.platform.fail(429, {"error": {"code": 130429}}, retry_after="0")
    community.platform.fail(503, retry_after="0")
    community.whatsapp(text("When?"))
    assert len(community.settled()) == 1
    community.platform.fail(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 0}})
    community.telegram(tg())
    assert len(community.settled()) == 2


def test_messages_of_a_thread_are_answered_in_order(community):
    community.assistant.go.clear()
    community.whatsapp(*(text(f"Question {n}?") for n in range(4)))
    community.meta("whatsapp", whatsapp(text("Another's"), number="49888"))
    community.assistant.go.set()
    assert len(community.settled()) == 5
    asked = [messages[-1]["content"] for messages in community.assistant.asked[-5:]]
    assert [one for one in asked if "Question" in one] == [f"Question {n}?" for n in range(4)]


def test_what_is_taken_back_is_not_answered(community):
    community.assistant.go.clear()
    first, second, third = text("One?", id="w1"), text("Two?", id="w2"), text("Three?", id="w3")
    asked = len(community.assistant.asked)
    community.whatsapp(first, second, third)
    poll(lambda: len(community.assistant.asked) > asked)
    gone = [{"type": "revoke", "revoke": {"original_message_id": name}} for name in ("w1", "w2")]
    community.whatsapp(*gone)
    community.assistant.go.set()
    assert len(community.settled()) == 1
    answered = [body for body in community.platform.of("/messages") if "text" in body]
    assert [body["context"]["message_id"] for body in answered] == ["w3"]
    # Deliveries come in any order.
    community.whatsapp({"type": "revoke", "revoke": {"original_message_id": "w9"}})
    community.whatsapp(text("Nine?", id="w9"))
    assert len(community.settled()) == 1


def test_what_is_edited_is_answered_as_it_is_now(community):
    community.assistant.go.clear()
    asked = len(community.assistant.asked)
    community.whatsapp(text("Wen?", id="e1"))
    poll(lambda: len(community.assistant.asked) > asked)
    edit = {"type": "edit", "edit": {"original_message_id": "e1", "message": text("When?")}}
    community.whatsapp(edit)
    community.assistant.go.set()
    assert len(community.settled()) == 1
    assert community.assistant.asked[-1][-1]["content"] == "When?"
    update = tg("Wen?")
    changed = update["message"] | {"text": "When now?", "edit_date": int(time.time()) + 1}
    community.telegram({"update_id": 1, "edited_message": changed})
    community.telegram(update)  # it comes late
    assert len(community.settled()) == 2
    assert community.assistant.asked[-1][-1]["content"] == "When now?"


def test_writing_is_shown_and_what_was_said_marked_as_read(community):
    community.assistant.go.clear()
    community.platform.raw.clear()
    community.whatsapp(text("When?", id="wamid.shown"))
    community.page("messenger", message={"mid": fresh(), "text": "When?"})
    community.telegram(tg())
    sign = b'"message_id":"wamid.shown","typing_indicator":{"type":"text"}'

    def are_shown():
        bodies = b"".join(body.replace(b": ", b":") for _, body in community.platform.raw)
        return sign in bodies and b"typing_on" in bodies and b'"action":"typing"' in bodies

    poll(are_shown)
    community.assistant.go.set()
    assert len(community.settled()) == 3


def test_channels_that_are_off_are_not_there(tmp_path):
    assert doors(Workspace.create(tmp_path / "home", Settings())) == {}
    only = Settings(channels=Channels(webhook=OtherApp(enabled=True)))
    with pytest.raises(UsageError):
        doors(Workspace.create(tmp_path / "other", only))


def test_a_channel_that_nobody_knows_is_not_there(community):
    for name in ("signal", "mastodon", "whatsapp/x", ""):  # Mastodon has no webhook
        assert community.client.post(f"/channels/{name}", content=b"{}").status_code == 404
    assert community.client.get("/channels/telegram").status_code == 405


def test_no_name_and_no_word_reaches_a_log(community, caplog):
    caplog.set_level(logging.DEBUG)
    community.platform.fail(400, {"error": {"message": NEVER, "code": 100}})
    community.meta("whatsapp", whatsapp(text(NEVER), number="491700000"))
    community.telegram(tg(NEVER))
    poll(lambda: community.desk.is_idle)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("sayso")]
    assert own and not any(NEVER in line or "491700000" in line or "telegram-token" in line
                           for line in own)  # fmt: skip
