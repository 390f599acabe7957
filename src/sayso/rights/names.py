"""What third persons are found by, and what was found: keyed hashes, and rows of `items`.

Rows that a machine made are a function of a record's words and of what stands, so they are made
anew when either changes; rows that somebody decided stay as they are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Row, delete, insert, select, update

from sayso.rights.database import now, signed, unsigned
from sayso.rights.objection import DEPICTED
from sayso.rights.tables import items, names, objections

# How a record was found, as `items.decided_by` has it; `LINK` stands before the others, too.
MACHINE: Final = "match:"
NAME: Final = "name"
CONTEXT: Final = "context"
MENTION: Final = "mention"
LINK: Final = "link"
# The row that says that too many records match to look at one by one; no record has this key.
WHOLE: Final = 0
TOO_MANY: Final = "too many"  # so nothing is frozen before the operator looked at the objection
TOO_COMMON: Final = "too common"  # so the name alone is nothing to go by

Found = dict[tuple[str, int], str]


class Sought(Struct, frozen=True):
    """What an objection looks for: hashes of names, of words near them, of accounts.

    `trusted` once an operator found that it is the person's own name; `withheld` is TOO_MANY or
    TOO_COMMON where records that match are not noted one by one.
    """

    number: str
    trusted: bool = False
    names: frozenset[int] = frozenset()
    contexts: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    withheld: str = ""
    words: Mapping[int, int] = {}


def put(connection: Connection, sought: Sought) -> None:
    """Keep what an objection looks for."""
    rows = [
        {
            "number": sought.number,
            "hash": signed(each),
            "words": sought.words.get(each, 0),
            "context": each in sought.contexts,
        }
        for each in sorted(sought.names | sought.contexts | sought.accounts)
    ]
    if rows:
        connection.execute(insert(names), rows)


def forget(connection: Connection, number: str) -> None:
    """Drop what an objection that does not stand any more looked for, and what was found."""
    connection.execute(delete(names).where(names.c.number == number))
    machine = items.c.decided_by.startswith(MACHINE)
    connection.execute(delete(items).where(items.c.number == number, machine))


def any_kept(connection: Connection) -> bool:
    """Whether anybody looks for a name, or named a record; reads next to nothing."""
    kept = (select(table.c.number).limit(1) for table in (names, items))
    return any(connection.execute(query).first() is not None for query in kept)


def standing(connection: Connection) -> list[Sought]:
    """Return what all standing objections look for."""
    query = (
        select(names, objections.c.state, objections.c.confirmed_by)
        .join(objections, objections.c.number == names.c.number)
        .where(objections.c.withdrawn_at.is_(None), objections.c.state != "lapsed")
    )
    found: dict[str, list[Row[*tuple[object, ...]]]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.number].append(row)
    marked = select(items.c.number, items.c.decided_by).where(items.c.record_key == WHOLE)
    withheld = {
        number: by.removeprefix(MACHINE) for number, by in connection.execute(marked).tuples()
    }
    return [_sought(number, rows, withheld.get(number, "")) for number, rows in found.items()]


def _sought(number: str, rows: list[Row[*tuple[object, ...]]], withheld: str) -> Sought:
    words = {unsigned(row.hash): row.words for row in rows}
    contexts = frozenset(unsigned(row.hash) for row in rows if row.context)
    accounts = frozenset(key for key, count in words.items() if not count)
    return Sought(
        number,
        rows[0].state == "confirmed" and rows[0].confirmed_by == "operator",
        frozenset(words) - contexts - accounts,
        contexts,
        accounts,
        withheld,
        words,
    )


def note(
    connection: Connection,
    sought: Iterable[Sought],
    looked_at: Collection[int],
    found: Found,
    most: int,
) -> None:
    """Note which records objections were found to be about, in place of what was noted before.

    Args:
        connection: within `Rights.writing`.
        sought: the objections.
        looked_at: keys of all records that were looked at.
        found: how they were found (NAME, CONTEXT, MENTION), by objection and record.
        most: how many may be found by what an operator has not confirmed.
    """
    by_number = {each.number: each for each in sought}
    if not by_number:
        return
    present = dict(_present(connection, by_number, looked_at))
    machine = {at: by for at, by in present.items() if by.startswith(MACHINE)}
    linked = {at for at, by in machine.items() if by.startswith(MACHINE + LINK)}
    _drop(connection, machine)
    at, rows = now(), []
    for place in sorted(found.keys() | linked):
        how, each = found.get(place, ""), by_number[place[0]]
        if place in present and place not in machine:
            continue  # somebody decided
        if place not in linked and (
            (each.withheld and how == NAME) or (each.withheld == TOO_MANY and how == CONTEXT)
        ):
            continue
        rows.append(_row(place, how, at, linked=place in linked, trusted=each.trusted))
    if rows:
        connection.execute(insert(items), rows)
    for number in sorted({number for number, _ in found}):
        _withhold(connection, by_number[number], most)


def link(connection: Connection, number: str, keys: Iterable[int]) -> None:
    """Note which records a person named one by one; `note` then says what is found in them."""
    rows = [_row((number, key), "", now(), linked=True, trusted=False) for key in sorted(keys)]
    if rows:
        connection.execute(insert(items), rows)


def aliases(connection: Connection, keys: Iterable[int]) -> dict[int, list[str]]:
    """Return who named these keys one by one, by key."""
    found: dict[int, list[str]] = defaultdict(list)
    linked = items.c.decided_by.startswith(MACHINE + LINK)
    for chunk in _chunks(keys):
        query = select(items.c.number, items.c.record_key).where(
            items.c.record_key.in_(chunk), linked
        )
        for number, key in connection.execute(query).tuples():
            found[unsigned(key)].append(number)
    return found


def to_settle(connection: Connection) -> bool:
    """Whether `settle` has anything to do."""
    if not any_kept(connection):
        return False
    waits = items.c.number.in_(_TRUSTED) & (_CLEAR | (items.c.decided_by == MACHINE + TOO_MANY))
    return connection.execute(select(items.c.number).where(waits).limit(1)).first() is not None


def settle(connection: Connection) -> list[str]:
    """Make what is clear bind for objections that an operator confirmed.

    Returns:
        The numbers of those whose matches were withheld until now: all records are to be searched.
    """
    theirs = items.c.number.in_(_TRUSTED)
    decided = {"state": "decided", "decided_at": now()}
    connection.execute(update(items).where(theirs, _CLEAR).values(decided))
    withheld = theirs & (items.c.decided_by == MACHINE + TOO_MANY)
    numbers = list(connection.scalars(select(items.c.number).where(withheld)))
    connection.execute(delete(items).where(withheld))
    return numbers


_TRUSTED: Final = select(objections.c.number).where(
    objections.c.about == DEPICTED,
    objections.c.state == "confirmed",
    objections.c.confirmed_by == "operator",
    objections.c.withdrawn_at.is_(None),
)
_CLEAR: Final = (items.c.state == "review") & items.c.decided_by.in_(
    [MACHINE + CONTEXT, f"{MACHINE}{LINK} {CONTEXT}"]
)


def masks(connection: Connection) -> dict[int, frozenset[tuple[int, int]]]:
    """Return the names to mask in each record (hash, words), by its key; {} where there are none.

    Only confirmed, standing objections mask, and only in records where that is decided.
    """
    if not any_kept(connection):
        return {}
    hidden: dict[str, set[tuple[int, int]]] = defaultdict(set)
    hashes = select(names.c.number, names.c.hash, names.c.words)
    shown = names.c.context.is_(False) & (names.c.words > 0)
    for number, hashed, words in connection.execute(hashes.where(shown)).tuples():
        hidden[number].add((unsigned(hashed), words))
    query = (
        select(items.c.record_key, items.c.number)
        .join(objections, objections.c.number == items.c.number)
        .where(
            items.c.act == "mask",
            items.c.state == "decided",
            objections.c.state == "confirmed",
            objections.c.withdrawn_at.is_(None),
        )
    )
    found: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for key, number in connection.execute(query).tuples():
        found[unsigned(key)] |= hidden[number]
    return {key: frozenset(theirs) for key, theirs in found.items()}


def is_withheld(connection: Connection, number: str) -> bool:
    """Whether too many records match an objection's name to look at one by one."""
    whole = (items.c.number == number) & (items.c.record_key == WHOLE)
    return connection.execute(select(items.c.number).where(whole)).first() is not None


