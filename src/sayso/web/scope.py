"""What a key may hand in that is bound to services: their records, and nothing about others'."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import or_, select

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.corpus.store import Store
from sayso.rights import tombstones
from sayso.rights.database import Rights
from sayso.rights.tables import accounts
from sayso.sources.items import Item, Refused, Rejected

REASON: Final = "of a service that this key is not for"
Placed = tuple[str, Item]


class Scope:
    """Tells what of a request is about services that its key is not for.

    Args:
        services: those that the key is for.
        items: what the request brings.
        rights: knows the accounts' services and those of what is gone.
        store: knows the records' services.
    """

    def __init__(
        self, services: Sequence[str], items: Iterable[Item], rights: Rights, store: Store
    ) -> None:
        self._services = frozenset(services)
        self._number = rights.workspace.pseudonyms.number
        listed = list(items)
        ids = {self._number("record", name) for item in listed if (name := _id_of(item))}
        named = {name for item in listed for name in _accounts_of(item)}
        named |= {item.person for item in listed if isinstance(item, AccountUpdate) and item.person}
        names = sorted(named)
        found = store.records.find(sorted(ids), ["key", "service"])
        self._records: dict[int, str] = dict(found.iter_rows())
        self._accounts: dict[str, str] = {}
        self._whose: dict[str, str] = {}
        self._persons: dict[str, set[str]] = {}
        with rights.reading() as connection:
            for key, stone in tombstones.find(connection, sorted(ids)).items():
                self._records.setdefault(key, stone.service)
            for start in range(0, len(names), 500):
                some = names[start : start + 500]
                meant = or_(accounts.c.account.in_(some), accounts.c.person.in_(some))
                query = select(accounts.c.account, accounts.c.service, accounts.c.person)
                for account, service, person in connection.execute(query.where(meant)):
                    self._accounts[account], self._whose[account] = service, person
                    self._persons.setdefault(person, set()).add(service)

    def covers(self, item: Item) -> bool:
        """Whether an item is about nothing but the key's services, as far as is known.

        What is known of no service may be deleted, for deletions may come first; but only what is
        known to be of the key's services may come back.
        """
        known = {self._records.get(self._number("record", _id_of(item)), "")}
        for name in _accounts_of(item):
            # A new account that is called like a person's id would become that person.
            known |= {self._accounts[name]} if name in self._accounts else self._services_of(name)
        match item:
            case Upsert(record=record):
                known.add(record.service)
            case AccountUpdate():
                said = [name.rpartition("@")[2] for name in _accounts_of(item)]
                known |= {item.service} if item.service else set(said)
                if item.person and self._whose.get(item.account) != item.person:
                    known |= self._services_of(item.person)
            case Undelete() if known == {""}:
                return False
        return known - {""} <= self._services

    def _services_of(self, person: str) -> set[str]:
        """Return where a person is: of whom a key may say something who is nowhere else."""
        return self._persons.get(person, set()) | {self._accounts.get(person, "")}


def keep_to(
    services: Sequence[str], placed: Sequence[Placed], name: str, rights: Rights, store: Store
) -> list[Item]:
    """Return the items, those rejected that are not of these services.

    Args:
        services: those that the key is for; none = all.
        placed: the items, each with its place.
        name: where they came from, for what is rejected.
        rights: as in `Scope`.
        store: as in `Scope`.
    """
    items = [item for _, item in placed]
    if not services:
        return items
    scope = Scope(services, items, rights, store)
    return [item if scope.covers(item) else Rejected(name, where, REASON) for where, item in placed]


def _id_of(item: Item) -> str:
    match item:
        case Upsert(record=record):
            return record.id
        case Delete(id=name) | Undelete(id=name) | Refused(id=name):
            return name
    return ""


def _accounts_of(item: Item) -> tuple[str, ...]:
    match item:
        case Upsert(record=record):
            return (record.author,)
        case AccountUpdate(account=account, moved_to=moved_to):
            return (account, moved_to) if moved_to else (account,)
        case Interaction(actor=actor):
            return (actor,)
    return ()
