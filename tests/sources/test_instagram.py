"""Instagram's exports of each year: captions, comments in any language, what stays out."""

from datetime import UTC, datetime

import pytest

from sayso.content.events import Delete
from sayso.errors import InputError
from sayso.sources import instagram, messages
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from sayso.sources.items import Refused
from tests.sources.instagram_exports import (
    ACCOUNT,
    COMMENTS,
    FILE,
    MEDIA,
    NAME,
    POSTS,
    read,
    single,
)
from tests.sources.meta_exports import (
    AT,
    INSTAGRAM_PROFILE,
    instagram_profile,
    items_of,
    only,
    picture,
    reactions,
    records,
    rejected,
    skipped,
    texts,
    zipped,
)


def remark(**values) -> dict:
    told = {
        name.replace("_", " "): {"timestamp": value} if isinstance(value, int) else {"value": value}
        for name, value in values.items()
    }
    return {"media_list_data": [{"uri": ""}], "string_map_data": told}


@pytest.mark.parametrize(
    ("posts", "comments", "profile"),
    [
        ("content/posts_1.json", "comments/post_comments.json",
         "account_information/personal_information.json"),
        ("your_instagram_activity/content/posts_1.json",
         "your_instagram_activity/comments/post_comments_1.json", INSTAGRAM_PROFILE),
        (POSTS, COMMENTS, INSTAGRAM_PROFILE),
        (f"{MEDIA}/posts.json", COMMENTS, INSTAGRAM_PROFILE),
        (f"instagram-member_1/{POSTS}", f"instagram-member_1/{COMMENTS}",
         f"instagram-member_1/{INSTAGRAM_PROFILE}"),
    ],
)  # fmt: skip
def test_the_folders_of_each_year(tmp_path, posts, comments, profile):
    root = "instagram-member_1/" if posts.startswith("instagram-") else ""
    items = items_of(zipped(tmp_path, {
        posts: [single("One"), {"media": [picture("m/2.jpg"), picture("m/3.jpg")],
                                "title": "Two pictures", "creation_timestamp": AT + 2}],
        comments: [remark(Comment="Lovely!", Media_Owner="member_2", Time=AT)],
        profile: instagram_profile(),
        root + FILE: b"x", f"{root}m/3.jpg": b"x",
    }, "export.zip"))  # fmt: skip
    assert texts(items) == ["One", "Two pictures", "Lovely!"]
    assert {record.author for record in records(items)} == {ACCOUNT}
    assert [record.audience for record in records(items)] == ["public", "public", "unknown"]
    assert [record.audience_source for record in records(items)] == ["derived", "derived", ""]
    assert [r.created_at.timestamp() for r in records(items)] == [AT, AT + 2, AT]
    assert [m.path for r in records(items) for m in r.media] == [root + FILE, f"{root}m/3.jpg"]


def test_a_record_has_what_the_row_says_and_no_more(tmp_path):
    exif = {"latitude": 52.1, "device_id": "android-5", "date_time_original": "2024:06:15"}
    row = single("With @Member.Two and a@b.example #Sea #1 #été",
                 media_metadata={"photo_metadata": {"exif_data": [exif]}})  # fmt: skip
    record = only(read(tmp_path, {POSTS: [row], FILE: b"x"}))
    assert record.text == "With @Member.Two and a@b.example #Sea #1 #été"
    assert record.tags == ("Sea", "été")
    assert record.mentions == ("acct:member.two@instagram.com",)
    assert record.created_at == datetime.fromtimestamp(AT, UTC)
    assert [(m.path, m.kind, m.caption) for m in record.media] == [(FILE, "image", "")]
    assert (record.source, record.service) == ("instagram-export", "instagram")
    for unwanted in ("52.1", "android", "2024:06", "backup", "scontent"):
        assert unwanted not in repr(record)


def test_posts_of_2026(tmp_path):
    plain = {"timestamp": AT, "media": [picture(FILE, "Plain")]}
    nested = {
        "timestamp": AT + 1,
        "label_values": [
            {"label": "Bijschrift", "value": "Genest"},
            {"label": "URL", "value": "https://www.instagram.com/p/1/"},
            {"label": "Media", "media": [picture("m/2.mp4")]},
            {"dict": [{"label": "Naam", "value": "Member Two"}], "title": "Eigenaar"},
        ],
    }
    doubtful = {"timestamp": AT, "label_values": [
        {"label": "Skýring", "value": "Ein"}, {"label": "Staður", "value": "Tvö"}]}  # fmt: skip
    items = read(tmp_path, {f"{MEDIA}/posts.json": [plain, nested, doubtful], "m/2.mp4": b"x"})
    assert texts(items) == ["Plain", "Genest"]
    assert [(m.path, m.kind) for m in records(items)[1].media] == [("m/2.mp4", "video")]
    assert [r.where for r in rejected(items)] == ["item 3"]