def _row(
    place: tuple[str, int], how: str, at: datetime, *, linked: bool, trusted: bool
) -> dict[str, object]:
    """Say what follows from how a record was found."""
    clear = how == CONTEXT or (linked and how == NAME)
    decided = how == MENTION or (clear and trusted)
    kind = CONTEXT if clear else how
    return {
        "number": place[0],
        "record_key": signed(place[1]),
        # Somebody shown is not to be cut out of a picture, and a name not found cannot be masked.
        "act": "mask" if how in (NAME, CONTEXT) else "out",
        "state": "decided" if decided else "review",
        "decided_by": MACHINE + (f"{LINK} {kind}".strip() if linked else kind),
        "decided_at": at if decided else None,
    }


def _withhold(connection: Connection, sought: Sought, most: int) -> None:
    """Look at no record by itself where too many match what anybody could have typed."""
    if sought.withheld == TOO_MANY:
        return
    loose = [MACHINE + NAME] if sought.trusted else [MACHINE + NAME, MACHINE + CONTEXT]
    theirs = (items.c.number == sought.number) & items.c.decided_by.in_(loose)
    few = connection.execute(select(items.c.record_key).where(theirs).limit(most + 1)).all()
    if len(few) <= most:
        return
    why = TOO_COMMON if sought.trusted else TOO_MANY
    whole = (items.c.number == sought.number) & (items.c.record_key == WHOLE)
    connection.execute(delete(items).where(theirs | whole))
    row = {"number": sought.number, "record_key": WHOLE, "act": "none", "state": "decided"}
    connection.execute(insert(items).values(row | {"decided_by": MACHINE + why}))


def _present(
    connection: Connection, numbers: Collection[str], keys: Iterable[int]
) -> Iterator[tuple[tuple[str, int], str]]:
    for chunk in _chunks(keys):
        query = select(items).where(items.c.record_key.in_(chunk))
        for row in connection.execute(query):
            if row.number in numbers:
                yield (row.number, unsigned(row.record_key)), row.decided_by


def _drop(connection: Connection, places: Iterable[tuple[str, int]]) -> None:
    by_number: dict[str, list[int]] = defaultdict(list)
    for number, key in places:
        by_number[number].append(key)
    for number, keys in by_number.items():
        for chunk in _chunks(keys):
            theirs = (items.c.number == number) & items.c.record_key.in_(chunk)
            connection.execute(delete(items).where(theirs))


def _chunks(keys: Iterable[int]) -> Iterator[list[int]]:
    listed = [signed(key) for key in keys]
    for start in range(0, len(listed), 10_000):
        yield listed[start : start + 10_000]
