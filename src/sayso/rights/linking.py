"""Accounts that turn out to be one person's: what holds for one of them holds for all."""

import secrets
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select

from sayso.rights.database import note_change
from sayso.rights.objection import COPY_MARK, Objection
from sayso.rights.tables import accounts, objections, suppressions


def carry_objections(connection: Connection, names: set[str], account: str) -> None:
    """Let objections under names hold for an account's person, too; once, however often called."""
    row = connection.execute(select(accounts.c.person).where(accounts.c.account == account)).first()
    carry_to_person(connection, names, account if row is None else row.person)


def carry_to_person(connection: Connection, names: set[str], person: str) -> None:
    """Let standing objections under names hold for a person, too; once, however often called."""
    theirs = select(objections.c.number).where(objections.c.person == person)
    there = {number.partition(COPY_MARK)[0] for number in connection.scalars(theirs)}
    standing = select(objections).where(
        objections.c.person.in_(names - {person}),
        objections.c.withdrawn_at.is_(None),
        objections.c.state != "lapsed",
    )
    for made in connection.execute(standing).all():
        if (root := made.number.partition(COPY_MARK)[0]) not in there:
            there.add(root)
            _copy(connection, made, person)
            note_change(connection, "objections")


def made_as(connection: Connection, copy: Objection) -> str:
    """Return the number of the objection that a copy is of, if it stands and is this person's.

    It is theirs where it was made under an account's name before the account was known as theirs.
    '' otherwise.
    """
    root, mark, _ = copy.number.partition(COPY_MARK)
    if not mark:
        return ""
    same = and_(accounts.c.account == objections.c.person, accounts.c.person == copy.person)
    query = select(objections).join(accounts, same).where(objections.c.number == root)
    found = connection.execute(query).first()
    return root if found is not None and Objection.of(found).stands else ""


def _copy(connection: Connection, made: Row[*tuple[Any, ...]], person: str) -> None:
    number = f"{made.number}{COPY_MARK}{secrets.token_hex(2).upper()}"
    values = dict(made._mapping) | {"number": number, "person": person}
    connection.execute(insert(objections).values(values))


def carry_suppressions(connection: Connection, key: int) -> None:
    """Let what keeps a person's other accounts out keep this one out, too, and the other way.

    The objection itself may be forgotten by now; a withdrawal of it lifts all of them.
    """
    one = select(accounts.c.person, accounts.c.service).where(accounts.c.key == key)
    person, _ = connection.execute(one).one()
    theirs = select(accounts.c.key, accounts.c.service).where(accounts.c.person == person)
    of_key = dict(connection.execute(theirs).tuples().all())
    kept = select(suppressions).where(suppressions.c.key.in_(of_key))
    rows = [dict(row._mapping) for row in connection.execute(kept)]
    there = {(row["key"], row["service"], row["number"]) for row in rows}
    new = {
        (to, row["service"], row["number"]): row | {"key": to}
        for row in rows
        for to, service in of_key.items()
        if row["service"] in ("*", service) and (to, row["service"], row["number"]) not in there
    }
    if new:
        connection.execute(insert(suppressions), list(new.values()))