def test_stories_reels_and_transcripts(tmp_path):
    video = {"video_metadata": {"subtitles": {"uri": "m/r.srt", "creation_timestamp": AT}}}
    items = read(tmp_path, {
        f"{MEDIA}/stories.json": {"ig_stories": [picture("m/s.jpg", "Good morning"),
                                                 picture("m/s2.jpg", at=AT + 1)]},
        f"{MEDIA}/reels.json": {"ig_reels_media": [single("Baking", "m/r.mp4",
                                                          media_metadata=video)]},
        f"{MEDIA}/igtv_videos.json": {"ig_igtv_media": [single("Long", "m/l.mp4")]},
        f"{MEDIA}/profile_photos.json": {"ig_profile_picture": [picture("m/me.jpg", "Me")]},
        f"{MEDIA}/other_content.json": {"ig_other_media": [single("A draft", "m/draft.jpg")]},
        "m/s.jpg": b"x", "m/r.mp4": b"x", "m/l.mp4": b"x", "m/me.jpg": b"x",
        "m/r.srt": "1\n00:00:00,000 --> 00:00:01,500\nFlour & water\n\n2\n00:00:01 --> 00:00:02\n"
                   "thé".encode(),
    })  # fmt: skip
    assert [(r.surface, r.text, r.audience) for r in records(items)] == [
        ("reel", "Baking", "public"), ("post", "Long", "public"),
        ("story", "Good morning", "unknown"),
    ]  # fmt: skip
    assert records(items)[0].media[0].transcript == "Flour & water\nthé"
    assert skipped(items) == {"nothing in it": 1}


@pytest.mark.parametrize(
    "row",
    [
        remark(Comment="So nice", Media_Owner="member_2", Time=AT),
        remark(Opmerking="So nice", Tijd=AT, **{"Media-eigenaar": "member_2"}),
        remark(Kommentar="So nice", Medieninhaber="member_2", Zeit=AT),
        remark(评论="So nice", 作者="member_2", 时间=AT),
        remark(Ummæli="So nice", Eigandi="member_2", Tími=AT),
        remark(Eigandi="member_2", Ummæli="So nice", Tími=AT),
        remark(Comment="So nice", Time=AT),
        remark(Comment="So nice", Time=AT) | {"media_owner": "member_2"},
        {"timestamp": AT, "label_values": [{"label": "Comment", "value": "So nice"},
                                           {"label": "URL", "value": "https://x.example/p/1"}]},
    ],
)  # fmt: skip
def test_comments_in_several_languages_and_dialects(tmp_path, row):
    bare = read(tmp_path, {COMMENTS: [row]})
    keyed = read(tmp_path, {"comments/post_comments.json": {"comments_media_comments": [row]}})
    reels = read(tmp_path, {"comments/reels_comments.json": {"comments_reels_comments": [row]}})
    alone = read(tmp_path, {COMMENTS: row})
    for items in (bare, keyed, reels, alone):
        record = only(items)
        assert (record.text, record.surface, record.audience) == ("So nice", "comment", "unknown")
        assert record.created_at == datetime.fromtimestamp(AT, UTC)
        assert record.author == ACCOUNT
    assert only(bare).id == only(keyed).id == only(reels).id == only(alone).id


def test_a_comment_of_one_word_is_told_from_its_owner(tmp_path):
    items = read(tmp_path, {COMMENTS: [
        remark(Comment="nice", Media_Owner="member_2", Time=AT),
        remark(Ummæli="nice", Eigandi="member_2", Tími=AT + 1),
        remark(Media_Owner="member_2", Time=AT),
    ]})  # fmt: skip
    assert texts(items) == ["nice", "nice"]
    assert skipped(items) == {"nothing in it": 1}


def test_what_was_archived_or_deleted_stays_out_and_leaves(tmp_path):
    archived = "media/archived_posts/202407/1_n_1.webp"
    before = read(tmp_path, {POSTS: [single("Regretted"), single("Gone", "m/2.jpg")]})
    items = read(tmp_path, {
        f"{MEDIA}/archived_posts.json": {"ig_archived_post_media": [single("Regretted", archived)]},
        f"{MEDIA}/recently_deleted_content.json":
            {"ig_recently_deleted_media": [single("Gone", "m/2.jpg")]},
        POSTS: [single("Kept", "m/3.jpg"), single("Gone", "m/2.jpg")],
        archived: b"x",
    })  # fmt: skip
    assert texts(items) == ["Kept"]
    assert skipped(items) == {"archived by its author": 1, "deleted by its author": 2}
    assert {r.id for r in records(before)} == {i.id for i in items if isinstance(i, Delete)}


