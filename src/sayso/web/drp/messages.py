"""Signed messages of the Data Rights Protocol (section 3.07): checked before they are read."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from sayso.errors import IntegrityError
from sayso.rights import keyed, once
from sayso.rights.agents import SIGNATURE_BYTES, Agent
from sayso.rights.database import now
from sayso.workspace import Workspace

# Section 2.01 recommends ten minutes; nothing that is good for much longer need be remembered.
LONGEST_VALID: Final = timedelta(days=1)
VERSION: Final = "0.9.4"
READ: Final = ("0.9", "1.0")  # what differs between them is not about objections


class DrpError(HTTPException):
    """An error in the protocol's own words (section 3.06).

    Args:
        status: the HTTP status.
        message: what is wrong; never what the message said of a person.
        fatal: whether the same request, sent again, would fail again.
    """

    def __init__(self, status: int, message: str, *, fatal: bool = False) -> None:
        super().__init__(status, message)
        self.fatal = fatal


class Envelope(Struct, frozen=True):
    """What binds a message to one agent, one business and a short time (section 2.01)."""

    agent: str = field(name="agent-id")
    business: str = field(name="business-id")
    issued_at: str = field(name="issued-at")
    expires_at: str = field(name="expires-at")


class Message(Struct, frozen=True):
    """A message that was checked; `text` is the base64 of signature and JSON."""

    text: str
    signature: bytes
    document: bytes
    expires_at: datetime

    def use(self, connection: Connection, workspace: Workspace) -> None:
        """Note that it was acted on (within `Rights.writing`).

        Raises:
            DrpError: 409; it was acted on before.
        """
        fingerprint = keyed.digest(workspace, "drp-message", self.text)
        if not once.use(connection, fingerprint, self.expires_at):
            raise DrpError(409, "this message was used before; sign a new one", fatal=True)

    def read(self, kind: Any) -> Any:
        """Return what it says as a struct of this kind.

        Raises:
            DrpError: 400; something is missing or of another type.
        """
        try:
            return msgspec.json.decode(self.document, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DrpError(
                400, f"the message cannot be read: {_place(error)}", fatal=True
            ) from None


def checked(body: bytes, agent: Agent, business: str) -> Message:
    """Return the message of a body, checked in the order of section 3.07.

    Args:
        body: base64 of an Ed25519 signature and the JSON behind it; a line break may end it.
        agent: whose token came along, or whose id is in the address.
        business: our own id.

    Raises:
        DrpError: 400, no base64, or not good now; 403, not signed by the agent, or for others.
    """
    text, signed = _decoded(body)
    signature, document = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
    try:
        agent.verify(signature, document)
    except IntegrityError as error:
        raise DrpError(403, error.problem, fatal=True) from None
    message = Message(text, signature, document, datetime.max.replace(tzinfo=UTC))
    envelope: Envelope = message.read(Envelope)
    if envelope.agent != agent.name:
        raise DrpError(403, "`agent-id` is not the agent that calls", fatal=True)
    if envelope.business != business:
        raise DrpError(403, "`business-id` is not this community's", fatal=True)
    issued, expires = _moment(envelope.issued_at), _moment(envelope.expires_at)
    present = now()
    if issued > present:
        raise DrpError(400, "`issued-at` is in the future: a clock is wrong")
    if expires <= present:
        raise DrpError(400, "`expires-at` is over", fatal=True)
    if expires - issued > LONGEST_VALID:
        raise DrpError(400, "`expires-at` is more than a day after `issued-at`", fatal=True)
    return msgspec.structs.replace(message, expires_at=expires)


def _decoded(body: bytes) -> tuple[str, bytes]:
    """Undo base64 in its one form: nothing can be changed about it that means the same."""
    line = body.rstrip(b"\r\n")
    try:
        signed = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        signed = b""
    if not signed or base64.b64encode(signed) != line:
        raise DrpError(400, "the body is not base64", fatal=True)
    return line.decode("ascii"), signed


def _moment(text: str) -> datetime:
    """Read a moment in ISO 8601; one without a zone is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DrpError(400, "a time of the message is not in ISO 8601", fatal=True) from None


def _place(error: Exception) -> str:
    """Return what msgspec says is wrong: names of fields and types, never a value."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return "it is not JSON"
