"""The right to object, complete: claims, steps, messages, records, names, users, policies."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from alembic import context, op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    update,
)

from sayso.errors import WorkspaceError
from sayso.rights.database import signed
from sayso.workspace import Pseudonyms

revision = "0002"
down_revision = "0001"

AT_ONCE = 10_000
ALL_SERVICES = "*"

added = MetaData()

Table(
    "requests",
    added,
    Column("id", String, primary_key=True),
    Column("email", String, nullable=False),
    Column("language", String, nullable=False),
    Column("callbacks", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("code_hash", String(64), nullable=False),
    Column("code_until", DateTime),
    Column("mailed_at", DateTime),
    Column("created_at", DateTime, nullable=False),
    Index("requests_by_code", "code_hash"),
)
Table(
    "steps",
    added,
    Column("number", String, primary_key=True),
    Column("state", String, primary_key=True),
    Column("release", String, primary_key=True),
    Column("release_hash", String, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("signature", String, nullable=False),
)
Table(
    "outbox",
    added,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("target", String, nullable=False),
    Column("payload", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("due_at", DateTime, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", DateTime),
    Column("given_up", Boolean, nullable=False),
)
Table(
    "items",
    added,
    Column("number", String, primary_key=True),
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("act", String, nullable=False),
    Column("state", String, nullable=False),
    Column("decided_by", String, nullable=False),
    Column("decided_at", DateTime),
    Index("items_by_record", "record_key"),
)
Table(
    "names",
    added,
    Column("number", String, primary_key=True),
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("words", Integer, nullable=False),
    Column("context", Boolean, nullable=False),
)
suppressions = Table(
    "suppressions",
    added,
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("service", String, primary_key=True),
    Column("number", String, primary_key=True),
    Column("at", DateTime, nullable=False),
    Index("suppressions_by_number", "number"),
)
Table(
    "contacts",
    added,
    Column("account", String, primary_key=True),
    Column("hash", String(64), primary_key=True),
    Index("contacts_by_hash", "hash"),
)
Table(
    "users",
    added,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("person", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("issuer", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("disabled_at", DateTime),
    Index("users_by_subject", "issuer", "subject"),
)
Table(
    "sessions",
    added,
    Column("hash", String(64), primary_key=True),
    Column("user", String, nullable=False, index=True),
    Column("created_at", DateTime, nullable=False),
    Column("until", DateTime, nullable=False, index=True),
)
Table(
    "agents",
    added,
    Column("name", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("public_key", String, nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("hosts", String, nullable=False),
    Column("verifies", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
Table(
    "agent_requests",
    added,
    Column("request", String, primary_key=True),
    Column("agent", String, nullable=False),
    Column("protocol", String, nullable=False),
    Column("called", String, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("agent_requests_by_called", "agent", "protocol", "called"),
)
Table(
    "remarks",
    added,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number", String, nullable=False, index=True),
    Column("at", DateTime, nullable=False),
    Column("act", String, nullable=False),
    Column("because", String, nullable=False),
    Column("by", String, nullable=False),
)
Table(
    "policies",
    added,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("hash", String, nullable=False),
    Column("name", String, nullable=False),
    Column("text", String, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("by", String, nullable=False),
    Column("because", String, nullable=False),
)

# New columns of older tables, each with what it is in rows that are there.
NEW_COLUMNS: dict[str, list[tuple[Column[Any], str]]] = {
    "statements": [(Column("evidence", String, nullable=False), "")],
    "objections": [
        (Column("request", String, nullable=False), ""),
        (Column("about", String, nullable=False), "own"),
        (Column("state", String, nullable=False), "confirmed"),
        (Column("confirmed_at", DateTime), ""),
        (Column("confirmed_by", String, nullable=False), "operator"),
        (Column("bound_seq", Integer, nullable=False), "0"),
        (Column("evidence", String, nullable=False), ""),
    ],
}
NEW_INDEXES = (
    ("accounts_by_handle", "accounts", ["handle"]),
    ("ix_objections_request", "objections", ["request"]),
    ("ix_objections_state", "objections", ["state"]),
    ("objections_by_bound", "objections", ["bound_seq"]),
    ("ledger_by_kind", "ledger", ["kind", "seq"]),
)

accounts = table("accounts", column("key"), column("service"), column("person"))
ledger = table("ledger", column("seq"), column("kind"), column("body"))
objections = table(
    "objections",
    *(column(name) for name in ("number", "person", "service", "about", "state", "bound_seq")),
    *(column(name, DateTime()) for name in ("received_at", "due_at")),
    *(column(name, DateTime()) for name in ("confirmed_at", "withdrawn_at")),
)


def upgrade() -> None:
    """Make what is new; the objections that are there were the operator's word, and bind."""
    connection = op.get_bind()
    added.create_all(connection, checkfirst=False)
    for name, columns in NEW_COLUMNS.items():
        with op.batch_alter_table(name) as batch:
            for new, default in columns:
                batch.add_column(_with_default(new, default))
        with op.batch_alter_table(name) as batch:
            for new, _ in columns:
                if not new.nullable:
                    batch.alter_column(new.name, server_default=None)
    for index, name, on in NEW_INDEXES:
        op.create_index(index, name, on)
    connection.execute(update(objections).values(confirmed_at=objections.c.received_at))
    _note_places(connection)
    for rows in _covered(connection):
        connection.execute(insert(suppressions), rows)


