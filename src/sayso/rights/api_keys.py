"""Keys of programs that hand in events or ask the assistant: shown once, kept as keyed hashes."""

import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, select, update

from sayso.errors import UsageError
from sayso.rights import keyed
from sayso.rights.database import Rights, now
from sayso.rights.tables import api_keys

MARK: Final = "sayso_"  # so that leaked ones can be searched for
# Stands in place of services: a key that is given to a chat program hands in nothing and speaks
# for nobody (`sayso.web.service_keys`).
ASSISTANT: Final = "/v1"
_NAME: Final = re.compile(r"[\w.-]{1,64}")
_ALL: Final = select(api_keys)


class ApiKey(Struct, frozen=True):
    """What is known of a key; `services` are those whose records it may hand in, () for all."""

    name: str
    services: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None

    @property
    def for_assistant(self) -> bool:
        """Whether it is for asking the assistant, and for nothing else."""
        return self.services == (ASSISTANT,)

    @property
    def told(self) -> str:
        """What it is for and whether it is still good, in one line."""
        scope = ", ".join(self.services) or "all services"
        if self.for_assistant:
            scope = "the assistant"
        state = f"; revoked {self.revoked_at:%Y-%m-%d}" if self.revoked_at else ""
        return f"{scope}; added {self.created_at:%Y-%m-%d}{state}"


def add(rights: Rights, name: str, services: Sequence[str] = ()) -> str:
    """Make a key and return it: the only time that anybody sees it.

    Raises:
        UsageError: the name is no plain word, or was used before, be it revoked since; or
            services are named beside `ASSISTANT`.
    """
    if ASSISTANT in services and len(services) > 1:
        raise UsageError("a key for the assistant is for no service", "make one for each")
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a key's name is at most 64 letters, digits, '.', '_' or '-'",
            "as in `sayso keys add forum`",
        )
    key = MARK + secrets.token_urlsafe(32)
    row = {
        "name": name,
        "hash": _hash(rights, key),
        "services": msgspec.json.encode(sorted(set(services))).decode(),
        "created_at": now(),
    }
    with rights.writing() as connection:
        if connection.execute(select(api_keys).where(api_keys.c.name == name)).first():
            raise UsageError(
                f"there is a key of this name already: {name}", "see `sayso keys list`"
            )
        connection.execute(insert(api_keys).values(row))
    return key


def find(rights: Rights, key: str) -> ApiKey | None:
    """Return what is known of a key, None if it is none or was revoked.

    It takes as long whether and where a key fits.
    """
    with rights.reading() as connection:
        return find_in(connection, rights, key)


def find_in(connection: Connection, rights: Rights, key: str) -> ApiKey | None:
    """As `find`, within the caller's transaction."""
    given = _hash(rights, key)
    rows = connection.execute(_ALL).all()
    fitting = [row for row in rows if hmac.compare_digest(row.hash, given)]
    return next((_api_key(row) for row in fitting if row.revoked_at is None), None)


def list_all(rights: Rights) -> list[ApiKey]:
    """Return all keys, oldest first, revoked ones included."""
    with rights.reading() as connection:
        return [
            _api_key(row)
            for row in connection.execute(select(api_keys).order_by(api_keys.c.created_at))
        ]


def revoke(rights: Rights, name: str) -> ApiKey:
    """Make a key worthless from now on.

    Raises:
        UsageError: there is no key of this name, or it was revoked before.
    """
    with rights.writing() as connection:
        fitting = select(api_keys).where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        row = connection.execute(fitting).first()
        if row is None:
            raise UsageError(f"there is no valid key of this name: {name}", "see `sayso keys list`")
        at = now()
        connection.execute(update(api_keys).where(api_keys.c.name == name).values(revoked_at=at))
    return msgspec.structs.replace(_api_key(row), revoked_at=at)


def _hash(rights: Rights, key: str) -> str:
    return keyed.digest(rights.workspace, "api-key", key)


def _api_key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    services = msgspec.json.decode(row.services, type=tuple[str, ...])
    return ApiKey(row.name, services, row.created_at, row.revoked_at)
