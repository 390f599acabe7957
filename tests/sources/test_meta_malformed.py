"""Any value in any place of a Meta export, any byte, and documents of any size."""

import copy
import json
import time
import tracemalloc

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.errors import InputError
from sayso.sources import facebook, instagram, threads
from sayso.sources.archive import Tree
from sayso.sources.items import Item
from tests.sources.meta_exports import (
    AT,
    FACEBOOK_PROFILE,
    INSTAGRAM_PROFILE,
    POSTS,
    check,
    damaged,
    facebook_comment,
    facebook_post,
    facebook_profile,
    instagram_profile,
    photo,
    picture,
    reactions,
    records,
    rejected,
    skipped,
    tree_of,
)

READERS = (facebook, instagram, threads)
LARGE = 50_000_000


def all_items(tree: Tree) -> list[Item]:
    return [item for reader in READERS if reader.claims(tree) for item in reader.read(tree)]


def labelled(uri: str = "l.jpg", **values: str) -> dict:
    told = [{"label": name, "value": value} for name, value in values.items()]
    nested = {"dict": [{"label": "Name", "value": "Member Two"}], "title": "Owner"}
    return {"timestamp": AT, "fbid": "1", "media": [picture(uri, "x")],
            "label_values": [*told, {"label": "At", "timestamp_value": AT}, nested]}  # fmt: skip


REMARK = {
    "media_list_data": [{"uri": ""}],
    "string_map_data": {
        "Comment": {"value": "Nice"},
        "Media Owner": {"value": "member_2"},
        "Time": {"timestamp": AT},
    },
}
LIKE = {
    "title": "member_2",
    "string_list_data": [{"href": "https://x.example/p/1", "timestamp": AT}],
}
SUBTITLED = picture(
    "m.mp4", "Reel", media_metadata={"video_metadata": {"subtitles": {"uri": "s.srt"}}}
)
APP = {"media": [picture("", "Thread", text_app_post={"is_reply": False})]}
OLD = {"caption": "Old", "taken_at": "2018-01-02T03:04:05", "path": "m1.jpg"}
CHANGES = "account_history_account_privacy_history"
DOCUMENTS = {
    POSTS: [facebook_post("Post", media=(photo("m2.jpg", "Caption"),), tags=[{"name": "x"}])],
    "posts_on_other_pages_and_profiles.json": [labelled(Message="Hello")],
    "posts/album/0.json": {"name": "x", "photos": [photo("m3.jpg", "x")], "cover_photo": {},
                           "last_modified_timestamp": AT, "description": "Album"},
    "your_videos.json": {"videos_v2": [photo("m.mp4", "Video")]},
    "your_reels.json": {"lasso_videos_v2": [facebook_post("Reel", media=(SUBTITLED,))]},
    "archived_stories.json": {"archived_stories_v2": [facebook_post("", media=(photo("m4.jpg"),))]},
    "archive.json": [labelled("gone.jpg", Message="Gone")],
    "trash.json": {"trash_v2": [facebook_post("Gone", media=(photo("gone.jpg"),))]},
    "comments_and_reactions/comments.json": {"comments_v2": [facebook_comment("Comment")]},
    "groups/your_comments_in_groups.json":
        {"group_comments_v2": [facebook_comment("Comment", group="G")]},
    "groups/group_posts_and_comments.json": {"group_posts_v2": [
        {"timestamp": AT, "attachments": [{"data": [{"poll": {"question": "?", "options":
                                                              [{"option": "x"}]}}]}]}]},
    "likes_and_reactions_1.json": [{"timestamp": AT, "title": "X likes Y's post.", "data":
                                    [{"reaction": {"reaction": "LIKE", "actor": "Member One"}}]}],
    "likes_and_reactions.json": [labelled(Reaction="LIKE", URL="https://x.example/1")],
    "recently_viewed.json": {"recently_viewed": [{"name": "x", "children": [{"entries": [
        {"timestamp": AT, "data": {"name": "x", "uri": "https://x.example", "watch_time": 5}}]}]}]},
    FACEBOOK_PROFILE: facebook_profile(birthday={"year": 1980, "month": 1, "day": 2},
                                       previous_names=[{"name": "x"}]),
    "content/posts_1.json": [{"media": [picture("m5.jpg", "One")]},
                             {"media": [picture("a.jpg")], "title": "Two",
                              "creation_timestamp": AT}, labelled(Caption="Three")],
    "content/stories.json": {"ig_stories": [picture("m6.jpg", "Story")]},
    "content/reels.json": {"ig_reels_media": [{"media": [SUBTITLED]}]},
    "content/archived_posts.json": {"ig_archived_post_media": [{"media": [picture("gone.jpg")]}]},
    "comments/post_comments_1.json": [REMARK, labelled(Comment="Hm")],
    "likes/liked_posts.json": {"likes_media_likes": [LIKE]},
    "likes/liked_comments.json": [labelled(URL="https://x.example/p/1")],
    "ads_and_topics/posts_viewed.json": {"impressions_history_posts_seen": [REMARK]},
    "media.json": {"photos": [OLD], "stories": [OLD], "videos": [OLD], "direct": [OLD]},
    "comments.json": {"media_comments": [["2018-01-02T03:04:05", "Old", "member_2"]]},
    "likes.json": {"media_likes": [["2018-01-02T03:04:05", "member_2"]]},
    INSTAGRAM_PROFILE: instagram_profile(private="True"),
    "profile_privacy_changes.json": {CHANGES: [{"title": "Private", "string_map_data":
                                                {"Time": {"timestamp": AT}}}]},
    "threads/threads_and_replies.json": {"text_post_app_text_posts": [APP]},
    "threads/liked_threads.json": {"text_post_app_media_likes": [LIKE]},
    "threads/personal_information.json":
        {"text_post_app_text_post_app_profile": instagram_profile(private="True")["profile_user"]},
}  # fmt: skip
FILES = (
    {f"m{number}.jpg": b"x" for number in range(20)}
    | {"l.jpg": b"x"}
    | {"m.mp4": b"x", "s.srt": b"1\n0:0:0 --> 0:0:1\nHi\n"}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["", "0", "https://x.example/1", "m.jpg", "LIKE", "True", "Nee", "Only me",
                       "\u00c3\u00a9", "1720000000", "2018-01-02", -1, 0, AT, AT * 1000, 2**63]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["uri", "timestamp", "data", "media", "label_values", "value", "text",
                         "title", "comment", "sender_name"]) | st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def places(value, way: tuple = ()) -> list[tuple]:
    """All places in a document, its root included."""
    inner = enumerate(value) if isinstance(value, list) else ()
    inner = value.items() if isinstance(value, dict) else inner
    return [way, *(place for key, each in inner for place in places(each, (*way, key)))]


