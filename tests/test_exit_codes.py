"""Exit codes: what went wrong can be told from the code, and its cause and cure from a line."""

from pathlib import Path

import pytest

from sayso.rights import receipts
from sayso.workspace import Workspace
from tests.corpus.world import lines, post

NEEDS_WORKSPACE = [
    ["gate"], ["explain", "1"], ["train"], ["serve"], ["object", "a"], ["objections"], ["verify"],
    ["audit"], ["publish", "out"], ["export", "a"], ["policy", "show"], ["status"],
    ["policy", "use", "strict"], ["policy", "diff", "strict"],
]  # fmt: skip


@pytest.mark.parametrize("call", NEEDS_WORKSPACE, ids=" ".join)
def test_without_a_workspace_the_code_is_6(call, run):
    ended = run(*call)
    assert (ended.code, ended.out) == (6, "")
    assert "sayso import" in ended.err
    assert not run.home.exists()


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ([], 2),
        (["burn"], 2),
        (["import"], 2),
        (["explain", "no-such-record"], 2),
        (["gate", "--at", "yesterday"], 2),
        (["gate", "--at", "2026-02-30"], 2),
        (["serve", "--port", "-1"], 2),
        (["serve", "--port", "65536"], 2),
        (["serve", "--port", "http"], 2),
        (["verify", "--cells", "0"], 2),
        (["verify"], 1),  # there is no release yet
        (["publish", "out"], 1),
        (["object", ""], 2),
        (["object", "a", "--reason", "x" * 2001], 2),
        (["object", "a", "--service", ""], 2),
        (["objections", "--withdraw", "OBJ-0"], 2),
        (["export", "nobody"], 2),
        (["policy", "show", "none.toml"], 2),
        (["policy", "use"], 2),
        (["policy", "burn"], 2),
        (["policy", "use", "/"], 2),
        (["verify-receipt", "missing.jws"], 2),
        (["listen", "missing.jsonl"], 2),
    ],
)
def test_a_wrong_call_ends_with_its_code_and_a_line(call, code, filled, run):
    before = run("objections", "--json").json
    ended = run(*call)
    assert ended.code == code
    assert ended.out == ""
    assert ended.err
    assert run("objections", "--json").json == before


@pytest.mark.parametrize(
    "content",
    {"binary": b"\x7fELF\x00\xff" * 99, "an archive": b"PK\x03\x04", "an array": b'[{"id":"1"}]',
     "a table": b"id,text\n1,x\n", "UTF-16": '{"id":"1"}'.encode("utf-16")}.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_a_garbage_file_is_not_imported(content, tmp_path, run):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "x.jsonl"
    path.write_bytes(content[1])
    for given in (path, path.parent):
        ended = run("import", given)
        assert (ended.code, ended.out) == (3, "")
        assert "next: " in ended.err
    assert run("status").code == 6  # nothing was made


def test_where_nothing_can_be_imported_the_code_is_3(tmp_path, run):
    (tmp_path / "empty").mkdir()
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "notes.txt").write_text("no source")
    for name in ("empty", "without", "missing", "missing.jsonl"):
        ended = run("import", tmp_path / name)
        assert (ended.code, ended.out) == (3, ""), name
        assert ended.err.lstrip().startswith("error: "), name


def test_a_partly_malformed_file_is_taken_in_part(tmp_path, run):
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(post(1), b"garbage", post(2), {"id": ""}, post(3)))
    ended = run("import", path, "--json")
    assert ended.code == 3
    assert ended.json["stored"] == 3
    assert [r["where"] for r in ended.json["rejected"]] == ["line 2", "line 4"]
    assert len(Path(ended.json["rejects_file"]).read_bytes().splitlines()) == 2
    assert run("status", "--json").json["records"] == 3
    again = run("import", path)
    assert again.code == 3
    assert "x.jsonl, line 2" in again.out


def test_only_private_messages_are_refused_with_3(tmp_path, run):
    path = tmp_path / "x.jsonl"
    path.write_bytes(lines(post(1, audience="direct"), post(2, audience="direct")))
    ended = run("import", path)
    assert (ended.code, ended.out) == (3, "")
    assert "private messages" in ended.err
    assert run("status").code == 6  # nothing was made


BAD_SETTINGS = [
    *[b"policy = ", b"\x00\xff", b"unknown_field = 1", b"policy = 1", b"[corpus]\nx = 1"],
    *[b"[serving]\nport = -1", b"[cells]\nshards = 0", b'[cells]\nperiods = "weeks"'],
    *[b"[training]\nrank = 1.5", b'database = "no database"', b'policy = "none.toml"'],
]


@pytest.mark.parametrize("text", BAD_SETTINGS)
def test_bad_settings_end_with_2(text, filled, run):
    (filled / "sayso.toml").write_bytes(text)
    ended = run("gate")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")


def test_a_base_that_is_not_there_ends_with_2(filled, run):
    (filled / "sayso.toml").write_bytes(b'[training]\nbase = "/no/such/base"')
    assert run("train").code == 2


@pytest.mark.parametrize("damage", ["gone", b"", b"too short"])
def test_a_workspace_without_its_key_is_not_used_and_not_given_another(damage, filled, run):
    """With another key nobody's objection would be found again."""
    path = filled / "keys" / "pseudonym.key"
    path.unlink() if damage == "gone" else path.write_bytes(damage)
    for call in (["gate"], ["import", filled.parent / "posts.jsonl"]):
        ended = run(*call)
        assert ended.code == 6, call
        assert "back-up" in ended.err
        assert not path.exists() if damage == "gone" else path.read_bytes() == damage


def test_a_bad_receipt_ends_with_4(filled, tmp_path, run):
    path = tmp_path / "receipt.jws"
    good = path.read_text()
    assert run("verify-receipt", path).code == 0
    other = receipts.signing_key(Workspace.create(tmp_path / "other"))
    bad = [b"", b"\n", b"\x00\xff\xfe", b"garbage", good[:-9].encode(), (good + "x.y.z").encode()]
    for text in (*bad, receipts.sign(other, {"number": "OBJ-1"}).encode()):
        path.write_bytes(text)
        ended = run("verify-receipt", path)
        assert (ended.code, ended.out) == (4, ""), text
    path.write_text(good)
    for key in (tmp_path / "none.jwk", tmp_path, path):
        assert run("verify-receipt", path, "--key", key).code == 4
    public = filled / "keys" / "receipts.pub.jwk"
    elsewhere = tmp_path / "nowhere"
    assert run("verify-receipt", path, "--key", public, home=elsewhere).code == 0


def test_a_home_that_is_a_file_is_a_wrong_call(tmp_path, run):
    path = tmp_path / "file"
    path.write_text("x")
    posts = tmp_path / "posts.jsonl"
    posts.write_bytes(lines(post(1)))
    for home in (path, path / "below"):
        assert run("import", posts, home=home).code in (2, 6)
