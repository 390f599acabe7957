"""The rights database: SQLite by default, PostgreSQL by its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, insert, text, update
from sqlalchemy.exc import DBAPIError

from sayso.errors import WorkspaceError
from sayso.rights import migrations
from sayso.rights.engines import SQLITE, engine_for
from sayso.rights.tables import changes
from sayso.workspace import Workspace

# Whoever writes to a PostgreSQL holds this number's lock; the queue for it is first come, first
# served. Not a lock of the ledger's table, which would wait for the server's own housekeeping.
WRITERS: Final = 0x5A150002
_COUNT: Final = (
    update(changes).where(changes.c.what == bindparam("which")).values(number=changes.c.number + 1)
)


class Rights:
    """An open rights database, of the newest schema: an older one is brought there.

    Args:
        workspace: whose keys pseudonymise the ids.

    Raises:
        UsageError: the settings name no database that is known.
        MissingPartError: its driver is not installed.
        WorkspaceError: it cannot be reached, or a newer version made it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.engine = engine_for(workspace.database_url)
        try:
            if migrations.version(self.engine) != migrations.HEAD:
                with workspace.lock("database", wait=True):  # several may open a new one at once
                    migrations.upgrade(self.engine, workspace.pseudonyms)
        except DBAPIError as error:
            # Not with the driver's text: what it says of a server is its own.
            raise WorkspaceError(
                f"the rights database ({self.told}) cannot be opened", _HINTS[self.engine.name]
            ) from error

    @property
    def told(self) -> str:
        """What kind of database it is and where, without a password."""
        url = self.engine.url
        place = f"{url.host}:{url.port}" if url.port else url.host or "local socket"
        return "SQLite" if self.engine.name == SQLITE else f"PostgreSQL, {place}, {url.database}"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that writes; writers queue, so the ledger's chain never forks."""
        with self.engine.begin() as connection:
            if self.engine.name == SQLITE:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITERS})
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent read: nothing that is written meanwhile is seen."""
        with self.engine.connect() as connection:
            if self.engine.name == SQLITE:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection


_HINTS: Final = {
    "sqlite": "check the disk and the rights of rights.db, or restore it from a back-up",
    "postgresql": "check that PostgreSQL runs, and `database` in sayso.toml",
}


def note_change(connection: Connection, what: str) -> None:
    """Count a change, within the transaction that makes it."""
    counted = connection.execute(_COUNT, {"which": what})
    if not counted.rowcount:
        connection.execute(insert(changes).values(what=what, number=1))


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def signed(number: int) -> int:
    """Map an unsigned 64-bit pseudonym onto the signed integers that databases hold."""
    return number - 2**64 if number >= 2**63 else number


def unsigned(number: int) -> int:
    """Undo `signed`."""
    return number + 2**64 if number < 0 else number
