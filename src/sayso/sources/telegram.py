"""Telegram Desktop's JSON exports: public channels and public groups, and nothing else.

Both forms: one chat (`{name, type, id, messages}`), and a whole account (`chats.list[]` and
`left_chats.list[]`), of which contacts, sessions and everything else are passed over. A chat is
read only if its type says that it is public before its messages come; any other is refused without
a look at its messages. Reference: platform-formats.md, sections A.5 and D.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from sayso.content.events import AccountUpdate
from sayso.content.record import Medium, Record, normalise_text, revision
from sayso.errors import InputError
from sayso.sources import messages
from sayso.sources.archive import Member, Tree
from sayso.sources.documents import Document, UnreadableError, outline
from sayso.sources.fields import checked, moment, object_in, objects_in, text_in, whole
from sayso.sources.items import Item, Refused, Rejected, Skipped

SERVICE: Final = "telegram"
PUBLIC: Final = ("public_channel", "public_supergroup")
_LISTS: Final = ("chats", "left_chats")
_HINT: Final = re.compile(rb'"(messages|(left_)?chats|about)"')
# Other parts of a whole account, which may be larger than what is looked at to tell it.
_OF_ACCOUNTS: Final = {"personal_information", "contacts", "frequent_contacts", "sessions"}
_FORWARDED: Final = ("forwarded_from", "forwarded_from_id", "saved_from")
_KINDS: Final = {
    "video_file": "video",
    "video_message": "video",
    "animation": "video",
    "voice_message": "audio",
    "audio_file": "audio",
}


class _Source(Struct):
    """The file that chats are read from; `folder` is its own, ending in a slash or empty."""

    tree: Tree
    file: str
    folder: str
    seen: set[str]  # accounts that were told of


class _Chat(Struct):
    """What is known of a chat so far, as its parts come one after the other."""

    number: int | None = None
    name: str = ""
    type: str = ""
    was_read: bool = False
    is_refused: bool = False


def claims(tree: Tree) -> bool:
    """Whether any file of a tree is an export of Telegram's."""
    return any(map(_is_export, tree.members))


def read(tree: Tree) -> Iterator[Item]:
    """Read the public chats of a tree; refuse the others."""
    for member in filter(_is_export, tree.members):
        folder = member.name[: len(member.name) - len(member.file_name)]
        source = _Source(tree, member.name, folder, set())
        with member.open() as stream:
            document = Document(stream, member.name)
            chat = _Chat()
            for key in document.entries():
                if key in _LISTS and document.kind() == "{":
                    yield from _listed(document, source)
                else:
                    yield from _part(document, key, chat, source)
            yield from _refused(chat)
            document.end()


def _is_export(member: Member) -> bool:
    if member.is_media or not _HINT.search(member.head):
        return False
    keys = set(outline(member.head).keys)
    is_chat = "messages" in keys and "type" in keys and bool(keys & {"id", "name"})
    return is_chat or bool(keys & set(_LISTS)) or ("about" in keys and bool(keys & _OF_ACCOUNTS))


def _listed(document: Document, source: _Source) -> Iterator[Item]:
    for key in document.entries():
        if key != "list" or document.kind() != "[":
            document.skip()
            continue
        for _ in document.elements():
            if document.kind() != "{":
                document.skip()
                continue
            chat = _Chat()
            for part in document.entries():
                yield from _part(document, part, chat, source)
            yield from _refused(chat)


def _part(document: Document, key: str, chat: _Chat, source: _Source) -> Iterator[Item]:
    """Take one part of a chat; what is no part of any is passed over."""
    match key:
        case "type":
            _take_type(document, chat, source)
        case "id":
            chat.number = whole(_value(document))
        case "name":
            name = _value(document)
            chat.name = name if isinstance(name, str) else ""
        case "messages" if chat.type in PUBLIC and not chat.is_refused and document.kind() == "[":
            chat.was_read = True
            yield from _messages(document, chat, source)
        case "messages":
            chat.is_refused = True
            document.skip()
        case _:
            document.skip()


def _take_type(document: Document, chat: _Chat, source: _Source) -> None:
    told = _value(document)
    if chat.was_read and told != chat.type:
        raise InputError(
            f"{source.file} tells two types of one chat; nothing was imported",
            "export the chat again",
        )
    # Told twice, it must be public both times.
    is_first = not chat.type
    chat.type = told if isinstance(told, str) and (is_first or told == chat.type) else "unknown"
    chat.is_refused |= chat.type not in PUBLIC


def _refused(chat: _Chat) -> Iterator[Refused]:
    if chat.is_refused:
        yield Refused(messages.TELEGRAM)


