"""People, objections, tombstones, listeners and the ledger."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

revision = "0001"
down_revision = None

spine = MetaData()

Table(
    "accounts",
    spine,
    Column("account", String, primary_key=True),
    Column("key", BigInteger, nullable=False, unique=True),
    Column("service", String, nullable=False),
    Column("person", String, nullable=False, index=True),
    Column("handle", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("age_band", String, nullable=False),
    Column("age_source", String, nullable=False),
    Column("state", String, nullable=False),
    Column("assistant", Boolean, nullable=False),
    Column("train_signal", String, nullable=False),
    Index("accounts_by_state", "state"),
)
Table(
    "statements",
    spine,
    Column("account", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("signal", String, nullable=False),
)
Table(
    "objections",
    spine,
    Column("number", String, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("service", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("received_at", DateTime, nullable=False),
    Column("due_at", DateTime, nullable=False),
    Column("withdrawn_at", DateTime),
    Column("receipt", String, nullable=False),
)
Table(
    "tombstones",
    spine,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("rev", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("account", BigInteger, nullable=False),
    Column("service", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("at", DateTime, nullable=False),
    Index("tombstones_by_account", "account"),
)
Table(
    "changes",
    spine,
    Column("what", String, primary_key=True),
    Column("number", Integer, nullable=False),
)
Table(
    "api_keys",
    spine,
    Column("name", String, primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("services", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
Table(
    "peer_keys",
    spine,
    Column("key_id", String, primary_key=True),
    Column("actor", String, nullable=False),
    Column("pem", String, nullable=False),
    Column("fetched_at", DateTime, nullable=False),
)
Table(
    "seen_signatures",
    spine,
    Column("fingerprint", String(64), primary_key=True),
    Column("until", DateTime, nullable=False, index=True),
)
Table(
    "ledger",
    spine,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", String, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
Table(
    "listeners",
    spine,
    Column("name", String, primary_key=True),
    Column("cursor", String, nullable=False),
    Column("state", String, nullable=False),
    Column("connected_at", DateTime),
    Column("last_event_at", DateTime),
    Column("last_stored_at", DateTime),
    Column("stored", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("last_error", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("heartbeat_at", DateTime, nullable=False),
)

# What a database of this version has: the first ones were made without noting it.
COLUMNS = {name: set(table.columns.keys()) for name, table in spine.tables.items()}


def upgrade() -> None:
    """Make all tables."""
    spine.create_all(op.get_bind(), checkfirst=False)


def downgrade() -> None:
    """Drop all tables."""
    spine.drop_all(op.get_bind(), checkfirst=False)
