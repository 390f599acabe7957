"""What is due, the list that staff go through, and the alarm."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import update

from sayso.errors import UsageError
from sayso.rights import claims, deadlines, items, objections, queue, staff
from sayso.rights.database import now
from sayso.rights.objection import Given
from sayso.rights.tables import objections as table


def due_in(town, number, **left):
    with town.rights.writing() as connection:
        values = {"due_at": now() + timedelta(**left)}
        connection.execute(update(table).where(table.c.number == number).values(values))


def listed(town, state, channel=""):
    with town.rights.reading() as connection:
        return [row.number for row in queue.page(connection, now(), state, channel).rows]


@pytest.fixture
def five(town):
    """Late, soon, later, a claim, and one that was withdrawn."""
    named = [objections.receive(town.rights, f"member-{n}@square")[0].number for n in range(3)]
    due_in(town, named[0], days=-2)
    due_in(town, named[1], days=3)
    ((claim,),) = claims.receive_all(town.rights, [Given(name="x", confirmed_by="")])
    (gone,) = objections.receive(town.rights, "member-9@square", channel="web form")
    objections.withdraw(town.rights, gone.number)
    return [*named, claim.number, gone.number]


def test_what_is_due_is_counted_and_listed_by_its_deadline(town, five):
    with town.rights.reading() as connection:
        due = deadlines.due(connection, now())
    assert (due.open, due.soon, due.overdue, due.pending) == (4, 1, 1, 1)
    assert now() - timedelta(days=3) < due.nearest < now()
    late, soon, later, claim, gone = five
    assert listed(town, "open")[:2] == [late, soon]
    assert set(listed(town, "open")) == {late, soon, later, claim}
    for state, numbers in (
        ("overdue", [late]),
        ("soon", [soon]),
        ("pending", [claim]),
        ("withdrawn", [gone]),
        ("closed", []),
        ("lapsed", []),
    ):
        assert listed(town, state) == numbers
    assert listed(town, "all", "web form") == [gone]
    assert set(listed(town, "confirmed")) == {late, soon, later}


def test_nothing_is_due_where_nothing_is(town):
    with town.rights.reading() as connection:
        assert deadlines.due(connection, now()) == deadlines.Due()
        assert queue.page(connection, now()) == queue.Page((), "")


def test_pages_follow_each_other_without_gap_or_repetition(town, monkeypatch):
    monkeypatch.setattr(queue, "AT_ONCE", 3)
    made = [objections.receive(town.rights, f"member-{n}@square")[0] for n in range(7)]
    seen, after = [], ""
    with town.rights.reading() as connection:
        while True:
            page = queue.page(connection, now(), "all", after=after)
            seen += page.rows
            if not (after := page.after):
                break
    assert len(seen) == 7
    assert {row.number for row in seen} == {o.number for o in made}
    assert [(r.due_at, r.number) for r in seen] == sorted((r.due_at, r.number) for r in seen)
    assert {row.step for row in seen} == {"future_stopped"}
    assert not {"person", "reason", "evidence", "receipt"} & set(queue.Queued.__struct_fields__)


def test_doubtful_records_come_page_by_page_and_go_when_they_are_decided(town, monkeypatch):
    monkeypatch.setattr(queue, "AT_ONCE", 3)
    first, second = (objections.receive(town.rights, f"member-{n}@square")[0] for n in range(2))
    keys = [0x8000000000000001, 5, 7, 2**64 - 1]  # half of them are negative in the database
    with town.rights.writing() as connection:
        for made in (first, second):
            items.review(connection, made.number, keys)
    due_in(town, first.number, days=1)
    seen, after = [], ""
    with town.rights.reading() as connection:
        while True:
            found, more = queue.doubtful(connection, after=after)
            seen += found
            if not more:
                break
            after = found[-1].place
        assert queue.doubtful_count(connection) == 8
        assert {d.number for d in queue.doubtful(connection, second.number)[0]} == {second.number}
    assert len(seen) == len({(d.number, d.record_key) for d in seen}) == 8
    assert [d.number for d in seen] == [first.number] * 4 + [second.number] * 4
    assert {d.record_key for d in seen} == set(keys)
    staff.decide(town.rights, first.number, 5, "out", "captain")
    objections.withdraw(town.rights, second.number)
    with town.rights.reading() as connection:
        assert queue.doubtful_count(connection) == len(queue.doubtful(connection)[0]) == 3
        for wrong in ("x", f"{seen[0].place}0", "~~"):
            with pytest.raises(UsageError):
                queue.doubtful(connection, after=wrong)


@pytest.mark.parametrize(
    "asked", [{"state": "secret"}, {"after": "x"}, {"after": "2026-01-01~OBJ"}, {"after": "~"}]
)
def test_a_list_that_is_none_is_refused(town, asked):
    with town.rights.reading() as connection, pytest.raises(UsageError):
        queue.page(connection, now(), **asked)


def test_what_is_overdue_is_warned_of_without_naming_anybody(town, five, caplog):
    with caplog.at_level(logging.WARNING):
        assert deadlines.warn(town.rights, now()) == 1
        assert deadlines.warn(town.rights, now() - timedelta(days=365)) == 0
    assert len(caplog.records) == 1
    assert "deadline: 1." in caplog.text
    assert "member" not in caplog.text and "OBJ" not in caplog.text


def test_a_note_is_kept_beside_any_objection(town, five):
    staff.remark(town.rights, five[-1], " they called again ", "captain")
    with town.rights.reading() as connection:
        (remark,) = deadlines.remarks_on(connection, five[-1])
    assert (remark["act"], remark["because"]) == ("note", "they called again")
    for number, text in ((five[0], " "), (five[0], "x" * 2001), ("OBJ-0", "x")):
        with pytest.raises(UsageError):
            staff.remark(town.rights, number, text, "captain")
