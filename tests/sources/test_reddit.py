"""Reddit: dumps, listings and members' exports; inboxes and chats are refused."""

import json
from datetime import UTC, datetime

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Upsert
from sayso.errors import InputError
from sayso.sources import reddit
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

COMMENT = {
    "id": "h4x2k1q",
    "author": "member_one",
    "author_flair_text": None,
    "body": "low tide &amp; a long walk",
    "created_utc": 1625000000,
    "edited": False,
    "link_id": "t3_oa1b2c",
    "parent_id": "t1_h4x0000",
    "permalink": "/r/thepier/comments/oa1b2c/the_tide/h4x2k1q/",
    "score": 3,
    "subreddit": "thepier",
    "subreddit_id": "t5_2qh0u",
}
POST = {
    "id": "oa1b2c",
    "author": "member_one",
    "title": "The tide",
    "selftext": "It is &lt;low&gt;.",
    "created_utc": "1625000000",
    "edited": 1625000100.0,
    "is_self": True,
    "over_18": True,
    "permalink": "/r/thepier/comments/oa1b2c/the_tide/",
    "subreddit": "thepier",
    "url": "https://www.reddit.com/r/thepier/comments/oa1b2c/the_tide/",
}
AT = datetime(2021, 6, 29, 20, 53, 20, tzinfo=UTC)


def item(thing: object):
    (found,) = reddit.parse(json.dumps(thing).encode(), "RC_2021-06", 4)
    return found


def one(thing: object):
    found = item(thing)
    assert isinstance(found, Upsert), found
    return found.record


def listing(*children: object, after: str | None = None):
    return {"kind": "Listing", "data": {"after": after, "dist": 1, "children": list(children)}}


def read(files: dict[str, object], name: str = "export"):
    return list(reddit.read(tree_of(files, name)))


def test_a_whole_comment():
    record = one(COMMENT)
    assert (record.id, record.rev, record.service) == ("reddit:t1_h4x2k1q", 1, "reddit")
    assert (record.surface, record.reply_to) == ("comment", "reddit:t1_h4x0000")
    assert (record.author, record.kind, record.age_band) == ("acct:member_one@reddit.com", "", "")
    assert (record.audience, record.audience_source) == ("public", "derived")
    assert (record.created_at, record.date_state, record.edited_at) == (AT, "given", None)
    assert (record.text, record.sensitive) == ("low tide & a long walk", False)
    assert record.container == "reddit:r/thepier"
    assert record.url == "https://www.reddit.com/r/thepier/comments/oa1b2c/the_tide/h4x2k1q/"
    assert record.source == "reddit"


def test_a_whole_submission():
    record = one(POST | {"name": "t3_oa1b2c"})
    assert (record.id, record.surface, record.reply_to) == ("reddit:t3_oa1b2c", "post", "")
    assert record.text == "The tide\n\nIt is <low>."
    assert (record.rev, record.sensitive) == (1625000100000, True)
    assert record.created_at == AT
    assert one(POST | {"selftext": ""}).text == "The tide"


@pytest.mark.parametrize(
    ("fields", "parent"),
    [
        ({"parent_id": "t3_oa1b2c"}, "reddit:t3_oa1b2c"),
        ({"parent_id": 3714861}, "reddit:t3_oa1b2c"),
        ({"parent_id": None, "link_id": None}, ""),
        ({"parent_id": "h4x0000"}, "reddit:t3_oa1b2c"),
    ],
)
def test_what_a_comment_answers(fields, parent):
    assert one(COMMENT | fields).reply_to == parent


@pytest.mark.parametrize(
    ("written", "state"),
    [
        *[(moment, "given") for moment in (1625000000, "1625000000", 1625000000.0)],
        *[(moment, "absent") for moment in (None, "")],
        *[(moment, "unreadable") for moment in (0, "soon", True, 1e300, [])],
    ],
)
def test_dates(written, state):
    assert one(COMMENT | {"created_utc": written}).date_state == state


@pytest.mark.parametrize("edited", [True, False, None, "x", 0])
def test_an_edit_without_a_time_is_no_revision(edited):
    assert one(COMMENT | {"edited": edited}).rev == 1


