"""Whose an account is that a service or a sign-in names, by its exact name alone.

A handle, an address or a person's id will not do here: whoever may choose their own name at a
provider must not become somebody by choosing theirs.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, or_, select

from sayso.errors import UsageError
from sayso.rights.tables import accounts

# Put together once: that takes longer than to look an account up.
_CALLED: Final = select(accounts.c.account, accounts.c.person, accounts.c.service).where(
    or_(accounts.c.account == bindparam("name"), accounts.c.person == bindparam("name"))
)


class Identified(Struct, frozen=True):
    """An account by its exact name; `known` tells whether anything of it was ever seen."""

    account: str
    person: str
    service: str
    known: bool


def identify(connection: Connection, account: str) -> Identified:
    """Return whose account this is and on which service, by one query.

    An unknown one is a person of its own; '' is the service where its name does not tell.

    Raises:
        UsageError: it is no account but the id of a person who has others.
    """
    rows = connection.execute(_CALLED, {"name": account}).all()
    for row in rows:
        if row.account == account:
            return Identified(account, row.person, row.service, known=True)
    if rows:
        raise UsageError("an account was expected, got a person's id", "name one of the accounts")
    # As `people.apply` reads it.
    service = account.partition("@")[2].rpartition("@")[2]
    return Identified(account, account, service, known=False)


def person_of(connection: Connection, account: str) -> str:
    """Return the person whose account this is; see `identify`."""
    return identify(connection, account).person
