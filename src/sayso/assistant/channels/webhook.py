"""Any other app: messages and answers as JSON, signed in both directions.

Signed as Standard Webhooks 1.0 say (https://www.standardwebhooks.com): `webhook-id`,
`webhook-timestamp` in seconds since 1970, and `webhook-signature`, which is 'v1,' and the base64 of
HMAC-SHA256 over "id.timestamp.body", by a secret of at least 24 bytes. The shapes are described in
docs/channels.md.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sayso.assistant.channels import meta, rich
from sayso.assistant.channels.api import Api, Pause
from sayso.assistant.conversation import Inbound, Outbound, Upload, Visibility
from sayso.errors import InputError, IntegrityError, UsageError

NAME: Final = "webhook"
TOLERANCE_SECONDS: Final = 300
SHORTEST_SECRET: Final = 24
PREFIX: Final = "whsec_"
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Account(Struct, frozen=True):
    """The other app: where it takes answers, and the secret of both."""

    url: str
    secret: str

    @property
    def key(self) -> bytes:
        """The secret's bytes.

        Raises:
            UsageError: it is no base64, or too short.
        """
        try:
            key = base64.b64decode(self.secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if len(key) < SHORTEST_SECRET:
            raise UsageError(
                f"the secret of [channels.webhook] is not base64 of {SHORTEST_SECRET} bytes",
                "make one: echo whsec_$(openssl rand -base64 32)",
            )
        return key


class Attachment(Struct):
    """What was sent along; `data` is base64."""

    media_type: Annotated[str, Meta(max_length=100)]
    name: Annotated[str, Meta(max_length=255)] = ""
    data: bytes = b""


class Message(Struct):
    """What the other app sends."""

    id: Name
    thread: Name
    sender: Name
    text: str = ""
    language: Annotated[str, Meta(max_length=35)] = ""
    visibility: Visibility = "direct"
    uploads: list[Attachment] = []
    edits: Name | None = None
    revokes: Name | None = None


class Shown(Struct):
    """A picture of an answer; `data` is base64."""

    media_type: str
    alt: str
    data: bytes


class Said(Struct):
    """What the other app gets: the answer as Markdown and as plain text."""

    thread: str
    in_reply_to: str
    markdown: str
    text: str
    pictures: list[Shown]


def read(headers: Mapping[str, str], body: bytes, account: Account) -> list[Inbound]:
    """Read a message.

    Args:
        headers: of the request, names in lower case.
        body: its bytes as they came.
        account: whose secret it must be signed with.

    Raises:
        IntegrityError: the signature does not fit, or is more than five minutes old.
        InputError: the body is not of this shape.
    """
    name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    expected = signature(account.key, name, moment, body).encode()
    told = headers.get("webhook-signature", "").split(" ")
    fits = [hmac.compare_digest(one.encode(), expected) for one in told]
    sent = meta.moment(moment) if moment.isascii() and moment.isdigit() else None
    if not name or not any(fits) or sent is None:
        raise IntegrityError("the message's signature does not fit")
    if abs(time.time() - sent.timestamp()) > TOLERANCE_SECONDS:
        raise IntegrityError("the message's signature is too old, or a clock is wrong")
    try:
        message = msgspec.json.decode(body, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("the body is not a message", "see docs/channels.md") from error
    return [
        Inbound(
            channel=NAME,
            thread=message.thread,
            sender=message.sender,
            id=message.id,
            at=datetime.now(UTC),
            text=message.text,
            uploads=tuple(Upload(u.media_type, "", u.name, u.data) for u in message.uploads),
            language=message.language.lower(),
            visibility=message.visibility,
            edits=message.edits,
            revokes=message.revokes,
        )
    ]


class Webhook:
    """Answers to another app.

    Args:
        account: which.
        pause: waits some seconds.
    """

    window: timedelta | None = None
    typing_seconds = 0.0  # there is no sign for it

    def __init__(self, account: Account, pause: Pause = asyncio.sleep) -> None:
        self._key = account.key
        self._api = Api(account.url, pause=pause)
        self._path = "/" if account.url.endswith("/") else ""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def fetch(self, upload: Upload, most: int) -> bytes:
        """Return a file that came with a message."""
        return upload.data

    async def working(self, to: Inbound) -> None:
        """Do nothing: there is no sign for it."""

    async def send(self, outbound: Outbound) -> None:
        """Post an answer.

        Raises:
            SaysoError: it was refused, or the app cannot be reached.
        """
        said = Said(
            thread=outbound.thread,
            in_reply_to=outbound.to.id,
            markdown=outbound.text,
            text=rich.read(outbound.text, spelled_links=True).text,
            pictures=[Shown(p.media_type, p.alt, p.data) for p in outbound.pictures],
        )
        body = msgspec.json.encode(said)
        # The same name for each attempt, so that the other app can tell that it is one answer.
        digest = hashlib.sha256(f"{outbound.thread}\n{outbound.to.id}\n".encode() + body)
        name, moment = f"msg_{digest.hexdigest()[:32]}", str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": moment,
            "webhook-signature": signature(self._key, name, moment, body),
        }
        await self._api.post_bytes(self._path, body, headers)


def signature(key: bytes, name: str, moment: str, body: bytes) -> str:
    """Return what `webhook-signature` says of a body."""
    signed = hmac.new(key, f"{name}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
