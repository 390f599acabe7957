"""What older versions made becomes this version's, with its data; and back."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, insert, inspect, select, text, update
from sqlalchemy.schema import MetaData

from sayso.errors import MissingPartError, UsageError, WorkspaceError
from sayso.rights import claims, ledger, migrations, objections
from sayso.rights.database import Rights, signed
from sayso.rights.engines import engine_for
from sayso.rights.objection import Given
from sayso.rights.tables import metadata, suppressions
from sayso.workspace import Workspace

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MINE, ALSO_MINE, HIS = "member-1@forum", "member-1@net", "member-2@forum"


@pytest.fixture
def engine(workspace: Workspace) -> Engine:
    """A database of the first version, as versions without migrations made it, with some rows."""
    rights = Rights(workspace)
    migrations.downgrade(rights.engine, workspace.pseudonyms, "0001")
    with rights.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        _fill(connection, workspace)
    return rights.engine


def _fill(connection: Connection, workspace: Workspace) -> None:
    old = MetaData()
    old.reflect(connection)
    for account, person in ((MINE, "p:1"), (ALSO_MINE, "p:1"), (HIS, HIS)):
        key = signed(workspace.pseudonyms.number("account", account))
        row = dict.fromkeys(("handle", "kind", "age_band", "age_source", "train_signal"), "")
        row |= {"account": account, "key": key, "service": account.rpartition("@")[2]}
        row |= {"person": person, "state": "active", "assistant": False}
        connection.execute(insert(old.tables["accounts"]).values(row))
    naive = AT.replace(tzinfo=None)
    row = {"reason": "no", "channel": "page", "received_at": naive, "receipt": "signed"}
    row |= {"due_at": naive + timedelta(days=30)}
    rows = [
        ("OBJ-1", "p:1", "forum", None),
        ("OBJ-2", "ghost@forum", "forum", None),
        ("OBJ-2-R1A2B-R00FF", HIS, "*", None),
        ("OBJ-3", HIS, "*", naive),
    ]
    for number, person, service, withdrawn in rows:
        named = {"number": number, "person": person, "service": service, "withdrawn_at": withdrawn}
        connection.execute(insert(old.tables["objections"]).values(row | named))
    for kind, number in (("gate", ""), ("objection", "OBJ-1"), ("objection", "OBJ-3")):
        ledger.append(connection, kind, {"number": number})
    ledger.append(connection, "objection", {"number": "OBJ-2"})


def _suppressed(rights: Rights) -> set[tuple[int, str, str, datetime]]:
    with rights.reading() as connection:
        rows = connection.execute(select(suppressions)).all()
    return {(row.key, row.service, row.number, row.at) for row in rows}


def test_migrations_make_what_the_tables_say(workspace):
    """Whoever changes tables.py writes a migration."""
    with Rights(workspace).reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        there = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(there, metadata) == []
        script = ScriptDirectory.from_config(
            migrations.configuration(connection, workspace.pseudonyms)
        )
    assert script.get_heads() == [migrations.HEAD]


def test_an_old_database_is_taken_with_its_data(workspace, engine):
    rights = Rights(workspace)
    assert migrations.version(engine) == migrations.HEAD
    found = {made.number: made for made in objections.list_all(rights)}
    assert {number: made.bound_seq for number, made in found.items()} == {
        "OBJ-1": 2,
        "OBJ-2": 4,
        "OBJ-2-R1A2B-R00FF": 4,
        "OBJ-3": 3,
    }
    for made in found.values():
        assert (made.state, made.confirmed_by, made.about) == ("confirmed", "operator", "own")
        assert (made.request, made.evidence, made.reason) == ("", "", "no")
        assert made.confirmed_at == made.received_at == AT
    assert found["OBJ-3"].withdrawn_at == AT

    def key(account: str) -> int:
        return signed(workspace.pseudonyms.number("account", account))

    assert _suppressed(rights) == {
        (key(MINE), "forum", "OBJ-1", AT),
        (key("ghost@forum"), "forum", "OBJ-2", AT),
        (key(HIS), "*", "OBJ-2-R1A2B-R00FF", AT),
    }
    with rights.reading() as connection:
        assert ledger.verify(connection)[0] == 4
    assert len(objections.receive(rights, "member-3@forum")) == 1  # and it is one to work with


def test_there_and_back_changes_nothing(workspace, engine):
    rights = Rights(workspace)
    before = objections.list_all(rights), _suppressed(rights)
    migrations.downgrade(engine, workspace.pseudonyms, "0001")
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) >= {"accounts", "ledger", "objections"}
        assert not inspect(connection).has_table("steps")
        assert connection.scalar(text("SELECT count(*) FROM objections")) == 4
        assert ledger.verify(connection)[0] == 4
    rights = Rights(workspace)
    assert (objections.list_all(rights), _suppressed(rights)) == before
    migrations.downgrade(engine, workspace.pseudonyms, "base")
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def test_going_back_binds_claims_and_frees_what_lapsed(workspace):
    rights = Rights(workspace)
    given = [Given(name=name, confirmed_by="") for name in (MINE, HIS)]
    (claim,), (lapsed,) = claims.receive_all(rights, given)
    claims.lapse(rights, lapsed.number, "operator")
    migrations.downgrade(rights.engine, workspace.pseudonyms, "0001")
    rights = Rights(workspace)
    assert objections.find(rights, claim.number).stands
    assert not objections.find(rights, lapsed.number).stands


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"about": "items"}, "1 objections to single records"),
        ({"about": "depicted"}, "1 objections to single records"),
        ({"person": "0123456789abcdef"}, "1 accounts kept out"),  # only a pseudonym is kept
    ],
)
def test_what_an_older_version_would_train_on_is_not_dropped(workspace, values, why):
    rights = Rights(workspace)
    (made,) = objections.receive(rights, MINE)
    with rights.writing() as connection:
        connection.execute(update(metadata.tables["objections"]).values(values))
    with pytest.raises(WorkspaceError, match=why):
        migrations.downgrade(rights.engine, workspace.pseudonyms, "0001")
    assert migrations.version(rights.engine) == migrations.HEAD
    assert objections.find(rights, made.number).stands


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE alembic_version SET version_num = '9999'",
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
    ],
)
def test_a_database_of_an_unknown_version_is_left_alone(workspace, change):
    rights = Rights(workspace)
    with rights.engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(WorkspaceError):
        Rights(workspace)
    with rights.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM objections")) == 0


def test_a_migration_that_fails_changes_nothing(workspace, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger SET body = 'not JSON' WHERE seq = 4"))
    with pytest.raises(ValueError, match="Expecting value"):
        Rights(workspace)
    with engine.connect() as connection:
        assert not inspect(connection).has_table("alembic_version")
        assert not inspect(connection).has_table("steps")
        assert connection.scalar(text("SELECT count(*) FROM objections")) == 4


@pytest.mark.parametrize(
    "url",
    [
        "no url: secret",
        "mysql://user:secret@host/x",
        "postgresql+psycopg2://user:secret@host/x",
        "postgresql://user:secret@host:nonsense/x",
    ],
)
def test_an_unknown_database_is_refused_without_quoting_its_url(tmp_path, tiny_settings, url):
    home = Workspace.create(tmp_path / "home", replace(tiny_settings, database=url))
    with pytest.raises(UsageError) as caught:
        Rights(home)
    assert "secret" not in f"{caught.value.problem} {caught.value.hint}"
    assert caught.value.__suppress_context__


def test_a_server_that_is_away_is_said_without_the_password(tmp_path, tiny_settings):
    url = "postgresql://user:secret@127.0.0.1:1/sayso?sslpassword=secret"
    home = Workspace.create(tmp_path / "home", replace(tiny_settings, database=url))
    with pytest.raises(WorkspaceError, match=r"PostgreSQL, 127\.0\.0\.1:1, sayso") as caught:
        Rights(home)
    cause = caught.value.__cause__
    assert "secret" not in f"{caught.value.problem} {caught.value.hint} {cause} {cause.__cause__}"


def test_a_missing_driver_is_named(monkeypatch):
    engine_for.cache_clear()
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingPartError) as caught:
        engine_for("postgresql://user@host/sayso")
    assert "sayso[postgres]" in caught.value.hint
