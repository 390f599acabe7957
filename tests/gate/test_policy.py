"""Policies: the built-in ones, and what a file may not say."""

import pytest

from sayso.errors import UsageError
from sayso.gate.policy import BUILT_IN, load, source

VALID = b"""
name = "ours"
audiences = ["public", "followers"]
surfaces = ["post"]
kinds = ["person"]
ages = ["adult"]
waiting_days = 1
"""


@pytest.fixture
def refuse(tmp_path):
    def refuse_(data: bytes) -> str:
        path = tmp_path / "policy.toml"
        path.write_bytes(data)
        with pytest.raises(UsageError) as caught:
            load(str(path))
        assert caught.value.hint
        return caught.value.problem

    return refuse_


def changed(line: str) -> bytes:
    """The valid policy with one line put in the place of the one of that name."""
    name = line.partition(" ")[0].encode()
    kept = [old for old in VALID.splitlines() if not old.startswith(name + b" ")]
    return b"\n".join([*kept, line.encode()])


def test_the_built_in_ones_are_valid_and_described():
    for name in BUILT_IN:
        policy = load(name)
        assert policy.name == name
        assert policy.description
        assert policy.ages == ("adult",)
    assert load("strict").digest != load("article").digest


def test_ones_own_policy_is_read_from_its_file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(VALID)
    policy = load(str(path))
    assert (policy.name, policy.audiences) == ("ours", ("public", "followers"))
    assert (policy.unknown_parents, policy.assistant_audiences) == ("held", ())
    assert source(str(path)) == VALID
    path.write_bytes(changed("waiting_days = 2"))
    assert load(str(path)).digest != policy.digest
    path.write_bytes(changed("waiting_days = 1"))
    assert load(str(path)).digest == policy.digest


@pytest.mark.parametrize("field", ["audiences", "assistant_audiences"])
@pytest.mark.parametrize("audience", ["direct", "unknown", "everyone", "Public", ""])
def test_no_policy_reaches_private_messages_or_the_unknown(refuse, field, audience):
    problem = refuse(changed(f'{field} = ["public", "{audience}"]'))
    assert "audiences that no policy may allow" in problem
    assert repr(audience) in problem


@pytest.mark.parametrize("age", ["minor", "unknown", "", "Adult", "17"])
def test_no_policy_allows_anybody_but_adults(refuse, age):
    problem = refuse(changed(f'ages = ["adult", "{age}"]'))
    assert "allows ages" in problem


def test_a_policy_that_allows_no_audience_is_none(refuse):
    assert "no audience at all" in refuse(changed("audiences = []"))


@pytest.mark.parametrize(
    "data",
    [b"", b"name = ", b"\x00", b"\xff\xfe", b"[]", b"name = 1", VALID + b"objections = false\n"]
    + [VALID + b"\n[more]\nx = 1", VALID + VALID]
    + [changed(line) for line in ("waiting_days = -1", "waiting_days = 3651", "waiting_days = 1.5")]
    + [changed(line) for line in ('audiences = "public"', "audiences = [1]", "name = []")]
    + [changed('unknown_parents = "maybe"'), changed('waiting_from = "birth"')]
    + [b"\n".join(old for old in VALID.splitlines() if not old.startswith(name.encode()))
       for name in ("name", "audiences", "surfaces", "kinds", "ages", "waiting_days")],
)  # fmt: skip
def test_a_file_that_is_no_policy_is_refused(refuse, data):
    assert "is not valid" in refuse(data)


@pytest.mark.parametrize("name", ["", "none.toml", "/", "Strict", "../policies/strict", "a\x00b"])
def test_a_policy_that_is_not_there_is_said_not_to_be(name):
    with pytest.raises(UsageError, match="no policy"):
        load(name)
