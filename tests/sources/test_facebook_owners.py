"""Whose a Facebook export is, what belongs together, and what is refused as a whole."""

import json
from datetime import UTC, datetime

import pytest

from sayso.content.events import AccountUpdate
from sayso.errors import InputError, RefusedError
from sayso.sources import facebook, messages
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from sayso.sources.items import Refused
from tests.sources.facebook_exports import ACTIVITY, ALBUM, BEACH, read
from tests.sources.meta_exports import (
    AT,
    FACEBOOK_PROFILE,
    POSTS,
    facebook_post,
    facebook_profile,
    items_of,
    only,
    photo,
    records,
    rejected,
    texts,
    zipped,
)

THIS_YEAR = datetime.now(UTC).year


@pytest.mark.parametrize(
    ("profile", "account", "age", "handle"),
    [
        ({}, "acct:member.1@facebook.com", "", ""),
        ({"birthday": {"year": 1980, "month": 2, "day": 30}}, "", "unknown", ""),
        ({"birthday": {"year": 1980, "month": 2, "day": 3}}, "", "adult", ""),
        ({"birthday": {"year": THIS_YEAR - 12, "month": 1, "day": 1}}, "", "minor", ""),
        ({"birthday": {"month": 2, "day": 3}}, "", "", ""),
        ({"username": None, "profile_uri": "https://www.facebook.com/Some.One"},
         "acct:some.one@facebook.com", "", ""),
        ({"username": "", "profile_uri": "https://www.facebook.com/profile.php?id=10001"},
         "acct:10001@facebook.com", "", "Member Ünë"),
        ({"username": "not a name"}, "acct:member.1@facebook.com", "", ""),
    ],
)  # fmt: skip
def test_whose_export_it_is(tmp_path, profile, account, age, handle):
    told = facebook_profile("Member Ünë", **profile)
    (update,) = [i for i in read(tmp_path, {POSTS: [facebook_post("x")]}, told)
                 if isinstance(i, AccountUpdate)]  # fmt: skip
    expected = account or "acct:member.1@facebook.com"
    assert (update.account, update.age_band, update.handle) == (expected, age, handle)
    assert (update.service, update.state) == ("facebook", "")


def test_two_members_side_by_side_and_a_stranger(tmp_path):
    for name in ("first", "second", "third"):
        folder = tmp_path / "in" / name
        files = {f"{ACTIVITY}/posts/your_posts_1.json": [facebook_post(f"By the {name}")]}
        if name != "third":
            files[FACEBOOK_PROFILE] = facebook_profile(name, f"member.{name}")
        for path, value in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(json.dumps(value))
    found = {record.text: record.author for record in records(items_of(tmp_path / "in"))}
    assert found == {
        "By the first": "acct:member.first@facebook.com",
        "By the second": "acct:member.second@facebook.com",
        "By the third": "",
    }


def test_two_profiles_that_contradict_each_other_are_nobodys(tmp_path):
    items = read(tmp_path, {
        "profile_information/profile_information.json": facebook_profile("B", "member.2"),
        POSTS: [facebook_post("Whose?")],
    })  # fmt: skip
    assert only(items).author == ""


def test_parts_of_an_export_are_one(tmp_path):
    name = "facebook-member.1-2026-11-01-{}.zip"
    first = zipped(
        tmp_path, {POSTS: [facebook_post("Sea", media=(photo(BEACH),))]}, name.format("a")
    )
    second = zipped(tmp_path, {BEACH: b"x", FACEBOOK_PROFILE: facebook_profile(user="own")},
                    name.format("b"))  # fmt: skip
    record = only(items_of(first, second))
    assert (record.author, [m.path for m in record.media]) == ("acct:own@facebook.com", [BEACH])


def test_archives_of_two_members_are_two_even_if_nothing_contradicts(tmp_path):
    first = zipped(tmp_path, {POSTS: [facebook_post("First")]}, "facebook-m1-2026-11-01-a.zip")
    second = zipped(
        tmp_path, {ALBUM: {"photos": [], "cover_photo": {}, "description": "Second"}},
        "facebook-m2-2026-11-01-b.zip",
    )  # fmt: skip
    found = {record.text: record.author for record in records(items_of(first, second))}
    assert found == {"First": "acct:m1@facebook.com", "Second": "acct:m2@facebook.com"}


