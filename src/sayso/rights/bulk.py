"""Objections from a file, as of a mailing's answers: CSV or JSON Lines, read line by line.

Columns: `person` (or `account`), `services` (separated by ';', or a JSON array; empty = all),
`reason`, `received_at` (ISO 8601; a date alone is its first moment in UTC), `channel`. What is
there already is not taken twice: the same person, service, reason, day and channel.
"""

import contextlib
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from sayso.errors import InputError, UsageError
from sayso.rights import accesses, ledger, objections, people
from sayso.rights.claims import OPERATOR
from sayso.rights.database import Rights
from sayso.rights.objection import ALL_SERVICES, Given
from sayso.rights.staff import CHANNELS
from sayso.rights.tables import objections as table
from sayso.sources.items import Rejected

AT_ONCE: Final = 500
LONGEST_LINE: Final = 64 * 1024
IMPORT: Final = "import"
_T = TypeVar("_T")
# Reasons and moments of objections, by person, service and channel.
_There = dict[tuple[str, str, str], list[tuple[str | None, datetime | None]]]
COLUMNS: Final = frozenset({"person", "account", "services", "reason", "received_at", "channel"})


class Imported(Struct):
    """What came of a file, or would come; `known` objections were there before."""

    read: int = 0
    taken: int = 0
    known: int = 0
    rejected: list[Rejected] = msgspec.field(default_factory=list)

    def add(self, lines: Sequence[Given | Rejected], taken: int) -> None:
        """Count some lines, and how many objections came of them."""
        wanted = sum(len(line.services) for line in lines if isinstance(line, Given))
        self.read += len(lines)
        self.taken += taken
        self.known += wanted - taken
        self.rejected += [line for line in lines if isinstance(line, Rejected)]