@pytest.mark.parametrize(
    ("told", "audience", "source"),
    [
        ("public", "public", "asserted"),
        ("restricted", "public", "asserted"),
        ("user", "public", "asserted"),
        ("private", "group", "asserted"),
        ("employees_only", "group", "asserted"),
        ("gold_only", "unknown", ""),
        (["public"], "unknown", ""),
        (None, "public", "derived"),
    ],
)
def test_audience(told, audience, source):
    record = one(COMMENT | {"subreddit_type": told})
    assert (record.audience, record.audience_source) == (audience, source)


@pytest.mark.parametrize(
    "thing",
    [
        COMMENT | {"body": "[deleted]"},
        COMMENT | {"body": "[removed]\n"},
        COMMENT | {"author": "[deleted]"},
        COMMENT | {"author": None},
        POST | {"selftext": "[removed]"},
        POST | {"title": "[ Removed by Reddit ]"},
        POST | {"removed_by_category": "moderator"},
    ],
)
def test_what_is_gone_is_skipped(thing):
    assert item(thing) == Skipped("deleted")


def test_crossposts_are_somebody_elses():
    assert item(POST | {"crosspost_parent": "t3_abc"}) == Skipped("crosspost")


def test_only_the_automatic_moderator_is_a_bot():
    assert one(COMMENT | {"author": "AutoModerator"}).kind == "bot"
    assert one(COMMENT | {"author": "tide_bot", "author_flair_text": "[bot]"}).kind == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "JSON"),
        (b"[1]", "JSON"),
        (b'{"id":"1","body":"\xff"}', "JSON"),
        (b'{"id":"1","body":"\\ud83d"}', "JSON"),
        (b'{"id":' * 100_000, "JSON"),
        (b'{"id":"1","author":"secret"}', "neither"),
        (b'{"body":"secret","author":"secret"}', "neither"),
        (json.dumps(COMMENT | {"body": "x" * 1_000_001}).encode(), "longer"),
    ],
)
def test_what_is_no_thing_is_rejected(line, reason):
    (found,) = reddit.parse(line, "RC_2021-06", 4)
    assert isinstance(found, Rejected)
    assert (found.file, found.where, found.raw) == ("RC_2021-06", "line 4", None)
    assert reason in found.reason
    assert "secret" not in found.reason


def test_dumps_are_known_by_their_lines_packed_or_not(tmp_path):
    lines = b"\n".join(json.dumps(each).encode() for each in (COMMENT, POST, {"id": "1"}))
    packer = zstandard.ZstdCompressor(write_content_size=False)
    put(tmp_path, {"a/RC_2021-06.zst": packer.compress(lines), "b/plain.ndjson": lines})
    for path in (tmp_path, tmp_path / "a" / "RC_2021-06.zst", tmp_path / "b" / "plain.ndjson"):
        items = everything(path)
        assert {record.id for record in records(items)} == {"reddit:t1_h4x2k1q", "reddit:t3_oa1b2c"}
        assert {item.where for item in of_kind(items, Rejected)} == {"line 3"}


def test_a_listing_with_the_replies_in_it():
    def reply(name: str, *below: object):
        data = COMMENT | {"id": name, "name": f"t1_{name}", "subreddit_type": "public"}
        return {"kind": "t1", "data": data | {"replies": listing(*below) if below else ""}}

    more = {"kind": "more", "data": {"children": ["x"], "count": 3}}
    page = [
        listing({"kind": "t3", "data": POST}),
        listing(reply("a", reply("b"), more), reply("c")),
    ]
    for document in (page, listing(*page[0]["data"]["children"], *page[1]["data"]["children"])):
        found = [record.id for record in records(read({"page.json": document}))]
        assert found == ["reddit:t3_oa1b2c", "reddit:t1_a", "reddit:t1_b", "reddit:t1_c"]


def test_a_thread_of_any_depth_can_be_read():
    page = {"kind": "t1", "data": COMMENT | {"replies": ""}}
    for _ in range(150):
        page = {"kind": "t1", "data": COMMENT | {"replies": listing(page)}}
    assert len(records(read({"page.json": listing(page)}))) == 151


def test_an_inbox_is_refused_message_by_message():
    message = {"id": "m1", "author": "member_two", "dest": "member_one", "body": "secret"}
    inbox = listing(
        {"kind": "t4", "data": message}, {"kind": "t4", "data": {}}, {"kind": "t1", "data": COMMENT}
    )
    items = read({"inbox.json": inbox})
    assert of_kind(items, Refused) == [
        Refused("reddit-messages", "reddit:t4_m1"),
        Refused("reddit-messages"),
    ]
    assert len(records(items)) == 1
    assert "secret" not in repr(items)


