"""Private messages are known by path and by content, whatever their files are called."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.sources import messages
from sayso.sources.items import Refused
from sayso.sources.messages import kind_by_content, kind_by_path
from tests.sources.trees import LEAVES, as_bytes, everything, put, zipped

SECRET = "zwiebelfisch"

PATHS = {
    messages.META: [
        "your_facebook_activity/messages/inbox/member_1/message_1.json",
        "your_activity_across_facebook/messages/e2ee_cutover/member_1/photos/1.jpg",
        "personal_information/profile_information/your_facebook_activity/messages/x/message_2.html",
        "messages/secret_conversations.json",
        "messages/support_messages.json",
        "Messages/Autofill_Information.json",
        "autofill_information.json",
        "groups/your_group_messages/123.json",
        "your_instagram_activity/messages/message_requests/x/message_1.json",
        "inbox/member_1/message_1.json",
        "filtered_threads/member_1/videos/1.mp4",
        "somewhere/message_12.json",
        "messages.zip",
        "messages.json",
        "direct.json",
        "ai_conversations.json",
    ],
    messages.WHATSAPP: [
        "_chat.txt",
        "WhatsApp Chat with Member One.txt",
        "WhatsApp Chat - Member One.zip",
        "x/Conversa do WhatsApp com Member.txt",
        "00000012-PHOTO-2025-03-04-14-05-09.jpg",
        "00000013-AUDIO-2025-03-04-14-05-09.opus",
        "2016-03-04-PHOTO-00000012.jpg",
        "media/IMG-20250304-WA0001.jpg",
        "PTT-20250304-WA0012.opus",
    ],
    messages.X: [
        "data/direct-messages.js",
        "data/direct-message-headers.js",
        "data/direct-messages-group.js",
        "data/direct-messages-part1.js",
        "data/direct_messages_media/1-x.jpg",
        "data/direct_messages_group_media/1-x.jpg",
        "data/direct-message-mute.js",
        "data/grok-chat-item.js",
        "data/audio-video-calls-in-dm.js",
        "direct-message.js",
    ],
    messages.BLUESKY: ["chat.jsonl", "x/chat.jsonl"],
    messages.REDDIT: [
        "messages.csv",
        "messages_archive.csv",
        "message_headers.csv",
        "messages_archive_headers.csv",
        "x/chat_history.csv",
    ],
}


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in PATHS.items() for path in paths]
)
def test_paths_of_messages(kind, path):
    assert kind_by_path(path) == kind
    assert kind_by_path(path.upper()) == kind


@pytest.mark.parametrize(
    "path",
    [
        "your_facebook_activity/posts/your_posts_1.json",
        "posts/media/holiday-photo-1.jpg",
        "media_attachments/files/1/img-20250304.jpg",
        "your_instagram_activity/content/posts_1.json",
        "data/tweets.js",
        "data/tweets_media/1-direct.jpg",
        "outbox.json",
        "chat.json",
        "chats.jsonl",
        "posts_about_messages.json",
        "commercial_messages_seen.json",
        "comments.csv",
        "submessages.csv",
        "result.json",
        "essay about whatsapp.md",
    ],
)
def test_paths_of_other_things(path):
    assert kind_by_path(path) is None


THREAD = {
    "participants": [{"name": "Member One"}, {"name": "Member Two"}],
    "messages": [{"sender_name": "Member One", "timestamp_ms": 1, "content": SECRET}],
    "title": "Member Two",
    "is_still_participant": True,
    "thread_path": "inbox/member_2",
    "magic_words": [],
}
ENCRYPTED = {
    "participants": ["Member One", "Member Two"],
    "threadName": "Member Two_1",
    "messages": [
        {
            "isUnsent": False,
            "media": [],
            "reactions": [],
            "senderName": "Member One",
            "text": SECRET,
            "timestamp": 1,
            "type": "text",
        }
    ],
}
CONVERSATION = {
    "dmConversation": {
        "conversationId": "1-2",
        "messages": [{"messageCreate": {"recipientId": "2", "text": SECRET, "senderId": "1"}}],
    }
}
TELEGRAM = {"id": 3, "type": "message", "date_unixtime": "1", "from_id": "user1", "text": SECRET}
DOCUMENTS = {
    messages.META: {
        "a Messenger thread": THREAD,
        "an encrypted one": ENCRYPTED,
        "its participants alone": {"participants": THREAD["participants"]},
        "its messages alone": {"messages": THREAD["messages"]},
        "its messages as a list": THREAD["messages"],
        "its encrypted messages as a list": ENCRYPTED["messages"],
        "one message": THREAD["messages"][0],
        "its messages under another name": {"m": THREAD["messages"]},
        "its end": {"title": "Member Two", "thread_path": "inbox/member_2"},
        "an empty one": {"participants": [], "messages": []},
        "Instagram's of before 2021": [
            {"participants": ["a", "b"], "conversation": [{"sender": "a", "text": SECRET}]}
        ],
        "secret conversations": {"secret_conversations_v2": [{"x": SECRET}]},
        "conversations with the assistant": {"ai_conversations": [{"x": SECRET}]},
        "what was filled in": {"autofill_information_v2": {"x": SECRET}},
    },
    messages.X: {
        "direct messages": [CONVERSATION],
        "direct messages of an archive": "window.YTD.direct_messages.part0 = "
        + json.dumps([CONVERSATION], indent=2),
        "an empty file of them": "window.YTD.direct_messages_group.part0 = [ ]",
        "talk with an assistant": "window.YTD.grok_chat_item.part0 = "
        + json.dumps([{"grokChatItem": {"message": SECRET}}]),
    },
    messages.TELEGRAM: {
        "a chat without a type": {"name": "x", "id": 1, "messages": [TELEGRAM]},
        "its messages alone": {"messages": [TELEGRAM]},
    },
    messages.BLUESKY: {
        "a conversation": json.dumps(
            {"$type": "chat.bsky.convo.defs#messageView", "id": "1", "text": SECRET}
        ),
        "a line of a log": json.dumps({"type": "chat.bsky.convo.getLog", "message": SECRET}) + "\n",
    },
    messages.REDDIT: {
        "an inbox": f"id,permalink,thread_id,date,ip,from,to,subject,body\n1,,t,,,a,b,c,{SECRET}\n",
        "a chat": "message_id,created_at,updated_at,username,message,thread_parent_message_id,"
        f"channel_url,subreddit,channel_name,conversation_type\n1,,,a,{SECRET},,,,,direct\n",
    },
}
IDENTIFIED = [
    (kind, as_bytes(content)) for kind, named in DOCUMENTS.items() for content in named.values()
]


@pytest.mark.parametrize(
    ("kind", "content"), IDENTIFIED, ids=[name for named in DOCUMENTS.values() for name in named]
)
def test_documents_of_messages(kind, content):
    assert kind_by_content(content) == kind
    assert kind_by_content(b"\xef\xbb\xbf" + content) == kind
    assert kind_by_content(b"\r\n " + content) == kind


def test_documents_of_messages_in_any_layout():
    for _, content in IDENTIFIED:
        if content[:1] in b"{[":
            for indent in (None, 0, 4):
                assert kind_by_content(json.dumps(json.loads(content), indent=indent).encode())


def test_a_thread_is_known_by_its_beginning():
    thread = {**THREAD, "messages": THREAD["messages"] * 5000}
    for order in (thread, dict(reversed(thread.items()))):
        assert kind_by_content(json.dumps(order).encode()[: 64 * 1024]) == messages.META


# WhatsApp writes dates as a telephone's language and region have it.
HEADS = {
    "en-GB iOS": "[04/03/25, 14:05:09] ",
    "en-US iOS": "[3/4/25, 2:05:09\u202fPM] ",
    "en-US iOS, old": "[3/4/25, 2:05:09 PM] ",
    "iOS of 2014": "04/03/14 14:05:09: ",
    "de iOS": "[04.03.25, 14:05:09] ",
    "sv iOS": "[2025-03-04 14:05:09] ",
    "fr-CA iOS": "[2025-03-04 14 h 05 min 09 s] ",
    "fi iOS": "[4.3.2025 klo 14.05.09] ",
    "ko iOS": "[2025. 3. 4. 오후 2:05:09] ",
    "zh iOS": "[2025/3/4 下午2:05:09] ",
    "ja iOS": "[2025/03/04 14:05:09] ",
    "es-MX iOS": "[04/03/25 2:05:09 p.m.] ",
    "nl iOS": "[04-03-2025 14:05:09] ",
    "en-GB": "04/03/2025, 14:05 - ",
    "en-US": "3/4/25, 2:05\u202fPM - ",
    "en-IN": "04/03/25, 2:05 pm - ",
    "de": "04.03.25, 14:05 - ",
    "sv": "2025-03-04 14:05 - ",
    "ja": "2025/03/04 14:05 - ",
    "ko": "2025년 3월 4일 오후 2:05, ",
    "zh-TW": "2025/3/4 下午2:05 - ",
    "nl": "04-03-2025 14:05 - ",
    "fr": "04/03/2025 à 14:05 - ",
    "es": "4/3/25, 2:05 p.\u00a0m. - ",
    "pt-BR": "04/03/2025 14:05 - ",
    "it": "04/03/25, 14:05 - ",
    "ru": "04.03.2025, 14:05 - ",
    "bg": "4.03.25 г., 14:05 ч. - ",
    "ar": "\u200f٤\u200f/٣\u200f/٢٠٢٥، ٢:٠٥ م - ",
    "fa": "۱۴۰۳/۱۲/۱۴, ۱۴:۰۵ - ",
    "he": "4.3.2025, 14:05 - ",
    "hi": "04/03/25, 2:05 अपराह्न - ",
    "th": "4/3/2568 14:05 น. - ",
    "vi": "14:05, 04/03/2025 - ",
    "fi": "4.3.2025 klo 14.05 - ",
    "da": "04.03.2025 14.05 - ",
    "hu": "2025. 03. 04. 14:05 - ",
    "hr": "04. 03. 2025. 14:05 - ",
    "ms": "4/3/2025, 2:05 PTG - ",
    "id": "04/03/25 14.05 - ",
    "tr": "4.03.2025 14:05 - ",
}
SENDERS = [
    "Member One",
    "+49 151 00000000",
    "\u202a+49\u00a0151\u00a000000000\u202c",
    "~\u202fمحمد",
]
ENDS = ["\n", "\r\n"]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("end", ENDS)
def test_chats_of_whatsapp(head, sender, end):
    lines = [
        f"{head}{sender}: {SECRET}",
        "and on",
        "",
        f"\u200e{head}{sender}: \u200e<attached: 1>",
    ]
    text = end.join(lines).encode()
    assert kind_by_content(text) == messages.WHATSAPP
    assert kind_by_content(b"\xef\xbb\xbf" + text + b"\xf0\x9f") == messages.WHATSAPP
    # One alone may be anything.
    assert kind_by_content(end.join(lines[:3]).encode()) is None


NOTICES = [
    "Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
    "Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.",
    "Los mensajes y las llamadas están cifrados de extremo a extremo.",
    "As mensagens e as ligações são protegidas com a criptografia de ponta a ponta.",
    "Les messages et les appels sont chiffrés de bout en bout.",
    "I messaggi e le chiamate sono crittografati end-to-end.",
    "Berichten en oproepen worden end-to-end versleuteld.",
    "Meldinger og samtaler er ende-til-ende-kryptert.",
    "Сообщения и звонки защищены сквозным шифрованием.",
    "Mesajlar ve aramalar uçtan uca şifrelidir.",
    "الرسائل والمكالمات مشفرة تمامًا بين الطرفين.",
    "ההודעות והשיחות מוצפנות מקצה לקצה.",
    "मैसेज और कॉल, एंड-टू-एंड एन्क्रिप्टेड हैं.",
    "メッセージと通話はエンドツーエンドで暗号化されます。",
    "메시지와 통화는 종단간 암호화됩니다.",
    "消息和通话都进行端到端加密。",
    "Tin nhắn và cuộc gọi được mã hóa đầu cuối.",
]


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize("head", ["[04/03/25, 14:05:09] Member One: \u200e", "04.03.25, 14:05 - "])
def test_the_notice_at_the_beginning_of_a_chat_is_enough(head, notice):
    assert kind_by_content(f"{head}{notice}\n".encode()) == messages.WHATSAPP
    assert kind_by_content(f"{notice}\n".encode()) is None


def test_lines_of_a_log_that_look_like_a_chat_are_one():
    text = "2024-05-01 10:00 - Member One: low tide\n2024-05-01 10:05 - Member Two: yes\n"
    assert kind_by_content(text.encode()) == messages.WHATSAPP


POSTS = {
    "a blog post": "# The tide\n\n2024-05-01\n\nAt 10:05 it was low: I went.\n2024-05-02: rain.\n",
    "front matter": "---\ndate: 2024-05-01 10:00\nupdated: 2024-05-02 11:00\n---\nlow tide: yes\n",
    "an agenda": "Agenda 2024-05-01\n10:00 Welcome: all\n10:30 Break: coffee\n11:00 Tide: talk\n",
    "one dated line": "2024-05-01 10:00 - Agenda: items\nlow tide\n",
    "dates": "2024-05-01 - Tide: low\n2024-05-02 - Tide: high\n01.05.2024 Meeting: room 4\n",
    "a table": "id,date,text\n1,2024-05-01 10:00,Member One: x\n2,2024-05-01 10:05,Member: y\n",
    "a table of dates": '"2024-05-01 10:00","a: b"\n"2024-05-01 10:05","c: d"\n',
    "a log": "2024-05-01T10:00:00Z INFO tide: low\n2024-05-01T10:05:00Z INFO tide: high\n",
    "versions": "1.2.3 Tide: low\n1.2.4 Tide: high\n",
    "nothing": "",
    "binary": b"\x00\xff\xd8\xfe" * 30,
    "a post that speaks of participants": {
        "orderedItems": [{"id": "1", "object": {"participants": ["a"], "messages": [1]}}]
    },
    "an event": {"id": "1", "data": {"participants": ["a"], "sender_name": "x"}},
    "posts with participants": {"events": [{"participants": ["a"], "name": "Walk"}]},
    "Mastodon's outbox": {"id": "outbox.json", "type": "OrderedCollection", "orderedItems": []},
    "Facebook's posts": [{"timestamp": 1, "data": [{"post": "low tide"}], "title": "X"}],
    "Facebook's comments": {"comments_v2": [{"timestamp": 1, "data": [], "title": "X"}]},
    "Instagram's posts": [{"media": [{"uri": "x", "title": "low tide"}]}],
    "Instagram's stories": {"ig_stories": [{"uri": "x", "creation_timestamp": 1, "title": ""}]},
    "tweets": 'window.YTD.tweets.part0 = [{"tweet": {"id_str": "1", "full_text": "x"}}]',
    "a public chat of Telegram": {"name": "x", "type": "public_channel", "id": 1, "messages": []},
    "a topic": {"post_stream": {"posts": []}, "archetype": "regular", "id": 1},
    "a listing": {"kind": "Listing", "data": {"children": []}},
    "comments of Reddit": "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n",
    "a record": {"id": "1", "service": "square", "audience": "public", "text": "low tide"},
    "talk of names": {
        "id": "1",
        "text": '"dmConversation": {"chat.bsky.convo.defs": "window.YTD.direct_messages.part0"}',
    },
}


@pytest.mark.parametrize("content", POSTS.values(), ids=POSTS.keys())
def test_what_is_no_message(content):
    assert kind_by_content(as_bytes(content)) is None


@given(st.binary(max_size=300))
def test_no_bytes_break_the_recognition(data):
    assert kind_by_content(data) in (None, *messages.KINDS)


@given(st.sampled_from([content for _, content in IDENTIFIED]), st.data())
def test_a_file_cut_anywhere_breaks_nothing(content, data):
    cut = content[: data.draw(st.integers(0, len(content)))]
    assert kind_by_content(cut) in (None, *messages.KINDS)


NAMES = st.from_regex(
    r"[a-z]{1,6}(/[a-z]{1,6}){0,2}\.(json|jsonl|ndjson|txt|js|csv|html|md|log)", fullmatch=True
)
CHAT = "".join(f"{head}Member One: {SECRET}\n" for head in list(HEADS.values())[:3]).encode()
PRIVATE = [
    *(content for _, content in IDENTIFIED),
    CHAT,
    *(
        as_bytes({"name": "x", "type": kind, "id": 1, "messages": [TELEGRAM]})
        for kind in ("personal_chat", "private_group", "saved_messages")
    ),
    as_bytes({"chats": {"list": [{"type": "bot_chat", "id": 1, "messages": [TELEGRAM]}]}}),
    as_bytes(
        {
            "post_stream": {"posts": [{"id": 1, "topic_id": 1, "post_number": 1, "raw": SECRET}]},
            "archetype": "private_message",
            "id": 1,
        }
    ),
    as_bytes({"kind": "Listing", "data": {"children": [{"kind": "t4", "data": {"body": SECRET}}]}}),
]


@st.composite
def laid_out(draw: st.DrawFn) -> bytes:
    """One of the private files; if it is JSON, in any order, with other keys in it."""
    content = draw(st.sampled_from(PRIVATE))
    if content == CHAT or content[:1] not in (b"{", b"["):
        return content
    value = json.loads(content)
    outer = [value] if isinstance(value, dict) else value
    more = draw(
        st.dictionaries(st.sampled_from(["id", "type", "text", "data"]), LEAVES, max_size=2)
    )
    outer[0] = dict(draw(st.permutations([*(more | outer[0]).items()])))
    value = outer[0] if isinstance(value, dict) else outer
    return json.dumps(value, indent=draw(st.sampled_from([None, 1]))).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(NAMES, laid_out(), min_size=1, max_size=4),
    st.sampled_from(["zip", "folder", "file"]),
)
def test_of_private_files_nothing_can_be_read_whatever_they_are_called(
    tmp_path_factory, files, form
):
    folder = tmp_path_factory.mktemp("export")
    # A file and a folder may not have one name.
    files = {f"{number}/{name}": content for number, (name, content) in enumerate(files.items())}
    path = zipped(folder / "export.zip", files) if form == "zip" else put(folder, files)
    paths = [path / name for name in files] if form == "file" else [path]
    items = [item for each in paths for item in everything(each)]
    assert not any(isinstance(item, Upsert) for item in items)
    assert SECRET not in repr(items)
    refused = sum(item.count for item in items if isinstance(item, Refused))
    assert refused >= len(files)
