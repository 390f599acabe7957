"""Facebook's exports of each year: what is a member's own, who could see it, and what stays out."""

from datetime import UTC, datetime

import pytest

from sayso.content.events import Delete
from sayso.content.record import own_words
from tests.sources.facebook_exports import ACTIVITY, BEACH, COMMENTS, read
from tests.sources.meta_exports import (
    AT,
    FACEBOOK_PROFILE,
    POSTS,
    facebook_comment,
    facebook_post,
    facebook_profile,
    items_of,
    only,
    photo,
    records,
    rejected,
    skipped,
    texts,
    zipped,
)


@pytest.mark.parametrize(
    ("posts", "profile", "comments", "groups"),
    [
        ("posts/your_posts.json", "profile_information/profile_information.json",
         "comments/comments.json", "groups/your_posts_and_comments_in_groups.json"),
        ("posts/your_posts_1.json", "profile_information/profile_information.json",
         "comments_and_reactions/comments.json", "groups/group_posts_and_comments.json"),
        ("your_activity_across_facebook/posts/your_posts_1.json", FACEBOOK_PROFILE,
         "your_activity_across_facebook/comments_and_reactions/comments.json",
         "your_activity_across_facebook/groups/group_posts_and_comments.json"),
        (POSTS, FACEBOOK_PROFILE, COMMENTS, f"{ACTIVITY}/groups/group_posts_and_comments.json"),
        (f"personal_information/profile_information/{POSTS}", FACEBOOK_PROFILE,
         f"personal_information/profile_information/{COMMENTS}",
         f"personal_information/profile_information/{ACTIVITY}/groups/group_posts_and_comments_1.json"),
        (f"facebook-member.1/{ACTIVITY}/posts/profile_posts_1.json",
         f"facebook-member.1/{FACEBOOK_PROFILE}", f"facebook-member.1/{COMMENTS}",
         f"facebook-member.1/{ACTIVITY}/groups/group_posts_and_comments.json"),
    ],
)  # fmt: skip
def test_the_folders_of_each_year(tmp_path, posts, profile, comments, groups):
    old = posts.endswith("your_posts.json")
    rows = [facebook_post("First"), facebook_post("Second", AT + 1)]
    path = zipped(tmp_path, {
        posts: {"status_updates": rows} if old else rows,
        profile: facebook_profile(),
        comments: {"comments" if old else "comments_v2": [facebook_comment("Well said")]},
        groups: {"group_posts": {"activity_log_data": [facebook_post("To the group")]}} if old
        else {"group_posts_v2": [facebook_post("To the group")]},
        "no-data.txt": b"You have no data in this section",
    })  # fmt: skip
    items = items_of(path)
    assert texts(items) == ["First", "Second", "To the group", "Well said"]
    assert {record.author for record in records(items)} == {"acct:member.1@facebook.com"}
    assert [record.surface for record in records(items)] == ["post", "post", "post", "comment"]
    assert {record.audience for record in records(items)} == {"unknown"}
    assert [r.container for r in records(items)] == ["", "", "facebook:group", ""]
    assert not skipped(items)
    assert not rejected(items)


def test_a_record_has_what_the_row_says_and_no_more(tmp_path):
    row = facebook_post(
        "At the sea #Sea @[100001:2048:Member Two]", media=(photo(BEACH, "At the sea"),)
    )
    row["attachments"][0]["data"] += [
        {"external_context": {"url": "https://example.org", "name": "A page"}},
        {"place": {"name": "A place"}},
    ]
    row["tags"] = [{"name": "Member Two"}]
    record = only(read(tmp_path, {POSTS: [row], BEACH: b"jpeg"}))
    assert record.text == "At the sea #Sea Member Two"
    assert record.created_at == datetime.fromtimestamp(AT, UTC)
    assert (record.rev, record.edited_at, record.date_state) == (1, None, "given")
    assert [(m.path, m.kind, m.caption) for m in record.media] == [(BEACH, "image", "At the sea")]
    assert (record.tags, record.mentions, record.url) == (("Sea",), (), "")
    assert record.source == "facebook-export"
    told = repr(record)
    for unwanted in ("192.0.2.7", "52.1", "A place", "A page", "new photo", "Timeline"):
        assert unwanted not in told


