"""Handing records on: what was imported comes back the same; whoever objects is not in it."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import select

from sayso.corpus import export, ingest
from sayso.corpus.store import Store
from sayso.rights import ledger, objections, people
from sayso.rights.database import Rights
from sayso.rights.signals.model import evidence, said
from sayso.rights.tables import statements
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import KEY
from tests.corpus.world import event, post, take
from tests.program import Program

FORMS = ("jsonl", "activitystreams")
POSTS = [
    post(0, "low tide\n\n<b>& more</b>", rev=7, edited_at="2026-03-02T10:00:00.25Z"),
    post(1, "a picture", media=[{"path": "p.png", "alt": "a pier", "license": "CC0-1.0"}]),
    post(2, "followers only", audience="followers", audience_source="asserted"),
    post(3, "an answer", surface="comment", reply_to="post-0", quote_of="post-1", sensitive=True),
    post(
        4, "tags", tags=["tide", ""], mentions=["member-1@square"], url="https://square.example/4"
    ),
    post(5, "no", policy={"train": "deny"}, container="group-1", content_warning="boats"),
    {"id": "post-6", "service": "square", "text": "nobody's, undated", "date_state": "unreadable"},
    post(7, "unlisted", audience="unlisted", created_at="1890", license="CC0-1.0", source="forum"),
    post(8, "whoever", author="acct:member-8@square.example", lang="pt-BR"),
]
ACCOUNTS = [
    event(
        "account.update",
        account="member-1@square",
        handle="One",
        policy={"train": "deny"},
        evidence=evidence([said("activitypub", "deny", raw={"indexable": False})]),
    ),
    event("account.update", account="member-0@square", policy={"train": "allow"}, statement="one"),
    event("account.update", account="member-0@square", policy={"train": "no"}, statement="two"),
    event("account.update", account="acct:member-8@square.example", kind="bot", person="member-2"),
    event("account.update", account="member-9@square", kind="person"),
]


def workspace(folder: Path) -> Workspace:
    return Workspace.create(folder / "home", Settings(), KEY)


def stored(place: Workspace) -> tuple[list[object], list[object]]:
    records = Store(place).records.read().drop("ingested_at").sort("key").to_dicts()
    accounts = people.frame(Rights(place)).sort("account_key").to_dicts()
    with_records = {row["account_key"] for row in records}
    return records, [each for each in accounts if each["account_key"] in with_records]


def handed_on(place: Workspace, form: export.Form, path: Path) -> Path:
    path.write_bytes(b"".join(export.records(place, form)))
    return path


@pytest.fixture
def full(tmp_path) -> Workspace:
    made = workspace(tmp_path / "first")
    take(made, *ACCOUNTS, *POSTS)
    return made


@pytest.mark.parametrize("form", FORMS)
def test_what_goes_out_comes_in_again_the_same(tmp_path, full, form):
    path = handed_on(full, form, tmp_path / "records.json")
    second = workspace(tmp_path / "second")
    report = ingest.import_paths(second, [path])
    assert (report.stored, report.rejected, report.skipped) == (len(POSTS), [], {})
    assert stored(second) == stored(full)
    take(second, event("account.update", account="member-0@square", statement="two",
                       policy={"train": "unset"}))  # fmt: skip
    with Rights(second).reading() as connection:
        kept = connection.scalars(select(statements.c.evidence)).all()
        assert sorted(kept) == ["", ACCOUNTS[0]["data"]["evidence"]]
        assert [each.train_signal for each in people.find(connection, "member-0@square")] == [
            "allow"
        ]


@pytest.mark.parametrize("form", FORMS)
def test_whoever_does_not_want_it_is_left_out(tmp_path, full, form):
    objections.receive(Rights(full), "member-1@square")
    for state, name in (
        ("private", "member-2@square"),
        ("opted_out", "acct:member-8@square.example"),
    ):
        take(full, event("account.update", account=name, state=state))
    text = handed_on(full, form, tmp_path / "records.json").read_text()
    for gone in ('member-1@square"', "member-8", "post-2", "a picture", "whoever", "member-9"):
        assert gone not in text.replace('"mentions":["member-1@square"]', ""), gone
    assert "low tide" in text
    assert "undated" in text


def test_the_operators_word_on_ages_stays_here(tmp_path):
    place = workspace(tmp_path)
    take(place, post(0, author="member-0@square"))
    with Rights(place).writing() as connection:
        people.attest_adults(connection)
    assert b"adult" not in b"".join(export.records(place, "jsonl"))


def test_it_is_noted_before_the_first_byte(full):
    export.records(full, "jsonl", "an archive")
    with Rights(full).reading() as connection:
        *_, last = ledger.read(connection)
    assert (last.kind, last.body) == ("records-exported", {"form": "jsonl", "to": "an archive"})


def test_nothing_is_a_file_too(tmp_path):
    place = workspace(tmp_path)
    assert b"".join(export.records(place, "jsonl")) == b""
    made = json.loads(b"".join(export.records(place, "activitystreams")))
    assert made["orderedItems"] == []


@pytest.mark.parametrize("form", FORMS)
def test_the_command(tmp_path, monkeypatch, capsys, form):
    program = Program(tmp_path, monkeypatch, capsys)
    given = tmp_path / "posts.jsonl"
    given.write_text("\n".join(map(json.dumps, POSTS)))
    assert program("import", given).code == 0
    path = tmp_path / "out.json"
    assert program("export-records", "--format", form, "--out", path, "--to", "a friend").code == 0
    other = tmp_path / "other"
    assert program("import", path, "--json", home=other).json["stored"] == len(POSTS)


MEASURE = """
import sys
from pathlib import Path
from sayso.corpus import export
from sayso.workspace import Workspace
place = Workspace.open(Path(sys.argv[1]))
size = sum(map(len, export.records(place, "activitystreams")))
# Not ru_maxrss: that begins with the parent's.
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(size, peak)
"""


def test_memory_does_not_grow_with_the_records(tmp_path):
    peaks = []
    for number in (200, 6000):
        place = workspace(tmp_path / str(number))
        take(place, post(0, "low tide, high tide " * 250))
        table = Store(place).records
        (row,) = table.read().to_dicts()
        rows = [row | {"key": row["key"] ^ n, "id": f"post-{n}"} for n in range(1, number)]
        table.append(pa.Table.from_pylist(rows, schema=table.schema))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(place.home)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        size, peak = map(int, done.stdout.split())
        assert size > number * 10_000
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 32 * 1024, peaks  # KiB; 90 MB are written
