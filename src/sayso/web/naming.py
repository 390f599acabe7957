"""What people type to name an account, and the account that it names.

People write `name@service`, `@name@server`, or paste the address of a profile. Which of these is
known here is looked up in the same way, with the same two reads, whether it is or not.
"""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, and_, false, or_, select

from sayso.rights.tables import accounts

MOST_NAMES: Final = 20
_BETWEEN: Final = re.compile(r"[\n\r,;]+")
_ADDRESS: Final = re.compile(r"^(https?://|[\w-]+(\.[\w-]+)+/)", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"^(?:acct:)?@?([^@\s]+)@([^@\s/]+)$")


def listed(text: str) -> tuple[str, ...]:
    """Return the names of a text that has one a line, or several between commas."""
    names = (name.strip() for name in _BETWEEN.split(text))
    return tuple(dict.fromkeys(name for name in names if name))


def plain(name: str) -> str:
    """Return what a name or address says in the form that it is shown and counted in.

    `name@server`, a DID, or what was typed; a pure function of the text, so it tells nobody what
    is known here.
    """
    name = name.strip()
    if _ADDRESS.match(name):
        try:
            address = urlsplit(name if "://" in name else f"https://{name}")
        except ValueError:  # not even an address
            return name
        host = (address.hostname or "").removeprefix("www.")
        parts = [unquote(part) for part in address.path.split("/") if part]
        # Mastodon: /@name or /users/name; Bluesky: /profile/did:plc:… or /profile/handle.
        called = next((p for p in parts if p.startswith(("did:", "@"))), parts[-1] if parts else "")
        called = called.removeprefix("@")
        if called.startswith("did:") or "@" in called or (host == "bsky.app" and called):
            return called
        return f"{called}@{host}" if called and host else name
    found = _ACCOUNT.match(name)
    return f"{found[1]}@{found[2].lower()}" if found else name.removeprefix("@") or name


def resolve(connection: Connection, name: str) -> str:
    """Return the account that a name means, or how it will be called once it arrives.

    `acct:name@server` is what accounts of other servers are called here (FEP-4adb); those of the
    community's own services have the name that their service gives them.
    """
    said = plain(name)
    user, _, where = said.rpartition("@")
    ways = [name.strip(), said, f"acct:{said}", f"acct:{said.lower()}"]
    exact = connection.execute(
        select(accounts.c.account, accounts.c.person).where(
            or_(
                accounts.c.account.in_(ways),
                accounts.c.person.in_(ways),
                # Of DIDs alone: elsewhere anybody may be called so.
                and_(accounts.c.handle == said, accounts.c.account.startswith("did:"))
                if "@" not in said
                else false(),
            )
        )
    ).all()
    # Two indexed ranges and no LIKE, which would read every account there is.
    start = f"acct:{user}@"
    called = connection.execute(
        select(accounts.c.account).where(
            or_(
                and_(accounts.c.account >= start, accounts.c.account < f"acct:{user}A"),
                accounts.c.account == user,
            ),
            accounts.c.service == where,
        )
    ).all()
    known = {row.account for row in exact} | {row.person for row in exact}
    for way in ways:
        if way in known:
            return way
    # Bluesky's accounts are DIDs, but nobody knows theirs: they know their handle.
    if len(exact) == 1 and "." in said:
        return str(exact[0].account)
    for row in called:
        if row.account == user or row.account.startswith(start):
            return str(row.account)
    return f"acct:{said}" if user and "." in where else said
