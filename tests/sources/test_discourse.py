"""Discourse: posts of open categories; private messages, whispers and what is gone stay out."""

import gzip
import io
import json
import tarfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.content.events import Delete, Upsert
from sayso.errors import InputError
from sayso.sources import discourse
from sayso.sources.discourse_post import Recent
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
)

HOST = "forum.example.org"
POST = {
    "id": 20104,
    "name": "Member One",
    "username": "member_one",
    "avatar_template": "/user_avatar/forum.example.org/member_one/{size}/14_2.png",
    "created_at": "2026-01-11T00:34:09.938Z",
    "cooked": "<p>low <em>tide</em></p>",
    "post_number": 3,
    "post_type": 1,
    "posts_count": 30,
    "updated_at": "2026-01-12T00:34:09.938Z",
    "reply_count": 3,
    "reply_to_post_number": None,
    "topic_id": 2144,
    "topic_slug": "the-tide",
    "version": 1,
    "moderator": False,
    "user_id": 84,
    "hidden": False,
    "deleted_at": None,
    "user_deleted": False,
    "mentioned_users": [],
    "post_url": "/t/the-tide/2144/3",
}
LISTED = POST | {"category_id": 9, "topic_title": "The tide", "raw": "low *tide*"}
CATEGORIES = {
    "category_list": {
        "can_create_category": False,
        "categories": [
            {
                "id": 9,
                "name": "Sea",
                "read_restricted": False,
                "subcategory_list": [{"id": 10, "read_restricted": True}],
            },
            {"id": 11, "name": "Staff", "read_restricted": True},
        ],
    }
}


def topic(*posts: object, **fields: object) -> dict[str, object]:
    facts = {
        "id": 2144,
        "title": "The tide",
        "archetype": "regular",
        "visible": True,
        "category_id": 9,
        "deleted_at": None,
    }
    return {"post_stream": {"posts": list(posts), "stream": [20104]}, **facts, **fields}


def read(*documents: object, name: str = "export", categories: object = CATEGORIES):
    files = {f"{number}.json": document for number, document in enumerate(documents)}
    if categories is not None:
        files["categories.json"] = categories
    return list(discourse.read(tree_of(files, name)))


def one(document: object, **more: object):
    (record,) = records(read(document, **more))
    return record


def test_a_whole_post():
    first = LISTED | {"id": 20100, "post_number": 1}
    post = LISTED | {
        "reply_to_post_number": 1,
        "version": 2,
        "locale": "pt_BR",
        "mentioned_users": [{"id": 1, "username": "member_two"}],
    }
    _, record = records(read({"latest_posts": [first, post]}))
    assert (record.id, record.rev, record.service) == (f"discourse:{HOST}/p/20104", 2, HOST)
    assert (record.surface, record.reply_to) == ("comment", f"discourse:{HOST}/p/20100")
    assert (record.author, record.kind, record.age_band) == (f"acct:member_one@{HOST}", "", "")
    assert (record.audience, record.audience_source) == ("public", "derived")
    assert record.created_at == datetime(2026, 1, 11, 0, 34, 9, 938000, tzinfo=UTC)
    assert record.edited_at == datetime(2026, 1, 12, 0, 34, 9, 938000, tzinfo=UTC)
    assert (record.date_state, record.language) == ("given", "pt-BR")
    assert record.text == "low *tide*"
    assert record.container == f"discourse:{HOST}/t/2144"
    assert record.mentions == (f"acct:member_two@{HOST}",)
    assert (record.url, record.source) == (f"https://{HOST}/p/20104", "discourse")


def test_a_topics_title_is_the_first_posts():
    first = POST | {"id": 1, "post_number": 1}
    found = records(read(topic(first, POST)))
    assert [record.text for record in found] == ["The tide\n\nlow tide", "low tide"]
    assert [record.surface for record in found] == ["post", "comment"]
    # Who answers nobody in particular answers the topic.
    assert [record.reply_to for record in found] == ["", found[0].id]


def test_a_reply_to_a_post_that_is_not_there_answers_nothing():
    assert one(topic(POST | {"reply_to_post_number": 2})).reply_to == ""