def test_what_is_no_child_is_rejected_and_the_others_are_read():
    spoilt = {"kind": "t1", "data": COMMENT | {"body": "\ud83d"}}
    items = read({"x.json": listing("secret", spoilt, {"kind": "t1", "data": COMMENT})})
    assert [item.reason[:6] for item in of_kind(items, Rejected)] == ["expect", "it hol"]
    assert len(records(items)) == 1
    with pytest.raises(InputError, match=r"x\.json"):
        read({"x.json": json.dumps(listing({"kind": "t1", "data": COMMENT}))[:-2]})


POSTS_CSV = (
    "id,permalink,date,ip,subreddit,gildings,title,url,body\r\n"
    "oa1b2c,https://www.reddit.com/r/thepier/comments/oa1b2c/the_tide/,2021-06-29 20:53:20 UTC,"
    'secret,thepier,0,The tide,/r/thepier/comments/oa1b2c/,"It is ""low"",\n& falling"\r\n'
    "oa1b2d,/r/thepier/comments/oa1b2d/x/,2021-06-29 20:53:20 UTC,,thepier,0,Gone,,[removed]\r\n"
)
COMMENTS_CSV = (
    "id,permalink,date,ip,subreddit,gildings,gildings_silver,gildings_supergold,link,parent,body,media\n"
    "h4x2k1q,/r/thepier/comments/oa1b2c/x/h4x2k1q/,2021-06-29 20:53:20 UTC,secret,thepier,0,0,0,"
    "https://www.reddit.com/r/thepier/comments/oa1b2c/x/,,low tide,\n"
    "h4x2k1r,/r/x/,soon,,thepier,0,0,0,/r/thepier/comments/oa1b2c/x/,h4x2k1q,high tide,\n"
    "secret,with,too,many,values,0,0,0,,,,,,,\n"
)
STATISTICS_CSV = (
    "statistic,value\naccount name,member_one\nexport time,2023-05-02 06:57:14 UTC\n"
    "email address,secret@example.org\n"
)
MESSAGES_CSV = "id,permalink,thread_id,date,ip,from,to,subject,body\nm1,,t1,,,a,b,secret,secret\n"
CHAT_CSV = (
    "message_id,created_at,updated_at,username,message,thread_parent_message_id,channel_url,"
    "subreddit,channel_name,conversation_type\n1,,,a,secret,,,x,,direct\n"
)
EXPORT = {
    "posts.csv": POSTS_CSV,
    "comments.csv": "\ufeff" + COMMENTS_CSV,
    "statistics.csv": STATISTICS_CSV,
    "birthdate.csv": "birthdate,verified_birthdate\n1990-02-03,\n",
    "post_votes.csv": "id,permalink,direction\noa1b2c,/r/x/,up\n",
    "ip_logs.csv": "date,ip\n,secret\n",
}


def test_a_members_export():
    items = read(EXPORT)
    update = AccountUpdate("acct:member_one@reddit.com", "reddit", age_band="adult")
    assert of_kind(items, AccountUpdate) == [update]
    first, reply, post = records(items)
    assert (first.id, first.reply_to) == ("reddit:t1_h4x2k1q", "reddit:t3_oa1b2c")
    assert (first.author, first.audience) == (update.account, "unknown")
    assert (first.created_at, first.text, first.surface) == (AT, "low tide", "comment")
    assert (reply.reply_to, reply.date_state) == ("reddit:t1_h4x2k1q", "unreadable")
    assert (post.id, post.surface, post.reply_to) == ("reddit:t3_oa1b2c", "post", "")
    assert post.text == 'The tide\n\nIt is "low",\n& falling'
    assert post.url == "https://www.reddit.com/r/thepier/comments/oa1b2c/the_tide/"
    assert of_kind(items, Skipped) == [Skipped("deleted")]
    rejected = Rejected("comments.csv", "row 3", "no id, or more values than columns")
    assert of_kind(items, Rejected) == [rejected]
    assert "secret" not in repr(items)


