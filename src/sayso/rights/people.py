"""Accounts, and the persons they belong to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeVar

import msgspec
import polars as pl
from msgspec import Struct
from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, or_, select, update

from sayso.content.events import AccountUpdate
from sayso.content.record import Record, strictest
from sayso.rights import linking
from sayso.rights.database import Rights, note_change, signed, unsigned
from sayso.rights.tables import accounts, statements
from sayso.workspace import Pseudonyms

AGE_BY_SERVICE = "service"
AGE_BY_OPERATOR = "operator's attestation"
MINOR: Final = "minor"
_T = TypeVar("_T")
_AT_ONCE: Final = 10_000  # databases take a limited number of parameters in one statement
# Put together once: that takes longer than to look a name up.
_NAMES: Final[BindParameter[list[str]]] = bindparam("names", expanding=True)
_CALLED: Final = select(accounts.c.account, accounts.c.person).where(
    or_(accounts.c.account.in_(_NAMES), accounts.c.person.in_(_NAMES))
)
_THEIRS: Final = select(accounts.c.person, accounts.c.key, accounts.c.service).where(
    accounts.c.person.in_(bindparam("persons", expanding=True))
)


class Account(Struct, frozen=True):
    """An account on one service; `key` is its 64-bit pseudonym."""

    account: str
    key: int
    service: str
    person: str
    kind: str
    age_band: str
    age_source: str
    state: str
    assistant: bool
    handle: str = ""
    train_signal: str = ""


def note_authors(connection: Connection, pseudonyms: Pseudonyms, records: list[Record]) -> None:
    """Make accounts for authors not seen before; each is a person of its own until linked."""
    seen = {r.author: r for r in records if r.author}
    ages: dict[str, str] = {}
    for record in records:
        if record.age_band and ages.get(record.author) != MINOR:
            ages[record.author] = record.age_band
    known = _existing(connection, pseudonyms, seen)
    fresh = [r for account, r in seen.items() if account not in known]
    if fresh:
        connection.execute(
            insert(accounts),
            [
                {
                    "account": r.author,
                    "key": signed(pseudonyms.number("account", r.author)),
                    "service": r.service,
                    "person": r.author,
                    "kind": r.kind,
                    "age_band": ages.get(r.author, ""),
                    "age_source": AGE_BY_SERVICE if r.author in ages else "",
                    "state": "active",
                    "assistant": False,
                }
                for r in fresh
            ],
        )
    # A record may say more of its author than was known; a minor stays a minor.
    told = {
        account: band
        for account, band in ages.items()
        if account in known and band != known[account] and known[account] != MINOR
    }
    if told:
        note_change(connection, "accounts")
        connection.execute(
            update(accounts)
            .where(accounts.c.account == bindparam("which"))
            .values(age_band=bindparam("band"), age_source=AGE_BY_SERVICE),
            [{"which": account, "band": band} for account, band in told.items()],
        )


def apply(connection: Connection, pseudonyms: Pseudonyms, change: AccountUpdate) -> None:
    """Take over what an account update says; its empty fields change nothing."""
    row = connection.execute(select(accounts).where(accounts.c.account == change.account)).first()
    if change.person not in ("", change.account):
        # Whoever is linked to an account is linked to whose it is.
        named = select(accounts.c.person).where(accounts.c.account == change.person)
        person = connection.scalar(named) or change.person
        change = msgspec.structs.replace(change, person=person)
    values: dict[str, object] = {
        name: value
        for name in ("service", "person", "handle", "kind", "age_band", "state")
        if (value := getattr(change, name))
    }
    if change.train_signal:
        values["train_signal"] = _state(connection, change)
    if row is not None and row.age_band == MINOR and change.age_band == "unknown":
        values["age_band"] = MINOR  # saying no more does not make anybody older
    if change.assistant is not None:
        values["assistant"] = change.assistant
    if change.age_band:
        values["age_source"] = AGE_BY_SERVICE
    # Networks announce accounts all day; only what may move a record is worth interrupting for.
    if _matters(change, None if row is None else dict(row._mapping), values):
        note_change(connection, "accounts")
    if row is None:
        service = change.service or change.account.rpartition("@")[2]
        values = {
            "account": change.account,
            "key": signed(pseudonyms.number("account", change.account)),
            "person": change.account,
            "service": service,
        } | values
        connection.execute(insert(accounts).values(values))
    elif values:
        connection.execute(
            update(accounts).where(accounts.c.account == change.account).values(values)
        )
    person = change.person or (row.person if row else change.account)
    if change.person:
        # Who was linked to this account goes along: it is the same person under another id.
        theirs = accounts.c.person == change.account
        if change.person != change.account:
            connection.execute(update(accounts).where(theirs).values(person=change.person))
        linking.carry_to_person(connection, {change.account, row.person if row else ""}, person)
        key = signed(pseudonyms.number("account", change.account))
        linking.carry_suppressions(connection, key)
    if change.moved_to:
        apply(connection, pseudonyms, AccountUpdate(change.moved_to, person=person))


def _matters(
    change: AccountUpdate, known: Mapping[str, object] | None, values: Mapping[str, object]
) -> bool:
    """Whether an update may take a record out or bring one in."""
    if known is None:
        return bool(change.person or change.moved_to)  # no record of it has come yet
    differs = any(known[name] != value for name, value in values.items() if name != "handle")
    return differs or bool(change.moved_to)


def _state(connection: Connection, change: AccountUpdate) -> str:
    """Note one of an account's statements on training; return the strictest that stands."""
    theirs = statements.c.account == change.account
    connection.execute(delete(statements).where(theirs, statements.c.name == change.statement))
    if change.train_signal != "unset":
        row = {
            "account": change.account,
            "name": change.statement,
            "signal": change.train_signal,
            "evidence": change.evidence,
        }
        connection.execute(insert(statements).values(row))
    standing = connection.scalars(select(statements.c.signal).where(theirs)).all()
    return strictest(standing)


