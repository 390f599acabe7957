"""The rights database: SQLite by default, any SQLAlchemy URL otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, update
from sqlalchemy.exc import ArgumentError

from sayso.errors import UsageError, WorkspaceError
from sayso.rights.tables import changes, metadata
from sayso.workspace import Workspace


class Rights:
    """An open rights database.

    Args:
        workspace: whose keys pseudonymise the ids.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        with workspace.lock("database", wait=True):  # several may open a new one at once
            self.engine = _engine(workspace.database_url)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that writes; writers queue, so the ledger's chain never forks."""
        with self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql("LOCK TABLE ledger IN EXCLUSIVE MODE")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent read."""
        with self.engine.connect() as connection:
            yield connection


@lru_cache(maxsize=32)
def _engine(url: str) -> Engine:
    # Errors of the database must not quote the values of its rows.
    try:
        engine = create_engine(url, hide_parameters=True)
    except ArgumentError as error:
        raise UsageError(
            "`database` in sayso.toml is no SQLAlchemy URL", "leave it empty for SQLite"
        ) from error
    if engine.dialect.name == "sqlite":
        if engine.url.database and not Path(engine.url.database).parent.is_dir():
            raise WorkspaceError("the folder of the rights database is missing", "check SAYSO_HOME")
        event.listen(engine, "connect", _prepare_sqlite)
    metadata.create_all(engine)
    _check_columns(engine)
    return engine


def _check_columns(engine: Engine) -> None:
    """Tables of another version lack columns, or have others: that is said, not run into."""
    there = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"] for column in there.get_columns(table.name)}
        if missing := set(table.columns.keys()) - columns:
            raise WorkspaceError(
                f"the rights database was made by another version: {table.name} has no column "
                f"{', '.join(sorted(missing))}",
                "make a new workspace (SAYSO_HOME) and import again",
            )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions begin explicitly (see `writing`), not by the driver's guess.
    connection.isolation_level = None
    for pragma in (
        "busy_timeout=30000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def note_change(connection: Connection, what: str) -> None:
    """Count a change, within the transaction that makes it."""
    counted = connection.execute(
        update(changes).where(changes.c.what == what).values(number=changes.c.number + 1)
    )
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
