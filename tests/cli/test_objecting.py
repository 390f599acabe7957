"""`sayso objections`, `suppressions` and `policy`: what staff do without the pages."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from sayso.rights import claims, deadlines, items, ledger, objections, staff
from sayso.rights.database import Rights, now
from sayso.rights.objection import ANSWER_WITHIN, Given
from sayso.rights.tables import objections as table
from sayso.workspace import Workspace


@pytest.fixture
def rights(filled):
    """Of a workspace with one confirmed objection, of member-2@square."""
    return Rights(Workspace.open(filled))


def claim(rights, name="member-1@square"):
    ((made,),) = claims.receive_all(rights, [Given(name=name, confirmed_by="")])
    return made


def listed(run, *options):
    return [o["number"] for o in run("objections", *options, "--json").json["objections"]]


def acts(rights):
    with rights.reading() as connection:
        return [entry.body["act"] for entry in ledger.read(connection, kind="access")]


def test_objections_are_listed_by_state_and_by_what_is_overdue(rights, run):
    (before,) = objections.list_all(rights)
    made = claim(rights)
    assert set(listed(run)) == {before.number, made.number}
    assert listed(run, "--state", "pending") == [made.number]
    assert listed(run, "--state", "confirmed") == [before.number]
    assert listed(run, "--state", "lapsed") == listed(run, "--overdue") == []
    status = run("status", "--json").json
    assert (status["objections_open"], status["objections_overdue"]) == (2, 0)
    with rights.writing() as connection:
        late = update(table).values(due_at=now() - timedelta(days=1))
        connection.execute(late.where(table.c.number == made.number))
    assert listed(run, "--overdue") == listed(run, "--overdue", "--state", "pending")
    assert listed(run, "--overdue") == [made.number]
    assert listed(run, "--overdue", "--state", "confirmed") == []
    status = run("status", "--json").json
    assert (status["objections_overdue"], status["objections_pending"]) == (1, 1)
    assert status["objections_next_deadline"] < f"{now():%Y-%m-%d}T99"
    (_, row) = run("objections", "--overdue").out.splitlines()
    assert row.split()[0] == made.number
    assert "pending" in row
    assert f"{now() - timedelta(days=1):%Y-%m-%d}" in row
    assert run("objections", "--state", "lapsed").out == "no objection\n"
    assert run("objections", "--state", "secret").code == 2


def test_claims_are_confirmed_together_and_ended_with_a_reason(rights, run):
    one, two, other = (claim(rights, f"member-{n}@square") for n in (1, 3, 4))
    done = run("objections", "--confirm", one.number, "--confirm", two.number, "--json").json
    assert [o["state"] for o in done["objections"]] == ["confirmed", "confirmed"]
    assert run("objections", "--lapse", other.number).code == 2  # why?
    (ended,) = run("objections", "--lapse", other.number, "--because", "a namesake", "--json").json[
        "objections"
    ]
    assert ended["state"] == "lapsed"
    assert run("status", "--json").json["objections_standing"] == 3
    for wrong in (
        ("--lapse", one.number, "--because", "x"),  # confirmed
        ("--confirm", other.number),  # ended
        ("--confirm", "OBJ-0"),
        ("--confirm", one.number, "--lapse", two.number),
        ("--extend", one.number, "--withdraw", two.number),
    ):
        refused = run("objections", *wrong)
        assert (refused.code, refused.out) == (2, ""), wrong
    with rights.reading() as connection:
        (remark,) = deadlines.remarks_on(connection, other.number)
    assert remark["because"] == "a namesake"
    assert acts(rights) == ["confirmed an objection"] * 2 + ["ended a claim as not theirs"]


def test_a_deadline_is_put_off_by_months_with_a_reason(rights, run):
    (made,) = objections.list_all(rights)
    assert run("objections", "--extend", made.number).code == 2
    call = ("objections", "--extend", made.number, "--because", "many came", "--json")
    run(*call)
    assert objections.find(rights, made.number).due_at == made.due_at + ANSWER_WITHIN
    assert run(*call, "--months", "2").code == 2  # two in all
    assert run(*call, "--months", "3").code == 2
    run(*call, "--months", "1")
    assert objections.find(rights, made.number).due_at == made.due_at + 2 * ANSWER_WITHIN


def test_a_file_is_imported_once_and_its_bad_lines_are_kept(rights, run, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("account,channel\nmember-8@square,letter\nmember-9@square,pigeon\n")
    done = run("objections", "--import", file, "--json")
    assert done.code == 3
    assert (done.json["read"], done.json["objections"], done.json["rejected"]) == (2, 1, 1)
    rejects = (rights.workspace.rejects / done.json["rejects_file"]).read_text()
    assert "member" not in rejects and "line 3" in rejects
    again = run("objections", "--import", file, "--json").json
    assert (again["objections"], again["known_already"]) == (0, 1)
    assert run("objections", "--import", tmp_path / "nothing.csv").code == 2
    lines = tmp_path / "answers.jsonl"
    lines.write_text(json.dumps({"person": "member-7@square"}))
    assert run("objections", "--import", lines, "--json").json["objections"] == 1


def test_who_stays_out_is_kept_asked_and_taken_along(rights, run, tmp_path):
    assert run("suppressions", "check", "member-2@square", "--json").json["stays_out"]
    assert not run("suppressions", "check", "gull@net", "--json").json["stays_out"]
    assert run("suppressions", "add", "gull@net", "--service", "net", "--json").json["added"] == 1
    assert run("suppressions", "check", "gull@net", "--json").json["by"] == ["list"]
    assert run("suppressions", "add", "gull@net", "--service", "net", "--json").json["added"] == 0
    file = tmp_path / "list.jsonl"
    exported = run("suppressions", "export", file, "--json").json
    assert exported["exported"] == 2
    assert "gull" not in file.read_text()
    assert run("suppressions", "remove", "gull@net", "--json").json["removed"] == 1
    assert run("suppressions", "remove", "member-2@square", "--json").json["removed"] == 0
    assert run("suppressions", "import", file, "--json").json["added"] == 1
    file.write_text(file.read_text().replace('"net"', '"forum"'))
    assert run("suppressions", "import", file).code == 4
    assert run("suppressions", "export", tmp_path / "no" / "list").code == 2
    assert run("suppressions", "add", " ").code == 2
    assert run("suppressions", "burn", "x").code == 2
    pseudonym = rights.workspace.pseudonyms.name("user", staff.COMMAND_LINE)
    with rights.reading() as connection:
        noted = [entry.body for entry in ledger.read(connection, kind="access")]
    assert {body["actor"] for body in noted} == {pseudonym}
    assert "gull" not in json.dumps(noted)
    assert len(noted) == 4


def test_policies_that_were_in_use_are_shown_by_their_hash(rights, run):
    run("policy", "use", "article", "--because", "the members voted")
    (version,) = run("policy", "history", "--json").json["versions"]
    assert (version["name"], version["because"]) == ("article", "the members voted")
    assert "the members voted" in run("policy", "history").out
    assert run("policy", "show", version["hash"][:8], "--json").json["name"] == "article"
    for wrong in (("show", "0" * 8), ("use",), ("diff",), ("diff", "nowhere.toml")):
        assert run("policy", *wrong).code == 2, wrong


def test_withdrawing_is_an_act_of_its_own(rights, run):
    (made,) = objections.list_all(rights)
    (back,) = run("objections", "--withdraw", made.number, "--json").json["objections"]
    assert back["withdrawn_at"]
    assert run("objections", "--withdraw", made.number).code == 2
    with rights.reading() as connection:
        states = connection.scalars(select(table.c.withdrawn_at)).all()
    assert all(states)


def test_a_record_in_doubt_is_listed_looked_at_and_decided(rights, run):
    (objection,) = objections.list_all(rights)
    key = rights.workspace.pseudonyms.number("record", "square:no-such-post")
    record = f"{key:016x}"
    assert run("review").out == "no record waits for a decision\n"
    with rights.writing() as connection:
        items.review(connection, objection.number, [key], "out")
    (waiting,) = run("review", "--json").json["waiting"]
    assert (waiting["number"], waiting["record"]) == (objection.number, record)
    (_, row) = run("review", objection.number).out.splitlines()
    assert row.split()[:2] == [objection.number, record]
    shown = run("review", objection.number, record, "--json").json
    assert (shown["state"], shown["words"]) == ("review", None)
    assert acts(rights)[-1] == "looked at a record"
    assert run("review", objection.number, record, "--decide", "mask").code == 2  # nothing to mask
    assert run("review", objection.number, record, "--decide", "out").code == 0
    with rights.reading() as connection:
        (item,) = items.of_objection(connection, objection.number)
    assert (item.state, item.act) == ("decided", "out")
    assert run("review", "--json").json == {"waiting": []}


@pytest.mark.parametrize("asked", [["OBJ-X", "12"], ["OBJ-X", "g" * 16], ["OBJ-X", "0" * 16]])
def test_a_record_that_no_objection_names_is_refused(rights, run, asked):
    assert run("review", *asked).code == 2
    assert run("review", "--decide", "out").code == 2
