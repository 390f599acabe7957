"""The rights database: SQLite by default, any SQLAlchemy URL otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
    insert,
    inspect,
    update,
)
from sqlalchemy.exc import ArgumentError

from sayso.errors import UsageError, WorkspaceError
from sayso.workspace import Workspace


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets zones, so they are put back on reading."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Store as UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Read back with the zone."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("account", String, primary_key=True),
    Column("key", BigInteger, nullable=False, unique=True),  # the account's pseudonym, signed
    Column("service", String, nullable=False),
    Column("person", String, nullable=False, index=True),
    Column("handle", String, nullable=False, default=""),  # shown instead of the id, if any
    Column("kind", String, nullable=False, default=""),
    Column("age_band", String, nullable=False, default=""),
    Column("age_source", String, nullable=False, default=""),
    Column("state", String, nullable=False, default="active"),
    Column("assistant", Boolean, nullable=False, default=False),
    Column("train_signal", String, nullable=False, default=""),  # the strictest of its statements
    Index("accounts_by_state", "state"),
)

# An account's own words on training, each until it is taken back: 'allow', 'deny', 'unreadable'.
statements = Table(
    "statements",
    metadata,
    Column("account", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("signal", String, nullable=False),
)

objections = Table(
    "objections",
    metadata,
    Column("number", String, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("service", String, nullable=False),  # "*" = all services
    Column("reason", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("withdrawn_at", UtcTime),
    Column("receipt", String, nullable=False),  # compact JWS
)

# What must stay out: records deleted, refused or erased. No content, no id: the pseudonym only.
tombstones = Table(
    "tombstones",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("rev", BigInteger, nullable=False),  # revisions up to this one stay out
    Column("reason", String, nullable=False),  # of `tombstones`
    Column("account", BigInteger, nullable=False, default=0),
    Column("service", String, nullable=False, default=""),
    Column("audience", String, nullable=False, default="unknown"),
    Column("at", UtcTime, nullable=False),
    Index("tombstones_by_account", "account"),
)

# How often something changed that may take records out: who watches need not look at all rows.
changes = Table(
    "changes",
    metadata,
    Column("what", String, primary_key=True),
    Column("number", Integer, nullable=False),
)

# Who may hand in events. The keys themselves are not kept: only what recognises one.
api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),  # keyed, in hexadecimal
    Column("services", String, nullable=False),  # JSON array; empty = all services
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

# Public keys of the actors of other servers: one that is gone must still be able to delete.
peer_keys = Table(
    "peer_keys",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("actor", String, nullable=False),
    Column("pem", String, nullable=False),
    Column("fetched_at", UtcTime, nullable=False),
)

# Signatures of deliveries, until they are too old to be taken a second time.
seen_signatures = Table(
    "seen_signatures",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("until", UtcTime, nullable=False, index=True),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),  # the hashed text itself, not a database's rendering
    Column("kind", String, nullable=False),
    Column("body", String, nullable=False),  # the hashed text itself, too
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

# Live sources: the cursor to go on from (it may hold accounts' numbers), how their listeners are.
listeners = Table(
    "listeners",
    metadata,
    Column("name", String, primary_key=True),
    Column("cursor", String, nullable=False, default=""),
    Column("state", String, nullable=False),  # connecting | live | waiting | stopped
    Column("connected_at", UtcTime),
    Column("last_event_at", UtcTime),  # at its source
    Column("last_stored_at", UtcTime),
    Column("stored", BigInteger, nullable=False, default=0),
    Column("errors", BigInteger, nullable=False, default=0),
    Column("last_error", String, nullable=False, default=""),
    Column("pid", Integer, nullable=False, default=0),
    Column("heartbeat_at", UtcTime, nullable=False),
)


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
