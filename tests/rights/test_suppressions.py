"""The list of who stays out: taken along, never another installation's, never altered."""

import io

import pytest

from sayso.errors import InputError, IntegrityError, UsageError
from sayso.rights import objections, suppressions
from sayso.rights.database import Rights
from sayso.workspace import Workspace
from tests.rights.conftest import Town

ACCOUNT = "member-1@square"


@pytest.fixture
def listed(town: Town, tmp_path):
    town.posts(ACCOUNT)
    town.posts("member-2@square")
    objections.receive(town.rights, ACCOUNT)
    path = tmp_path / "list.jsonl"
    with path.open("wb") as out:
        assert suppressions.export(town.rights, out) == 1
    return path


def another(tmp_path, key: bytes) -> Rights:
    return Rights(Workspace.create(tmp_path / "other", pseudonym_key=key))


def test_the_list_names_nobody(town, listed):
    assert b"member" not in listed.read_bytes()
    assert [found.number[:4] for found in suppressions.check(town.rights, ACCOUNT)] == ["OBJ-"]
    assert suppressions.check(town.rights, "member-2@square") == []


def test_a_new_database_of_the_same_installation_takes_it(town, listed, tmp_path):
    key = (town.workspace.keys / "pseudonym.key").read_bytes()
    rights = another(tmp_path, key)
    for name in ("signing.jwk", "receipts.pub.jwk"):
        (rights.workspace.keys / name).write_bytes((town.workspace.keys / name).read_bytes())
    assert suppressions.import_list(rights, listed) == 1
    assert suppressions.import_list(rights, listed) == 0
    assert objections.objectors(rights).tolist() == [
        town.workspace.pseudonyms.number("account", ACCOUNT)
    ]


def test_another_installations_list_is_refused(listed, tmp_path):
    rights = another(tmp_path, bytes(reversed(range(32))))
    with pytest.raises(UsageError, match="would match nobody here"):
        suppressions.import_list(rights, listed)
    assert suppressions.count(rights) == 0


def test_a_list_that_was_changed_is_refused_whole(town, listed):
    lines = listed.read_bytes().splitlines(keepends=True)
    for changed in (
        [lines[0], lines[1].replace(b'"*"', b'"x"'), lines[2]],
        [lines[0], lines[2]],
        [lines[0], lines[1], lines[1], lines[2]],
    ):
        listed.write_bytes(b"".join(changed))
        with pytest.raises(IntegrityError, match="changed after"):
            suppressions.import_list(town.rights, listed)
    listed.write_bytes(b"".join(lines[:2]))
    with pytest.raises((IntegrityError, InputError)):
        suppressions.import_list(town.rights, listed)


def test_a_list_does_not_bring_a_withdrawn_objection_back(town, listed):
    (found,) = objections.list_all(town.rights)
    objections.withdraw(town.rights, found.number)
    assert suppressions.import_list(town.rights, listed) == 0
    assert town.covered(ACCOUNT) == []


def test_by_hand_a_person_is_added_with_all_accounts_and_removed_again(town):
    town.told(ACCOUNT, person="p:1")
    town.told("member-1@net", person="p:1")
    suppressions.add(town.rights, "p:1")
    assert town.covered(ACCOUNT, "member-1@net") == [ACCOUNT, "member-1@net"]
    suppressions.remove(town.rights, "p:1")
    assert town.covered(ACCOUNT, "member-1@net") == []


def test_what_is_no_list_is_refused(town, tmp_path):
    path = tmp_path / "no-list"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(InputError):
        suppressions.import_list(town.rights, path)
    with pytest.raises(UsageError):
        suppressions.import_list(town.rights, tmp_path / "missing")
    assert suppressions.export(town.rights, io.BytesIO()) == 0
