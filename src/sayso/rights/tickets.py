"""Tickets: a service's word that the account it names is signed in there, for a few minutes.

A service gets one with its key and puts it into the address of a page that it shows within its
own. There the member needs no cookie and no second login: the ticket says who they are. It is
encrypted (a compact JWE, RFC 7516), so that no log of addresses names anybody, and it is good once.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from sayso.errors import UsageError
from sayso.rights import identity, keyed, once
from sayso.rights.database import Rights, now

Purpose = Literal["object", "my-data"]
PURPOSES: Final = get_args(Purpose)
TYPE: Final = "sayso-ticket+jwe"
LIFETIME: Final = timedelta(minutes=10)
LONGEST: Final = 4096
_ALGORITHMS: Final = ["dir", "A256GCM"]


class Ticket(Struct, frozen=True):
    """What a ticket says: which account of which service, for which pages, until when.

    `person` is whose account it is now (an id of `tables.accounts`); `key` is the name of the key
    that it was got with.
    """

    id: str
    account: str
    service: str
    purpose: Purpose
    key: str
    until: datetime
    person: str = ""


class TicketError(UsageError):
    """A ticket that is none, is over, or was used before: which of these is not told."""

    def __init__(self) -> None:
        super().__init__(
            "this link is no longer good: it is for a few minutes, and to be used once",
            "open the page again from where you came",
        )


def issue(rights: Rights, key: str, account: str, service: str, purpose: Purpose) -> str:
    """Return a new ticket, 200 to 600 characters that are good within an address.

    Args:
        rights: whose installation will take it.
        key: the name of the key that it is got with.
        account: who is signed in at the service.
        service: the service.
        purpose: which pages it is for.
    """
    until = (now() + LIFETIME).replace(microsecond=0)
    ticket = Ticket(secrets.token_urlsafe(16), account, service, purpose, key, until)
    header = {"alg": "dir", "enc": "A256GCM", "typ": TYPE}
    return jwe.encrypt_compact(
        header, msgspec.json.encode(ticket), _key(rights), algorithms=_ALGORITHMS
    )


def read(rights: Rights, token: str) -> Ticket:
    """Return what a ticket says and leave it good: to show a form that brings it along.

    Raises:
        TicketError: it is no ticket of this installation, is over, or was used before.
    """
    ticket = _opened(rights, token)
    with rights.reading() as connection:
        if once.was_used(connection, _fingerprint(rights, ticket)):
            raise TicketError
        return _with_person(connection, ticket)


def redeem(rights: Rights, token: str) -> Ticket:
    """Return what a ticket says and use it up.

    Raises:
        TicketError: it is no ticket of this installation, is over, or was used before.
    """
    ticket = _opened(rights, token)
    with rights.writing() as connection:
        if not once.use(connection, _fingerprint(rights, ticket), ticket.until):
            raise TicketError
        return _with_person(connection, ticket)


def _opened(rights: Rights, token: str) -> Ticket:
    try:
        if len(token) > LONGEST:
            raise TicketError
        opened = jwe.decrypt_compact(token, _key(rights), algorithms=_ALGORITHMS)
        if opened.headers().get("typ") != TYPE:
            raise TicketError
        ticket = msgspec.json.decode(opened.plaintext or b"", type=Ticket)
    # The decoder of what anybody may have typed raises more than its own errors.
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TicketError from error
    if now() >= ticket.until.astimezone(UTC):
        raise TicketError
    return ticket


def _with_person(connection: Any, ticket: Ticket) -> Ticket:
    person = identity.person_of(connection, ticket.account)
    return msgspec.structs.replace(ticket, person=person)


def _fingerprint(rights: Rights, ticket: Ticket) -> str:
    return keyed.digest(rights.workspace, "ticket-used", ticket.id)


def _key(rights: Rights) -> OctKey:
    return OctKey.import_key(bytes.fromhex(keyed.digest(rights.workspace, "ticket", "")))
