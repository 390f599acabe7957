"""Whose an account is that a service or a sign-in names, by its exact name alone.

A handle, an address or a person's id will not do here: whoever may choose their own name at a
provider must not become somebody by choosing theirs.
"""

from sqlalchemy import Connection, select

from sayso.errors import UsageError
from sayso.rights.tables import accounts


def person_of(connection: Connection, account: str) -> str:
    """Return the person whose account this is; of an unknown account, the account itself.

    Raises:
        UsageError: it is no account but the id of a person who has others.
    """
    known = select(accounts.c.person).where(accounts.c.account == account)
    if (row := connection.execute(known).first()) is not None:
        return str(row.person)
    if connection.execute(select(accounts).where(accounts.c.person == account)).first():
        raise UsageError("an account was expected, got a person's id", "name one of the accounts")
    return account


def service_of(connection: Connection, account: str) -> str:
    """Return the service of an account; '' where its name does not tell and it is unknown."""
    known = select(accounts.c.service).where(accounts.c.account == account)
    row = connection.execute(known).first()
    # As `people.apply` reads it.
    return str(row.service) if row else account.partition("@")[2].rpartition("@")[2]