@pytest.mark.parametrize("shape", ["topic", "topic posts", "list", "webhook", "post", "bare list"])
def test_every_form_of_json(shape, tmp_path):
    documents = {
        "topic": topic(POST),
        "topic posts": {"post_stream": {"posts": [POST]}, "id": 2144},
        "list": {"latest_posts": [LISTED]},
        "webhook": {"post": LISTED | {"topic_archetype": "regular"}},
        "post": LISTED,
        "bare list": [LISTED],
    }
    facts = {"topic_list": {"topics": [{"id": 2144, "archetype": "regular", "category_id": 9}]}}
    put(tmp_path, {"a.json": documents[shape], "b.json": facts, "c.json": CATEGORIES})
    (record,) = records(everything(tmp_path))
    assert (record.id, record.audience) == (f"discourse:{HOST}/p/20104", "public")


def test_cooked_posts_become_text_without_the_words_of_others():
    quote = '<aside class="quote"><div>member_two:</div><blockquote>%s</blockquote></aside>'
    inner = quote % "secret"
    cooked = f"<p>yes</p>{quote % inner}<p>low<br>tide</p><aside class='onebox'>secret</aside>"
    assert one(topic(POST | {"cooked": cooked})).text == "yes\n\nlow\ntide"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('[quote="member_two, post:1, topic:2144"]\nsecret\n[/quote]\n\nlow tide', "low tide"),
        ("[quote]a [QUOTE=b]secret[/QUOTE] c[/quote]low[quote]x[/quote] tide", "low tide"),
        ("low [quote]tide", "low [quote]tide"),
        ("low [/quote]tide", "low [/quote]tide"),
        ("[quote]low [quote=x]secret[/quote] tide", "[quote]low  tide"),
        ("[quotes] low tide [/quotes]", "[quotes] low tide [/quotes]"),
        ("[quote]\n" * 3000 + "[/quote]" * 3000 + "low tide", "low tide"),
    ],
)
def test_quotes_are_cut(raw, text):
    assert one(topic(POST | {"raw": raw})).text == text


def test_html_that_could_take_too_long_is_rejected():
    cooked = "<table><a>low tide" * 20_000
    (item,) = read(topic(POST | {"cooked": cooked}))
    assert isinstance(item, Rejected)


@pytest.mark.parametrize("told", ["topic", "post", "list"])
def test_private_messages_are_refused_by_their_ids(told):
    secret = POST | {"raw": "secret"}
    document = {
        "topic": topic(secret, archetype="private_message", category_id=None),
        "post": {"post": secret | {"topic_archetype": "private_message", "category_id": 9}},
        "list": {"private_posts": [secret | {"topic_archetype": "regular", "category_id": 9}]},
    }[told]
    items = read(document)
    assert items == [Refused("discourse-private-message", f"discourse:{HOST}/p/20104")]


def test_what_may_be_a_private_message_is_refused_without_a_trace():
    document = {"post_stream": {"posts": [POST]}, "id": 2144}
    assert read(document) == [Refused("discourse-private-message")]
    assert read({"latest_posts": [POST]}) == [Refused("discourse-private-message")]


def test_a_topic_that_is_private_in_one_file_is_private_in_all():
    private = topic(archetype="private_message", category_id=None)
    for documents in ([private, topic(POST)], [topic(POST), private]):
        assert not records(read(*documents))


@pytest.mark.parametrize(
    ("fields", "categories", "audience"),
    [
        ({}, CATEGORIES, "public"),
        ({"visible": False}, CATEGORIES, "unlisted"),
        ({}, None, "unknown"),
        ({"category_id": 99}, CATEGORIES, "unknown"),
        ({"category_id": None}, CATEGORIES, "unknown"),
        ({"archetype": "banner"}, CATEGORIES, "public"),
        ({"archetype": "tournament"}, CATEGORIES, "unknown"),
        ({}, {"categories": [{"id": 9, "read_restricted": False}], "x": 1}, "public"),
        ({}, {"category": {"id": 9, "read_restricted": False}}, "public"),
        ({}, {"categories": [{"id": 9, "read_restricted": None}]}, "unknown"),
        ({"categories": [{"id": 9, "read_restricted": False}]}, None, "public"),
    ],
)
def test_public_is_what_lies_in_a_category_that_is_known_to_be_open(fields, categories, audience):
    assert one(topic(POST, **fields), categories=categories).audience == audience


