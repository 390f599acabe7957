"""Programs that object for people (Data Rights Protocol, OpenDSR), each known to the operator.

An agent signs what it asks for with its own key, or only has a token; the token is shown once and
kept as a keyed hash alone.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select, update

from sayso.errors import IntegrityError, UsageError
from sayso.rights import keyed, outbox
from sayso.rights.database import Rights, now
from sayso.rights.tables import agent_requests, agents

KEY_BYTES: Final = 32  # RFC 8032, section 5.1.5
SIGNATURE_BYTES: Final = 64
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_ADDRESS: Final = re.compile(r"https?://[\x21-\x7e]{1,2000}")
_HOST: Final = re.compile(r"[a-z0-9.-]{1,253}(:\d{1,5})?")


class Agent(Struct, frozen=True):
    """What is known of an agent.

    `hosts` (with the port, if it is not 443) are where its status calls may go. `verifies` is the
    operator's word that the agent itself checks who somebody is.
    """

    name: str
    title: str
    public_key: str
    hosts: tuple[str, ...]
    verifies: bool
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def told(self) -> str:
        """What it is and may, in one line."""
        signs = "signs" if self.public_key else "token only"
        word = "its word confirms" if self.verifies else "people confirm themselves"
        hosts = f"; calls to {', '.join(self.hosts)}" if self.hosts else ""
        state = f"; removed {self.revoked_at:%Y-%m-%d}" if self.revoked_at else ""
        return f"{self.title or self.name}; {signs}; {word}{hosts}{state}"

    def may_be_called(self, address: str) -> bool:
        """Whether a status call may go to this address: HTTPS, at a host of its own.

        Plain HTTP is left to `[webhooks] allow`, as in `sources.outbound`.
        """
        try:
            host = urlsplit(address).netloc.lower()
        except ValueError:
            return False
        return host in self.hosts and _ADDRESS.fullmatch(address) is not None

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check an Ed25519 signature (RFC 8032) of this agent.

        Raises:
            IntegrityError: it is not by this agent's key, or the agent has none.
        """
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.public_key))
            key.verify(signature, message)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
            raise IntegrityError("the signature is not by this agent's key") from error


def add(
    rights: Rights,
    name: str,
    *,
    title: str = "",
    key: str = "",
    hosts: Sequence[str] = (),
    verifies: bool = False,
) -> str:
    """Make an agent known.

    Args:
        rights: the rights database.
        name: what the Data Rights Protocol calls `agent-id`.
        title: its name for people.
        key: the Ed25519 key of its signatures, base64 of 32 bytes; '' = it signs nothing.
        hosts: see `Agent`.
        verifies: see `Agent`.

    Returns:
        A token, the only time that anybody sees it; '' for an agent with a key, which gets its
        token by a signed message.

    Raises:
        UsageError: name, key or host is none, or the name was used before, be it removed since.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "an agent's id is at most 64 letters, digits, '.', '_' or '-'",
            "as in `sayso agents add PRIVACY_AGENT`",
        )
    row = {
        "name": name,
        "title": " ".join(title.split()),
        "public_key": _checked_key(key) if key else "",
        "hosts": msgspec.json.encode(sorted({_checked_host(host) for host in hosts})).decode(),
        "verifies": verifies,
        "created_at": now(),
    }
    with rights.writing() as connection:
        if connection.execute(select(agents).where(agents.c.name == name)).first():
            raise UsageError(
                f"there is an agent of this id already: {name}", "see `sayso agents list`"
            )
        connection.execute(insert(agents).values(row))
        return "" if key else new_token(connection, rights, name)


def _checked_key(text: str) -> str:
    """Return a key in the one form that is kept: base64 with its padding."""
    try:
        raw = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), validate=True)
        if len(raw) == KEY_BYTES:
            Ed25519PublicKey.from_public_bytes(raw)
            return base64.b64encode(raw).decode()
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise UsageError(
        "this is no Ed25519 verify key", f"it is the base64 of {KEY_BYTES} bytes, 43 or 44 letters"
    )


def _checked_host(text: str) -> str:
    host = text.strip().lower()
    if not _HOST.fullmatch(host):
        raise UsageError(
            "a host is its bare name, with the port if it is not 443", "as in agent.example"
        )
    return host.removesuffix(":443")


def new_token(connection: Connection, rights: Rights, name: str) -> str:
    """Return a new token of an agent, in place of an earlier one (within `Rights.writing`)."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        update(agents).where(agents.c.name == name).values(token_hash=_hash(rights, token))
    )
    return token


def find(rights: Rights, name: str) -> Agent | None:
    """Return an agent by its id; None if it is none or was removed."""
    if not _NAME.fullmatch(name):
        return None
    valid = select(agents).where(agents.c.name == name, agents.c.revoked_at.is_(None))
    with rights.reading() as connection:
        row = connection.execute(valid).first()
    return None if row is None else _agent(row)


def by_token(rights: Rights, token: str) -> Agent | None:
    """Return the agent whose token this is; it takes as long whether and where one fits."""
    given = _hash(rights, token)
    with rights.reading() as connection:
        rows = connection.execute(select(agents).where(agents.c.revoked_at.is_(None))).all()
    fitting = [row for row in rows if hmac.compare_digest(row.token_hash, given)]
    return next((_agent(row) for row in fitting), None)


def list_all(rights: Rights) -> list[Agent]:
    """Return all agents, oldest first, removed ones included."""
    with rights.reading() as connection:
        return [
            _agent(row) for row in connection.execute(select(agents).order_by(agents.c.created_at))
        ]


def remove(rights: Rights, name: str) -> Agent:
    """Take nothing more from an agent, and tell it nothing more; what it asked for stays.

    Raises:
        UsageError: there is no agent of this id, or it was removed before.
    """
    with rights.writing() as connection:
        valid = select(agents).where(agents.c.name == name, agents.c.revoked_at.is_(None))
        row = connection.execute(valid).first()
        if row is None:
            raise UsageError(f"there is no agent of this id: {name}", "see `sayso agents list`")
        at = now()
        values = {"revoked_at": at, "token_hash": ""}
        connection.execute(update(agents).where(agents.c.name == name).values(values))
        theirs = select(agent_requests.c.request).where(agent_requests.c.agent == name)
        outbox.call_off(connection, theirs)
    return msgspec.structs.replace(_agent(row), revoked_at=at)


def _hash(rights: Rights, token: str) -> str:
    return keyed.digest(rights.workspace, "agent-token", token)


def _agent(row: Row[*tuple[Any, ...]]) -> Agent:
    hosts = msgspec.json.decode(row.hosts, type=tuple[str, ...])
    return Agent(
        row.name,
        row.title,
        row.public_key,
        hosts,
        row.verifies,
        row.created_at,
        row.revoked_at,
    )
