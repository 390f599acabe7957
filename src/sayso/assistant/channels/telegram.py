"""Telegram's Bot API: updates by webhook or by asking, answers as plain text with entities.

Entities say by numbers what is bold, code or a link, so nothing that a post says can become markup
(Bot API, `MessageEntity`: offsets and lengths in UTF-16 code units). In groups only what is said to
the bot is read. Source: core.telegram.org/bots/api.
"""

import asyncio
import hmac
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from sayso.assistant.channels import meta, rich
from sayso.assistant.channels.api import Api, Failure, Pause
from sayso.assistant.channels.meta import inner, objects, text
from sayso.assistant.channels.rich import Kind, Rich
from sayso.assistant.channels.splitting import pieces
from sayso.assistant.conversation import Inbound, Outbound, Upload
from sayso.errors import InputError, IntegrityError

NAME: Final = "telegram"
LONGEST_TEXT: Final = 4096
LONGEST_CAPTION: Final = 1024
KINDS: Final[dict[Kind, str]] = {
    "bold": "bold",
    "italic": "italic",
    "strike": "strikethrough",
    "code": "code",
    "pre": "pre",
    "link": "text_link",
}
MEDIA: Final = ("document", "audio", "video", "voice", "video_note", "animation", "sticker")
MOST_UPDATES: Final = 10  # at once: long ones together must not be longer than an answer may be
OTHERS: Final = ("location", "contact", "poll", "venue", "dice", "story")
WANTED: Final = ("message", "edited_message")


class Account(Struct, frozen=True):
    """The bot: its name without @ (needed in groups), and its secrets.

    `secret` is what its webhook was set with; '' where updates are asked for.
    """

    name: str
    token: str
    secret: str
    api: str

    @property
    def number(self) -> str:
        """The bot's id, which its token begins with."""
        return self.token.partition(":")[0]


def read(headers: Mapping[str, str], body: bytes, account: Account) -> list[Inbound]:
    """Read an update that came by webhook.

    Args:
        headers: of the request, names in lower case.
        body: its bytes as they came.
        account: whose secret it must bear.

    Raises:
        IntegrityError: it does not bear the secret.
        InputError: the body is no JSON object.
    """
    told = headers.get("x-telegram-bot-api-secret-token", "").encode()
    if not account.secret or not hmac.compare_digest(told, account.secret.encode()):
        raise IntegrityError("the update does not bear the webhook's secret")
    return list(of_update(meta.decoded(body), account))


def of_update(update: Mapping[str, Any], account: Account) -> Iterator[Inbound]:
    """Yield the message of an update, if it is one for us."""
    for kind in WANTED:
        message = inner(update, kind)
        sender, chat = inner(message, "from"), inner(message, "chat")
        at = meta.moment(message.get("edit_date") or message.get("date"))
        number, place, who = message.get("message_id"), chat.get("id"), sender.get("id")
        parts = (number, place, who)
        if not all(isinstance(part, int) for part in parts) or at is None or sender.get("is_bot"):
            continue
        private = chat.get("type") == "private"
        said = text(message.get("text") or message.get("caption"))
        if not private and not _is_meant(message, said, account):
            continue
        uploads = tuple(_uploads(message))
        is_other = any(message.get(name) for name in OTHERS)
        if not said and not uploads and not is_other:
            continue  # somebody joined, a title changed
        name = f"{place}:{number}"
        edited = kind == "edited_message"
        # Replies in groups without topics have one, too, but nothing can be sent there.
        topic = message.get("message_thread_id") if message.get("is_topic_message") else None
        yield Inbound(
            channel=NAME,
            thread=f"{place}:{topic}" if isinstance(topic, int) else str(place),
            sender=str(who),
            id=f"{name}#{message.get('edit_date')}" if edited else name,
            at=at,
            text=_without_name(said, account),
            uploads=uploads,
            language=text(sender.get("language_code")).lower(),
            visibility="direct" if private else "private",
            edits=name if edited else None,
        )


def _is_meant(message: dict[str, Any], said: str, account: Account) -> bool:
    """Whether something in a group is said to the bot: names it, or answers it."""
    answered = inner(message, "reply_to_message", "from").get("id")
    return str(answered) == account.number or _calls(message, said, account)


def _calls(message: dict[str, Any], said: str, account: Account) -> bool:
    if not account.name:
        return False
    units = said.encode("utf-16-le", "surrogatepass")
    called = f"@{account.name.lower()}"
    entities = message.get("entities") or message.get("caption_entities")
    for entity in objects(entities):
        start, length = entity.get("offset"), entity.get("length")
        if not isinstance(start, int) or not isinstance(length, int):
            continue
        part = units[2 * start : 2 * (start + length)].decode("utf-16-le", "replace").lower()
        if entity.get("type") == "mention" and part == called:
            return True
        if entity.get("type") == "bot_command" and part.endswith(called):
            return True
    return False


