"""X archives: tweets as they were meant, and never one that was not for everybody."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Delete, Interaction, Upsert
from sayso.content.record import Medium
from sayso.errors import InputError
from sayso.sources import x
from sayso.sources.items import Refused, Rejected, Skipped
from tests.sources.trees import (
    LOOSE,
    damaged,
    everything,
    of_kind,
    put,
    records,
    survives,
    tree_of,
    with_loose_fields,
    zipped,
)

ACCOUNT = {
    "email": "member-1@example.org",
    "createdVia": "web",
    "username": "member_one",
    "accountId": "1000000001",
    "createdAt": "2011-06-23T13:04:14.000Z",
    "accountDisplayName": "Member One",
}
TWEET = {
    "edit_info": {
        "initial": {
            "editTweetIds": ["1765000000000000001"],
            "editableUntil": "2024-03-05T15:02:11.000Z",
            "editsRemaining": "5",
            "isEditEligible": True,
        }
    },
    "retweeted": False,
    "source": '<a href="https://mobile.twitter.com" rel="nofollow">Twitter Web App</a>',
    "entities": {"hashtags": [], "symbols": [], "user_mentions": [], "urls": []},
    "display_text_range": ["0", "22"],
    "favorite_count": "2",
    "id_str": "1765000000000000001",
    "truncated": False,
    "retweet_count": "0",
    "id": "1765000000000000001",
    "created_at": "Tue Mar 05 14:02:11 +0000 2024",
    "favorited": False,
    "full_text": "low tide &amp; a long walk",
    "lang": "en",
}


def js(variable: str, key: str, *entries: object, part: int = 0) -> str:
    listed = json.dumps([{key: entry} for entry in entries], indent=2)
    return f"window.YTD.{variable}.part{part} = {listed}"


def tweets(*entries: object, variable: str = "tweets", part: int = 0) -> str:
    return js(variable, "tweet", *entries, part=part)


def archive(*entries: object, **files: object) -> dict[str, object]:
    """An archive with these tweets; other files by name, '-' written '_'."""
    base = {"account": js("account", "account", ACCOUNT), "tweets": tweets(*entries)}
    named = {name.replace("_", "-"): content for name, content in (base | files).items()}
    return {f"data/{name}.js": content for name, content in named.items() if content is not None}


def read(files: dict[str, object]):
    return list(x.read(tree_of(files)))


def one(tweet: dict[str, object], **files: object):
    (record,) = records(read(archive(tweet, **files)))
    return record


def protection(*changes: tuple[str, str]) -> str:
    entries = [{"protectedAt": at, "action": action} for at, action in changes]
    return js("protected_history", "protectedHistory", *entries)


def test_a_whole_tweet():
    record = one(
        TWEET
        | {
            "entities": {
                "hashtags": [{"text": "pier", "indices": ["0", "5"]}],
                "user_mentions": [{"screen_name": "member_two", "id_str": "2"}],
                "urls": [{"url": "https://t.co/abc", "expanded_url": "https://example.org/tide"}],
            },
            "full_text": "@member_two low &lt;tide&gt; &amp; https://t.co/abc #pier",
            "in_reply_to_status_id_str": "1764999999999999999",
            "possibly_sensitive": True,
        }
    )
    assert (record.id, record.rev, record.service) == ("x:1765000000000000001", 1, "x")
    assert (record.surface, record.reply_to) == ("comment", "x:1764999999999999999")
    assert (record.author, record.age_band) == ("acct:member_one@x.com", "")
    assert (record.audience, record.audience_source) == ("public", "derived")
    assert record.created_at == datetime(2024, 3, 5, 14, 2, 11, tzinfo=UTC)
    assert (record.date_state, record.language, record.sensitive) == ("given", "en", True)
    assert record.text == "@member_two low <tide> & https://example.org/tide #pier"
    assert record.mentions == ("acct:member_two@x.com",)
    assert (record.tags, record.source) == (("pier",), "x-archive")
    assert record.url == "https://x.com/member_one/status/1765000000000000001"


def test_what_the_account_file_says_beside_the_name_is_not_taken():
    items = read(archive(TWEET))
    assert items[0] == AccountUpdate("acct:member_one@x.com", "x")
    assert "member-1@example.org" not in repr(items)
    assert "Member One" not in repr(items)


def test_all_parts_are_read_in_their_order():
    files = archive(TWEET | {"id_str": "1"})
    for part in (10, 2, 1):
        files[f"data/tweets-part{part}.js"] = tweets(TWEET | {"id_str": f"{part}00"}, part=part)
    assert [record.id for record in records(read(files))] == ["x:100", "x:200", "x:1000", "x:1"]


def test_archives_before_2022_call_the_file_and_its_pictures_otherwise():
    picture = {"type": "photo", "media_url_https": "https://pbs.twimg.com/media/AbC.jpg"}
    tweet = TWEET | {"extended_entities": {"media": [picture]}}
    files = archive(tweets=None, tweet=tweets(tweet, variable="tweet"))
    files["data/tweet_media/1765000000000000001-AbC.jpg"] = b"jpeg"
    (record,) = records(read(files))
    assert record.media == (Medium("data/tweet_media/1765000000000000001-AbC.jpg"),)


def test_entries_without_a_key_around_them():
    bare = "window.YTD.tweet.part0 = " + json.dumps([TWEET])
    assert records(read(archive(tweets=bare)))[0].id == "x:1765000000000000001"


@pytest.mark.parametrize(
    ("lang", "language"), [("und", ""), ("qme", ""), ("zxx", ""), ("in", "id"), ("de", "de")]
)
def test_a_language_that_is_none_is_left_to_detection(lang, language):
    assert one(TWEET | {"lang": lang}).language == language


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("Tue Mar 05 14:02:11 +0000 2024", "given"),
        ("2024-03-05T14:02:11.000Z", "given"),
        ("Thu Jan 01 00:00:00 +0000 1970", "unreadable"),
        ("Xyz Anm 05 14:02:11 +0000 2024", "unreadable"),
        ("Fri Feb 30 14:02:11 +0000 2024", "unreadable"),
        (12, "unreadable"),
        (["x"], "unreadable"),
        (None, "absent"),
    ],
)
def test_dates(written, state):
    assert one(TWEET | {"created_at": written}).date_state == state


def test_pictures_are_found_and_their_links_are_no_words():
    photo = {
        "type": "photo",
        "url": "https://t.co/pic",
        "media_url_https": "https://pbs.twimg.com/media/AbC.jpg",
        "ext_alt_text": "a pier at low tide",
    }
    variants = [{"url": "https://video.twimg.com/tweet_video/x/pl.m3u8"}]
    variants += [{"url": "https://video.twimg.com/v/Xy.mp4?tag=12", "bitrate": "832000"}]
    video = {"type": "video", "url": "https://t.co/pic", "video_info": {"variants": variants}}
    gone = {"type": "photo", "media_url_https": "https://pbs.twimg.com/media/Gone.jpg"}
    tweet = TWEET | {
        "full_text": "low tide https://t.co/pic",
        "entities": {"media": [photo]},
        "extended_entities": {"media": [photo, video, gone]},
    }
    files = archive(tweet)
    folder = "data/tweets_media/1765000000000000001-"
    files |= {
        f"{folder}AbC.jpg": b"jpeg",
        f"{folder}Xy.mp4": b"mp4",
        "data/tweets_media/o.jpg": b"",
    }
    tree = tree_of(files)
    (record,) = records(x.read(tree))
    assert record.text == "low tide"
    assert record.media == (
        Medium(f"{folder}AbC.jpg", "image", "a pier at low tide"),
        Medium(f"{folder}Xy.mp4", "video"),
    )
    assert tree.get(f"{folder}AbC.jpg").used
    assert not tree.get("data/tweets_media/o.jpg").used


def test_alt_texts_stand_for_pictures_that_are_missing_and_no_more():
    picture = {"type": "photo", "ext_alt_text": "a pier", "media_url": "https://x/media/1.jpg"}
    tweet = TWEET | {"full_text": "", "extended_entities": {"media": [picture]}}
    assert one(tweet).media == (Medium("", "image", "a pier"),)
    del picture["ext_alt_text"]
    assert read(archive(tweet))[1:] == [Skipped("nothing in it")]


@pytest.mark.parametrize("host", ["twitter.com", "x.com", "mobile.twitter.com"])
def test_a_quoted_tweet_is_a_link_at_the_end(host):
    link = {"url": "https://t.co/q", "expanded_url": f"https://{host}/member_two/status/77?s=20"}
    tweet = TWEET | {"entities": {"urls": [link]}, "full_text": "so true\nhttps://t.co/q"}
    assert (one(tweet).text, one(tweet).quote_of) == ("so true", "x:77")
    tweet["full_text"] = "see https://t.co/q there"
    assert one(tweet).quote_of == ""
    assert f"{host}/member_two/status/77" in one(tweet).text
    assert one(tweet | {"quoted_status_id_str": "78"}).quote_of == "x:78"


def test_retweets_are_somebody_elses_words():
    items = read(
        archive(
            TWEET | {"full_text": "RT @member_two: low tide"},
            TWEET | {"retweeted_status": {"id_str": "5"}},
        )
    )
    assert items[1:] == [Skipped("retweet")] * 2


LONG = "low tide " * 60


def note(text: str = LONG, at: str = "2024-03-05T14:02:11.000Z", **core: object) -> str:
    entry = {"noteTweetId": "9", "createdAt": at, "core": {"text": text, **core}}
    return js("note_tweet", "noteTweet", entry)


def test_a_cut_text_is_replaced_by_the_whole_one():
    cut = TWEET | {"full_text": "@member_two " + LONG[:260] + "… https://t.co/long"}
    assert one(cut, note_tweet=note()).text == LONG.strip()
    urls = [{"shortUrl": "https://t.co/n", "expandedUrl": "https://example.org/n"}]
    record = one(cut, note_tweet=note(LONG + "&amp; https://t.co/n", urls=urls))
    assert record.text == LONG + "& https://example.org/n"


@pytest.mark.parametrize(
    "other", [note("high tide " * 60), note(at="2024-03-05T14:03:11.000Z"), note(LONG[100:130])]
)
def test_a_long_text_of_another_tweet_replaces_nothing(other):
    cut = TWEET | {"full_text": "so: " + LONG[:260] + "…"}
    items = read(archive(cut, note_tweet=other))
    assert records(items)[0].text.endswith("…")
    assert items[-1] == Skipped("long text without its tweet", 1)


def test_of_an_edited_tweet_only_the_newest_version_is_kept():
    ids = ["1765000000000000001", "1765000000000000002", "1765000000000000003"]
    first = TWEET | {"edit_info": {"initial": {"editTweetIds": ids}}}
    edit = {"initialTweetId": ids[0], "editControlInitial": {"editTweetIds": ids}}
    second, third = (
        TWEET | {"id_str": each, "full_text": each[-1], "edit_info": {"edit": edit}}
        for each in ids[1:]
    )
    items = read(archive(third, second, first))
    assert [record.text for record in records(items)] == ["3"]
    assert items.count(Skipped("earlier edit")) == 2
    # An earlier version that came with an older archive goes.
    assert of_kind(items, Delete) == [Delete(f"x:{each}", "edited") for each in ids[:2]]


def test_deleted_tweets_are_counted_and_go_if_they_had_come():
    gone = tweets(TWEET, {"id_str": "5"}, variable="deleted_tweets")
    items = read(archive(deleted_tweets=gone))
    assert items[1:] == [
        Skipped("deleted by its author"),
        Delete("x:1765000000000000001", "deleted by its author"),
        Skipped("deleted by its author"),
        Delete("x:5", "deleted by its author"),
    ]


CIRCLE = {"id_str": "1600000000000000001", "created_at": "Tue Dec 06 05:00:00 +0000 2022"}


@pytest.mark.parametrize("variable", ["twitter_circle_tweet", "tweet", "tweets"])
def test_tweets_to_a_circle_are_never_taken_even_where_they_stand_among_the_others(variable):
    listed = tweets(TWEET | CIRCLE, variable=variable)
    files = archive(TWEET, TWEET | CIRCLE, twitter_circle_tweet=listed)
    items = read(files)
    assert [record.id for record in records(items)] == ["x:1765000000000000001"]
    assert items.count(Skipped("posted to a circle")) == 2


@pytest.mark.parametrize(
    ("fields", "listed", "audience"),
    [
        ({}, None, "public"),
        (CIRCLE, None, "unknown"),
        (CIRCLE, [], "public"),
        (CIRCLE | {"in_reply_to_status_id_str": "1600000000000000000"}, [], "unknown"),
        ({"in_reply_to_status_id_str": "1600000000000000000"}, None, "unknown"),
        ({"in_reply_to_status_id_str": "1500000000000000000"}, None, "public"),
    ],
)
def test_without_a_list_of_circle_tweets_those_of_their_time_may_be_some(fields, listed, audience):
    circles = None if listed is None else tweets(variable="twitter_circle_tweet")
    assert one(TWEET | fields, twitter_circle_tweet=circles).audience == audience


def test_a_list_of_circle_tweets_with_gaps_is_not_the_whole_list():
    for gap in ({"full_text": "x"}, "x", TWEET | {"full_text": "\ud83d"}):
        listed = tweets(gap, {"id_str": "1600000000000000002"}, variable="twitter_circle_tweet")
        files = archive(
            TWEET | CIRCLE, TWEET | {"id_str": "1600000000000000002"}, twitter_circle_tweet=listed
        )
        assert [record.audience for record in records(read(files))] == ["unknown"]


BEFORE, AFTER = "2024-01-01T00:00:00.000Z", "2024-06-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "audience"),
    [
        ([], "public"),
        ([(BEFORE, "Protect"), (AFTER, "Unprotect")], "followers"),
        ([(AFTER, "Unprotect")], "followers"),
        ([(BEFORE, "Unprotect")], "public"),
        ([(BEFORE, "Protect")], "followers"),
        ([(AFTER, "Protect")], "followers"),
        ([(AFTER, "Unprotect"), (BEFORE, "Protect")], "followers"),
        (
            [(BEFORE, "Unprotect"), ("2024-05-01T00:00:00.000Z", "Protect"), (AFTER, "Unprotect")],
            "public",
        ),
        ([(BEFORE, "vanish")], "unknown"),
        ([("once", "Unprotect")], "unknown"),
    ],
)
def test_a_protected_account_posts_for_its_followers(changes, audience):
    assert one(TWEET, protected_history=protection(*changes)).audience == audience


def test_an_account_that_is_protected_now_is_private():
    items = read(archive(TWEET, protected_history=protection((AFTER, "Protect"))))
    assert items[0] == AccountUpdate("acct:member_one@x.com", "x", state="private")
    items = read(archive(TWEET, protected_history=protection((BEFORE, "Unprotect"))))
    assert items[0] == AccountUpdate("acct:member_one@x.com", "x")


def test_without_the_account_file_nothing_is_known():
    record = one(TWEET, account=None)
    assert (record.author, record.audience, record.audience_source) == ("", "unknown", "")


@pytest.mark.parametrize(
    ("info", "band"),
    [
        ({"age": ["35"], "birthDate": "1990-02-03"}, "adult"),
        ({"age": ["15"]}, "minor"),
        ({"birthDate": "2020-02-03"}, "minor"),
        ({"age": ["13-54"]}, "unknown"),
        ({"age": ["35"], "birthDate": "2020-02-03"}, "unknown"),
        ({"birthDate": "long ago"}, "unknown"),
        ({}, ""),
    ],
)
def test_age(info, band):
    age = js("ageinfo", "ageMeta", {"ageInfo": info})
    assert read(archive(TWEET, ageinfo=age))[0].age_band == band


def test_an_inferred_age_is_none():
    age = js("ageinfo", "ageMeta", {"inferredAgeInfo": {"age": ["35"]}})
    assert read(archive(TWEET, ageinfo=age))[0].age_band == ""


def test_community_tweets_are_for_their_group():
    tweet = TWEET | {"community_id_str": "1611"}
    files = archive(tweets=None, community_tweet=tweets(tweet, variable="community_tweet"))
    (record,) = records(read(files))
    assert (record.audience, record.container) == ("group", "x:community/1611")
    files = archive(tweets=None, community_tweet=tweets(TWEET, variable="community_tweet"))
    assert records(read(files))[0].audience == "group"


def test_likes_are_reactions_without_the_words_of_others():
    like = {"tweetId": "200", "fullText": "secret", "expandedUrl": "https://twitter.com/i/web/200"}
    items = read(archive(like=js("like", "like", like, {"fullText": "secret"})))
    assert items[1] == Interaction("acct:member_one@x.com", "like", "x:200")
    assert isinstance(items[2], Rejected)
    assert "secret" not in repr(items)
    items = read(archive(account=None, like=js("like", "like", like)))
    assert items == [Skipped("like of an unknown account")]


def test_headers_and_other_files_are_not_tweets():
    header = js("tweet_headers", "tweet", {"tweet_id": "5", "user_id": "1"})
    circle = js("twitter_circle", "twitterCircle", {"id": "1"})
    tree = tree_of(archive(TWEET, tweet_headers=header, twitter_circle=circle))
    assert len(records(x.read(tree))) == 1
    assert not tree.get("data/tweet-headers.js").used
    assert not tree.get("data/twitter-circle.js").used
    assert not x.claims(tree_of({"data/tweet-headers.js": header}))
    assert not x.claims(tree_of({"app.js": "window.YTD = {}", "tweets.js": "let tweets = []"}))


def test_each_archive_in_a_tree_has_its_own_owner():
    other = archive(TWEET | {"id_str": "7"}, account=js("account", "account", {"username": "b"}))
    files = {f"one/{name}": content for name, content in archive(TWEET).items()}
    files |= {f"two/x/{name}": content for name, content in other.items()}
    found = {record.id: record.author for record in records(read(files))}
    assert found == {"x:1765000000000000001": "acct:member_one@x.com", "x:7": "acct:b@x.com"}


def test_a_file_alone_is_enough_and_so_is_a_zip(tmp_path):
    put(tmp_path, {"tweets.js": archive(TWEET)["data/tweets.js"]})
    assert records(everything(tmp_path / "tweets.js"))[0].audience == "unknown"
    path = zipped(tmp_path / "twitter-2024.zip", archive(TWEET))
    assert records(everything(path))[0].audience == "public"


def test_direct_messages_are_refused_by_any_name(tmp_path):
    conversation = {"conversationId": "1-2", "messages": [{"messageCreate": {"text": "secret"}}]}
    messages = js("direct_messages", "dmConversation", conversation)
    names = ("direct-messages", "direct-message-group-headers", "grok-chat-item", "renamed")
    path = zipped(tmp_path / "x.zip", archive(TWEET, **dict.fromkeys(names, messages)))
    items = everything(path)
    assert of_kind(items, Refused) == [Refused("x-direct-messages")] * len(names)
    assert "secret" not in repr(items)
    # Even one by one, among tweets.
    items = read(archive(TWEET, conversation, {"dmConversation": conversation}))
    assert "secret" not in repr(items)
    assert Refused("x-direct-messages") in items


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (12, "object"),
        ({"tweet": [1]}, "object"),
        ({"tweet": {"full_text": "secret"}}, "id"),
        ({"tweet": {"id_str": "12x", "full_text": "secret"}}, "id"),
        ({"tweet": {"id_str": "1", "full_text": "\ud83d"}}, "surrogate"),
        ({"tweet": {"id_str": "1", "full_text": "x" * 1_000_001}}, "longer"),
    ],
)
def test_what_is_no_tweet_is_rejected_and_the_others_are_read(entry, reason):
    text = "window.YTD.tweets.part0 = " + json.dumps([entry, {"tweet": TWEET}])
    items = read(archive(tweets=text))
    (rejected,) = of_kind(items, Rejected)
    assert reason in rejected.reason
    assert (rejected.file, rejected.where, rejected.raw) == ("data/tweets.js", "item 1", None)
    assert "secret" not in repr(items)
    assert len(records(items)) == 1


@pytest.mark.parametrize(
    "broken", [tweets(TWEET)[:-9], tweets(TWEET) + "]", "window.YTD.tweets.part0 = {"]
)
def test_a_broken_file_stops_the_import(broken):
    with pytest.raises(InputError, match=r"tweets\.js"):
        read(archive(tweets=broken))


FULL = TWEET | {
    "in_reply_to_status_id_str": "5",
    "extended_entities": {"media": [{"type": "photo", "url": "https://t.co/p"}]},
    "quoted_status_id_str": "6",
    "community_id_str": "7",
    "possibly_sensitive": True,
    "retweeted_status": {},
}


@given(st.lists(st.one_of(LOOSE, with_loose_fields(FULL)), max_size=4), st.booleans())
def test_no_fields_break_the_reading(entries, known):
    texts = "window.YTD.tweets.part0 = " + json.dumps([{"tweet": entry} for entry in entries])
    files = archive(tweets=texts, account=archive()["data/account.js"] if known else None)
    items = read(files)
    assert len(of_kind(items, Upsert) + of_kind(items, Skipped) + of_kind(items, Rejected)) == len(
        entries
    )
    for record in records(items):
        assert record.id.removeprefix("x:").isdecimal()
        assert record.audience in (
            ("public", "unknown", "group") if known else ("unknown", "group")
        )
        json.dumps([record.text, record.id, record.reply_to], ensure_ascii=False).encode()


@given(LOOSE, LOOSE, LOOSE, LOOSE, LOOSE)
def test_no_small_file_breaks_the_reading(account, age, history, text, like):
    files = archive(
        TWEET,
        account=js("account", "account", account),
        ageinfo=js("ageinfo", "ageMeta", age, {"ageInfo": age}),
        protected_history=js("protected_history", "protectedHistory", history),
        note_tweet=js("note_tweet", "noteTweet", text, {"core": text, "createdAt": BEFORE}),
        like=js("like", "like", like),
    )
    (record,) = records(read(files))
    assert record.audience == "unknown"


@given(st.data())
def test_damage_anywhere_is_an_error_or_none(data):
    files = archive(FULL, protected_history=protection((BEFORE, "Protect")), note_tweet=note())
    name = data.draw(st.sampled_from(sorted(files)))
    survives(x.read, files | {name: data.draw(damaged(files[name]))})
