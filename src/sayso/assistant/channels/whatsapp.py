"""WhatsApp Cloud API: messages by webhook, answers by the Graph API.

Source: platform-formats F; the shapes are those that pywa 4.5 reads and writes.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from sayso.assistant.channels import meta, rich
from sayso.assistant.channels.api import Api, LateError, Pause, RefusedCallError
from sayso.assistant.channels.meta import WINDOW, inner, objects, text
from sayso.assistant.channels.rich import Kind, Rich
from sayso.assistant.channels.splitting import pieces
from sayso.assistant.conversation import Inbound, Outbound, Upload
from sayso.errors import InputError, SaysoError

NAME: Final = "whatsapp"
LONGEST_TEXT: Final = 4096
LONGEST_CAPTION: Final = 1024
HOSTS: Final = ("lookaside.fbsbx.com",)  # where files lie
MEDIA: Final = ("image", "audio", "video", "document", "sticker")
# What needs no answer: nobody asks anything by these.
SILENT: Final = frozenset({"reaction", "system", "request_welcome", "unknown"})
SIGNS: Final[dict[Kind, tuple[str, str]]] = {
    "bold": ("*", "*"),
    "italic": ("_", "_"),
    "strike": ("~", "~"),
    "code": ("`", "`"),
    "pre": ("```", "```"),
}


class Account(Struct, frozen=True):
    """The number that is written to, and its secrets."""

    number_id: str
    token: str
    app_secret: str
    verify_token: str
    api: str


def read(headers: Mapping[str, str], body: bytes, account: Account) -> list[Inbound]:
    """Read a delivery; what is no message to our number is left out.

    Args:
        headers: of the request, names in lower case.
        body: its bytes as they came.
        account: whose secrets it must be signed with.

    Raises:
        IntegrityError: the signature does not fit.
        InputError: the body is no JSON object.
    """
    meta.check_signature(headers, body, account.app_secret)
    delivery = meta.decoded(body)
    if delivery.get("object") != "whatsapp_business_account":
        return []
    found: list[Inbound] = []
    for entry in objects(delivery.get("entry")):
        for change in objects(entry.get("changes")):
            value = inner(change, "value")
            to = inner(value, "metadata").get("phone_number_id")
            if change.get("field") == "messages" and to == account.number_id:
                found += _messages(value)
    return found


def _messages(value: dict[str, Any]) -> Iterator[Inbound]:
    contacts = list(objects(value.get("contacts")))
    for message in objects(value.get("messages")):
        number = text(message.get("from"))
        by_number = (c for c in contacts if text(c.get("wa_id")) == number)
        # Another's contact would send the answer to another.
        alone = contacts[0] if len(contacts) == 1 and not number else {}
        contact = next(by_number, alone)
        # The id that stays when the number changes; some have no number that we are told.
        sender = text(message.get("from_user_id")) or text(contact.get("user_id")) or number
        name, at = text(message.get("id")), meta.moment(message.get("timestamp"))
        # In a group nothing tells whether the assistant is meant.
        is_silent = text(message.get("type")) in SILENT or "group_id" in message
        if sender and name and at and not is_silent:
            yield _inbound(message, sender, name, at)


def _inbound(message: dict[str, Any], sender: str, name: str, at: datetime) -> Inbound:
    kind, edits = text(message.get("type")), None
    if kind == "revoke":
        gone = text(inner(message, "revoke").get("original_message_id"))
        return Inbound(
            channel=NAME, thread=sender, sender=sender, id=name, at=at, revokes=gone or name
        )
    if kind == "edit":
        edits = text(inner(message, "edit").get("original_message_id")) or None
        message = inner(message, "edit", "message")
        kind = text(message.get("type"))
    part = inner(message, kind)
    uploads = []
    if kind in MEDIA:
        uploads = [
            Upload(text(part.get("mime_type")), text(part.get("id")), text(part.get("filename")))
        ]
    said = {
        "text": part.get("body"),
        "button": part.get("text"),
        "interactive": inner(part, text(part.get("type"))).get("title"),
    }.get(kind, part.get("caption") if kind in MEDIA else "")
    return Inbound(
        channel=NAME,
        thread=sender,
        sender=sender,
        id=name,
        at=at,
        text=text(said),
        uploads=tuple(uploads),
        edits=edits,
    )


class WhatsApp:
    """Answers on WhatsApp.

    Args:
        account: the number that answers.
        pause: waits some seconds.
    """

    window: timedelta | None = WINDOW
    typing_seconds = 20.0  # the sign lasts 25 s, or until the answer

    def __init__(self, account: Account, pause: Pause = asyncio.sleep) -> None:
        self._number = account.number_id
        headers = {"Authorization": f"Bearer {account.token}"}
        self._api = Api(account.api, headers, meta.explained, pause)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Return a file that was sent.

        Raises:
            InputError: it is longer, or the address that WhatsApp tells is not its own.
            SaysoError: it cannot be had.
        """
        if not upload.reference.isalnum():
            raise InputError("WhatsApp calls a file by what is no name")
        told = await self._api.get(f"/{upload.reference}")
        return await self._api.download(text(inner({"of": told}, "of").get("url")), HOSTS, most)

    async def working(self, to: Inbound) -> None:
        """Mark a message as read, and show that an answer is being written."""
        sign = {"status": "read", "message_id": to.about, "typing_indicator": {"type": "text"}}
        await self._post("messages", sign)

    async def send(self, outbound: Outbound) -> None:
        """Send an answer, its pictures last.

        Raises:
            LateError: more than 24 hours have passed.
            SaysoError: it was refused, or WhatsApp cannot be reached.
        """
        for piece in pieces(rich.read(outbound.text, spelled_links=True), LONGEST_TEXT, _size):
            body = {"body": piece.wrapped(SIGNS), "preview_url": False}
            await self._say(outbound, "text", body)
        for picture in outbound.pictures:
            file = (f"picture.{picture.media_type[6:]}", picture.data, picture.media_type)
            kept = await self._post("media", {"type": picture.media_type}, {"file": file})
            if not (media := text(inner({"of": kept}, "of").get("id"))):
                raise SaysoError("WhatsApp did not say what it calls a picture")
            caption = picture.alt[:LONGEST_CAPTION]
            image = {"id": media} | ({"caption": caption} if caption else {})
            await self._say(outbound, "image", image)

    async def _say(self, outbound: Outbound, kind: str, body: Mapping[str, Any]) -> None:
        # A number has digits only; without one, people are called by an id.
        whom = "to" if outbound.thread.isdigit() else "recipient"
        await self._post(
            "messages",
            {
                "recipient_type": "individual",
                whom: outbound.thread,
                "context": {"message_id": outbound.to.about},
                "type": kind,
                kind: body,
            },
        )

    async def _post(
        self,
        what: str,
        body: Mapping[str, Any],
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Any:
        try:
            return await self._api.post(
                f"/{self._number}/{what}", {"messaging_product": NAME, **body}, files=files
            )
        except RefusedCallError as error:
            if error.code in meta.TOO_LATE:
                raise LateError("WhatsApp takes answers for 24 hours only") from error
            raise


def _size(piece: Rich) -> int:
    return len(piece.wrapped(SIGNS))