def downgrade() -> None:
    """Drop what is new. Claims bind again, as everything once did; what lapsed is withdrawn."""
    connection = op.get_bind()
    lapsed = objections.c.state == "lapsed", objections.c.withdrawn_at.is_(None)
    connection.execute(update(objections).where(*lapsed).values(withdrawn_at=objections.c.due_at))
    _check_nothing_is_lost(connection)
    connection.execute(delete(objections).where(objections.c.about != "own"))
    for index, name, _ in reversed(NEW_INDEXES):
        op.drop_index(index, name)
    for name, columns in NEW_COLUMNS.items():
        with op.batch_alter_table(name) as batch:
            for new, _ in columns:
                batch.drop_column(new.name)
    added.drop_all(connection, checkfirst=False)


def _with_default(new: Column[Any], default: str) -> Column[Any]:
    if new.nullable:
        return Column(new.name, new.type)
    return Column(new.name, new.type, nullable=False, server_default=default)


def _note_places(connection: Connection) -> None:
    """Note each objection's place in the ledger; a person's further rows have the first one's."""
    places = {}
    entries = select(ledger.c.seq, ledger.c.body).where(ledger.c.kind == "objection")
    for seq, body in connection.execute(entries.order_by(ledger.c.seq)):
        places[json.loads(body)["number"]] = seq
    for numbers in _some(connection, select(objections.c.number)):
        rows = [
            {"which": number, "seq": places[first]}
            for (number,) in numbers
            if (first := re.sub(r"(-R[0-9A-F]+)+$", "", number)) in places
        ]
        if rows:
            which = objections.c.number == bindparam("which")
            connection.execute(
                update(objections).where(which).values(bound_seq=bindparam("seq")), rows
            )


def _covered(connection: Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield rows of `suppressions` for all accounts that a standing objection covers."""
    pseudonyms: Pseudonyms = context.config.attributes["pseudonyms"]
    theirs: dict[str, list[tuple[int, str]]] = defaultdict(list)
    standing = objections.c.withdrawn_at.is_(None)
    known = select(accounts.c.person, accounts.c.key, accounts.c.service)
    objected = select(objections.c.person).where(standing)
    for person, key, service in connection.execute(known.where(accounts.c.person.in_(objected))):
        theirs[person].append((key, service))
    made = select(*(objections.c[n] for n in ("number", "person", "service", "received_at")))
    for some in _some(connection, made.where(standing)):
        rows = []
        for number, person, service, at in some:
            everywhere = service == ALL_SERVICES
            keys = {key for key, on in theirs.get(person, ()) if everywhere or on == service}
            if everywhere or person.endswith(f"@{service}"):
                keys.add(signed(pseudonyms.number("account", person)))
            told = {"service": service, "number": number, "at": at}
            rows += [{"key": key, **told} for key in sorted(keys)]
        if rows:
            yield rows


def _check_nothing_is_lost(connection: Connection) -> None:
    """What the older version could not keep out of training must not be dropped unsaid."""
    single = select(func.count()).select_from(objections).where(objections.c.about != "own")
    singles = connection.scalar(single.where(objections.c.withdrawn_at.is_(None))) or 0
    covered = {row["key"] for rows in _covered(connection) for row in rows}
    alone = len(set(connection.scalars(select(suppressions.c.key))) - covered)
    if singles or alone:
        raise WorkspaceError(
            f"schema 0001 cannot hold {singles} objections to single records or by people shown, "
            f"and {alone} accounts kept out without an objection that names their person: what "
            "they keep out would be trained on",
            "stay with this version of Sayso",
        )


def _some(connection: Connection, query: Any) -> Iterator[Any]:
    """Yield all rows of a query, a limited number at a time."""
    rows = connection.execute(query).all()
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
