"""Who signed in, and what the staff looked at and did: entries of the ledger, kind 'access'.

Actors are pseudonyms, as everybody is there; `sayso users list` tells whose they are.
"""

import re
from typing import Final

from sqlalchemy import Connection

from sayso.rights import ledger
from sayso.rights.database import Rights

KIND: Final = "access"
# Numbers of objections, names of releases. No hashes: some services number their accounts so.
_NO_NAME: Final = re.compile(r"OBJ-\d{8}-[0-9A-F]{8}|sayso-[0-9a-f]{12}")


def note(
    connection: Connection, rights: Rights, actor: str, act: str, about: str = "", user: str = ""
) -> None:
    """Note an act within the transaction that it is part of.

    Args:
        connection: from `rights.writing()`.
        rights: whose pseudonyms are used.
        actor: the name of a user, as in `SignedIn.name`; '' for nobody who is known.
        act: what was done, a few words of the program's own, as 'confirmed an objection'.
        about: an objection's number, a release; anything else, as the name of an account, is noted
            as its pseudonym.
        user: instead of that the name of a user, noted as its pseudonym.
    """
    body = {"actor": pseudonym(rights, actor) if actor else "", "act": act}
    if user:
        body["about"] = pseudonym(rights, user)
    elif about:
        plain = _NO_NAME.fullmatch(about)
        body["about"] = about if plain else rights.workspace.pseudonyms.name("account", about)
    ledger.append(connection, KIND, body)


def pseudonym(rights: Rights, actor: str) -> str:
    """Return what a user is called in the ledger."""
    return rights.workspace.pseudonyms.name("user", actor)
