"""How an objection came, and whom to tell of its steps: kept only as long as there is to tell."""

import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import idna
import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, or_, select, update

from sayso.errors import UsageError
from sayso.rights import keyed
from sayso.rights.database import Rights, now
from sayso.rights.tables import requests

CODE_HOLDS: Final = timedelta(days=7)
# RFC 5321, section 4.5.3.1: what a path and a local part may hold.
LONGEST_EMAIL: Final = 254
LONGEST_LOCAL: Final = 64
# A dot-atom (RFC 5322, section 3.2.3). Quoted local parts are legal, and nobody's.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


class Contact(Struct, frozen=True):
    """Whom to tell, how, and in which language; all of it may be empty."""

    email: str = ""
    language: str = "en"
    callbacks: tuple[str, ...] = ()
    agent: str = ""


class Request(Struct, frozen=True):
    """One request as it stands; `mailed_at` is when the e-mailed code came back."""

    id: str
    contact: Contact
    code_until: datetime | None
    mailed_at: datetime | None
    created_at: datetime


def checked_email(text: str) -> str:
    """Return an e-mail address as it is written in a header: one address, and nothing besides.

    A domain in other letters becomes its ASCII form (IDNA 2008, by UTS 46).

    Raises:
        UsageError: it is none, or longer than 254 characters; the text is not quoted.
    """
    local, _, domain = text.strip().rpartition("@")
    try:
        domain = idna.encode(domain, uts46=True).decode().lower()
    except UnicodeError:  # idna's own errors are of this kind
        domain = ""
    address = f"{local}@{domain}"
    if (
        len(local) > LONGEST_LOCAL
        or len(address) > LONGEST_EMAIL
        or not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(domain)
    ):
        raise UsageError("this is not an e-mail address", "one looks like name@example.org")
    return address


def add(connection: Connection, contact: Contact, at: datetime) -> str:
    """Keep a contact and return the request's id, an unguessable name."""
    return add_all(connection, [contact], at)[0].id


def add_all(connection: Connection, contacts: Sequence[Contact], at: datetime) -> list[Request]:
    """Keep contacts, each as a request of its own, with an unguessable name."""
    made = [Request(secrets.token_hex(16), contact, None, None, at) for contact in contacts]
    rows = [
        {
            "id": request.id,
            "email": request.contact.email,
            "language": request.contact.language,
            "callbacks": msgspec.json.encode(request.contact.callbacks).decode(),
            "agent": request.contact.agent,
            "created_at": at,
        }
        for request in made
    ]
    connection.execute(insert(requests), rows)
    return made


def find(connection: Connection, request: str) -> Request | None:
    """Return a request by its id."""
    row = connection.execute(select(requests).where(requests.c.id == request)).first()
    return None if row is None else _request(row)


def listening(connection: Connection, ids: Collection[str]) -> dict[str, Request]:
    """Return those of these requests that want to be told of steps, by id."""
    told = or_(requests.c.email != "", requests.c.callbacks != "[]")
    rows = connection.execute(select(requests).where(requests.c.id.in_(ids), told))
    return {row.id: _request(row) for row in rows}


def _request(row: Row[*tuple[Any, ...]]) -> Request:
    callbacks = msgspec.json.decode(row.callbacks, type=tuple[str, ...])
    contact = Contact(row.email, row.language, callbacks, row.agent)
    return Request(row.id, contact, row.code_until, row.mailed_at, row.created_at)


def new_code(connection: Connection, rights: Rights, request: str) -> str:
    """Make the code that is e-mailed; only a keyed hash of it is kept, and an older one ends."""
    code = secrets.token_urlsafe(24)
    connection.execute(
        update(requests)
        .where(requests.c.id == request)
        .values(code_hash=_hash(rights, code), code_until=now() + CODE_HOLDS)
    )
    return code


def redeem(connection: Connection, rights: Rights, code: str) -> Request | None:
    """Return the request that a code was mailed for, noting that it came back; None if none."""
    hashed = _hash(rights, code)
    row = connection.execute(select(requests).where(requests.c.code_hash == hashed)).first()
    if row is None or not hmac.compare_digest(row.code_hash, hashed):
        return None
    if row.code_until is None or row.code_until < now():
        return None
    connection.execute(update(requests).where(requests.c.id == row.id).values(mailed_at=now()))
    return find(connection, row.id)


def forget(connection: Connection, request: str) -> None:
    """Drop whom to tell: there is nothing more to tell."""
    connection.execute(
        update(requests)
        .where(requests.c.id == request)
        .values(email="", callbacks="[]", code_hash="", code_until=None)
    )


def _hash(rights: Rights, code: str) -> str:
    return keyed.digest(rights.workspace, "mail-code", code)