@pytest.mark.parametrize("category", [10, 11])
def test_restricted_categories_are_never_read(category):
    assert read(topic(POST, category_id=category)) == [Skipped("restricted category")]
    # Not even if a post says otherwise, or another file does.
    moved = LISTED | {"category_id": category}
    assert read(topic(moved)) == [Skipped("restricted category")]
    opened = {"categories": [{"id": category, "read_restricted": False}]}
    hidden = topic(POST, category_id=category)
    for facts in ([CATEGORIES, opened], [opened, CATEGORIES]):
        assert read(hidden, *facts, categories=None) == [Skipped("restricted category")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"post_type": 2}, "notice of a moderator"),
        ({"post_type": 3}, "notice of an action"),
        ({"post_type": 4}, "whisper"),
        ({"post_type": 9}, "no post of a member"),
        ({"post_type": None}, "no post of a member"),
        ({"hidden": True}, "hidden"),
        ({"hidden": "yes"}, "hidden"),
        ({"cooked": "<p> </p>"}, "nothing in it"),
    ],
)
def test_what_is_no_post_for_everybody_is_skipped(fields, reason):
    assert read(topic(POST | fields)) == [Skipped(reason)]


@pytest.mark.parametrize(
    "fields", [{"deleted_at": "2026-01-13T00:00:00Z"}, {"user_deleted": True}, {"user_deleted": 1}]
)
def test_deleted_posts_go_if_they_had_come(fields):
    gone = [Skipped("deleted"), Delete(f"discourse:{HOST}/p/20104", "deleted on the forum", 1)]
    assert read(topic(POST | fields)) == gone
    assert read({"post": LISTED | fields}) == gone
    assert read(topic(POST, deleted_at="2026-01-13T00:00:00Z")) == gone


def test_the_softwares_own_accounts_are_bots():
    assert one(topic(POST | {"user_id": -1})).kind == "bot"


def test_a_forum_is_called_by_its_host():
    elsewhere = POST | {
        "avatar_template": "https://cdn.example.net/user_avatar/a.example.org/x/1.png"
    }
    assert one(topic(elsewhere)).service == "a.example.org"
    plain = POST | {"avatar_template": "/letter_avatar_proxy/v4/letter/m/a87d85/{size}.png"}
    linked = plain | {"post_url": "https://b.example.org/t/the-tide/2144/3"}
    assert one(topic(linked)).service == "b.example.org"
    assert one(topic(plain), name="c.example.org").service == "c.example.org"
    assert one(topic(plain), name="My-Forum.zip").service == "my-forum"
    # A document that says nothing belongs to the forum of those beside it.
    other = topic(POST | {"topic_id": 5, "id": 6}, id=5)
    assert {record.service for record in records(read(topic(plain), other))} == {HOST}


def test_two_forums_in_one_tree_are_kept_apart():
    plain = POST | {"avatar_template": ""}
    files = {
        "a.example.org/t/1.json": topic(plain),
        "a.example.org/site.json": {"categories": [{"id": 9, "read_restricted": False}]},
        "b.example.org/t/1.json": topic(plain, archetype="private_message"),
        "c.example.org/t/1.json": topic(plain),
    }
    items = list(discourse.read(tree_of(files)))
    found = {record.id: record.audience for record in records(items)}
    assert found == {
        "discourse:a.example.org/p/20104": "public",
        "discourse:c.example.org/p/20104": "unknown",
    }
    assert Refused("discourse-private-message", "discourse:b.example.org/p/20104") in items


def test_other_documents_are_not_discourses():
    others = [{"post": {"id": 1}}, {"id": 1, "topic_id": 2}, [{"post_number": 1}], CATEGORIES]
    for other in others:
        assert not discourse.claims(tree_of({"x.json": other}))


