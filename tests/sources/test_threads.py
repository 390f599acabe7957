"""Threads' exports, alone and within Instagram's: posts, replies, and whose privacy counts."""

from datetime import UTC, datetime

import pytest

from sayso.content.events import AccountUpdate
from sayso.errors import InputError
from sayso.sources.detect import find
from tests.sources.meta_exports import (
    AT,
    INSTAGRAM_PROFILE,
    instagram_profile,
    items_of,
    only,
    picture,
    reactions,
    records,
    skipped,
    texts,
    zipped,
)

NAME = "instagram-member_1-2026-11-01-AbCdEf.zip"
FOLDER = "your_instagram_activity/threads"
POSTS = f"{FOLDER}/threads_and_replies.json"
PROFILE = f"{FOLDER}/personal_information.json"


def thread(text: str, at: int = AT, reply: object = False, uri: str = "") -> dict:
    app = {"reply_control": "everyone", "geo_gated_country_list": "", "is_reply": reply}
    return {"media": [picture(uri, text, at, text_app_post=app)]}


def own_profile(private: str = "False", user: str = "member_1") -> dict:
    return {"text_post_app_text_post_app_profile": instagram_profile(user, private)["profile_user"]}


def read(tmp_path, files: dict):
    return items_of(zipped(tmp_path, files, NAME))


def test_posts_and_replies(tmp_path):
    several = {
        "title": "Two pictures #Sea @Member.Two",
        "creation_timestamp": AT + 2,
        "media": [picture("m/1.jpg", at=AT + 2), picture("m/2.jpg", at=AT + 2)],
    }
    rows = [thread("A thought"), thread("I agree", AT + 1, True), several, thread("", AT + 3)]
    items = read(tmp_path, {
        POSTS: {"text_post_app_text_posts": rows}, PROFILE: own_profile(), "m/1.jpg": b"x"
    })  # fmt: skip
    assert [(r.surface, r.text, r.audience, r.audience_source) for r in records(items)] == [
        ("post", "A thought", "public", "derived"),
        ("comment", "I agree", "unknown", ""),
        ("post", "Two pictures #Sea @Member.Two", "public", "derived"),
    ]
    last = records(items)[-1]
    assert (last.tags, last.mentions) == (("Sea",), ("acct:member.two@threads.net",))
    assert ([m.path for m in last.media], last.reply_to) == (["m/1.jpg"], "")
    assert last.created_at == datetime.fromtimestamp(AT + 2, UTC)
    assert {record.author for record in records(items)} == {"acct:member_1@threads.net"}
    assert skipped(items) == {"nothing in it": 1}


@pytest.mark.parametrize(
    ("files", "audience"),
    [
        ({PROFILE: own_profile("False")}, "public"),
        ({PROFILE: own_profile("True")}, "followers"),
        ({PROFILE: own_profile("Hm")}, "unknown"),
        ({INSTAGRAM_PROFILE: instagram_profile()}, "unknown"),
        ({INSTAGRAM_PROFILE: instagram_profile(), PROFILE: own_profile("True")}, "followers"),
        ({}, "unknown"),
    ],
)
def test_only_the_threads_profile_tells_its_privacy(tmp_path, files, audience):
    record = only(read(tmp_path, {POSTS: {"text_post_app_text_posts": [thread("Hm")]}, **files}))
    assert (record.audience, record.author) == (audience, "acct:member_1@threads.net")


@pytest.mark.parametrize("reply", ["yes", 1, {}, []])
def test_what_may_be_a_reply_counts_as_one(tmp_path, reply):
    items = read(tmp_path, {
        POSTS: {"text_post_app_text_posts": [thread("Hm", reply=reply)]}, PROFILE: own_profile()
    })  # fmt: skip
    assert (only(items).surface, only(items).audience) == ("comment", "unknown")


def test_profiles_of_two_members_are_nobodys(tmp_path):
    items = read(tmp_path, {
        POSTS: {"text_post_app_text_posts": [thread("Whose?")]},
        PROFILE: own_profile(),
        INSTAGRAM_PROFILE: instagram_profile("member_2"),
    })  # fmt: skip
    assert (only(items).audience, only(items).author) == ("unknown", "")


def test_the_age_comes_from_either_profile(tmp_path):
    twin = instagram_profile(**{"Date of birth": "1980-01-01"})
    items = read(tmp_path, {POSTS: {"text_post_app_text_posts": [thread("Hm")]},
                            INSTAGRAM_PROFILE: twin})  # fmt: skip
    (update,) = [item for item in items if isinstance(item, AccountUpdate)]
    assert (update.account, update.service) == ("acct:member_1@threads.net", "threads")
    assert (update.age_band, update.state) == ("adult", "")


def test_likes_and_views(tmp_path):
    url = "https://www.threads.com/@member_2/post/DAbC"
    like = {"title": "", "string_list_data": [{"href": url, "value": "👍", "timestamp": AT}]}
    seen = {"string_map_data": {"作者": {"value": "member_2"}, "網址": {"href": url},
                                "時間": {"timestamp": AT}}}  # fmt: skip
    items = read(tmp_path, {
        f"{FOLDER}/liked_threads.json": {"text_post_app_media_likes": [like]},
        f"{FOLDER}/threads_viewed.json": {"text_post_app_text_post_app_posts_seen": [seen]},
        f"{FOLDER}/saved_threads.json": {"text_post_app_text_post_app_saved_posts": [seen]},
    })  # fmt: skip
    assert [(s.verb, s.object) for s in reactions(items)] == [("like", url), ("view", url)]
    assert reactions(items)[0].at == datetime.fromtimestamp(AT, UTC)


def test_one_archive_of_both_services(tmp_path):
    path = zipped(tmp_path, {
        POSTS: {"text_post_app_text_posts": [thread("On Threads")]},
        "your_instagram_activity/media/posts_1.json": [{"media": [picture("m/1.jpg", "On both")]}],
        INSTAGRAM_PROFILE: instagram_profile(),
    }, NAME)  # fmt: skip
    (export,) = find([path])
    assert [source.name for source in export.sources] == ["threads", "instagram"]
    found = {record.text: record.author for record in records(items_of(path))}
    assert found == {
        "On Threads": "acct:member_1@threads.net", "On both": "acct:member_1@instagram.com"
    }  # fmt: skip


def test_threads_alone(tmp_path):
    path = zipped(tmp_path, {"threads/threads_and_replies.json":
                             {"text_post_app_text_posts": [thread("Alone")]}},
                  "threads-member.1-01_11_2026-x.zip")  # fmt: skip
    assert only(items_of(path)).author == "acct:member.1@threads.net"
    assert texts(items_of(path)) == ["Alone"]


def test_html_exports_are_refused(tmp_path):
    path = zipped(tmp_path, {POSTS.replace(".json", ".html"): b"<html>"}, NAME)
    with pytest.raises(InputError, match="as HTML"):
        find([path])