def put(value, way: tuple, new):
    """Return a copy of a document with another value in one place."""
    if not way:
        return new
    value = copy.copy(value)
    value[way[0]] = put(value[way[0]], way[1:], new)
    return value


PLACES = [(name, way) for name, document in DOCUMENTS.items() for way in places(document)]


def test_all_documents_of_the_sample_are_read_in_full():
    items = all_items(tree_of({**DOCUMENTS, **FILES}))
    assert len(records(items)) == 19
    assert len(reactions(items)) == 8
    assert skipped(items) == {
        "repeated in the export": 3, "archived by its author": 2, "deleted by its author": 1
    }  # fmt: skip
    assert not rejected(items)
    assert {record.audience for record in records(items)} == {"unknown", "followers"}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
@example([((FACEBOOK_PROFILE, ()), [])])
def test_any_value_in_any_place_is_read_or_rejected(changes):
    documents = dict(DOCUMENTS)
    for (name, way), value in changes:
        if way in places(documents[name]):
            documents[name] = put(documents[name], way, value)
    written = {name: json.dumps(document).encode() for name, document in documents.items()}
    tree = tree_of({**written, **FILES})
    items = all_items(tree)
    for item in items:
        check(item)
        if isinstance(item, Upsert):
            assert item.record.audience != "public"
    assert repr(items) == repr(all_items(tree))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_bytes_that_change_are_read_or_refused(name, data):
    written = json.dumps(DOCUMENTS[name]).encode()
    at = data.draw(st.integers(0, len(written) - 1))
    new = data.draw(st.binary(max_size=3))
    tree = tree_of({name: written[:at] + new + written[at + 1 :], **FILES})
    try:
        items = all_items(tree)
    except InputError as error:
        assert "nothing was imported" in error.problem
        return
    for item in items:
        check(item)


def large_document() -> bytes:
    exif = {f"field_{number}": "4032/100" * 100 for number in range(12)}
    row = facebook_post("Übung 12345678", media=(photo("m/12345678.jpg", "Übung 12345678"),))
    row["attachments"][0]["data"][0]["media"]["media_metadata"]["photo_metadata"]["exif_data"] = [
        exif
    ]
    one = json.dumps(damaged(row), indent=1).encode()
    rows = (one.replace(b"12345678", b"%08d" % number) for number in range(LARGE // len(one) + 1))
    return b"[" + b",".join(rows) + b"]"


def test_a_large_document_is_read_quickly_in_little_memory():
    data = large_document()
    assert len(data) > LARGE
    tree = tree_of({POSTS: data, FACEBOOK_PROFILE: facebook_profile()})
    tracemalloc.start()
    try:
        began = time.process_time()
        found = sum(isinstance(item, Upsert) for item in facebook.read(tree))
        took = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found > LARGE / 12_000
    assert peak < 40_000_000
    assert took < 30  # a bound that a busy machine meets, too
