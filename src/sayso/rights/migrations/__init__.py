"""How the rights database came to be, and how an older one becomes this one (Alembic).

Every change of `tables` is a file in `versions/`. A test holds the two together.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from sayso.errors import WorkspaceError
from sayso.workspace import Pseudonyms

if TYPE_CHECKING:
    from alembic.config import Config

# Known without loading Alembic, since nearly every opening finds the newest version.
HEAD: Final = "0002"
UNVERSIONED: Final = "0001"  # what was made before versions were noted
# Several machines may open one PostgreSQL at once; who has this number migrates.
LOCK: Final = 0x5A150001
# Alembic hands the migration at hand to its modules by globals.
_one_at_a_time = threading.Lock()


def version(engine: Engine) -> str:
    """Return the schema's version, '' for a database that has none noted."""
    try:
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except (OperationalError, ProgrammingError):
        if inspect(engine).has_table("alembic_version"):
            raise
        return ""
    return str(found or "")


def upgrade(engine: Engine, pseudonyms: Pseudonyms) -> None:
    """Bring a database to the newest version, all of it or nothing, with its data.

    Args:
        engine: of the database; an empty one gets all tables.
        pseudonyms: of the workspace, for rows that hold some.

    Raises:
        WorkspaceError: it was made by a newer version, or by one that was never released.
    """
    from alembic import command

    with _alone(engine) as connection:
        config = configuration(connection, pseudonyms)
        known, tables = _versions(config), set(inspect(connection).get_table_names())
        if "alembic_version" in tables:
            there = connection.scalar(text("SELECT version_num FROM alembic_version"))
            if there not in known:
                raise WorkspaceError(
                    f"the rights database has schema {there}, newer than {HEAD}, which this "
                    "version of Sayso knows",
                    "install the version that it was last used with, or a newer one",
                )
        elif tables & set(known[UNVERSIONED]):
            _check_unversioned(connection, known[UNVERSIONED])
            command.stamp(config, UNVERSIONED)
        command.upgrade(config, "head")


def downgrade(engine: Engine, pseudonyms: Pseudonyms, to: str) -> None:
    """Bring a database back to an older version, for an older Sayso to open it.

    Raises:
        WorkspaceError: something in it keeps records out of training that the older version
            could not keep out; then nothing is changed.
    """
    from alembic import command

    with _alone(engine) as connection:
        command.downgrade(configuration(connection, pseudonyms), to)


def configuration(connection: Connection, pseudonyms: Pseudonyms) -> "Config":
    """Return what Alembic needs to know, without a file of its own."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection, "pseudonyms": pseudonyms})
    config.set_main_option("script_location", "sayso.rights:migrations")
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """One transaction beside which nobody else migrates or writes."""
    with _one_at_a_time, engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


def _versions(config: "Config") -> dict[str, dict[str, set[str]]]:
    """Return the known versions, each with the tables and columns that it says it makes."""
    from alembic.script import ScriptDirectory

    scripts: Any = ScriptDirectory.from_config(config).walk_revisions()
    return {script.revision: getattr(script.module, "COLUMNS", {}) for script in scripts}


def _check_unversioned(connection: Connection, expected: dict[str, set[str]]) -> None:
    """Only what the first version made is taken for it."""
    there = inspect(connection)
    for table in there.get_table_names():
        columns = {column["name"] for column in there.get_columns(table)}
        if columns != expected.get(table, columns):
            raise WorkspaceError(
                "the rights database was made by a version that was never released: the columns "
                f"of {table} are of no known schema",
                "make a new workspace (SAYSO_HOME) and import again",
            )
    if missing := expected.keys() - set(there.get_table_names()):
        raise WorkspaceError(
            f"the rights database is not whole: it has no {', '.join(sorted(missing))}",
            "restore it from a back-up",
        )