@pytest.mark.parametrize(
    ("post", "reason"),
    [
        ("secret", "expected"),
        (POST | {"id": None, "raw": "secret"}, "id"),
        (POST | {"topic_id": "secret"}, "id"),
        (POST | {"raw": "\ud83d"}, "surrogate"),
        (POST | {"raw": "x" * 1_000_001}, "longer"),
    ],
)
def test_what_is_no_post_is_rejected_and_the_others_are_read(post, reason):
    items = read(topic(POST, post))
    (rejected,) = of_kind(items, Rejected)
    assert reason in rejected.reason
    assert (rejected.file, rejected.raw) == ("0.json", None)
    assert "secret" not in repr(items)
    assert len(records(items)) == 1


def test_a_broken_file_stops_the_import():
    for broken in (json.dumps(topic(POST))[:-3], json.dumps({"latest_posts": [LISTED]}) + "x"):
        with pytest.raises(InputError, match=r"0\.json"):
            read(broken)


def test_only_the_posts_that_came_last_are_remembered():
    recent = Recent()
    for number in range(100_001):
        recent.add(1, number, number)
    assert recent.find(1, 0) is None
    assert recent.find(1, 100_000) == 100_000


FULL = LISTED | {"topic_archetype": "regular", "archetype": "regular", "locale": "de"}


@given(st.lists(st.one_of(LOOSE, with_loose_fields(FULL)), max_size=3), LOOSE, LOOSE)
def test_no_fields_break_the_reading(posts, facts, categories):
    told = topic(*posts, title=facts, visible=facts, deleted_at=facts)
    items = read(told, {"latest_posts": posts, "categories": categories, "topic_list": facts})
    counted = of_kind(items, Upsert) + of_kind(items, Skipped) + of_kind(items, Rejected)
    assert len(counted + of_kind(items, Refused)) >= len(posts)
    for record in records(items):
        json.dumps([record.text, record.author, record.id], ensure_ascii=False).encode()


@given(with_loose_fields(POST | {"category_id": 9, "raw": "x", "topic_archetype": "regular"}))
def test_nothing_of_a_private_topic_is_read(post):
    private = topic(post, archetype="private_message")
    assert not records(read(private))
    assert not records(read({"private_posts": [post]}))
    assert not records(read({"post": post | {"topic_archetype": "private_message"}}))


# Dumps: the tables in the order in which pg_dump writes them.

COLUMNS = {
    "categories": "id name color read_restricted position",
    "category_groups": "id category_id group_id permission_type",
    "posts": "id user_id topic_id post_number raw cooked created_at updated_at "
    "reply_to_post_number deleted_at post_type hidden user_deleted version raw_email",
    "topics": "id title category_id archetype visible deleted_at",
    "user_emails": "id user_id email",
    "users": "id username name",
}
NONE = "\\N"
ROW = {
    "id": "19",
    "user_id": "1000",
    "topic_id": "14",
    "post_number": "2",
    "raw": "low\\ttide \\\\o/\\r\\nand \\b more",
    "cooked": "<p>low</p>",
    "created_at": "2014-03-31 15:09:51.82422",
    "updated_at": "2014-04-01 15:09:51.82422",
    "reply_to_post_number": NONE,
    "deleted_at": NONE,
    "post_type": "1",
    "hidden": "f",
    "user_deleted": "f",
    "version": "1",
    "raw_email": "secret",
}
TABLES = {
    "categories": [("5", "Sea", "25AAE2", "f", "1"), ("6", "Staff", "25AAE2", "t", "2")],
    "category_groups": [],
    "topics": [
        ("14", "The tide", "5", "regular", "t", NONE),
        ("15", "Letter", NONE, "private_message", "t", NONE),
        ("16", "Staff", "6", "regular", "t", NONE),
        ("17", "Unlisted", "5", "regular", "f", NONE),
        ("18", "Gone", "5", "regular", "t", "2014-04-01 15:09:51"),
    ],
    "user_emails": [("1", "1000", "secret")],
    "users": [("1000", "member_one", "secret"), ("-1", "system", "secret")],
}