def _without_name(said: str, account: Account) -> str:
    if not account.name:
        return said.strip()
    place = said.lower().find(f"@{account.name.lower()}")
    if place < 0:
        return said.strip()
    return f"{said[:place]}{said[place + len(account.name) + 1 :]}".strip()


def _uploads(message: dict[str, Any]) -> Iterator[Upload]:
    photos = list(objects(message.get("photo")))
    if photos:  # sizes of one picture, the largest last
        yield Upload("image/jpeg", text(photos[-1].get("file_id")))
    for kind in MEDIA:
        if part := inner(message, kind):
            media_type, name = text(part.get("mime_type")) or kind, text(part.get("file_name"))
            yield Upload(media_type, text(part.get("file_id")), name)


class Telegram:
    """Answers on Telegram.

    Args:
        account: the bot that answers.
        pause: waits some seconds.
    """

    window: timedelta | None = None
    typing_seconds = 4.0  # the sign lasts 5 s

    def __init__(self, account: Account, pause: Pause = asyncio.sleep) -> None:
        base = account.api.rstrip("/")
        self._api = Api(f"{base}/bot{account.token}", None, _explained, pause)
        self._files = f"{base}/file/bot{account.token}"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Return a file that was sent.

        Raises:
            InputError: it is longer, or Telegram tells no path of it.
            SaysoError: it cannot be had.
        """
        told = await self._api.post("/getFile", {"file_id": upload.reference})
        path = text(inner({"of": told}, "of", "result").get("file_path"))
        if not path or ".." in path:
            raise InputError("Telegram tells no path of a file")
        return await self._api.download(f"{self._files}/{quote(path)}", (), most)

    async def working(self, to: Inbound) -> None:
        """Show that an answer is being written."""
        await self._api.post("/sendChatAction", {**_place(to.thread), "action": "typing"})

    async def send(self, outbound: Outbound) -> None:
        """Send an answer, its pictures last.

        Raises:
            SaysoError: it was refused, or Telegram cannot be reached.
        """
        said = rich.read(outbound.text, spelled_links=False).without_calls()
        place = _place(outbound.thread)
        asked = int(outbound.to.about.rpartition(":")[2])
        answers = {"message_id": asked, "allow_sending_without_reply": True}
        cuts = pieces(said, LONGEST_TEXT - 1, lambda part: units(part.text))
        # Once more: where it was cut a name may begin.
        for piece in [cut.without_calls() for cut in cuts]:
            body = {
                **place,
                "text": piece.text,
                "entities": entities(piece),
                "reply_parameters": answers,
                "link_preview_options": {"is_disabled": True},
            }
            await self._api.post("/sendMessage", body)
        for picture in outbound.pictures:
            file = (f"picture.{picture.media_type[6:]}", picture.data, picture.media_type)
            caption = Rich(picture.alt).without_calls().text[:LONGEST_CAPTION]
            # In a form, objects are JSON.
            form = {
                **{name: str(value) for name, value in place.items()},
                "caption": caption,
                "reply_parameters": msgspec.json.encode(answers).decode(),
            }
            await self._api.post("/sendPhoto", form, files={"photo": file})

    async def updates(self, offset: int, seconds: int) -> list[dict[str, Any]]:
        """Wait for updates, so many seconds at most; those before `offset` are then done with."""
        body = {
            "offset": offset,
            "timeout": seconds,
            "allowed_updates": WANTED,
            "limit": MOST_UPDATES,
        }
        answer = await self._api.post("/getUpdates", body, timeout=seconds + 20.0)
        return list(objects(inner({"of": answer}, "of").get("result")))


def entities(piece: Rich) -> list[dict[str, Any]]:
    """Return a text's marks as Telegram's entities."""
    return [
        {
            "type": KINDS[mark.kind],
            "offset": units(piece.text[: mark.start]),
            "length": units(piece.text[mark.start : mark.end]),
        }
        | ({"url": mark.value} if mark.kind == "link" else {})
        | ({"language": mark.value} if mark.kind == "pre" and mark.value else {})
        for mark in piece.marks
    ]


def units(said: str) -> int:
    """Count a text's UTF-16 code units."""
    return len(said.encode("utf-16-le")) // 2


def _place(thread: str) -> dict[str, int]:
    chat, _, topic = thread.partition(":")
    return {"chat_id": int(chat)} | ({"message_thread_id": int(topic)} if topic else {})


def _explained(body: Any) -> Failure:
    """Read an error: `{"ok": false, "error_code": 429, "parameters": {"retry_after": 5}}`."""
    error = inner({"of": body}, "of")
    wait, code = inner(error, "parameters").get("retry_after"), error.get("error_code")
    return Failure(
        code if isinstance(code, int) else 0,
        wait=float(wait) if isinstance(wait, int | float) else None,
    )
