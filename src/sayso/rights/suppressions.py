"""Accounts that stay out even if nothing else is kept of them: keyed hashes, to take along.

Only this installation's key makes these hashes. So a list is good for a new database of the same
installation, and says nothing to anybody else, not even whether an account is on it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select, tuple_

from sayso.errors import InputError, IntegrityError, UsageError
from sayso.rights import accesses, ledger, people, receipts
from sayso.rights.bulk import batched
from sayso.rights.database import Rights, note_change, now, signed, unsigned
from sayso.rights.objection import ALL_SERVICES
from sayso.rights.tables import objections, suppressions
from sayso.workspace import Workspace

FORMAT: Final = "sayso-suppressions"
KIND: Final = "sayso-suppressions+jws"
_T = TypeVar("_T")


class Suppressed(Struct, frozen=True):
    """One account that stays out; `number` is of the objection, '' for one added by hand."""

    key: str  # 16 hexadecimal digits
    service: str
    number: str
    at: str


class Head(Struct, frozen=True):
    """The first line of a list; `key` tells which installation's hashes they are."""

    format: str
    key: str


def key_id(workspace: Workspace) -> str:
    """Return what names the key of this installation's hashes, and tells nothing about it."""
    return workspace.pseudonyms.name("key", FORMAT)


def count(rights: Rights) -> int:
    """Return how many accounts stay out."""
    query = select(func.count(func.distinct(suppressions.c.key)))
    with rights.reading() as connection:
        return int(connection.scalar(query) or 0)


def export(rights: Rights, out: BinaryIO) -> int:
    """Write the list, signed at its end; return how many lines it has."""
    digest, lines = hashlib.blake2b(digest_size=32), 0

    def write(line: object) -> None:
        data = msgspec.json.encode(line) + b"\n"
        digest.update(data)
        out.write(data)

    write(Head(FORMAT, key_id(rights.workspace)))
    order = suppressions.c.key, suppressions.c.service, suppressions.c.number
    with rights.reading() as connection:
        for row in connection.execute(select(suppressions).order_by(*order)):
            at = row.at.isoformat()
            write(Suppressed(f"{unsigned(row.key):016x}", row.service, row.number, at))
            lines += 1
    claims = {"blake2b": digest.hexdigest(), "iss": rights.workspace.settings.community}
    signature = receipts.sign(receipts.signing_key(rights.workspace), claims, KIND)
    out.write(msgspec.json.encode({"signature": signature}) + b"\n")
    return lines


def import_list(rights: Rights, path: Path) -> int:
    """Add what a list holds and is not there; an objection that was withdrawn stays withdrawn.

    Returns:
        How many accounts were added.

    Raises:
        UsageError: the file cannot be read, or is another installation's: its hashes are made
            with another key and would match nobody here.
        InputError: it is no such list.
        IntegrityError: it was changed, or is not signed by this installation.
    """
    try:
        _check(rights.workspace, path)
        added = 0
        with rights.writing() as connection:
            for chunk in batched(_read(path)):
                added += _add(connection, chunk)
            _note(connection, "imported", added)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return added


def add(rights: Rights, name: str, service: str = ALL_SERVICES, actor: str = "") -> int:
    """Let somebody's accounts stay out, without an objection: known ones, and the name as one.

    Returns:
        How many accounts were added; `actor` is noted as who did it.
    """
    at = now().isoformat()
    with rights.writing() as connection:
        rows = [
            Suppressed(f"{key:016x}", service, "", at) for key in _keys(connection, rights, name)
        ]
        added = _add(connection, rows)
        _note(connection, "added", added)
        accesses.note(connection, rights, actor, "put somebody on the list of who stays out", name)
    return added


def remove(rights: Rights, name: str, actor: str = "") -> int:
    """Undo `add`; what objections keep out stays out. Return how many were removed."""
    with rights.writing() as connection:
        keys = [signed(key) for key in _keys(connection, rights, name)]
        theirs = suppressions.c.key.in_(keys), suppressions.c.number == ""
        removed = int(connection.execute(delete(suppressions).where(*theirs)).rowcount)
        if removed:
            ledger.append(connection, "suppression", {"act": "removed", "accounts": removed})
            note_change(connection, "withdrawals")
        accesses.note(connection, rights, actor, "took somebody off that list", name)
    return removed


def check(rights: Rights, name: str) -> list[Suppressed]:
    """Return what keeps an account, or a person's accounts, out."""
    with rights.reading() as connection:
        keys = [signed(key) for key in _keys(connection, rights, name)]
        query = select(suppressions).where(suppressions.c.key.in_(keys))
        return [
            Suppressed(f"{unsigned(row.key):016x}", row.service, row.number, row.at.isoformat())
            for row in connection.execute(query.order_by(suppressions.c.at))
        ]


def _keys(connection: Connection, rights: Rights, name: str) -> list[int]:
    if not name.strip():
        raise UsageError("this needs the person's id or account, got an empty name")
    known = {account.key for account in people.find(connection, name)}
    return sorted(known | {rights.workspace.pseudonyms.number("account", name)})


def _add(connection: Connection, rows: list[Suppressed]) -> int:
    """Add those of which there is none of this key and service, nor a withdrawn objection."""
    wanted = {(signed(int(row.key, 16)), row.service): row for row in rows}
    place = tuple_(suppressions.c.key, suppressions.c.service)
    present = select(suppressions.c.key, suppressions.c.service).where(place.in_(list(wanted)))
    there = {tuple(row) for row in connection.execute(present)}
    numbers = {row.number for row in rows} - {""}
    withdrawn = select(objections.c.number).where(
        objections.c.number.in_(numbers), objections.c.withdrawn_at.is_not(None)
    )
    undone = set(connection.scalars(withdrawn))
    new = [
        {"key": key, "service": service, "number": row.number, "at": now()}
        for (key, service), row in wanted.items()
        if (key, service) not in there and row.number not in undone
    ]
    if new:
        connection.execute(insert(suppressions), new)
    return len(new)


def _note(connection: Connection, act: str, added: int) -> None:
    if added:
        ledger.append(connection, "suppression", {"act": act, "accounts": added})
        note_change(connection, "objections")


def _check(workspace: Workspace, path: Path) -> None:
    """Read a list once, to its signature, before anything of it is taken."""
    digest, last = hashlib.blake2b(digest_size=32), b""
    with path.open("rb") as file:
        head = _decoded(file.readline(1024), Head, path)
        if head.format != FORMAT:
            raise InputError(f"{path.name} is no list of suppressions")
        if head.key != key_id(workspace):
            raise UsageError(
                f"{path.name} was made with another installation's key: its hashes would match "
                "nobody here",
                "import it where it was exported, or where keys/pseudonym.key was taken along",
            )
        file.seek(0)
        for line in file:
            digest.update(last)
            last = line
    signature = _decoded(last, dict[str, Any], path).get("signature", "")
    key = workspace.keys / "receipts.pub.jwk"
    try:
        claims = receipts.verify(str(signature), key, KIND)
    except IntegrityError as error:
        raise IntegrityError(
            f"{path.name} is not signed by this installation", "export it anew"
        ) from error
    if claims.get("blake2b") != digest.hexdigest():
        raise IntegrityError(f"{path.name} was changed after it was signed", "export it anew")


def _read(path: Path) -> Iterator[Suppressed]:
    with path.open("rb") as file:
        file.readline()
        for line in file:
            if not line.startswith(b'{"signature"'):
                yield _decoded(line, Suppressed, path)


def _decoded(line: bytes, kind: type[_T], path: Path) -> _T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is no list of suppressions") from error
