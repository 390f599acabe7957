"""Who may sign in: by a password kept here, or by the word of a service (OpenID Connect).

A user of a service is known by the service's name and its number for them, never by a name that
they may have chosen: whoever takes over a name there does not become its former bearer here.
"""

import re
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, insert, select, update

from sayso.errors import UsageError
from sayso.rights import accesses, identity, passwords, sessions
from sayso.rights.database import Rights, now
from sayso.rights.sessions import Role
from sayso.rights.tables import sessions as sessions_table
from sayso.rights.tables import users

_NAME: Final = re.compile(r"[\w.-]{1,64}")  # no '@': accounts of services have one
_BY_TICKET: Final = "ticket of "
_FORMERLY: Final = "(formerly)"  # behind a space, which no service's name of somebody has
_SEE: Final = "see `sayso users list`"


class User(Struct, frozen=True):
    """Somebody who may sign in; `person` is an account or an id, '' for staff without one."""

    name: str
    role: Role
    person: str
    issuer: str
    created_at: datetime
    disabled_at: datetime | None = None

    @property
    def told(self) -> str:
        """What they are, and since when, in one line."""
        whose = f"; person {self.person}" if self.person else ""
        by = f"; by {self.issuer}" if self.issuer else ""
        state = f"; disabled {self.disabled_at:%Y-%m-%d}" if self.disabled_at else ""
        return f"{self.role}{whose}{by}; added {self.created_at:%Y-%m-%d}{state}"


class NotAdmittedError(UsageError):
    """Somebody whom a service vouches for, but who may not sign in here."""


