"""What staff do about objections: deadlines, letters typed for people, files of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from sayso.errors import InputError, UsageError
from sayso.rights import bulk, claims, deadlines, ledger, objections, outbox, receipts, staff
from sayso.rights.database import now
from sayso.rights.objection import ANSWER_WITHIN, Given
from sayso.rights.requests import Contact
from sayso.rights.tables import objections as table

ACTOR = "harbour-office"


def claim(town, name="member-1@square", **fields):
    (made,) = claims.receive_all(town.rights, [Given(name=name, confirmed_by="", **fields)])[0]
    return made


def entries(town, kind):
    with town.rights.reading() as connection:
        return [entry.body for entry in ledger.read(connection) if entry.kind == kind]


def test_every_act_is_noted_with_the_actors_pseudonym_alone(town):
    first, second = claim(town), claim(town, "member-2@square")
    staff.confirm(town.rights, [first.number], ACTOR)
    staff.lapse(town.rights, second.number, "member-2 says it was not them", ACTOR)
    staff.extend(town.rights, first.number, 1, "so many came at once", ACTOR)
    staff.enter(town.rights, Given(name="member-3@square", channel="letter"), ACTOR)
    acts = entries(town, "access")
    assert [act["act"] for act in acts] == [
        "confirmed an objection",
        "ended a claim as not theirs",
        "put a deadline off",
        "entered an objection",
    ]
    assert {act["actor"] for act in acts} == {town.workspace.pseudonyms.name("user", ACTOR)}
    with town.rights.reading() as connection:
        whole = json.dumps([entry.body for entry in ledger.read(connection)])
    assert "member-" not in whole and "so many" not in whole and ACTOR not in whole


def test_a_deadline_is_put_off_by_two_months_in_all_and_the_person_is_told(town):
    given = Given(
        name="member-1@square", channel="e-mail", contact=Contact("member-1@example.org", "de")
    )
    (made,) = staff.enter(town.rights, given, ACTOR)
    once = staff.extend(town.rights, made.number, 1, "it takes longer", ACTOR)
    assert once.due_at == made.due_at + ANSWER_WITHIN
    with pytest.raises(UsageError, match="1 or 2 months in all"):
        staff.extend(town.rights, made.number, 2, "still longer", ACTOR)
    with town.rights.writing() as connection:
        letters = outbox.take(connection, now())
    told = [letter.payload for letter in letters if letter.payload["letter"] == "extended"]
    assert [letter["because"] for letter in told] == ["it takes longer"]
    with town.rights.reading() as connection:
        (remark,) = deadlines.remarks_on(connection, made.number)
    assert (remark["act"], remark["because"]) == ("extended", "it takes longer")


def test_a_deadline_that_is_over_is_overdue_and_cannot_be_put_off(town):
    made = objections.receive(town.rights, "member-1@square")[0]
    assert deadlines.overdue(town.rights, now()) == 0
    assert deadlines.overdue(town.rights, made.due_at + timedelta(seconds=1)) == 1
    with town.rights.writing() as connection:
        connection.execute(update(table).values(due_at=now() - timedelta(days=1)))
    with pytest.raises(UsageError, match="is over"):
        staff.extend(town.rights, made.number, 1, "too late", ACTOR)
    objections.withdraw(town.rights, made.number)
    assert deadlines.overdue(town.rights, now()) == 0


@pytest.mark.parametrize("because", ["", "  ", "x" * 2001])
def test_no_act_without_a_reason_that_needs_one(town, because):
    made = claim(town)
    for act in (
        lambda: staff.extend(town.rights, made.number, 1, because, ACTOR),
        lambda: staff.lapse(town.rights, made.number, because, ACTOR),
    ):
        with pytest.raises(UsageError, match="reason"):
            act()
    assert objections.find(town.rights, made.number) == made
    assert entries(town, "access") == []


def test_a_letters_deadline_counts_from_when_it_came(town):
    came = now().replace(microsecond=0) - timedelta(days=9)
    given = Given(name="member-1@square", channel="letter", received_at=came)
    (made,) = staff.enter(town.rights, given, ACTOR)
    assert (made.received_at, made.due_at) == (came, came + ANSWER_WITHIN)
    assert (made.state, made.confirmed_by, made.reason) == ("confirmed", "operator", "")
    claimed = receipts.verify(made.receipt, town.workspace.keys / "receipts.pub.jwk")
    assert claimed["received_at"] == came.isoformat()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"received_at": datetime(2019, 1, 1, tzinfo=UTC)}, "at most a year ago"),
        ({"received_at": datetime(2999, 1, 1, tzinfo=UTC)}, "not later than now"),
        ({"received_at": datetime(2026, 1, 1)}, "needs its zone"),
        ({"channel": "pigeon"}, "unknown way"),
        ({"name": " "}, "empty name"),
    ],
)
def test_what_cannot_have_come_is_not_entered(town, fields, problem):
    with pytest.raises(UsageError, match=problem):
        staff.enter(
            town.rights, Given(**{"name": "member-1@square", "channel": "letter"} | fields), ACTOR
        )
    assert objections.list_all(town.rights) == []


DAY = f"{now() - timedelta(days=3):%Y-%m-%d}"


def written(tmp_path, name, text):
    (tmp_path / name).write_text(text, "utf-8")
    return tmp_path / name


def test_a_file_is_taken_but_for_its_bad_lines_and_only_once(town, tmp_path):
    town.told("member-1@square", person="p:1")
    path = written(
        tmp_path,
        "answers.csv",
        "account,services,reason,received_at,channel\n"
        f'member-1@square,,"No, thank you",{DAY},letter\n'
        f"p:1,square;net,,{DAY},phone\n"
        "member-2@square,,,yesterday,letter\n"
        ",,,,\n"
        "member-3@square,,,,pigeon\n"
        "member-4@square\n"
        "member-5@square,,,,\n",
    )
    done = bulk.import_file(town.rights, path, ACTOR)
    assert (done.read, done.taken, done.known) == (7, 4, 0)
    assert [(line.file, line.where) for line in done.rejected] == [
        ("answers.csv", f"line {n}") for n in (4, 5, 6, 7)
    ]
    assert not any("member" in line.reason for line in done.rejected)
    again = bulk.import_file(town.rights, path, ACTOR)
    assert (again.taken, again.known, len(again.rejected)) == (0, 4, 4)
    found = objections.list_all(town.rights)
    assert {(o.person, o.service, o.channel) for o in found} == {
        ("p:1", "*", "letter"),
        ("p:1", "square", "phone"),
        ("p:1", "net", "phone"),
        ("member-5@square", "*", "import"),
    }


def test_what_a_file_would_do_is_told_before_and_nothing_is_done(town, tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "AT_ONCE", 2)  # what is told twice may be told in different pieces
    objections.receive_all(town.rights, [Given(name="member-1@square", channel="import")])
    names = [1, 2, 3, 2, 4, 2]
    text = "account\n" + "".join(f"member-{n}@square\n" for n in names) + '"a\n'
    path = written(tmp_path, "a.csv", text.replace('"a\n', "\n,\n"))
    before = objections.list_all(town.rights)
    with path.open("rb") as file:
        foreseen = bulk.foresee(town.rights, file, "a.csv", 10)
    assert objections.list_all(town.rights) == before
    done = bulk.import_file(town.rights, path, ACTOR)
    assert (foreseen.read, foreseen.taken, foreseen.known) == (done.read, done.taken, done.known)
    assert (done.taken, done.known) == (3, 3)
    assert foreseen.rejected == done.rejected
    assert done.rejected
    with path.open("rb") as file, pytest.raises(UsageError, match="more than 3 lines"):
        bulk.foresee(town.rights, file, "a.csv", 3)


def test_lines_of_json_are_taken_by_the_same_rules(town, tmp_path):
    lines = [
        {"person": "member-1@square", "services": ["square"], "channel": "letter"},
        {"person": "member-1@square", "services": ["square", "net"], "channel": "letter"},
        {"person": "member-1@square", "account": "member-2@square"},
        {"person": 7},
        {"person": "member-2@square", "surprise": "x"},
    ]
    text = "\n".join([*map(json.dumps, lines), "{broken", "x" * 70_000, ""])
    done = bulk.import_file(town.rights, written(tmp_path, "a.jsonl", text), ACTOR)
    assert (done.read, done.taken, done.known, len(done.rejected)) == (7, 2, 1, 5)
    assert entries(town, "objections-imported") == [{"objections": 2}]


@pytest.mark.parametrize("head", ["name,reason", "", "person,surprise"])
def test_a_file_of_something_else_is_refused_whole(town, tmp_path, head):
    with pytest.raises(InputError, match="columns"):
        bulk.import_file(town.rights, written(tmp_path, "a.csv", f"{head}\nx,y\n"), ACTOR)
    with town.rights.reading() as connection:
        assert connection.execute(select(table)).all() == []
