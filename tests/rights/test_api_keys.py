"""Keys of programs: shown once, found again, worthless once revoked."""

import pytest
from sqlalchemy import select

from sayso.errors import UsageError
from sayso.rights import api_keys
from sayso.rights.database import Rights
from sayso.rights.tables import api_keys as table
from sayso.workspace import Workspace


@pytest.fixture
def rights(workspace) -> Rights:
    return Rights(workspace)


def test_a_key_is_found_by_itself_alone(rights):
    key = api_keys.add(rights, "forum", ["square", "forum", "square"])
    other = api_keys.add(rights, "stream")
    found = api_keys.find(rights, key)
    assert found is not None
    assert (found.name, found.services) == ("forum", ("forum", "square"))
    assert found.told.startswith("forum, square; added ")
    stream = api_keys.find(rights, other)
    assert stream is not None
    assert (stream.services, stream.told.split(";")[0]) == ((), "all services")
    assert [known.name for known in api_keys.list_all(rights)] == ["forum", "stream"]


def test_anything_else_is_no_key(rights):
    key = api_keys.add(rights, "forum")
    others = (key.lower(), key[:-1], f"{key} ", "", "\udcff", key.removeprefix("sayso_"))
    assert [api_keys.find(rights, other) for other in others] == [None] * len(others)


def test_the_key_itself_is_not_kept(rights):
    key = api_keys.add(rights, "forum")
    with rights.reading() as connection:
        (row,) = connection.execute(select(table)).all()
    assert len(row.hash) == 64
    assert not any(key in str(value) for value in row)


def test_another_installation_knows_no_key_of_this_one(rights, tmp_path):
    key = api_keys.add(rights, "forum")
    (rights.workspace.keys / "pseudonym.key").write_bytes(bytes(32))
    rights.workspace = Workspace(rights.workspace.home)
    assert api_keys.find(rights, key) is None


def test_revoking_is_for_good(rights):
    key = api_keys.add(rights, "forum")
    gone = api_keys.revoke(rights, "forum")
    assert gone.revoked_at is not None
    assert "revoked" in gone.told
    assert api_keys.find(rights, key) is None
    assert api_keys.list_all(rights) == [gone]
    with pytest.raises(UsageError, match="no valid key"):
        api_keys.revoke(rights, "forum")
    # Or else an old name would come to mean another program.
    with pytest.raises(UsageError, match="already"):
        api_keys.add(rights, "forum")


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "a/b", "a\nb"])
def test_names_are_plain_words(rights, name):
    with pytest.raises(UsageError, match="name"):
        api_keys.add(rights, name)