def add(rights: Rights, name: str, role: Role, password: str, person: str = "") -> User:
    """Make a user with a password.

    Args:
        rights: where.
        name: what they type to sign in.
        role: what they may see and do.
        password: see `passwords`.
        person: whose data is theirs: one of their accounts, or their id. Members need one.

    Raises:
        UsageError: the name is no plain word or is taken, a member has no person, or the
            password is too short.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a user's name is at most 64 letters, digits, '.', '_' or '-'",
            "as in `sayso users add captain --role operator`",
        )
    _check_person(role, person)
    row = {
        "name": name,
        "role": role,
        "person": person,
        "password_hash": passwords.hashed(password),
        "created_at": now(),
    }
    with rights.writing() as connection:
        if _row(connection, name):
            raise UsageError("there is a user of this name already", _SEE)
        connection.execute(insert(users).values(row))
        _note(connection, rights, "added a user", name)
        return _known(connection, name)


def list_all(rights: Rights) -> list[User]:
    """Return all users, oldest first, disabled ones included."""
    with rights.reading() as connection:
        rows = connection.execute(select(users).order_by(users.c.created_at, users.c.name))
        return [_user(row) for row in rows]


def set_password(
    connection: Connection, rights: Rights, name: str, password: str, actor: str = ""
) -> None:
    """Give a user another password; their sessions end.

    Raises:
        UsageError: there is no such user, a service vouches for them, or it is too short.
    """
    if _known(connection, name).issuer:
        raise UsageError("this user signs in at their service and has no password here", _SEE)
    values = {"password_hash": passwords.hashed(password)}
    connection.execute(update(users).where(users.c.name == name).values(values))
    sessions.end_all(connection, name)
    _note(connection, rights, "changed a password", name, actor)


def set_role(rights: Rights, name: str, role: Role, person: str = "") -> User:
    """Change what a user may see and do, and whose data is theirs if `person` is given.

    Raises:
        UsageError: there is no such user, or they would be a member without a person.
    """
    with rights.writing() as connection:
        person = person or _known(connection, name).person
        _check_person(role, person)
        values = {"role": role, "person": person}
        connection.execute(update(users).where(users.c.name == name).values(values))
        _note(connection, rights, f"made a user {role}", name)
        return _known(connection, name)


def disable(rights: Rights, name: str) -> User:
    """Let a user sign in no more; all their sessions end.

    Raises:
        UsageError: there is no such user.
    """
    return _switch(rights, name, now(), "disabled a user")


def enable(rights: Rights, name: str) -> User:
    """Let a disabled user sign in again.

    Raises:
        UsageError: there is no such user.
    """
    return _switch(rights, name, None, "enabled a user")


def remove(rights: Rights, name: str) -> None:
    """Forget a user and their sessions; a service may vouch for somebody else of this name then.

    Raises:
        UsageError: there is no such user.
    """
    with rights.writing() as connection:
        _known(connection, name)
        sessions.end_all(connection, name)
        connection.execute(delete(users).where(users.c.name == name))
        _note(connection, rights, "removed a user", name)


def check(rights: Rights, name: str, password: str) -> User | None:
    """Return the user of this name and password, None for anything else.

    It takes as long for names that nobody has. A hash made with older parameters is renewed.
    """
    with rights.reading() as connection:
        row = _row(connection, name)
    encoded = row.password_hash if row else ""
    if not passwords.fits(password, encoded) or row is None or row.disabled_at is not None:
        return None
    if passwords.is_outdated(encoded):
        with rights.writing() as connection:
            # Unless it was changed in between.
            same = (users.c.name == name) & (users.c.password_hash == encoded)
            values = {"password_hash": passwords.hashed(password)}
            connection.execute(update(users).where(same).values(values))
    return _user(row)


def admit(connection: Connection, issuer: str, subject: str, account: str, role: Role) -> User:
    """Return the user whom a service vouches for, made at their first time.

    Args:
        connection: from `Rights.writing()`.
        issuer: the service's provider.
        subject: its lasting name of them.
        account: their account here, as the service calls it now; it is whose data is theirs.
        role: as the service says now.

    Raises:
        NotAdmittedError: they are disabled here, or the account is another user's.
    """
    theirs = (users.c.issuer == issuer) & (users.c.subject == subject)
    row = connection.execute(select(users).where(theirs)).first()
    if row is not None and row.disabled_at is not None:
        raise NotAdmittedError("this user was disabled here", "ask the operator")
    formerly = f"{subject} {_FORMERLY}"
    if (row is None or row.name != account) and (other := _row(connection, account)):
        by_ticket = other.issuer.startswith(_BY_TICKET) and other.disabled_at is None
        if not by_ticket and (other.issuer, other.subject) != (issuer, formerly):
            raise NotAdmittedError(
                "this account is somebody else's user already", "ask the operator"
            )
        sessions.end_all(connection, account)
        connection.execute(delete(users).where(users.c.name == account))
    try:
        identity.person_of(connection, account)
    except UsageError as error:
        raise NotAdmittedError(error.problem, error.hint) from error
    values = {"name": account, "role": role, "person": account}
    if row is None:
        made = values | {"issuer": issuer, "subject": subject, "created_at": now()}
        connection.execute(insert(users).values(made))
    else:
        if row.role != role:  # a session that began by a ticket must not become one of the staff
            sessions.end_all(connection, row.name)
        connection.execute(update(users).where(theirs).values(values))
        if row.name != account:
            moved = update(sessions_table).where(sessions_table.c.user == row.name)
            connection.execute(moved.values(user=account))
            # Whoever is called so next at the service must not find the former bearer's data.
            kept = {"name": row.name, "role": "member", "issuer": issuer, "subject": formerly}
            at = now()
            connection.execute(insert(users).values(kept | {"created_at": at, "disabled_at": at}))
    return _known(connection, account)


def vouched(connection: Connection, service: str, account: str) -> User:
    """Return the member whom a service vouches for by a ticket, made at their first time.

    Args:
        connection: from `Rights.writing()`.
        service: whose word it is.
        account: their account there; it is whose data is theirs.

    Raises:
        NotAdmittedError: they are disabled here, or are staff, who sign in by themselves.
    """
    if (row := _row(connection, account)) is None:
        return admit(connection, f"{_BY_TICKET}{service}", account, account, "member")
    if row.disabled_at is not None or row.role != "member" or row.person != account:
        raise NotAdmittedError("a ticket does not sign this user in", "sign in by yourself")
    return _user(row)


def _switch(rights: Rights, name: str, at: datetime | None, act: str) -> User:
    with rights.writing() as connection:
        _known(connection, name)
        connection.execute(update(users).where(users.c.name == name).values(disabled_at=at))
        sessions.end_all(connection, name)
        _note(connection, rights, act, name)
        return _known(connection, name)


def _note(connection: Connection, rights: Rights, act: str, name: str, actor: str = "") -> None:
    accesses.note(connection, rights, actor, act, user=name)


def _check_person(role: Role, person: str) -> None:
    if role == "member" and not person:
        raise UsageError("a member needs a person: whose data is theirs", "pass --person ACCOUNT")


def _known(connection: Connection, name: str) -> User:
    if (row := _row(connection, name)) is None:
        raise UsageError("there is no user of this name", _SEE)
    return _user(row)


def _row(connection: Connection, name: str) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(select(users).where(users.c.name == name)).first()


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(row.name, row.role, row.person, row.issuer, row.created_at, row.disabled_at)