def _messages(document: Document, chat: _Chat, source: _Source) -> Iterator[Item]:
    for _ in document.elements():
        where = document.where
        try:
            message = document.value()
        except UnreadableError as error:
            yield Rejected(source.file, where, error.reason)
            continue
        if not isinstance(message, dict):
            yield Rejected(source.file, where, "expected an object")
        elif chat.number is None:
            yield Rejected(source.file, where, "its chat has no id before its messages")
        elif message.get("type") != "message":
            yield Skipped("service message")
        elif any(key in message for key in _FORWARDED):
            yield Skipped("forwarded")
        elif "via_bot" in message:
            yield Skipped("written by a bot")
        else:
            yield from _message(message, chat, source, where)


def _message(message: dict[str, Any], chat: _Chat, source: _Source, where: str) -> Iterator[Item]:
    number = whole(message.get("id"))
    if number is None:
        yield Rejected(source.file, where, "a message without an id")
        return
    author, is_page = _author(message, chat)
    if author and author not in source.seen:
        source.seen.add(author)
        name = text_in(message, "from") or (chat.name if is_page else "")
        yield AccountUpdate(author, SERVICE, handle=name, kind="page" if is_page else "")
    at, state = moment(message.get("date_unixtime") or message.get("date"))
    edited_at, _ = moment(message.get("edited_unixtime") or message.get("edited"))
    parent = whole(message.get("reply_to_message_id"))
    entities = objects_in(message, "text_entities")
    record = Record(
        id=f"telegram:{chat.number}/{number}",
        rev=revision(edited_at),
        service=SERVICE,
        surface="post" if parent is None else "comment",
        author=author,
        age_band="",
        kind="page" if is_page else "",
        audience="public",
        audience_source="asserted",
        created_at=at,
        date_state=state,
        edited_at=edited_at,
        text=normalise_text(_text(message)),
        media=tuple(_media(message, source)),
        reply_to="" if parent is None else f"telegram:{_chat_of_parent(message, chat)}/{parent}",
        container=f"telegram:{chat.number}",
        mentions=tuple(_mentions(entities)),
        tags=tuple(
            tag
            for each in entities
            if each.get("type") == "hashtag" and (tag := text_in(each, "text").removeprefix("#"))
        ),
        source="telegram-export",
    )
    yield checked(record, source.file, where)


def _author(message: dict[str, Any], chat: _Chat) -> tuple[str, bool]:
    """Return who posted, and whether that is a channel and no person.

    Posts of a channel are its own. Exports from before 2021 have bare numbers.
    """
    told = message.get("from_id")
    if told is None and chat.type == "public_channel":
        told = chat.number
    if (number := whole(told)) is not None:
        told = f"channel{number}" if number == chat.number else f"user{number}"
    if not isinstance(told, str) or not told:
        return "", False
    return f"acct:{told}@telegram", told.startswith("channel")


def _chat_of_parent(message: dict[str, Any], chat: _Chat) -> str:
    peer = text_in(message, "reply_to_peer_id")
    return peer.removeprefix("channel") if peer else str(chat.number)


def _text(message: dict[str, Any]) -> str:
    """Return a message's words: pieces put together, and what a poll asks."""
    parts = [_joined(message.get("text")) or _joined(message.get("text_entities"))]
    poll = object_in(message, "poll")
    parts.append(_joined(poll.get("question")))
    parts += (_joined(answer.get("text")) for answer in objects_in(poll, "answers"))
    return "\n".join(filter(None, parts))


def _joined(pieces: object) -> str:
    if isinstance(pieces, str):
        return pieces
    if not isinstance(pieces, list):
        return ""
    texts = (text_in(each, "text") if isinstance(each, dict) else each for each in pieces)
    return "".join(each for each in texts if isinstance(each, str))


def _media(message: dict[str, Any], source: _Source) -> Iterator[Medium]:
    """Yield what lies in the export; stickers are nobody's own, other files no content."""
    mime = text_in(message, "mime_type").partition("/")[0]
    for field, kind in (
        ("photo", "image"),
        ("file", _KINDS.get(text_in(message, "media_type"), mime)),
    ):
        name = text_in(message, field)
        member = source.tree.get(source.folder + name) if name else None
        if (
            member
            and kind in ("image", "video", "audio")
            and message.get("media_type") != "sticker"
        ):
            member.used = True
            yield Medium(member.name, kind)


def _mentions(entities: list[dict[str, Any]]) -> Iterator[str]:
    for each in entities:
        if each.get("type") == "mention" and (name := text_in(each, "text").removeprefix("@")):
            yield f"acct:{name}@telegram"
        elif each.get("type") == "mention_name" and (number := whole(each.get("user_id"))):
            yield f"acct:user{number}@telegram"


def _value(document: Document) -> object:
    """Take a value of which only a plain kind is wanted; None if it is no Unicode."""
    try:
        return document.value()
    except UnreadableError:
        return None