def import_file(rights: Rights, path: Path, actor: str) -> Imported:
    """Take the objections of a file (.csv, or JSON Lines), some at a time.

    A line that is no objection is told in `rejected`, and the rest is taken. Killed in between,
    the same call goes on where it was.

    Args:
        rights: the rights database.
        path: of the file.
        actor: who does it, for the ledger.

    Raises:
        UsageError: the file cannot be read.
        InputError: it is no CSV file with these columns.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        return take(rights, file, path.name, actor)


def take(rights: Rights, file: BinaryIO, name: str, actor: str) -> Imported:
    """As `import_file`, from an open file of this name.

    Raises:
        InputError: it is no CSV file with these columns.
    """
    done = Imported()
    for chunk in batched(_lines(file, name)):
        with rights.writing() as connection:
            new = list(_unknown(connection, rights, _handed_in(chunk), {}))
            made = objections.accept_all(connection, rights, new)
            taken = sum(map(len, made))
            if taken:
                accesses.note(connection, rights, actor, "imported objections")
                ledger.append(connection, "objections-imported", {"objections": taken})
        done.add(chunk, taken)
    return done


def foresee(rights: Rights, file: BinaryIO, name: str, most: int) -> Imported:
    """Say what `take` would do, and change nothing.

    Raises:
        UsageError: it has more than `most` lines.
        InputError: it is no CSV file with these columns.
    """
    done, there = Imported(), _There()
    for chunk in batched(_lines(file, name)):
        with rights.reading() as connection:
            new = list(_unknown(connection, rights, _handed_in(chunk), there))
        done.add(chunk, sum(len(given.services) for given in new))
        if done.read > most:
            raise UsageError(
                f"{name} has more than {most} lines", f"`sayso objections --import {name}`"
            )
    return done


def _handed_in(lines: Iterable[Given | Rejected]) -> list[Given]:
    return [line for line in lines if isinstance(line, Given)]


def batched(lines: Iterable[_T]) -> Iterator[list[_T]]:
    """Yield lines some at a time."""
    rest = iter(lines)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _unknown(
    connection: Connection, rights: Rights, handed_in: Sequence[Given], there: _There
) -> Iterator[Given]:
    """Leave out what is in the database, or `there` from earlier lines; those here are added."""
    persons = people.persons(connection, {given.name for given in handed_in})
    pseudonym = rights.workspace.pseudonyms.name
    named = {given.name: persons.get(given.name, given.name) for given in handed_in}
    hidden = {person: pseudonym("person", person) for person in named.values()}
    query = select(table.c.person, table.c.service, table.c.channel, table.c.reason)
    query = query.add_columns(table.c.received_at, table.c.receipt)
    for row in connection.execute(query.where(table.c.person.in_([*hidden, *hidden.values()]))):
        # Of what was purged the reason is not kept: the rest tells.
        reason = row.reason if row.receipt else None
        found = there.setdefault((row.person, row.service, row.channel), [])
        found.append((reason, row.received_at))
    for given in handed_in:
        person, services = named[given.name], []
        for service in given.services:
            place = (person, service, given.channel)
            before = [*there.get(place, ()), *there.get((hidden[person], *place[1:]), ())]
            if not any(_same(given, *one) for one in before):
                services.append(service)
                there.setdefault(place, []).append((given.reason, given.received_at))
        if services:
            yield msgspec.structs.replace(given, services=tuple(services))


def _same(given: Given, reason: str | None, received_at: datetime | None) -> bool:
    moment = given.received_at and given.received_at.replace(microsecond=0)
    return reason in (None, given.reason) and moment in (None, received_at)


def _lines(file: BinaryIO, name: str) -> Iterator[Given | Rejected]:
    rows = _csv(file, name) if name.lower().endswith(".csv") else _json(file)
    for number, fields in rows:
        try:
            yield _given(fields)
        except UsageError as error:
            yield Rejected(name, f"line {number}", error.problem)


def _csv(file: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="strict", newline="")
    try:
        reader = csv.DictReader(_bounded(text), strict=True)
        columns = set(reader.fieldnames or ())
        if not columns & {"person", "account"} or columns - COLUMNS:
            raise InputError(
                f"{name} has not the columns of objections",
                f"the first line names some of: {', '.join(sorted(COLUMNS))}",
            )
        for row in reader:
            whole = None not in row and None not in row.values()
            yield reader.line_num, dict(row) if whole else "has not as many fields as columns"
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{name} is no CSV file in UTF-8") from error
    finally:
        with contextlib.suppress(ValueError):  # it may be closed by whoever opened it
            text.detach()


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > LONGEST_LINE:
            raise csv.Error("a line is too long")
        yield line


def _json(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | str]]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            yield number, "is too long"
        elif line.strip():
            yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "is no JSON object"


def _given(fields: dict[str, Any] | str) -> Given:
    """Read one line; an error never quotes it, since it is about a person."""
    if isinstance(fields, str):
        raise UsageError(f"the line {fields}")
    if fields.keys() - COLUMNS:
        raise UsageError("the line has a field that is none of an objection's")
    said = {name: value for name, value in fields.items() if value not in (None, "")}
    services = said.pop("services", ())
    if isinstance(services, str):
        services = [name.strip() for name in services.split(";") if name.strip()]
    texts = all(isinstance(value, str) for value in (*said.values(), *services))
    if not texts or not isinstance(services, list | tuple):
        raise UsageError("a field is no text")
    if "person" in said and "account" in said:
        raise UsageError("the line names both a person and an account")
    channel = said.get("channel", IMPORT)
    if channel not in (*CHANNELS, IMPORT):
        raise UsageError(f"the channel is none of: {', '.join(CHANNELS)}, {IMPORT}")
    given = Given(
        name=said.get("person", said.get("account", "")),
        services=tuple(dict.fromkeys(services)) or (ALL_SERVICES,),
        reason=said.get("reason", ""),
        channel=channel,
        confirmed_by=OPERATOR,
        received_at=_moment(said["received_at"]) if "received_at" in said else None,
    )
    given.check()
    return given


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("received_at is no date of ISO 8601") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
