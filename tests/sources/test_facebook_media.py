"""Facebook's albums, photos, videos and reels, and what comes with them."""

from tests.sources.facebook_exports import ACTIVITY, ALBUM, BEACH, read
from tests.sources.meta_exports import (
    AT,
    POSTS,
    facebook_post,
    only,
    photo,
    records,
    skipped,
    texts,
)


def test_albums_photos_and_videos(tmp_path):
    album = {
        "name": "Mobile uploads",
        "photos": [
            photo(BEACH, "At the sea") | {"comments": [{"author": "Member Two", "comment": "Ah"}]},
            photo("p/new.jpg", "Only in the album"),
        ],
        "cover_photo": photo(BEACH),
        "last_modified_timestamp": AT,
        "description": "Our summer",
    }
    video = {"uri": "p/v.mp4", "creation_timestamp": AT, "title": "", "description": "It moves"}
    items = read(tmp_path, {
        POSTS: [facebook_post("At the sea", AT - 5, (photo(BEACH, "At the sea"),))],
        ALBUM: album,
        f"{ACTIVITY}/posts/your_uncategorized_photos.json":
            {"other_photos_v2": [photo("p/new.jpg"), photo("p/other.jpg", "Elsewhere")]},
        f"{ACTIVITY}/posts/your_videos.json": {"videos_v2": [video]},
        BEACH: b"x",
        "p/v.mp4": b"x",
    })  # fmt: skip
    assert [(r.surface, r.text) for r in records(items)] == [
        ("post", "At the sea"), ("photo", "Only in the album"), ("post", "Our summer"),
        ("photo", "Elsewhere"), ("post", "It moves"),
    ]  # fmt: skip
    assert skipped(items) == {"repeated in the export": 2}
    assert records(items)[-1].media[0].kind == "video"


def test_reels_have_their_transcripts(tmp_path):
    video = photo("r/1.mp4", "Watch") | {
        "media_metadata": {"video_metadata": {"subtitles": {"uri": "r/1.srt"}}}
    }
    srt = "1\r\n00:00:00,000 --> 00:00:02,000\r\n<i>Hello</i>\r\nall\r\n\r\n2\r\n0:2 --> …\r\n7\r\n"
    items = read(tmp_path, {
        "reels/your_reels.json": {"lasso_videos_v2": [facebook_post("Watch", media=(video,))]},
        "r/1.mp4": b"x",
        "r/1.srt": srt.encode(),
    })  # fmt: skip
    record = only(items)
    assert (record.surface, record.media[0].transcript) == ("reel", "Hello\nall")


def test_polls_are_their_authors_words_and_stickers_nobodys(tmp_path):
    poll = {"question": "Tea?", "options": [{"option": "Yes", "vote_count": 1}, {"option": "No"}]}
    asked = {"timestamp": AT, "attachments": [{"data": [{"poll": poll}]}]}
    sticker = facebook_post("", AT + 1, ({"uri": "posts/media/stickers_used/8.png"},))
    items = read(tmp_path, {
        f"{ACTIVITY}/groups/group_posts_and_comments.json": {"group_posts_v2": [asked, sticker]},
        "posts/media/stickers_used/8.png": b"x",
    })  # fmt: skip
    assert texts(items) == ["Tea?\nYes\nNo"]
    assert skipped(items) == {"nothing in it": 1}


def test_media_that_are_elsewhere(tmp_path):
    far = facebook_post("", media=(photo("https://scontent.fbcdn.net/1.jpg", "Far away"),))
    other_part = facebook_post("", AT + 1, (photo("posts/media/1.jpg"),))
    items = read(tmp_path, {POSTS: [far, other_part]})
    assert (only(items).text, only(items).media) == ("Far away", ())
    assert skipped(items) == {"nothing in it": 1}
