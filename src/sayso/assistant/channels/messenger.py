"""Messenger and Instagram's messages: one protocol by webhook and Graph API, two sets of limits.

Source: platform-formats F; developers.facebook.com, Messenger Platform. Messenger counts a text's
characters (2000), Instagram its bytes in UTF-8 (1000). Instagram takes pictures by a public address
only, so there the words for a picture are sent.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from sayso.assistant.channels import meta, rich
from sayso.assistant.channels.api import Api, LateError, Pause, RefusedCallError
from sayso.assistant.channels.meta import WINDOW, inner, objects, text
from sayso.assistant.channels.rich import Rich
from sayso.assistant.channels.splitting import pieces
from sayso.assistant.conversation import Inbound, Outbound, Upload
from sayso.errors import InputError

MESSENGER: Final = "messenger"
INSTAGRAM: Final = "instagram"
OBJECTS: Final = {MESSENGER: "page", INSTAGRAM: "instagram"}
LIMITS: Final = {MESSENGER: 2000, INSTAGRAM: 1000}


class Account(Struct, frozen=True):
    """The page or account that is written to, and its secrets.

    `channel` is 'messenger' or 'instagram'; `id` the page's or account's.
    """

    channel: str
    id: str
    token: str
    app_secret: str
    verify_token: str
    api: str


def read(headers: Mapping[str, str], body: bytes, account: Account) -> list[Inbound]:
    """Read a delivery; what is no message to us is left out.

    That is echoes of our own answers, reactions, what another app handles (`standby`), comments.

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
    if delivery.get("object") != OBJECTS[account.channel]:
        return []
    return [
        found
        for entry in objects(delivery.get("entry"))
        if entry.get("id") == account.id
        for event in objects(entry.get("messaging"))
        for found in _event(event, account)
    ]


def _event(event: dict[str, Any], account: Account) -> Iterator[Inbound]:
    sender = text(inner(event, "sender").get("id"))
    at = _moment(event.get("timestamp"))
    message, edit = inner(event, "message"), inner(event, "message_edit")
    postback = inner(event, "postback")
    if not sender or sender == account.id or at is None or message.get("is_echo"):
        return
    part = message or edit or postback
    if not (name := text(part.get("mid"))):
        return
    revokes = name if message.get("is_deleted") else None
    edits = name if edit else None
    yield Inbound(
        channel=account.channel,
        thread=sender,
        sender=sender,
        # An edit bears its message's name.
        id=f"{name}#{edit.get('num_edit', at.timestamp())}" if edit else name,
        at=at,
        text="" if revokes else text(part.get("text") or part.get("title")),
        uploads=tuple(
            Upload(text(attached.get("type")), "") for attached in objects(part.get("attachments"))
        ),
        edits=edits,
        revokes=revokes,
    )


def _moment(milliseconds: Any) -> datetime | None:
    is_number = isinstance(milliseconds, int | float) and milliseconds < 1000 * meta.LONGEST_TIME
    return meta.moment(milliseconds / 1000) if is_number else None


class Messenger:
    """Answers on Messenger or Instagram.

    Args:
        account: the page or account that answers.
        pause: waits some seconds.
    """

    window: timedelta | None = WINDOW
    typing_seconds = 15.0

    def __init__(self, account: Account, pause: Pause = asyncio.sleep) -> None:
        self._account = account
        headers = {"Authorization": f"Bearer {account.token}"}
        self._api = Api(account.api, headers, meta.explained, pause)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Refuse: what is sent there has an address anywhere, and no name.

        Raises:
            InputError: always.
        """
        raise InputError("files of this channel are not read")

    async def working(self, to: Inbound) -> None:
        """Mark what was said as read, and show that an answer is being written."""
        for action in ("mark_seen", "typing_on"):
            await self._post("messages", {"recipient": {"id": to.thread}, "sender_action": action})

    async def send(self, outbound: Outbound) -> None:
        """Send an answer, its pictures last.

        Raises:
            LateError: more than 24 hours have passed.
            SaysoError: it was refused, or the platform cannot be reached.
        """
        instagram = self._account.channel == INSTAGRAM
        said = rich.read(outbound.text, spelled_links=True)
        if instagram and (alts := [p.alt for p in outbound.pictures if p.alt]):
            said = Rich("\n\n".join([said.text, *(f"[{alt}]" for alt in alts)]).strip(), said.marks)
        limit, size = LIMITS[self._account.channel], _bytes if instagram else _characters
        for piece in pieces(said, limit, size):
            await self._say(outbound, {"text": piece.text})
        for picture in () if instagram else outbound.pictures:
            file = (f"picture.{picture.media_type[6:]}", picture.data, picture.media_type)
            message = {"attachment": {"type": "image", "payload": {"is_reusable": False}}}
            # In a form, objects are JSON.
            form = {"recipient": {"id": outbound.thread}, "message": message}
            fields = {name: msgspec.json.encode(value).decode() for name, value in form.items()}
            await self._post(
                "messages", {"messaging_type": "RESPONSE", **fields}, {"filedata": file}
            )

    async def _say(self, outbound: Outbound, message: Mapping[str, Any]) -> None:
        await self._post(
            "messages",
            {
                "recipient": {"id": outbound.thread},
                "messaging_type": "RESPONSE",
                "message": message,
            },
        )

    async def _post(
        self,
        what: str,
        body: Mapping[str, Any],
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> None:
        try:
            await self._api.post(f"/{self._account.id}/{what}", body, files=files)
        except RefusedCallError as error:
            if error.code in meta.TOO_LATE:
                raise LateError("the platform takes answers for 24 hours only") from error
            raise


def _characters(piece: Rich) -> int:
    # In UTF-16, the larger of the two counts that the platform may mean.
    return len(piece.text.encode("utf-16-le")) // 2


def _bytes(piece: Rich) -> int:
    return len(piece.text.encode())
