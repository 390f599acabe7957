"""Numbers for everybody: right, and about nobody."""

from datetime import timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from sayso.rights import objections, statistics, steps
from sayso.rights.database import now
from sayso.rights.objection import Given
from sayso.rights.statistics import FEWEST, protected
from sayso.rights.tables import objections as table


def possible(cells, total):
    """Yield all counts that a reader can hold possible, in the order of what is not told."""
    hidden = [cell for cell in cells if cell.count is None]
    rest = total - sum(cell.count for cell in cells if cell.count is not None)
    few = [cell for cell in hidden if cell.few]
    other = len(hidden) - len(few)
    for counts in product(range(1, FEWEST), repeat=len(few)):
        left = rest - sum(counts)
        if left >= FEWEST * other if other else left == 0:
            yield counts


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 12), max_size=6))
def test_no_small_count_is_told_by_what_is_told(counts):
    cells = protected(counts)
    if not cells:
        return
    assert [cell.name for cell in cells] == sorted(counts)
    assert all(cell.count in (None, counts[cell.name]) for cell in cells)
    assert all(cell.few == (counts[cell.name] < FEWEST) for cell in cells)
    assert all(cell.count is None or cell.count >= FEWEST for cell in cells)
    few = [cell.name for cell in cells if cell.few]
    worlds = list(possible(cells, sum(counts.values())))
    assert tuple(counts[name] for name in few) in worlds
    for place in range(len(few)):
        assert len({world[place] for world in worlds}) > 1


def test_tables_are_whole_where_nobody_is_singled_out():
    assert [cell.count for cell in protected({"a": 5, "b": 70})] == [5, 70]
    cells = {cell.name: cell for cell in protected({"a": 2, "b": 9, "c": 70})}
    assert (cells["a"].few, cells["b"].count, cells["b"].few, cells["c"].count) == (
        True,
        None,
        False,
        70,
    )
    for alone in ({"a": 3}, {"a": 4, "b": 4}, {"a": 1, "b": 1}):
        assert protected(alone) == ()


def collected(town, at):
    with town.rights.reading() as connection:
        return statistics.collect(connection, at)


def test_what_became_of_objections_is_counted(town):
    assert collected(town, now()).received == 0
    made = [objections.receive(town.rights, f"member-{n}@square")[0] for n in range(8)]
    came = now().replace(microsecond=0) - timedelta(days=40)
    with town.rights.writing() as connection:
        due = {"received_at": came, "due_at": came + timedelta(days=30)}
        connection.execute(update(table).values(due))
        for place, objection in enumerate(made[:6]):
            at = came + timedelta(days=place * 7)  # the sixth after 35 days
            steps.note(connection, town.rights, objection, "models_cleared", at, "r1", "h")
            steps.note(connection, town.rights, objection, "closed", at + timedelta(hours=1))
    # A copy for a linked account is no objection of its own.
    town.posts("member-7@square")
    town.told("member-7@square", person="p:7")
    assert len(objections.list_all(town.rights)) == 9
    objections.withdraw(town.rights, made[6].number)
    found = collected(town, now())
    assert found.received == 8
    assert [(cell.name, cell.count) for cell in found.by_month] == [(f"{came:%Y-%m}", 8)]
    assert [(cell.name, cell.count) for cell in found.by_channel] == [("command line", 8)]
    assert [(cell.name, cell.count) for cell in found.by_service] == [("*", 8)]
    assert found.gone.median == timedelta(days=17.5).total_seconds()
    assert found.gone.p95 == timedelta(days=33.25).total_seconds()
    assert found.cleared.median == timedelta(days=17.5, hours=1).total_seconds()
    assert found.stopped.median > timedelta(days=39).total_seconds()
    assert found.in_time == 5 / 7
    assert found.overdue.few  # one is still open
    assert found.overdue.count is None


def test_of_fewer_than_five_nothing_is_told(town):
    for n in range(4):
        objections.receive(town.rights, f"member-{n}@square")
    found = collected(town, now() + timedelta(days=31))
    assert (found.by_month, found.by_channel, found.by_service) == ((), (), ())
    assert found.stopped.median is None
    assert found.in_time is None
    assert found.overdue.few


def test_a_service_that_may_be_one_persons_is_not_named(town):
    for number in range(6):
        objections.receive(town.rights, f"member-{number}@square", services=["square"])
    objections.receive(town.rights, "me@one.example", services=["one.example"])
    claim = Given(name="me@one.example", services=("one.example",), confirmed_by="")
    objections.receive_all(town.rights, [claim] * 8)  # to see whether there was one
    with town.rights.reading() as connection:
        told = statistics.collect(connection, now()).by_service
    assert "one.example" not in {cell.name for cell in told}
