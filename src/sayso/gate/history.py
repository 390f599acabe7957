"""Every policy that was ever in use, whole: what was allowed when, and on whose word."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from sayso.errors import UsageError
from sayso.gate import policy as policies
from sayso.gate.policy import Policy
from sayso.rights import ledger
from sayso.rights.database import Rights, now
from sayso.rights.tables import policies as table

FIRST = "in use when its history began"
EDITED = "its file was changed"


class Version(Struct, frozen=True):
    """A policy from the moment it came into use; `text` is its file."""

    seq: int
    hash: str
    name: str
    text: str
    at: datetime
    by: str
    because: str


def put(connection: Connection, policy: Policy, text: str, by: str, because: str) -> None:
    """Keep a policy that is in use from now on, and note it in the ledger by its hash.

    The reason is kept here alone: it is free text.
    """
    row = {"hash": policy.digest, "name": policy.name, "text": text}
    connection.execute(insert(table).values(row | {"at": now(), "by": by, "because": because}))
    ledger.append(connection, "policy", {"name": policy.name, "hash": policy.digest})


def notice(rights: Rights, policy: Policy, name: str) -> bool:
    """Keep the policy in use if it is not the newest version: its file was edited in place.

    Args:
        rights: the rights database.
        policy: as it was just read.
        name: by which the settings name it.
    """
    with rights.reading() as connection:
        newest = in_force(connection)
    if newest is not None and newest.hash == policy.digest:
        return False
    text = policies.source(name).decode()
    with rights.writing() as connection:
        put(connection, policy, text, "", FIRST if newest is None else EDITED)
    return True


def in_force(connection: Connection) -> Version | None:
    """Return the newest version; None before the gate first ran."""
    row = connection.execute(select(table).order_by(table.c.seq.desc()).limit(1)).first()
    return None if row is None else Version(**dict(row._mapping))


def versions(connection: Connection) -> list[Version]:
    """Return all versions, oldest first."""
    rows = connection.execute(select(table).order_by(table.c.seq))
    return [Version(**dict(row._mapping)) for row in rows]


def find(connection: Connection, beginning: str) -> Version:
    """Return the newest version whose hash begins so.

    Raises:
        UsageError: there is none, or several policies' hashes begin so.
    """
    found = [v for v in versions(connection) if beginning and v.hash.startswith(beginning)]
    if len({version.hash for version in found}) != 1:
        problem = "several policies' hashes begin" if found else "no policy's hash begins"
        raise UsageError(f"{problem} with {beginning}", "see `sayso policy history`")
    return found[-1]
