"""The ledger: whole as it is written, and broken by any change to it."""

import json
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from sayso.errors import IntegrityError
from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.workspace import Workspace

ENTRIES = 7
columns = ["at", "kind", "body", "previous", "hash"]


@pytest.fixture
def rights(workspace) -> Rights:
    """A ledger of some entries."""
    rights = Rights(workspace)
    with rights.writing() as connection:
        for number in range(ENTRIES):
            body = {"number": number, "who": "ü\u0301😀", "rest": [None, 0.5, {"b": 1, "a": True}]}
            ledger.append(connection, f"kind-{number % 2}", body)
    return rights


def test_an_empty_ledger_is_whole(workspace):
    with Rights(workspace).reading() as connection:
        assert ledger.verify(connection) == (0, ledger.GENESIS)


def test_a_chain_is_whole_as_written(rights):
    with rights.reading() as connection:
        entries = list(ledger.read(connection))
        assert ledger.verify(connection) == (ENTRIES, entries[-1].hash)
        assert [e.seq for e in entries] == list(range(1, ENTRIES + 1))
        assert [e.previous for e in entries[1:]] == [e.hash for e in entries[:-1]]
        assert list(ledger.read(connection, after=5)) == entries[5:]


def test_an_entry_stands_or_falls_with_its_transaction(rights):
    with pytest.raises(RuntimeError), rights.writing() as connection:
        ledger.append(connection, "kind", {})
        raise RuntimeError
    with rights.reading() as connection:
        assert ledger.verify(connection)[0] == ENTRIES


def _run(connection: Connection, sql: str, **values: object) -> None:
    connection.execute(text(sql), values)


def _change(connection: Connection, data: st.DataObject) -> None:
    seq, column = data.draw(st.integers(1, ENTRIES)), data.draw(st.sampled_from(columns))
    old = connection.scalar(text(f"SELECT {column} FROM ledger WHERE seq = {seq}"))
    if column == "body":
        body = json.loads(old)
        key = data.draw(st.sampled_from(["number", "who", "more"]))
        body[key] = data.draw(st.one_of(st.text(), st.integers(8, 2**40), st.floats(2, 9)))
        new = json.dumps(body)
    else:
        place = data.draw(st.integers(0, len(old)))
        new = old[:place] + data.draw(st.text("0123456789abcdefz", min_size=1)) + old[place + 1 :]
        new = new if new != old else old + "0"
    _run(connection, f"UPDATE ledger SET {column} = :new WHERE seq = {seq}", new=new)


def _remove(connection: Connection, data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, ENTRIES))
    _run(connection, f"DELETE FROM ledger WHERE seq = {seq}")
    if data.draw(st.booleans()):  # and close the gap
        for later in range(seq + 1, ENTRIES + 1):
            _run(connection, f"UPDATE ledger SET seq = {later - 1} WHERE seq = {later}")


def _insert(connection: Connection, data: st.DataObject) -> None:
    place, copied = data.draw(st.integers(1, ENTRIES + 1)), data.draw(st.integers(1, ENTRIES))
    fields = ", ".join(columns)
    _run(connection, f"CREATE TEMP TABLE kept AS SELECT {fields} FROM ledger WHERE seq = {copied}")
    for later in range(ENTRIES, place - 1, -1):
        _run(connection, f"UPDATE ledger SET seq = {later + 1} WHERE seq = {later}")
    _run(connection, f"INSERT INTO ledger (seq, {fields}) SELECT {place}, {fields} FROM kept")


def _reorder(connection: Connection, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(1, ENTRIES + 1)))
    if order == list(range(1, ENTRIES + 1)):
        order.reverse()
    for seq, place in enumerate(order, 1):
        _run(connection, f"UPDATE ledger SET seq = {100 + place} WHERE seq = {seq}")
    _run(connection, "UPDATE ledger SET seq = seq - 100")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([_change, _remove, _insert, _reorder]), st.data())
def test_any_entry_changed_removed_put_in_or_moved_is_noticed(rights, tamper, data):
    with rights.reading() as connection:
        noted = ledger.verify(connection)
    with rights.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        try:
            tamper(connection, data)
            found = ledger.verify(connection)
        except (IntegrityError, DataError):
            found = None  # noticed by the chain itself; what does not fit, by PostgreSQL
        connection.rollback()
    assert found != noted


def test_only_a_cut_end_needs_the_noted_head(rights):
    with rights.writing() as connection:
        noted = ledger.verify(connection)
        _run(connection, f"DELETE FROM ledger WHERE seq = {ENTRIES}")
        count, head = ledger.verify(connection)
    assert (count, head) != noted
    assert count == ENTRIES - 1


@pytest.mark.parametrize("body", ["not JSON", "", "[1]", "null", '{"number": NaN}', b"\xff\xfe"])
def test_an_entry_made_unreadable_is_a_broken_chain_too(rights, body):
    with rights.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        _run(connection, "UPDATE ledger SET body = :body WHERE seq = 3", body=body)
        with pytest.raises(IntegrityError, match="broken at entry 3"):
            ledger.verify(connection)
        connection.rollback()


def test_nothing_turned_into_no_number_is_noticed(rights):
    with rights.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        _run(connection, "UPDATE ledger SET body = replace(body, 'null', 'NaN') WHERE seq = 3")
        with pytest.raises(IntegrityError):
            ledger.verify(connection)
        connection.rollback()


def test_two_threads_that_append_never_fork_the_chain(workspace):
    start, each, failures = threading.Barrier(2), 20, []
    Rights(workspace)

    def write(name: str) -> None:
        try:
            start.wait(10)
            for number in range(each):
                with Rights(workspace).writing() as connection:
                    ledger.append(connection, name, {"number": number})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    with Rights(workspace).reading() as connection:
        assert ledger.verify(connection)[0] == 2 * each
        kinds = [entry.kind for entry in ledger.read(connection)]
    assert kinds.count("one") == kinds.count("two") == each


@pytest.mark.parametrize("attempt", range(3))
def test_a_new_ledger_may_be_opened_by_several_at_once(tmp_path, attempt):
    workspace = Workspace.create(tmp_path / "fresh")
    start, failures = threading.Barrier(4), []

    def open_() -> None:
        try:
            start.wait(10)
            with Rights(workspace).writing() as connection:
                ledger.append(connection, "kind", {})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    with Rights(workspace).reading() as connection:
        assert ledger.verify(connection)[0] == 4