def test_a_caption_comes_once(tmp_path):
    both = facebook_post("Sunset", media=(photo(BEACH, "Sunset"),))
    alone = facebook_post("", AT + 1, (photo("m/a.jpg", "Dunes"), photo("m/b.jpg", "Dunes")))
    each = facebook_post("", AT + 2, (photo("m/c.jpg", "Left"), photo("m/d.jpg", "Right")))
    found = records(read(tmp_path, {POSTS: [both, alone, each], BEACH: b"x"}))
    assert [own_words(r.text, r.media) for r in found] == ["Sunset", "Dunes", "Left\nRight"]
    assert [len(record.media) for record in found] == [1, 0, 2]


def test_an_edit_has_its_time(tmp_path):
    row = facebook_post("Mended")
    row["data"] = [{"post": "Mended"}, {"update_timestamp": AT + 60}, {"backdated_timestamp": 5}]
    record = only(read(tmp_path, {POSTS: [row]}))
    assert record.created_at == datetime.fromtimestamp(AT, UTC)
    assert record.edited_at == datetime.fromtimestamp(AT + 60, UTC)
    assert record.rev == (AT + 60) * 1000


@pytest.mark.parametrize("at", [0, -62169958800, 10**18, None, "", "soon", [], {}, True, 1.5e300])
def test_absurd_times_are_not_read(tmp_path, at):
    row = facebook_post("Some time") | {"timestamp": at}
    record = only(read(tmp_path, {POSTS: [row]}))
    assert record.created_at is None
    assert record.date_state in ("absent", "unreadable")


@pytest.mark.parametrize(
    ("told", "audience"),
    [
        ({}, "unknown"),
        ({"privacy": "Public"}, "public"),
        ({"data": [{"post": "Hello"}, {"privacy": "public "}]}, "public"),
        ({"privacy": "Friends"}, "friends"),
        ({"privacy": "Friends of friends"}, "custom"),
        ({"privacy": "Only me"}, "only_me"),
        ({"privacy": "Custom"}, "custom"),
        ({"privacy": "Öffentlich"}, "custom"),
        ({"privacy": "公开"}, "custom"),
        ({"privacy": {"value": "Public"}}, "custom"),
        ({"privacy": ["Public"]}, "custom"),
        ({"privacy": "Public", "data": [{"post": "Hello"}, {"privacy": "Only me"}]}, "custom"),
        ({"privacy": None}, "unknown"),
    ],
)
def test_only_a_plain_word_makes_a_post_public(tmp_path, told, audience):
    record = only(read(tmp_path, {POSTS: [facebook_post("Hello") | told]}))
    assert record.audience == audience
    assert record.audience_source == ("" if audience == "unknown" else "asserted")


def test_public_in_a_group_or_a_story_is_not_known_to_be_public(tmp_path):
    story = facebook_post("Story", media=(photo("s/1.jpg"),), privacy="Public")
    mine = facebook_post("Mine", AT + 1, privacy="Only me")
    found = records(read(tmp_path, {
        f"{ACTIVITY}/groups/group_posts_and_comments.json":
            {"group_posts_v2": [facebook_post("Group", privacy="Public"), mine]},
        f"{ACTIVITY}/stories/archived_stories.json": {"archived_stories_v2": [story]},
    }))  # fmt: skip
    assert {r.text: r.audience for r in found} == {
        "Story": "unknown", "Group": "unknown", "Mine": "only_me"
    }  # fmt: skip


def test_generated_titles_are_nobodys_words(tmp_path):
    title = "A photo from Member One's story was added to his archive."
    items = read(tmp_path, {
        POSTS: [{"timestamp": AT, "title": "Member One updated his status."}],
        f"{ACTIVITY}/stories/archived_stories.json":
            {"archived_stories_v2": [
                {"timestamp": AT, "title": title},
                facebook_post("", AT + 1, (photo("s/2.jpg"),), title=title),
            ]},
        "s/2.jpg": b"x",
    })  # fmt: skip
    record = only(items)
    assert (record.surface, record.text, len(record.media)) == ("story", "", 1)
    assert skipped(items) == {"nothing in it": 2}


