"""What may be used once: remembered for as long as it would be good, by its fingerprint alone."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from sayso.rights.database import now
from sayso.rights.tables import seen_signatures


def use(connection: Connection, fingerprint: str, until: datetime) -> bool:
    """Note a use; False if it was used before.

    Args:
        connection: from `Rights.writing()`, so that of two at once only one is the first.
        fingerprint: at most 64 characters, of a keyed hash.
        until: when it ceases to be good, and need not be remembered any longer.
    """
    connection.execute(delete(seen_signatures).where(seen_signatures.c.until < now()))
    known = select(seen_signatures).where(seen_signatures.c.fingerprint == fingerprint)
    if connection.execute(known).first():
        return False
    connection.execute(insert(seen_signatures).values(fingerprint=fingerprint, until=until))
    return True


def was_used(connection: Connection, fingerprint: str) -> bool:
    """Whether it was used before."""
    known = select(seen_signatures).where(seen_signatures.c.fingerprint == fingerprint)
    return connection.execute(known).first() is not None