def set_ages(connection: Connection, ages: Mapping[str, str]) -> None:
    """Set the age bands of known accounts to what was told last."""
    theirs = accounts.c.account == bindparam("which")
    rows = [{"which": name, "band": band} for name, band in sorted(ages.items())]
    if rows:
        said = {"age_band": bindparam("band"), "age_source": AGE_BY_SERVICE}
        connection.execute(update(accounts).where(theirs).values(said), rows)


def left(connection: Connection, names: Iterable[str]) -> tuple[set[int], set[int]]:
    """Return the pseudonyms of those of these accounts that are deleted, and of minors' ones."""
    listed, gone, minors = sorted(set(names)), set(), set()
    out = or_(accounts.c.state == "deleted", accounts.c.age_band == MINOR)
    columns = select(accounts.c.key, accounts.c.state, accounts.c.age_band).where(out)
    for start in range(0, len(listed), _AT_ONCE):
        some = accounts.c.account.in_(listed[start : start + _AT_ONCE])
        for row in connection.execute(columns.where(some)):
            if row.state == "deleted":
                gone.add(unsigned(row.key))
            if row.age_band == MINOR:
                minors.add(unsigned(row.key))
    return gone, minors


def any_age_known(connection: Connection) -> bool:
    """Whether anything was ever said of any account's age."""
    query = select(accounts.c.account).where(accounts.c.age_band != "").limit(1)
    return connection.execute(query).first() is not None


def attest_adults(connection: Connection) -> int:
    """Record the operator's word that accounts of which nothing is known belong to adults.

    Accounts known as minors, or said to be of unknown age by their service, stay as they are.
    """
    result = connection.execute(
        update(accounts)
        .where(accounts.c.age_band == "")
        .values(age_band="adult", age_source=AGE_BY_OPERATOR)
    )
    return int(result.rowcount)


def find(connection: Connection, name: str) -> list[Account]:
    """Return the accounts of a person, by the person's id or by any of their accounts'."""
    person = select(accounts.c.person).where(
        or_(accounts.c.account == name, accounts.c.person == name)
    )
    rows = connection.execute(select(accounts).where(accounts.c.person.in_(person)))
    return [_account(row) for row in rows]


def of_person(connection: Connection, person: str) -> list[Account]:
    """Return the accounts of exactly this person: one may be called what somebody's id is."""
    rows = connection.execute(select(accounts).where(accounts.c.person == person))
    return [_account(row) for row in rows]


def persons(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """Return the persons that these names mean, ids or accounts; unknown names are left out."""
    found: dict[str, str] = {}
    for some in _some(names):
        for account, person in connection.execute(_CALLED, {"names": some}):
            found[person] = person
            found.setdefault(account, person)
    return {name: found[name] for name in names if name in found}


def keys(connection: Connection, wanted: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """Return the pseudonym and the service of each account of these persons, by person."""
    found: dict[str, list[tuple[int, str]]] = {}
    for some in _some(wanted):
        for person, key, service in connection.execute(_THEIRS, {"persons": some}):
            found.setdefault(person, []).append((unsigned(key), service))
    return found


def handle_of(account: str) -> str:
    """Return what an account without a handle of its own is called: acct:<this>@service."""
    return account if account.startswith("did:") else account.partition("@")[0].rpartition(":")[2]


def frame(rights: Rights) -> pl.DataFrame:
    """All accounts as a frame.

    account_key and person_key (u64), kind, age_band, age_source, state, assistant, account_signal
    (the account's own word on training), handle (what it is called in answers).
    """
    with rights.reading() as connection:
        rows = connection.execute(select(accounts)).all()
    person_key = rights.workspace.pseudonyms.number
    return pl.DataFrame(
        [
            (
                unsigned(row.key),
                person_key("person", row.person),
                row.kind or "person",
                row.age_band or "unknown",
                row.age_source,
                row.state,
                row.assistant,
                row.train_signal,
                row.handle or handle_of(row.account),
            )
            for row in rows
        ],
        schema={
            "account_key": pl.UInt64,
            "person_key": pl.UInt64,
            "kind": pl.String,
            "age_band": pl.String,
            "age_source": pl.String,
            "state": pl.String,
            "assistant": pl.Boolean,
            "account_signal": pl.String,
            "handle": pl.String,
        },
        orient="row",
    )


def _existing(
    connection: Connection, pseudonyms: Pseudonyms, names: Iterable[str]
) -> dict[str, str]:
    """Return the age bands of those of these accounts that are known.

    By their pseudonyms: a database may not give back every character of a name.
    """
    of_key = {signed(pseudonyms.number("account", name)): name for name in names}
    found = {}
    for some in _some(of_key):
        query = select(accounts.c.key, accounts.c.age_band)
        rows = connection.execute(query.where(accounts.c.key.in_(some)))
        found.update({of_key[row.key]: row.age_band for row in rows})
    return found


def _some(things: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield as many at a time as a statement may hold."""
    wanted = list(things)
    for start in range(0, len(wanted), 500):
        yield wanted[start : start + 500]


def _account(row: object) -> Account:
    fields = dict(row._mapping)  # type: ignore[attr-defined]
    return Account(**fields | {"key": unsigned(fields["key"])})
