"""Whose an Instagram export is, and whether the account was private, in several languages."""

import json
from datetime import UTC, datetime

import pytest

from sayso.content.events import AccountUpdate
from tests.sources.instagram_exports import (
    ACCOUNT,
    NAME,
    POSTS,
    PRIVACY,
    read,
    single,
)
from tests.sources.meta_exports import (
    AT,
    INSTAGRAM_PROFILE,
    instagram_profile,
    items_of,
    only,
    records,
    skipped,
    zipped,
)


@pytest.mark.parametrize(
    ("label", "value", "audience"),
    [
        ("Private Account", "False", "public"),
        ("Private Account", "True", "followers"),
        ("Privéaccount", "Onwaar", "public"),
        ("Privéaccount", "Waar", "followers"),
        ("Privates Konto", "Nein", "public"),
        ("Privates Konto", "Ja", "followers"),
        ("私密帐户", "否", "public"),
        ("私密帐户", "是", "followers"),
        ("非公開アカウント", "いいえ", "public"),
        ("Einkareikningur", "Nei", "unknown"),
        ("Private Account", "perhaps", "unknown"),
        ("Private Account", "", "unknown"),
        ("Private Account", False, "unknown"),
    ],
)
def test_the_accounts_privacy_in_several_languages(tmp_path, label, value, audience):
    profile = instagram_profile(private="False", **{label: value})
    values = profile["profile_user"][0]["string_map_data"]
    if label != "Private Account":
        del values["Private Account"]
    items = read(tmp_path, {POSTS: [single("Seen by?")]}, profile)
    assert only(items).audience == audience
    (update,) = [item for item in items if isinstance(item, AccountUpdate)]
    assert update.state == ("private" if audience == "followers" else "")


@pytest.mark.parametrize(
    ("changes", "audiences"),
    [
        ([], ["public", "public"]),
        ([{"title": "Public", "string_map_data": {"Time": {"timestamp": AT}}}],
         ["unknown", "public"]),
        ([{"title": "Öffentlich", "string_map_data": {"Zeit": {"timestamp": AT}}},
          {"title": "Privat", "string_map_data": {"Zeit": {"timestamp": AT - 99}}}],
         ["unknown", "public"]),
        ([{"title": "Public", "string_list_data": [{"timestamp": AT - 99}]}], ["public", "public"]),
        ([{"title": "Public"}], ["unknown", "unknown"]),
        ([{"title": "Public", "string_map_data": {"Time": {"timestamp": "?"}}}],
         ["unknown", "unknown"]),
        ([7], ["unknown", "unknown"]),
    ],
)  # fmt: skip
def test_what_was_posted_before_the_account_became_public(tmp_path, changes, audiences):
    items = read(tmp_path, {
        POSTS: [single("Before", at=AT - 1), single("After", "m/2.jpg", at=AT + 1)],
        PRIVACY: {"account_history_account_privacy_history": changes},
    })  # fmt: skip
    assert [record.audience for record in records(items)] == audiences


def test_without_a_profile_nothing_is_known_of_audiences(tmp_path):
    record = only(items_of(zipped(tmp_path, {POSTS: [single("Hm")]}, NAME)))
    assert (record.audience, record.audience_source, record.author) == ("unknown", "", ACCOUNT)


@pytest.mark.parametrize(
    ("labels", "account", "age"),
    [
        ({"Username": "Member_9"}, "acct:member_9@instagram.com", ""),
        ({"Gebruikersnaam": "member_9"}, "acct:member_9@instagram.com", ""),
        ({"Benutzername": "member_9"}, "acct:member_9@instagram.com", ""),
        ({"用户名": "member_9"}, "acct:member_9@instagram.com", ""),
        ({"Notandanafn": "member_9"}, ACCOUNT, ""),
        ({"Username": "not a handle"}, ACCOUNT, ""),
        ({"Geburtsdatum": "1980-05-01"}, ACCOUNT, "adult"),
        ({"出生日期": f"{datetime.now(UTC).year - 12}-01-01"}, ACCOUNT, "minor"),
        ({"Date of birth": "1980-05-01", "Seen": "2020-01-01"}, ACCOUNT, "unknown"),
        ({"Date of birth": "1980-13-45"}, ACCOUNT, "unknown"),
    ],
)
def test_whose_export_it_is(tmp_path, labels, account, age):
    values = {name: {"href": "", "value": value, "timestamp": 0} for name, value in labels.items()}
    profile = {"profile_user": [{"string_map_data": values}]}
    (update,) = [item for item in read(tmp_path, {POSTS: [single("x")]}, profile)
                 if isinstance(item, AccountUpdate)]  # fmt: skip
    assert (update.account, update.age_band, update.handle) == (account, age, "")


def test_two_members_side_by_side(tmp_path):
    for name, private in (("first", "False"), ("second", "True")):
        for path, value in ((POSTS, [single(f"By the {name}")]),
                            (INSTAGRAM_PROFILE, instagram_profile(name, private))):  # fmt: skip
            file = tmp_path / "in" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value))
    found = {record.author: record.audience for record in records(items_of(tmp_path / "in"))}
    assert found == {
        "acct:first@instagram.com": "public", "acct:second@instagram.com": "followers"
    }  # fmt: skip


def test_an_older_export_of_the_same_member_makes_its_privacy_doubtful(tmp_path):
    items = items_of(zipped(tmp_path, {
        f"instagram-member_1-2024-01-01-a/{POSTS}": [single("Then")],
        f"instagram-member_1-2024-01-01-a/{INSTAGRAM_PROFILE}": instagram_profile(),
        f"instagram-member_1-2026-01-01-b/{POSTS}": [single("Then"), single("Now", "m/2.jpg")],
        f"instagram-member_1-2026-01-01-b/{INSTAGRAM_PROFILE}": instagram_profile(private="True"),
    }, "both.zip"))  # fmt: skip
    assert [(r.text, r.audience) for r in records(items)] == [
        ("Then", "unknown"), ("Now", "unknown")
    ]  # fmt: skip
    assert skipped(items) == {"repeated in the export": 1}
