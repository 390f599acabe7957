"""The tables of the rights database; `migrations/` says how they came to be."""

from datetime import UTC, datetime
from typing import Any

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
    TypeDecorator,
)


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
    Index("accounts_by_handle", "handle"),
)

# An account's own words on training, each until it is taken back: 'allow', 'deny', 'unreadable'.
statements = Table(
    "statements",
    metadata,
    Column("account", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("signal", String, nullable=False),
    Column("evidence", String, nullable=False, default=""),  # JSON, raw, with the reading's version
)

# One row for each service that an objection names. It binds from `received_at`: 'pending' until it
# is shown to come from the person (nothing new is trained on meanwhile), then 'confirmed'; 'lapsed'
# where that was never shown. `about` is 'own' (all that the person wrote), 'items' (some of it) or
# 'depicted' (what others posted that names or shows the person).
objections = Table(
    "objections",
    metadata,
    Column("number", String, primary_key=True),
    Column("request", String, nullable=False, default="", index=True),  # of `requests`
    Column("person", String, nullable=False, index=True),
    Column("service", String, nullable=False),  # "*" = all services
    Column("about", String, nullable=False, default="own"),
    Column("reason", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("state", String, nullable=False, default="confirmed", index=True),
    Column("confirmed_at", UtcTime),
    Column("confirmed_by", String, nullable=False, default=""),  # member, e-mail, operator, …
    Column("bound_seq", Integer, nullable=False, default=0),  # its place in the ledger, once bound
    Column("withdrawn_at", UtcTime),
    Column("evidence", String, nullable=False, default=""),  # JSON: a machine-readable no, raw
    Column("receipt", String, nullable=False),  # compact JWS
    Index("objections_by_bound", "bound_seq"),
)

# How an objection came, and whom to tell of its steps; emptied when its last step is told.
requests = Table(
    "requests",
    metadata,
    Column("id", String, primary_key=True),
    Column("email", String, nullable=False, default=""),
    Column("language", String, nullable=False, default="en"),
    Column("callbacks", String, nullable=False, default="[]"),  # JSON array of addresses
    Column("agent", String, nullable=False, default=""),
    Column("code_hash", String(64), nullable=False, default=""),  # keyed; of the mailed code
    Column("code_until", UtcTime),
    Column("mailed_at", UtcTime),  # when the code came back: the address is theirs
    Column("created_at", UtcTime, nullable=False),
    Index("requests_by_code", "code_hash"),
)

# The steps of an objection, each signed; 'models_cleared' once for each release that it changed.
steps = Table(
    "steps",
    metadata,
    Column("number", String, primary_key=True),
    Column("state", String, primary_key=True),
    Column("release", String, primary_key=True, default=""),
    Column("release_hash", String, nullable=False, default=""),
    Column("at", UtcTime, nullable=False),
    Column("signature", String, nullable=False),  # compact JWS
)

# Letters and calls that wait to be sent.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request", String, nullable=False, index=True),
    Column("kind", String, nullable=False),  # mail | webhook
    Column("target", String, nullable=False),
    Column("payload", String, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("sent_at", UtcTime),
    Column("given_up", Boolean, nullable=False, default=False),
)

# Which records an objection names one by one, and what is done about each.
items = Table(
    "items",
    metadata,
    Column("number", String, primary_key=True),
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("act", String, nullable=False),  # out | mask | none
    Column("state", String, nullable=False),  # review (frozen meanwhile) | decided
    Column("decided_by", String, nullable=False, default=""),
    Column("decided_at", UtcTime),
    Index("items_by_record", "record_key"),
)

# Names of people who object to being named: keyed hashes of their normalised words.
names = Table(
    "names",
    metadata,
    Column("number", String, primary_key=True),
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Integer, nullable=False),
    Column("context", Boolean, nullable=False, default=False),  # a word that must stand near it
)

# What staff gave as their reason for what they did about an objection.
remarks = Table(
    "remarks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number", String, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("act", String, nullable=False),  # extended | lapsed | note
    Column("because", String, nullable=False),
    Column("by", String, nullable=False, default=""),  # the actor's pseudonym
)

# Accounts that stay out even if nothing else is kept of them or of their objection.
suppressions = Table(
    "suppressions",
    metadata,
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # the account's pseudonym
    Column("service", String, primary_key=True),  # "*" = all
    Column("number", String, primary_key=True, default=""),
    Column("at", UtcTime, nullable=False),
    Index("suppressions_by_number", "number"),
)

# Keyed hashes of e-mail addresses that services know their accounts by: to confirm claims with.
contacts = Table(
    "contacts",
    metadata,
    Column("account", String, primary_key=True),
    Column("hash", String(64), primary_key=True),
    Index("contacts_by_hash", "hash"),
)

# Who may sign in. Members by a service's word (OIDC, signed link); local users by a password.
users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),  # member | operator | auditor
    Column("person", String, nullable=False, default=""),
    Column("password_hash", String, nullable=False, default=""),  # Argon2id; empty = by OIDC alone
    Column("issuer", String, nullable=False, default=""),
    Column("subject", String, nullable=False, default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
    Index("users_by_subject", "issuer", "subject"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),  # of the cookie
    Column("user", String, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False, index=True),
)

# Programs that may object for people (Data Rights Protocol, OpenDSR).
agents = Table(
    "agents",
    metadata,
    Column("name", String, primary_key=True),
    Column("title", String, nullable=False, default=""),  # for people to read
    Column("public_key", String, nullable=False),  # Ed25519, base64; '' = it signs nothing
    Column("token_hash", String(64), nullable=False, default=""),
    Column("hosts", String, nullable=False, default="[]"),  # JSON array: where it may be called
    Column("verifies", Boolean, nullable=False, default=False),  # checks identity itself
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

# Which request of an agent became which of `requests`; what the agent calls it names it once.
agent_requests = Table(
    "agent_requests",
    metadata,
    Column("request", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("protocol", String, nullable=False),  # drp | opendsr
    Column("called", String, nullable=False, default=""),  # by the agent; '' = nothing
    Column("digest", String(64), nullable=False),  # keyed, of whom it is about
    Index("agent_requests_by_called", "agent", "protocol", "called"),
)

# Every policy that was ever in use, whole.
policies = Table(
    "policies",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("hash", String, nullable=False),
    Column("name", String, nullable=False),
    Column("text", String, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", String, nullable=False, default=""),
    Column("because", String, nullable=False, default=""),
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
    Index("ledger_by_kind", "kind", "seq"),
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