def test_both_dialects_of_likes_and_views(tmp_path):
    url = "https://www.instagram.com/p/AbC/"
    old = {"title": "member_2", "string_list_data": [{"href": url, "value": "👍", "timestamp": AT}]}
    new = {
        "timestamp": AT,
        "fbid": "1",
        "media": [],
        "label_values": [
            {"label": "URL", "value": url, "href": url},
            {"dict": [{"dict": [
                {"label": "URL", "value": "https://www.instagram.com/member_2"},
                {"label": "Name", "value": "Member Two"},
                {"label": "Username", "value": "member_2"}], "title": ""}], "title": "Owner"},
        ],
    }  # fmt: skip
    owner_first = {"timestamp": AT, "label_values": new["label_values"][::-1]}
    story = {"title": "member_2", "string_list_data": [{"timestamp": AT}]}
    seen = {"string_map_data": {"Auteur": {"value": "member_3"}, "Tijd": {"timestamp": AT}}}
    items = read(tmp_path, {
        "likes/liked_posts.json": {"likes_media_likes": [old]},
        "likes/liked_comments.json": {"likes_comment_likes": [old | {"title": "x"}]},
        "your_instagram_activity/likes/liked_posts_1.json": [new, owner_first, {"timestamp": AT}],
        "story_interactions/story_likes.json": {"story_activities_story_likes": [story]},
        "ads_information/ads_and_topics/posts_viewed.json":
            {"impressions_history_posts_seen": [seen]},
        "ads_information/ads_and_topics/videos_watched.json": [new],
    })  # fmt: skip
    assert [(s.verb, s.object, s.at.timestamp()) for s in reactions(items)] == [
        ("like", url, AT), ("like", url, AT), ("like", url, AT), ("like", url, AT),
        ("like", "instagram:member_2", AT), ("view", "instagram:member_3", AT), ("view", url, AT),
    ]  # fmt: skip
    assert {seen.actor for seen in reactions(items)} == {ACCOUNT}
    assert [r.where for r in rejected(items)] == ["item 3"]


def test_reactions_of_nobody_known_are_counted(tmp_path):
    like = {"title": "member_2", "string_list_data": [{"timestamp": AT}]}
    path = zipped(tmp_path, {"liked_posts.json": {"likes_media_likes": [like]}}, "export.zip")
    assert skipped(items_of(path)) == {"reaction of an unknown account": 1}


def test_exports_of_before_2021(tmp_path):
    def old(caption, path):
        return {"caption": caption, "taken_at": "2018-01-02T03:04:05+00:00", "path": path}

    items = items_of(zipped(tmp_path, {
        "profile.json": {"username": "member_1", "private_account": False, "gender": "female"},
        "media.json": {
            "photos": [old("Old photo", "photos/201801/1.jpg") | {"location": "A place"}],
            "stories": [old("", "stories/201801/2.jpg")],
            "videos": [old("Old video", "videos/201801/3.mp4")],
            "profile": [old("Me", "profile/201801/4.jpg")],
            "direct": [old("For your eyes", "direct/201801/5.jpg"), old("", "direct/6.jpg")],
        },
        "comments.json": {"media_comments": [["2018-01-02T03:04:05", "Great", "member_2"]],
                          "live_comments": [["2018-01-02T03:04:05", "Live", "member_2"], []]},
        "likes.json": {"media_likes": [["2018-01-02T03:04:05", "member_2"], ["2018"]]},
        "photos/201801/1.jpg": b"x", "stories/201801/2.jpg": b"x", "direct/201801/5.jpg": b"x",
    }, "member_1_20190101.zip"))  # fmt: skip
    assert [(r.surface, r.text, r.audience) for r in records(items)] == [
        ("comment", "Great", "unknown"), ("comment", "Live", "unknown"),
        ("post", "Old photo", "public"), ("post", "Old video", "public"), ("story", "", "unknown"),
    ]  # fmt: skip
    assert {record.author for record in records(items)} == {ACCOUNT}
    assert {r.created_at for r in records(items)} == {datetime(2018, 1, 2, 3, 4, 5, tzinfo=UTC)}
    assert [i.kind for i in items if isinstance(i, Refused)] == [messages.META] * 2
    assert [s.object for s in reactions(items)] == ["instagram:member_2"]
    assert len(rejected(items)) == 1
    assert "direct/201801/5.jpg" not in repr(items)


@pytest.mark.parametrize("name", [f"{MEDIA}/posts_1.html", "content/posts_1.html"])
def test_html_exports_are_refused_with_what_to_do(tmp_path, name):
    page = b'<html><div class="pam _3-95 _2ph- _a6-g uiBoxWhite noborder">'
    with pytest.raises(InputError, match="as HTML") as caught:
        find([zipped(tmp_path, {name: page}, NAME)])
    assert "docs/sources/instagram.md" in caught.value.hint


def test_documents_of_others_are_not_claimed(tmp_path):
    path = zipped(tmp_path, {
        "posts_1.html": b"<html>a blog",
        "posts.json": [{"id": 1, "title": "x", "userId": 1}],
        "stories.json": {"ig": 1},
        "media.json": {"photos": [{"id": 1}]},
        "comments.json": {"media": []},
        "profile.json": {"username": "x"},
        INSTAGRAM_PROFILE: instagram_profile(),
    }, "site.zip")  # fmt: skip
    assert not instagram.claims(open_tree(path))
