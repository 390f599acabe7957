"""Accounts that are called like a person's id are refused: they would become that person.

Whoever chooses their own name at a service must not join somebody by it, whichever of the two comes
first. Names with their service in them, and DIDs, are nobody's to choose: a person may well be
called like one of their accounts there.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import or_, select

from sayso.content.events import AccountUpdate, Upsert
from sayso.rights.database import Rights
from sayso.rights.tables import accounts
from sayso.sources.items import Item, Rejected

LIKE_A_PERSON: Final = "its account is called like another person's id"
LIKE_AN_ACCOUNT: Final = "its person's id is what another account is called"
_AT_ONCE: Final = 500


def refused(rights: Rights, items: Sequence[Item]) -> list[Item]:
    """Return the items, those rejected that would make an account another person's.

    Their place is the pseudonym of the account: nobody's name reaches a report.
    """
    names = {name for item in items for name in (*_accounts(item), _person(item)) if name}
    if not names:
        return list(items)
    whose, of_person = _known(rights, sorted(names))
    kept: list[Item] = []
    for item in items:
        named, person = _accounts(item), _person(item)
        new = [name for name in named if name not in whose]
        own = item.account if isinstance(item, AccountUpdate) else ""
        reason = ""
        if any(of_person.get(name, set()) - {name} for name in new):
            reason = LIKE_A_PERSON
        elif person in whose and person != own and whose.get(own) != person:
            reason = LIKE_AN_ACCOUNT
        if reason:
            account = rights.workspace.pseudonyms.name("account", own or named[0])
            kept.append(Rejected("", f"account {account}", reason))
            continue
        whose |= dict.fromkeys(new, "")
        if person:
            of_person.setdefault(person, set()).add(own)
        kept.append(item)
    return kept


def _known(rights: Rights, names: Sequence[str]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return the persons of those names that are accounts, and the accounts of those of persons."""
    whose: dict[str, str] = {}
    of_person: dict[str, set[str]] = {}
    with rights.reading() as connection:
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            meant = or_(accounts.c.account.in_(some), accounts.c.person.in_(some))
            query = select(accounts.c.account, accounts.c.person).where(meant)
            for account, person in connection.execute(query):
                whose[account] = person
                of_person.setdefault(person, set()).add(account)
    return whose, of_person


def _accounts(item: Item) -> tuple[str, ...]:
    """Return the accounts that an item may make, as far as anybody may be called so."""
    match item:
        case Upsert(record=record):
            return _free(record.author)
        case AccountUpdate(account=account, moved_to=moved_to):
            return _free(account, moved_to)
    return ()


def _person(item: Item) -> str:
    return "".join(_free(item.person)) if isinstance(item, AccountUpdate) else ""


def _free(*names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name and "@" not in name and name[:4] != "did:")