def test_parts_in_folders_called_after_the_member_are_one(tmp_path):
    first, second = (f"facebook-member.1-01_11_2026-{part}" for part in "ab")
    record = only(items_of(zipped(tmp_path, {
        f"{first}/{POSTS}": [facebook_post("Sea", media=(photo(BEACH),))],
        f"{second}/{FACEBOOK_PROFILE}": facebook_profile(user="own"),
        f"{second}/{ALBUM}": {"name": "x", "photos": [photo(BEACH)], "cover_photo": {}},
        f"{second}/{BEACH}": b"x",
    }, "all.zip")))  # fmt: skip
    assert record.author == "acct:own@facebook.com"
    assert [m.path for m in record.media] == [f"{second}/{BEACH}"]


def test_a_single_file_is_read_without_an_owner(tmp_path):
    path = tmp_path / "your_posts_1.json"
    path.write_text(json.dumps([facebook_post("Alone"), 5, None, ["x"]]))
    items = items_of(path)
    assert (only(items).text, only(items).author) == ("Alone", "")
    assert [(r.file, r.where) for r in rejected(items)] == [
        ("your_posts_1.json", "item 2"), ("your_posts_1.json", "item 3")
    ]  # fmt: skip


def test_ids_hold_when_folders_formats_and_files_change(tmp_path):
    row = facebook_post("Same", media=(photo("posts/media/1_n_5.jpg"),))
    old = only(read(tmp_path, {"posts/your_posts_1.json": [row]}))
    moved = facebook_post("Same", media=(photo("your_facebook_activity/posts/media/1_n_5.webp"),))
    new = only(read(tmp_path, {POSTS.replace("_1", "_2"): [moved]}))
    assert old.id == new.id
    assert old.id.startswith("facebook:")
    assert len(old.id) == len("facebook:") + 32


def test_private_messages_are_refused(tmp_path):
    thread = {"participants": [{"name": "A"}], "messages": [{"sender_name": "A", "content": "hi"}]}
    items = read(tmp_path, {
        f"{ACTIVITY}/messages/inbox/member_1/message_1.json": thread,
        POSTS: [facebook_post("Open"), {"sender_name": "A", "content": "hi", "timestamp_ms": 1}],
    })  # fmt: skip
    assert texts(items) == ["Open"]
    assert [i.kind for i in items if isinstance(i, Refused)] == [messages.META, messages.META]


def test_an_export_of_messages_only_claims_nothing(tmp_path):
    thread = {"participants": [{"name": "A"}], "messages": [{"sender_name": "A", "content": "hi"}]}
    path = zipped(tmp_path, {f"{ACTIVITY}/messages/inbox/member_1/message_1.json": thread})
    (export,) = find([path])
    assert export.sources == ()
    assert RefusedError is not None
    assert [i.kind for i in export.read() if isinstance(i, Refused)] == [messages.META]


@pytest.mark.parametrize(
    ("name", "page"),
    [
        (f"{ACTIVITY}/posts/your_posts__check_ins__photos_and_videos_1.html", b"<html>"),
        ("posts/your_posts_1.html", b'<html><div class="pam _3-95 uiBoxWhite noborder">'),
    ],
)
def test_html_exports_are_refused_with_what_to_do(tmp_path, name, page):
    path = zipped(tmp_path, {name: page, "start_here.html": b"<html>"})
    with pytest.raises(InputError, match="as HTML") as caught:
        find([path])
    assert "export again as JSON" in caught.value.hint


def test_pages_and_documents_of_others_are_not_claimed(tmp_path):
    path = zipped(tmp_path, {
        "comments.html": b"<html>a blog",
        "comments.json": [{"kind": "Listing", "data": {"children": []}}],
        "0.json": {"photos": [], "name": "x"},
        "archive.json": [],
        "posts_1.json": [{"id": 1, "title": "x"}],
        "your_facebook_activity/friends.json": {"friends_v2": []},
    }, "site.zip")  # fmt: skip
    assert not facebook.claims(open_tree(path))


def test_damage_in_the_structure_refuses_the_whole(tmp_path):
    whole = json.dumps([facebook_post("One"), facebook_post("Two")])
    for broken in (whole[:-2], whole + "]", whole.replace('"Two"', "Two")):
        (tmp_path / "your_posts_1.json").write_text(broken)
        with pytest.raises(InputError, match="nothing was imported"):
            items_of(tmp_path / "your_posts_1.json")


def test_a_lone_surrogate_is_rejected_and_the_others_go_on(tmp_path):
    rows = json.dumps([facebook_post("One"), facebook_post("BAD"), facebook_post("Two", AT + 1)])
    (tmp_path / "your_posts_1.json").write_text(rows.replace("BAD", "\\ud83d"))
    items = items_of(tmp_path / "your_posts_1.json")
    assert texts(items) == ["One", "Two"]
    assert [r.where for r in rejected(items)] == ["item 2"]
