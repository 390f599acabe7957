"""What the form and the API of objections share: scope, names, and who may have the receipt."""

import hmac
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from sayso.errors import UsageError
from sayso.rights import people
from sayso.rights.objection import ALL_SERVICES, Given, Objection
from sayso.rights.requests import checked_email
from sayso.web.site import Site

LONGEST_NAME: Final = 1024
NUMBER: Final = r"^OBJ-[0-9]{8}-[0-9A-F]{8}$"


def services(site: Site) -> list[str]:
    """Return the services that any known account is on, as of a moment ago."""
    return site.services()


async def submit(site: Site, given: Given) -> list[Objection]:
    """Accept an objection; those that come at the same time are stored by one transaction.

    A leading @ of a claim's name is dropped. Where the contact has an e-mail address, the letter
    with the link that confirms it is queued with the objection.

    Returns:
        One objection for each name and service; on the disk.

    Raises:
        UsageError: name or scope is empty, a service is unknown, a text is too long, or the
            contact's address is none.
        HTTPException: 503 with Retry-After; too many wait, or the database cannot be written.
    """
    return await site.gathering.put(await site.read(partial(ready, site, given)))


def ready(site: Site, given: Given, connection: Connection) -> Given:
    """Return what is handed in as it is stored; see `submit`."""
    longest = max(map(len, (given.name, *given.others)))
    if longest > LONGEST_NAME:
        raise UsageError(f"the account has {longest} characters, at most {LONGEST_NAME} fit")
    # A misspelt service would be an objection without effect.
    named = set(given.services) - {ALL_SERVICES}
    if named and (unknown := named - set(services(site))):
        raise UsageError(
            f"{len(unknown)} of the named services are unknown here",
            f"name any of: {', '.join([ALL_SERVICES, *services(site)])}",
        )
    contact = given.contact
    if contact.email:
        contact = msgspec.structs.replace(contact, email=checked_email(contact.email))
    names = (given.name, *given.others)
    if not given.confirmed_by:  # whoever is vouched for is called exactly as they are
        names = tuple(canonical(connection, name) for name in names)
    cleaned = msgspec.structs.replace(
        given,
        name=names[0],
        others=names[1:],
        # '*' says what all the others would, too.
        services=(ALL_SERVICES,) if ALL_SERVICES in given.services else given.services,
        reason=given.reason.strip(),
        contact=contact,
    )
    cleaned.check()
    return cleaned


def canonical(connection: Connection, name: str) -> str:
    """Return a name as accounts are called: people also write it with an @ before it."""
    name = name.strip()
    bare = name.removeprefix("@")
    return bare if bare and bare != name and not people.find(connection, name) else name


def token(site: Site, number: str) -> str:
    """Return what the browser that sent an objection keeps, to get its receipt again."""
    return site.workspace.pseudonyms.name("receipt", number)


def holds_token(site: Site, number: str, given: str | None) -> bool:
    """Whether a browser holds an objection's token."""
    return given is not None and hmac.compare_digest(given.encode(), token(site, number).encode())
