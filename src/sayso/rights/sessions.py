"""Who is signed in: sessions, known by a keyed hash of a random token that only a cookie holds.

A session ends when it was not used for a while, when it is old however much it is used, when its
user signs out, and when its user is disabled.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from sayso.errors import UsageError
from sayso.rights import identity, keyed
from sayso.rights.database import Rights, now
from sayso.rights.tables import sessions, users

Role = Literal["member", "operator", "auditor"]
TOKEN_BYTES: Final = 32
# How long the end of a session may lag behind its use: so that not every page view writes.
LAG: Final = timedelta(minutes=5)


class Session(Struct, frozen=True):
    """A session that is good now.

    `person` is an id of `tables.accounts`, '' for staff without one; `local` says that its user
    has a password here; `id` is the hash that the session is known by.
    """

    id: str
    user: str
    role: Role
    person: str
    local: bool
    created_at: datetime
    until: datetime


def begin(connection: Connection, rights: Rights, user: str) -> str:
    """Begin a session of a user and return its token: 256 random bits, shown only now.

    `connection` must come from `rights.writing()`. Sessions that are over are removed.
    """
    at = now()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    connection.execute(delete(sessions).where(sessions.c.until <= at))
    row = {
        "hash": _hash(rights, token),
        "user": user,
        "created_at": at,
        "until": _until(rights, at),
    }
    connection.execute(insert(sessions).values(row))
    return token


def find(rights: Rights, token: str) -> Session | None:
    """Return the session of this token, None if there is none, or it is over."""
    at = now()
    query = (
        select(sessions, users)
        .join(users, users.c.name == sessions.c.user)
        .where(sessions.c.hash == _hash(rights, token))
    )
    with rights.reading() as connection:
        row = connection.execute(query).mappings().first()
        if row is None or row[users.c.disabled_at] is not None:
            return None
        whose = _person(connection, row[users.c.person], row[users.c.issuer])
    created, until = row[sessions.c.created_at], row[sessions.c.until]
    # The settings may have become stricter since.
    if at >= min(until, created + timedelta(days=rights.workspace.settings.sign_in.days)):
        return None
    return Session(
        id=row[sessions.c.hash],
        user=row[users.c.name],
        role=row[users.c.role],
        person=whose,
        local=bool(row[users.c.password_hash]),
        created_at=created,
        until=until,
    )


def _person(connection: Connection, named: str, issuer: str) -> str:
    """Return whose data is a user's: the person of the account that is named, or of this id.

    A service names accounts alone: one that is called like a person's id is nobody.
    """
    if not named:
        return ""
    try:
        return identity.person_of(connection, named)
    except UsageError:
        return "" if issuer else named


def is_due(rights: Rights, session: Session) -> bool:
    """Whether the end of a session lags behind its use, so that `prolong` is to be called."""
    return _until(rights, session.created_at) - session.until > LAG


def prolong(rights: Rights, session: Session) -> None:
    """Move the end of a session that is in use; never beyond its greatest age."""
    with rights.writing() as connection:
        end = _until(rights, session.created_at)
        connection.execute(update(sessions).where(sessions.c.hash == session.id).values(until=end))


def of_user(rights: Rights, user: str) -> list[Session]:
    """Return a user's sessions, newest first."""
    query = (
        select(sessions.c.hash, sessions.c.created_at, sessions.c.until, users.c.role)
        .join(users, users.c.name == sessions.c.user)
        .where(sessions.c.user == user, sessions.c.until > now())
        .order_by(sessions.c.created_at.desc())
    )
    with rights.reading() as connection:
        rows = connection.execute(query).all()
    return [Session(row.hash, user, row.role, "", False, row.created_at, row.until) for row in rows]


def end(connection: Connection, rights: Rights, token: str) -> None:
    """End the session of a token, if there is one."""
    connection.execute(delete(sessions).where(sessions.c.hash == _hash(rights, token)))


def end_all(connection: Connection, user: str) -> int:
    """End all sessions of a user; return how many there were."""
    return connection.execute(delete(sessions).where(sessions.c.user == user)).rowcount


def csrf(rights: Rights, session: Session) -> str:
    """Return what forms of a session's pages must bring along: a keyed hash of the session."""
    return keyed.digest(rights.workspace, "csrf", session.id)


def _until(rights: Rights, created: datetime) -> datetime:
    settings = rights.workspace.settings.sign_in
    return min(
        now() + timedelta(hours=settings.idle_hours), created + timedelta(days=settings.days)
    )


def _hash(rights: Rights, token: str) -> str:
    return keyed.digest(rights.workspace, "session", token)
