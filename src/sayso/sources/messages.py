"""Private messages, recognised by path before anything is opened, and by content if renamed.

What is recognised here is never read on: only counted. Whoever adds a source adds its messages
here first. Paths and shapes are those that the platforms' exports have had since before 2023.
"""

import re
from typing import Final

from sayso.sources.car import is_car
from sayso.sources.documents import Outline, outline

META: Final = "meta-messages"
WHATSAPP: Final = "whatsapp-chat"
X: Final = "x-direct-messages"
TELEGRAM: Final = "telegram-private-chat"
DISCOURSE: Final = "discourse-private-message"
BLUESKY: Final = "bluesky-chat"
REDDIT: Final = "reddit-messages"
# A single record that was sent to one or some persons: direct posts, mentions-only notes.
DIRECT: Final = "direct-message"
KINDS: Final = (META, WHATSAPP, X, TELEGRAM, DISCOURSE, BLUESKY, REDDIT, DIRECT)

# On lower-case names with '/' between folders. The first that matches names the kind.
_PATHS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (X, r"(^|/)direct[-_]messages?[^/]*(\.js$|/)"),
        (X, r"(^|/)(grok-chat-item|audio-video-calls-in-dm)[^/]*\.js$"),
        (WHATSAPP, r"(^|/)_chat\.txt$|(^|/)[^/]*whatsapp[^/]*\.(txt|zip)$"),
        # Media by iOS (00000012-PHOTO-2025-03-04-…, before 2017 the other way round), and Android.
        (WHATSAPP, r"(^|/)(\d{8}|\d{4}-\d\d-\d\d)-(photo|video|audio|gif|sticker)-\d"),
        (WHATSAPP, r"(^|/)(img|vid|aud|ptt|stk|doc)-\d+-wa\d+[^/]*$"),
        (BLUESKY, r"(^|/)chat\.jsonl$"),
        (REDDIT, r"(^|/)(messages?[^/]*|chat_history|message_headers)\.csv$"),
        (META, r"(^|/)messages(/|\.zip$|\.json$)|(^|/)your_group_messages/"),
        (META, r"(^|/)(inbox|archived_threads|filtered_threads|message_requests|e2ee_cutover)/"),
        (META, r"(^|/)message_\d+\.(json|html)$"),
        (META, r"(^|/)(direct|ai_conversations?|secret_conversations|support_messages)\.json$"),
        (META, r"(^|/)autofill_information\.json$"),
    )
)

# In JSON a quotation mark inside somebody's text is escaped, so talk of these names is no match.
_MARKS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (BLUESKY, rb'(?<!\\)"chat\.bsky\.convo'),
        (X, rb'(?<!\\)"(dmConversation|grokChatItem)"\s*:'),
        (X, rb"^\W*window\.YTD\.(direct_message|grok_chat)"),
        (REDDIT, rb"^\W*id,permalink,thread_id,date,ip,from,to,"),
        (REDDIT, rb"^\W*message_id,created_at,updated_at,username,message,"),
    )
)
# Keys of a thread, and of the parts that one may be cut into.
_OF_THREADS: Final = re.compile(
    r"participants|thread_?path|thread_?name|thread_type|is_still_participant|joinable_mode|"
    r"magic_words|((secret|ai)_)?conversations?(_v\d+)?|(support_messages|autofill_information)"
    r"(_v\d+)?",
    re.IGNORECASE,
)
_OF_MESSAGES: Final = {"sender_name", "senderName", "timestamp_ms", "isUnsent"}
_OF_TELEGRAM: Final = {"date_unixtime", "from_id", "actor_id", "text_entities"}

# A line's head in the date forms of WhatsApp's languages, on iOS (brackets) and Android (a dash):
# year first or last, time first or last, words such as 'klo', 'à', 'г.', '오후', 'p. m.' between.
_DATE: Final = r"\d{1,4}\s?[-/.年년]\s?\d{1,2}\s?[-/.月월]\s?\d{1,4}[.日일]?"
_TIME: Final = r"\d{1,2}([.:]|\sh\s)\d{2}([.:]\d{2}|\smin\s\d{2})?"
_STAMP: Final = re.compile(
    rf'\[?({_DATE}[^\d;"]{{0,8}}\s[^\d;"]{{0,8}}{_TIME}|{_TIME},?\s{_DATE})[^\d,;:"\]]{{0,12}}?'
    r"(\]|\s[-–—]|,|:)?\s"
)
_SENDER: Final = re.compile(r"[^:]{1,200}:(\s|$)")
_DIRECTION_MARKS: Final = dict.fromkeys(
    [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
)
_NOTICES: Final = (
    *("end-to-end", "ende-zu-ende", "ende-til-ende", "extremo a extremo", "ponta a ponta"),
    *("ponto a ponto", "bout en bout", "de la un capăt", "totalsträckskrypter", "päästä päähän"),
    *("koncov", "uçtan uca", "сквозн", "наскрізн", "от край до край", "άκρο σε άκρο", "végpont"),
    *("بين الطرفين", "מקצה לקצה", "سرتاسر", "एंड-टू-एंड", "đầu cuối", "ต้นทางถึงปลายทาง"),
    *("エンドツーエンド", "종단", "端到端", "端對端"),
)
_LOOKED_AT_LINES: Final = 50
_LOOKED_AT_CHARACTERS: Final = 400
_LINES_OF_NOTICES: Final = 5


def kind_by_path(name: str) -> str | None:
    """Return the kind of messages that a file of this name holds, None if the name says nothing.

    Args:
        name: path inside the export, '/' between folders.
    """
    lowered = name.lower()
    return next((kind for kind, pattern in _PATHS if pattern.search(lowered)), None)


def kind_by_content(head: bytes) -> str | None:
    """Return the kind of messages that a file begins like, None if it begins like none.

    Telegram's chats are told apart by their reader, which looks at each one's type.

    Args:
        head: its first bytes (some 16 KiB).
    """
    if is_car(head):
        return None  # posts that may quote chats; its reader goes by each record's collection
    for kind, pattern in _MARKS:
        if pattern.search(head):
            return kind
    # A cut at the end of the head may part a character.
    is_chat = _is_whatsapp(head.decode("utf-8", "ignore"))
    return WHATSAPP if is_chat else _kind_of_thread(outline(head))


def _kind_of_thread(shape: Outline) -> str | None:
    """Tell a Messenger or Instagram thread, a part of one, or a chat that hides its type."""
    keys, first = set(shape.keys), set(shape.first)
    if any(_OF_THREADS.fullmatch(key) for key in keys) or _OF_MESSAGES & (keys | first):
        return META
    # In a list of threads each has its own; deeper down, 'participants' may be anything.
    if shape.root == "[" and any(_OF_THREADS.fullmatch(key) for key in first):
        return META
    if "messages" in keys and not ("type" in keys and keys & {"id", "name"}):
        return TELEGRAM if _OF_TELEGRAM & first else META
    return None


def _is_whatsapp(text: str) -> bool:
    heads = 0
    for number, whole_line in enumerate(text.split("\n")[:_LOOKED_AT_LINES]):
        line = whole_line[:_LOOKED_AT_CHARACTERS].translate(_DIRECTION_MARKS)
        if stamp := _STAMP.match(line):
            if number < _LINES_OF_NOTICES and any(notice in line.lower() for notice in _NOTICES):
                return True
            # A lone '2024-05-01 10:00 - Agenda: items' is none; two of them are a chat.
            heads += _SENDER.match(line, stamp.end()) is not None
    return heads >= 2