def dump(*posts: dict[str, str], schema: str = "public.", **tables: list[tuple[str, ...]]) -> str:
    filled = TABLES | {"posts": [tuple((ROW | post).values()) for post in posts]} | tables
    parts = ["--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n"]
    for table in sorted(filled):
        columns = COLUMNS[table].replace("position", '"position"').replace(" ", ", ")
        parts.append(f"COPY {schema}{table} ({columns}) FROM stdin;\n")
        parts += ["\t".join(row) + "\n" for row in filled[table]]
        parts.append("\\.\n\n\n")
    return "".join([*parts, "--\n-- PostgreSQL database dump complete\n--\n"])


def restore(text: str | bytes, file: str = "dump.sql", name: str = HOST):
    return list(discourse.read(tree_of({file: text}, name)))


@pytest.mark.parametrize("schema", ["public.", ""])
def test_a_whole_post_of_a_dump(schema):
    first = {"id": "18", "post_number": "1", "raw": "first"}
    last = {"id": "20", "reply_to_post_number": "2", "post_number": "3", "version": "2"}
    top, record, last = records(restore(dump(first, {}, last, schema=schema)))
    assert top.text == "The tide\n\nfirst"
    assert (record.id, record.rev, record.service) == (f"discourse:{HOST}/p/19", 1, HOST)
    assert (record.author, record.audience) == (f"acct:member_one@{HOST}", "public")
    assert record.text == "low\ttide \\o/\nand  more"
    assert record.created_at == datetime(2014, 3, 31, 15, 9, 51, 824220, tzinfo=UTC)
    assert (record.edited_at, record.surface) == (None, "comment")
    assert (record.reply_to, last.reply_to) == (top.id, record.id)
    assert last.edited_at == datetime(2014, 4, 1, 15, 9, 51, 824220, tzinfo=UTC)


def test_of_a_dump_nothing_private_is_taken():
    posts = [
        {"topic_id": "15"},
        {"topic_id": "99"},
        {"topic_id": "16"},
        {"post_type": "4"},
        {"hidden": "t"},
        {"deleted_at": "2014-04-01 15:09:51"},
        {"user_deleted": "t"},
        {"topic_id": "18"},
    ]
    items = restore(dump(*posts))
    gone = [Skipped("deleted"), Delete(f"discourse:{HOST}/p/19", "deleted on the forum", 1)]
    assert items == [
        Refused("discourse-private-message", f"discourse:{HOST}/p/19"),
        Refused("discourse-private-message"),
        Skipped("restricted category"),
        Skipped("whisper"),
        Skipped("hidden"),
        *gone * 3,
    ]
    assert "secret" not in repr(restore(dump({}, *posts)))


def test_unlisted_topics_and_unknown_categories_of_a_dump():
    assert records(restore(dump({"topic_id": "17"})))[0].audience == "unlisted"
    assert records(restore(dump({}, categories=[])))[0].audience == "unknown"


@pytest.mark.parametrize(
    ("groups", "audience"), [(["0"], "public"), (["11", "0"], "public"), (["11"], None)]
)
def test_a_category_for_some_groups_only_is_restricted(groups, audience):
    rows = [(str(number), "5", group, "1") for number, group in enumerate(groups)]
    items = restore(dump({}, category_groups=rows))
    assert [record.audience for record in records(items)] == [audience] * (audience is not None)


def test_who_wrote_it_may_be_gone_or_no_person():
    gone, system = records(restore(dump({"user_id": NONE}, {"user_id": "-1"})))
    assert gone.author == ""
    assert (system.author, system.kind) == (f"acct:system@{HOST}", "bot")


def test_rows_that_cannot_be_read_are_rejected_with_their_line():
    text = dump({}, {"raw": "x\tsecret"}).encode()
    text = text.replace(b"COPY public.topics", b"COPY public.nothing")
    (rejected,) = of_kind(restore(text), Rejected)
    assert (rejected.file, rejected.reason) == ("dump.sql", "not as many values as columns")
    line = text.split(b"\n")[int(rejected.where.removeprefix("line ")) - 1]
    assert b"secret" in line
    spoilt = dump({"raw": "here"}).encode().replace(b"here", b"\xff\xfe")
    assert of_kind(restore(spoilt), Rejected)[0].reason == "not UTF-8 text"


