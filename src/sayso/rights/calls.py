"""Calls that tell programs of an objection's steps: by HTTPS, signed, to nobody behind the walls.

Signed as Standard Webhooks 1.0 say (https://www.standardwebhooks.com): `webhook-id`,
`webhook-timestamp` in seconds since 1970, and `webhook-signature`, which is 'v1a,' and the Ed25519
signature (base64) over "id.timestamp.body", by the key that signs receipts.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from sayso.errors import SaysoError
from sayso.rights import receipts
from sayso.rights.database import now
from sayso.rights.outbox import Letter, name_of
from sayso.sources.claims import Request
from sayso.sources.outbound import Outbound
from sayso.workspace import Workspace

TIMEOUT_SECONDS: Final = 10.0
log = logging.getLogger("sayso.post")


class Call(Struct, frozen=True):
    """What a call says: its JSON body, and header lines beyond those of every call."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Calls:
    """Sends calls, as `[webhooks]` lets it.

    Args:
        workspace: whose settings and keys.
        write: returns what a call says.
    """

    def __init__(self, workspace: Workspace, write: Callable[[Letter], Call]) -> None:
        self._workspace = workspace
        self._write = write
        self._outbound = Outbound(workspace.settings.webhooks.allow, TIMEOUT_SECONDS)

    def send(self, letters: Sequence[Letter]) -> list[tuple[Letter, bool]]:
        """Send calls at once, and return of each whether it was taken: answered with HTTP 2xx."""
        return asyncio.run(self._send(letters)) if letters else []

    async def _send(self, letters: Sequence[Letter]) -> list[tuple[Letter, bool]]:
        went = await asyncio.gather(*(self._is_taken(letter) for letter in letters))
        return list(zip(letters, went, strict=True))

    async def _is_taken(self, letter: Letter) -> bool:
        try:
            answer = await self._outbound.send(self._request(letter))
        except SaysoError as error:
            log.warning("a call was not sent: %s", error.problem)
            return False
        except Exception as error:  # whatever is wrong with one call, the others go on
            log.warning("a call was not sent: %s", type(error).__name__)
            return False
        if not 200 <= answer.status < 300:
            log.warning("a call was answered with HTTP %d", answer.status)
        return 200 <= answer.status < 300

    def _request(self, letter: Letter) -> Request:
        call = self._write(letter)
        name, moment = f"msg_{name_of(self._workspace, letter)}", str(int(now().timestamp()))
        signed = f"{name}.{moment}.".encode() + call.body
        signature = base64.b64encode(receipts.sign_bytes(self._workspace, signed)).decode()
        return Request(
            "POST",
            letter.target,
            (
                ("Host", urlsplit(letter.target).netloc),
                ("Content-Type", "application/json"),
                ("User-Agent", "Sayso"),
                ("webhook-id", name),
                ("webhook-timestamp", moment),
                ("webhook-signature", f"v1a,{signature}"),
                *call.headers,
            ),
            call.body,
        )
