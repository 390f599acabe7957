"""Connections to the rights database: SQLite in the workspace, or PostgreSQL by its URL."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from sayso.errors import MissingPartError, UsageError, WorkspaceError

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
# Who waits longer than this to write is told that it failed, and tries again.
WAIT_SECONDS: Final = 30
CONNECT_SECONDS: Final = 10
# As many as the web has. What a pool has no room for is connected anew and closed each time.
THREADS: Final = 40
_DRIVERS: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


@lru_cache(maxsize=32)
def engine_for(url: str) -> Engine:
    """Return the connections to a database; nothing is connected yet.

    Raises:
        UsageError: it is no URL, or one of another kind of database; it is not quoted, for it may
            hold a password.
        MissingPartError: the driver for PostgreSQL is not installed.
        WorkspaceError: the folder of the SQLite file is missing.
    """
    wanted = _parsed(url)
    if wanted.drivername == SQLITE:
        if wanted.database and not Path(wanted.database).parent.is_dir():
            raise WorkspaceError("the folder of the rights database is missing", "check SAYSO_HOME")
        # Errors of the database must not quote the values of its rows.
        engine = create_engine(wanted, hide_parameters=True, pool_size=THREADS)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingPartError(
            "PostgreSQL needs the package psycopg", "pip install 'sayso[postgres]'"
        ) from error
    if "connect_timeout" not in wanted.query:
        wanted = wanted.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    engine = create_engine(
        wanted,
        hide_parameters=True,
        # What waited for the lock must see what was written meanwhile (see `Rights.writing`).
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,  # the server may have been started anew
        pool_size=THREADS // 2,  # each is a process of the server, and it has a hundred
        max_overflow=THREADS // 2,
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        return parsed.set(drivername=_DRIVERS[parsed.drivername])
    except (ArgumentError, KeyError, ValueError):
        # Not with the cause, which quotes the URL.
        raise UsageError(
            "`database` in sayso.toml is no URL of SQLite or PostgreSQL",
            "leave it empty for SQLite, or as in postgresql://user@host/sayso",
        ) from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions begin explicitly (see `Rights`), not by the driver's guess.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={WAIT_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    connection.adapters.register_dumper(str, _text_dumper())
    connection.execute(
        "SELECT set_config('lock_timeout', %s, false)", [f"{WAIT_SECONDS}s"], prepare=False
    )
    # A receipt that is handed out is on disk, whatever the server's own habit.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'",
        prepare=False,
    )
    connection.commit()


@lru_cache(maxsize=1)
def _text_dumper() -> type:
    """PostgreSQL takes no NUL in a text; whoever typed one is heard nevertheless."""
    from psycopg.types.string import StrDumperUnknown

    class WithoutNul(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd"))

    return WithoutNul
