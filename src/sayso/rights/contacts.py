"""E-mail addresses that services know their accounts by, as keyed hashes: to confirm claims with.

Whoever shows that an address is theirs has shown that an account is, if its service knows it by
that address. Other addresses show nothing about an account.

An objection may name an address alone. Its person is then a stand-in, and it holds for each account
that a service knows by that address later, too.
"""

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from sayso.rights import keyed, linking
from sayso.rights.database import Rights
from sayso.rights.tables import accounts, contacts

_MARK: Final = "e-mail:"


def put(connection: Connection, rights: Rights, account: str, email: str) -> None:
    """Note the address of an account, in place of an earlier one; '' removes it."""
    connection.execute(delete(contacts).where(contacts.c.account == account))
    if email.strip():
        row = {"account": account, "hash": digest(rights, email)}
        connection.execute(insert(contacts).values(row))
        name = stand_in(rights, email)
        purged = rights.workspace.pseudonyms.name("person", name)
        linking.carry_objections(connection, {name, purged}, account)


def stand_in(rights: Rights, email: str) -> str:
    """Return who an objection is by that names an address alone; the address is not kept by it."""
    return f"{_MARK}{digest(rights, email)}"


def is_stand_in(person: str) -> bool:
    """Whether a person is a stand-in for an address."""
    return person.startswith(_MARK)


def is_behind(connection: Connection, stand_in: str, person: str) -> bool:
    """Whether a service knows one of a person's accounts by the address of a stand-in."""
    if not is_stand_in(stand_in):
        return False
    theirs = (contacts.c.hash == stand_in.removeprefix(_MARK)) & (accounts.c.person == person)
    known = select(accounts.c.person).join(contacts, contacts.c.account == accounts.c.account)
    return connection.execute(known.where(theirs)).first() is not None


def persons(connection: Connection, rights: Rights, email: str) -> set[str]:
    """Return the ids of those persons of whom a service knows this address."""
    query = (
        select(accounts.c.person)
        .join(contacts, contacts.c.account == accounts.c.account)
        .where(contacts.c.hash == digest(rights, email))
    )
    return set(connection.scalars(query))


def accounts_of(connection: Connection, rights: Rights, email: str) -> set[str]:
    """Return the accounts that a service knows by this address."""
    query = select(contacts.c.account).where(contacts.c.hash == digest(rights, email))
    return set(connection.scalars(query))


def digest(rights: Rights, email: str) -> str:
    """Return the keyed hash of an address; upper and lower case are the same address."""
    return keyed.digest(rights.workspace, "e-mail", email.strip().lower())
