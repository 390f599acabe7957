"""What is held of a person is told whole: who they sign in as, and what is kept of them besides."""

import io
import json
from collections import Counter
from pathlib import Path

from sqlalchemy import insert

from sayso.audit.access import held, own_copy
from sayso.corpus.erase import mark
from sayso.corpus.ingest import import_stream
from sayso.rights import contacts, objections, sessions
from sayso.rights.database import Rights, now
from sayso.rights.tables import users
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, lines, post, take

PERSON = "p:1"


def member(rights: Rights, name: str, person: str) -> None:
    row = {"name": name, "role": "member", "person": person, "created_at": now()}
    with rights.writing() as connection:
        connection.execute(insert(users).values(row | {"password_hash": "$argon2id$secret"}))
        sessions.begin(connection, rights, name)


def told(pieces: object) -> list[dict[str, object]]:
    return [json.loads(line) for piece in pieces for line in piece.splitlines()]


def test_user_sessions_and_what_is_kept_as_pseudonyms_are_told(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "home", Settings(), KEY)
    rights = Rights(workspace)
    said = {"train": "allow"}
    take(
        workspace,
        *(post(n) for n in range(6)),
        event("account.update", account="member-1@square", person=PERSON, policy=said),
    )
    broken = b'{"id": "x", "author": "member-1@square", "audience": "public"}'
    import_stream(workspace, io.BytesIO(lines(broken, broken.replace(b"-1", b"-2"))), "f")
    with rights.writing() as connection:
        contacts.put(connection, rights, "member-1@square", "one@harbour.example")
    for name, person in (("one", PERSON), ("same", "member-1@square"), ("two", "member-2@square")):
        member(rights, name, person)
    objections.receive(rights, PERSON)
    mark(workspace)
    found = told(held(workspace, "member-1@square", AT))
    kinds = Counter(line["kind"] for line in found)
    assert kinds == {
        "account": 1,
        "user": 2,
        "session": 2,
        "objection": 1,
        "statement": 1,
        "hashed e-mail addresses": 1,
        "suppression": 1,
        "erased records": 1,
        "rejected": 1,
        "record": 2,
    }
    assert {line["user"] for line in found if line["kind"] == "session"} == {"one", "same"}
    assert "argon2" not in str(found)
    assert "member-2" not in str(found)
    copy = told(own_copy(workspace, PERSON, "jsonl", "one"))
    own = Counter(line.get("kind", "importable") for line in copy)
    assert own["user"] == own["session"] == 2
    assert own["importable"] == 2 + 2  # the account, its word on training, two records
    assert "member-2" not in str(copy)
    assert "hash" not in {name for line in copy for name in line}
    for nobody in ("", "p:2"):
        assert told(own_copy(workspace, nobody, "jsonl")) == []