def test_a_line_that_is_too_long_hides_no_line_after_it():
    items = restore(dump({"raw": "x" * (17 * 1024 * 1024)}, {}))
    assert len(records(items)) == 1
    assert "longer" in of_kind(items, Rejected)[0].reason


def test_a_back_up_as_discourse_makes_it(tmp_path):
    path = tmp_path / "the-pier-2026-01-02-033000-v20260102000000.tar.gz"
    packed = gzip.compress(dump({}).encode())
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (("dump.sql.gz", packed), ("uploads/default/original/1X/a.png", b"png")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    (record,) = records(everything(path))
    assert (record.id, record.audience) == ("discourse:the-pier/p/19", "public")
    assert record.url == ""


@pytest.mark.parametrize("name", ["forum.example.org.sql", "forum.example.org.sql.gz"])
def test_a_dump_alone_is_called_after_its_forum(tmp_path, name):
    text = dump({}).encode()
    put(tmp_path, {name: gzip.compress(text) if name.endswith("gz") else text})
    assert records(everything(tmp_path / name))[0].id == f"discourse:{HOST}/p/19"


def test_damaged_dumps_stop_the_import():
    whole = dump(*[{"raw": f"low tide {number}" * 50} for number in range(200)]).encode()
    packed = gzip.compress(whole)
    for file, text in (
        ("dump.sql", whole[: len(whole) // 2]),
        ("dump.sql.gz", packed[:-20]),
        ("dump.sql.gz", packed[:4000] + b"x" * 50 + packed[4050:]),
    ):
        with pytest.raises(InputError, match=r"dump\.sql"):
            restore(text, file)


def test_a_bomb_is_not_inflated_to_its_end():
    bomb = gzip.compress(b"-- PostgreSQL database dump\n" + b"x" * 40_000_000)
    with pytest.raises(InputError, match="bombs"):
        restore(bomb, "dump.sql.gz")


def test_a_dump_of_something_else_is_rejected():
    text = "-- PostgreSQL database dump\nCOPY public.songs (id) FROM stdin;\n1\n\\.\n"
    (item,) = restore(text)
    assert item == Rejected("dump.sql", "line 1", "a database dump without posts of Discourse")
    for other in (b"CREATE TABLE posts", b"\x1f\x8bno gzip", gzip.compress(b"no dump")):
        assert not discourse.claims(tree_of({"x.sql.gz": other, "x.sql": other}))


CELLS = st.one_of(
    st.sampled_from([*ROW.values(), NONE, "t", "14", "15", "\\", "\\.", "", "\t", "\n"]),
    st.text(max_size=5),
)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(ROW, CELLS)), max_size=4), CELLS)
def test_no_cells_break_the_reading(posts, cell):
    topics = [
        ("14", cell, "5", "regular", "t", NONE),
        ("15", "x", cell, "private_message", "t", cell),
    ]
    users = [("1000", cell, cell), (cell, cell, cell)]
    try:
        items = restore(dump(*posts, topics=topics, users=users).encode("utf-8", "surrogatepass"))
    except InputError:
        return
    for record in records(items):
        assert record.container != f"discourse:{HOST}/t/15"
        json.dumps([record.text, record.author, record.id], ensure_ascii=False).encode()


@given(st.data())
def test_damage_anywhere_is_an_error_or_none(data):
    files = {"a.json": topic(FULL), "b.json": CATEGORIES, "c.sql": dump({}, {"topic_id": "15"})}
    name = data.draw(st.sampled_from(sorted(files)))
    survives(discourse.read, files | {name: data.draw(damaged(files[name]))})


@given(damaged(gzip.compress(dump(*[{"raw": str(number)} for number in range(50)]).encode())))
def test_damage_of_a_packed_dump_is_an_error_or_none(content):
    survives(discourse.read, {"dump.sql.gz": content})
