"""The process that reads tables and runs queries over them, locked before the first query.

It speaks with `session` by frames (four bytes of length, then MessagePack) over its standard input
and output. After the tables are loaded it can open no file and no connection any more, whatever a
query asks for: DuckDB is locked, and so is the process.
"""

import datetime
import math
import os
import re
import resource
import sys
from decimal import Decimal
from typing import Any, BinaryIO, Final

# One thread each: more are forbidden here.
os.environ.update(POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")

import duckdb
import msgspec
from msgspec import Struct

from sayso.assistant.analysis.reading import frames
from sayso.assistant.analysis.tables import Column, Kind, Rows, Table, Value, quoted
from sayso.assistant.uploads import Upload
from sayso.errors import InputError
from sayso.settings import Analysis

FEW: Final = 300  # values of a column that are told
_LONGEST: Final = 80  # of them, in characters
_LONGEST_CELL: Final = 500
_MOST_KEPT: Final = 1_000_000  # characters of a result
MIB: Final = 1024 * 1024


class Load(Struct):
    """The first frame: what to read."""

    uploads: list[Upload]
    limits: Analysis


class Query(Struct):
    """Any later one: what to run; at most `rows` rows come back."""

    sql: str
    rows: int


class Reply(Struct):
    """What came of a frame; `problem` and `hint` where nothing did."""

    tables: tuple[Table, ...] = ()
    rows: Rows | None = None
    problem: str = ""
    hint: str = ""


def main() -> None:
    """Serve one session until its input ends."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no frame
    first = msgspec.msgpack.decode(_next(source) or b"", type=Load)
    connection = _connect(first.limits)
    try:
        tables = _load(connection, first)
    except InputError as error:
        _send(target, Reply(problem=error.problem, hint=error.hint))
        return
    _send(target, Reply(tables=tables))
    while (data := _next(source)) is not None:
        query = msgspec.msgpack.decode(data, type=Query)
        _send(target, _answer(connection, query))


def _connect(limits: Analysis) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_mb // 2}MB",
            "threads": 1,
            "temp_directory": "",
            "max_temp_directory_size": "0B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_unsigned_extensions": False,
            "python_enable_replacements": False,
        },
    )


def _load(connection: duckdb.DuckDBPyConnection, first: Load) -> tuple[Table, ...]:
    """Read all tables, lock everything, and say what is there."""
    names: list[str] = []
    for upload in first.uploads:
        for title, frame in frames(upload, first.limits):
            name = _table_name(title, names)
            names.append(name)
            if len(names) > first.limits.max_tables:
                raise InputError(f"there are more than {first.limits.max_tables} tables")
            connection.register("incoming", frame.to_arrow())
            connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * FROM incoming")
            connection.unregister("incoming")
    if not names:
        raise InputError("there is no table", "hand in CSV, XLSX, Parquet or JSON")
    _lock(connection)
    return tuple(_described(connection, name) for name in names)


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_progress_bar = false")  # it would be printed
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))


def _table_name(title: str, taken: list[str]) -> str:
    name = re.sub(r"\W+", "_", title.lower()).strip("_")[:60] or "table"
    name = f"t_{name}" if name[0].isdigit() else name
    unique, again = name, 2
    while unique in [*taken, "incoming"]:
        unique, again = f"{name}_{again}", again + 1
    return unique


def _described(connection: duckdb.DuckDBPyConnection, name: str) -> Table:
    table = quoted(name)
    head = connection.execute(f"SELECT * FROM {table} LIMIT 0").description or []
    columns = []
    rows = _one(connection, f"SELECT count(*) FROM {table}")[0]
    for title, declared, *_ in head:
        kind, column = _kind(str(declared)), quoted(title)
        filled, different, lowest, highest = _one(
            connection,
            f"SELECT count({column}), count(DISTINCT {column}), min({column}), max({column}) "
            f"FROM {table}",
        )
        values: tuple[str, ...] = ()
        if kind == "text" and different <= FEW:
            found = connection.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE length({column}) <= {_LONGEST} "
                "ORDER BY 1"
            ).fetchall()
            values = tuple(value for (value,) in found)
        columns.append(
            Column(title, kind, rows - filled, different, _value(lowest), _value(highest), values)
        )
    return Table(name, rows, tuple(columns))


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return connection.execute(sql).fetchone()


def _kind(declared: str) -> Kind:
    if declared in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT") or "UINT" in declared:
        return "whole"
    if declared.endswith("INTEGER") or declared in ("UTINYINT", "USMALLINT", "UBIGINT", "UHUGEINT"):
        return "whole"
    if declared in ("FLOAT", "DOUBLE") or declared.startswith("DECIMAL"):
        return "number"
    if declared.startswith("TIMESTAMP"):
        return "moment"
    named: dict[str, Kind] = {"VARCHAR": "text", "DATE": "date", "BOOLEAN": "truth"}
    return named.get(declared, "other")


def _answer(connection: duckdb.DuckDBPyConnection, query: Query) -> Reply:
    # A SELECT may hold a DELETE.
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        return _selected(connection, query)
    finally:
        connection.execute("ROLLBACK")


def _selected(connection: duckdb.DuckDBPyConnection, query: Query) -> Reply:
    try:
        statements = connection.extract_statements(query.sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            return Reply(
                problem="only one SELECT is run", hint="write one query that begins with SELECT"
            )
        return Reply(rows=_rows(connection, statements[0], query.rows))
    except duckdb.PermissionException:
        return Reply(problem="a query reads only the tables that it was given")
    except (duckdb.OutOfMemoryException, MemoryError):
        return Reply(problem="the query needs too much memory", hint="ask for less at once")
    except (duckdb.Error, OSError, ValueError, OverflowError) as error:
        # DuckDB's own words may quote what cells hold.
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
        return Reply(problem=f"the query cannot be run ({kind})", hint="check names and types")


def _rows(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, most: int) -> Rows:
    cursor = connection.execute(statement)
    head = cursor.description or []
    kept: list[tuple[Value, ...]] = []
    total = size = 0
    while part := cursor.fetchmany(1000):
        for row in part[: max(0, most - len(kept))]:
            cells = tuple(_value(cell) for cell in row)
            size += sum(len(cell) for cell in cells if isinstance(cell, str))
            if size <= _MOST_KEPT:
                kept.append(cells)
        total += len(part)
    names = tuple(str(name)[:_LONGEST_CELL] for name, *_ in head)
    return Rows(names, tuple(_kind(str(declared)) for _, declared, *_ in head), tuple(kept), total)


def _value(value: object) -> Value:  # noqa: PLR0911
    """Return a cell as what JSON can hold; texts are cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value)
    if isinstance(value, Decimal):
        return _value(int(value) if value == value.to_integral_value() else float(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)[:_LONGEST_CELL]


def _next(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    return source.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _send(target: BinaryIO, reply: Reply) -> None:
    data = msgspec.msgpack.encode(reply)
    target.write(len(data).to_bytes(4, "big") + data)
    target.flush()


if __name__ == "__main__":
    main()