def test_comments_of_others_stay_out(tmp_path):
    rows = [
        facebook_comment("Mine"),
        facebook_comment("Theirs", "Member Two"),
        facebook_comment("Under my old name", "Member Née"),
        {"timestamp": AT, "data": [{"comment": {"timestamp": AT, "comment": "No author"}}]},
    ]
    group = facebook_comment("In the group", group="Bird watchers")
    items = read(
        tmp_path,
        {
            COMMENTS: {"comments_v2": rows},
            f"{ACTIVITY}/groups/your_comments_in_groups.json": {"group_comments_v2": [group]},
        },
        facebook_profile(previous_names=[{"name": "Member Née", "timestamp": 1}]),
    )
    assert texts(items) == ["Mine", "Under my old name", "No author", "In the group"]
    assert skipped(items) == {"someone else's comment": 1}
    last = records(items)[-1]
    assert last.container == "facebook:group/Bird watchers"
    assert (last.surface, last.audience, last.reply_to) == ("comment", "unknown", "")


def test_without_a_profile_a_named_author_is_not_taken_for_the_owner(tmp_path):
    path = zipped(tmp_path, {COMMENTS: {"comments_v2": [facebook_comment("Said")]},
                             POSTS: [facebook_post("Posted")]})  # fmt: skip
    found = {record.text: record.author for record in records(items_of(path))}
    assert found == {"Said": "", "Posted": "acct:member.1@facebook.com"}


def test_exact_repeats_come_once_and_the_stricter_audience_counts(tmp_path):
    row = facebook_post("Again", media=(photo(BEACH),))
    encoded = facebook_post("Reel", AT + 9, (photo("r/2.mp4"),))
    items = read(tmp_path, {
        POSTS: [row, row, facebook_post("Daily"), facebook_post("Daily", AT + 86_400)],
        POSTS.replace("_1.json", "_2.json"): [row | {"privacy": "Friends"}],
        f"{ACTIVITY}/reels/your_reels.json":
            {"lasso_videos_v2": [facebook_post("Reel", media=(photo("r/1.mp4"),)), encoded]},
    })  # fmt: skip
    found = records(items)
    assert [r.text for r in found] == ["Again", "Daily", "Daily", "Again", "Reel", "Reel"]
    assert found[0].id == found[3].id
    assert [r.audience for r in found if r.text == "Again"] == ["unknown", "friends"]
    assert [r.surface for r in found[-2:]] == ["reel", "reel"]
    assert skipped(items) == {"repeated in the export": 1}


def test_what_was_archived_or_deleted_stays_out_and_leaves(tmp_path):
    def withdrawn(text: str) -> dict:
        labels = [
            {"label": "Message", "value": text},
            {"label": "URL", "value": "https://www.facebook.com/1",
             "href": "https://www.facebook.com/1"},
        ]  # fmt: skip
        return {"timestamp": AT, "fbid": "1", "media": [], "label_values": labels}

    doubtful = withdrawn("Til hamingju")
    doubtful["label_values"] += [{"label": "Viðtakandi", "value": "Member Two"}]
    doubtful["label_values"][0]["label"] = "Skilaboð"
    with_photo = facebook_post("", media=(photo(BEACH),))
    before = read(tmp_path, {POSTS: [facebook_post("Regretted"), with_photo], BEACH: b"x"})
    items = read(tmp_path, {
        POSTS: [facebook_post("Regretted"), facebook_post("Kept", AT + 1), with_photo,
                facebook_post("Til hamingju", AT + 2)],
        f"{ACTIVITY}/posts/archive.json": [withdrawn("Regretted"), doubtful],
        f"{ACTIVITY}/posts/trash.json": {"trash_v2": [with_photo]},
        BEACH: b"x",
    })  # fmt: skip
    assert texts(items) == ["Kept"]
    assert skipped(items) == {"archived by its author": 4, "deleted by its author": 2}
    gone = {item.id for item in items if isinstance(item, Delete)}
    assert {record.id for record in records(before)} <= gone