def test_inbox_and_chat_of_an_export_are_refused_by_any_name(tmp_path):
    files = EXPORT | {
        "messages.csv": MESSAGES_CSV,
        "messages_archive.csv": MESSAGES_CSV,
        "chat_history.csv": CHAT_CSV,
        "a.csv": MESSAGES_CSV,
        "b.csv": CHAT_CSV,
    }
    items = everything(zipped(tmp_path / "export_member_one_20240102.zip", files))
    assert items.count(Refused("reddit-messages")) == 5
    assert len(records(items)) == 3


@pytest.mark.parametrize(
    ("name", "author"),
    [("export_member_two_20240102.zip", "acct:member_two@reddit.com"), ("export", "")],
)
def test_whose_export_it_is_may_stand_in_its_name(name, author):
    (record,) = records(read({"x/posts.csv": POSTS_CSV}, name))
    assert record.author == author


@pytest.mark.parametrize(
    ("born", "band"), [("1990-02-03", "adult"), ("2020-02-03", "minor"), ("", "unknown")]
)
def test_age(born, band):
    births = f"birthdate,verified_birthdate\n{born},x\n"
    assert read(EXPORT | {"birthdate.csv": births})[0].age_band == band


def test_exports_of_two_members_are_kept_apart():
    other = STATISTICS_CSV.replace("member_one", "member_two")
    files = {f"a/{name}": content for name, content in EXPORT.items()}
    files |= {"b/comments.csv": COMMENTS_CSV.replace("h4x2k1q", "zzz"), "b/statistics.csv": other}
    authors = {record.id: record.author for record in records(read(files))}
    assert authors["reddit:t1_h4x2k1q"] == "acct:member_one@reddit.com"
    assert authors["reddit:t1_zzz"] == "acct:member_two@reddit.com"


def test_other_tables_and_documents_are_not_reddits():
    for name, content in {
        "comments.csv": "Comment ID,Channel ID,Comment Text\n1,2,x\n",
        "posts.csv": b"\xff\xfe\x00",
        "x.json": {"kind": "Listing"},
        "y.json": {"kind": "t1", "data": COMMENT},
        "posts.txt": POSTS_CSV,
    }.items():
        assert not reddit.claims(tree_of({name: content}))


def test_a_table_that_is_not_utf8_stops_the_import():
    for broken in (POSTS_CSV.encode() + b"\xff", POSTS_CSV.encode() + b'"' + b"x" * 200_000):
        with pytest.raises(InputError, match=r"posts\.csv"):
            read({"posts.csv": broken})


FULL = COMMENT | POST | {"subreddit_type": "public", "name": "t1_x", "removed_by_category": None}


@given(st.one_of(LOOSE, with_loose_fields(FULL)))
def test_no_fields_break_the_reading(thing):
    found = item(thing)
    assert isinstance(found, Upsert | Skipped | Rejected)
    if isinstance(found, Upsert):
        record = found.record
        assert record.id.startswith(("reddit:t1_", "reddit:t3_"))
        json.dumps([record.text, record.author, record.id], ensure_ascii=False).encode()


@given(
    st.lists(
        st.one_of(
            LOOSE,
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["t1", "t3", "t4", "more"]),
                    "data": st.one_of(LOOSE, with_loose_fields(FULL | {"replies": listing()})),
                }
            ),
        ),
        max_size=3,
    )
)
def test_no_children_break_the_reading(children):
    items = read({"x.json": listing(*children)})
    assert not [record for record in records(items) if record.id.startswith("reddit:t4")]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_break_a_line(before, after):
    for line in (before, json.dumps(COMMENT).encode() + before, before + b'{"id":"' + after):
        for found in reddit.parse(line, "x", 1):
            assert isinstance(found, Upsert | Skipped | Rejected)


@given(st.lists(st.lists(st.text(max_size=6), min_size=9, max_size=10), max_size=3))
def test_no_cells_break_the_reading(rows):
    header = POSTS_CSV.partition("\r\n")[0]
    body = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
    try:
        items = read({"posts.csv": f"{header}\n{body}\n".encode("utf-8", "surrogatepass")})
    except InputError:
        return
    assert all(isinstance(item, Upsert | Skipped | Rejected) for item in items)


@given(st.data())
def test_damage_anywhere_is_an_error_or_none(data):
    files = EXPORT | {"x.json": listing({"kind": "t1", "data": FULL | {"replies": listing()}})}
    name = data.draw(st.sampled_from(sorted(files)))
    survives(reddit.read, files | {name: data.draw(damaged(files[name]))})
