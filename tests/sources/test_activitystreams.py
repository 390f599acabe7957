"""ActivityStreams in and out: who said what to whom; nothing private, nothing wider than it was."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete, Upsert
from sayso.content.record import LONGEST_ID, LONGEST_TEXT, Medium, Record, revision
from sayso.sources import activitystreams, as2_documents, as2_writing, lines, messages
from sayso.sources.activitystreams import Origin, fits, read
from sayso.sources.archive import open_tree
from sayso.sources.detect import find
from sayso.sources.items import Item, Refused, Rejected, Skipped
from tests.sources.records import PUBLIC, records

HOST = "https://square.example"
ME = f"{HOST}/users/member-1"
YOU = "https://other.example/users/member-2"
CONTEXT = "https://www.w3.org/ns/activitystreams"
OURS = Origin(ours=True)


def note(**fields: Any) -> dict[str, Any]:
    return {
        "id": f"{ME}/statuses/1",
        "type": "Note",
        "summary": None,
        "inReplyTo": None,
        "published": "2026-11-01T09:00:00Z",
        "url": f"{HOST}/@member-1/1",
        "attributedTo": ME,
        "to": [PUBLIC],
        "cc": [f"{ME}/followers"],
        "sensitive": False,
        "content": "<p>low tide</p>",
        "contentMap": {"en": "<p>low tide</p>"},
        "attachment": [],
        "tag": [],
    } | fields


def act(kind: str = "Create", **fields: Any) -> dict[str, Any]:
    return {"@context": CONTEXT, "id": f"{ME}/activities/1", "type": kind, "actor": ME} | fields


def items(value: Any, origin: Origin | None = None) -> list[Item]:
    return list(read(value, "file.json", "item 1", origin))


def one(value: Any, origin: Origin | None = None) -> Item:
    (item,) = items(value, origin)
    return item


def record(**fields: Any) -> Record:
    item = one(note(**fields))
    assert isinstance(item, Upsert), item
    return item.record


def test_a_note_as_servers_deliver_it():
    made = one(act(object=note(), to=[PUBLIC], published="2026-11-01T09:00:00Z"))
    assert made == Upsert(
        Record(
            id=f"{ME}/statuses/1",
            service="square.example",
            author="acct:member-1@square.example",
            age_band="",
            audience="public",
            audience_source="asserted",
            created_at=datetime(2026, 11, 1, 9, tzinfo=UTC),
            date_state="given",
            language="en",
            text="low tide",
            url=f"{HOST}/@member-1/1",
            source="activitystreams",
        )
    )
    assert one(note()) == made
    assert list(activitystreams.parse_line(json.dumps(note()).encode(), "x", 1)) == [made]


FOLLOWERS = f"{ME}/followers"


@pytest.mark.parametrize(
    ("to", "cc", "audience"),
    [
        ([PUBLIC], [FOLLOWERS], "public"),
        (PUBLIC, None, "public"),
        ("as:Public", FOLLOWERS, "public"),
        (["Public"], [], "public"),
        ({"id": PUBLIC}, [], "public"),
        ([YOU, PUBLIC], [], "public"),
        ([FOLLOWERS], [PUBLIC], "unlisted"),
        (None, "as:Public", "unlisted"),
        ([FOLLOWERS], [], "followers"),
        ([FOLLOWERS], [YOU], "followers"),
        (FOLLOWERS, None, "followers"),
        (["https://other.example/followers/member-2"], [], "followers"),
        ([f"{HOST}/#Public"], [], "custom"),
        ([YOU], [], None),
        (YOU, None, None),
        ([], [YOU], None),
        ([], [], None),
        (None, None, None),
        (["https://other.example/users/followers"], [], None),
        (["https://other.example/@followers"], [], None),
        ([f"{ME}/following"], [], None),
        (["http://www.w3.org/ns/activitystreams#public"], [], None),
        ([1, None, {}], [[]], None),
        (17, True, None),
    ],
)
def test_who_it_is_for(to, cc, audience):
    for made in (note(to=to, cc=cc), act(object=note(to=to, cc=cc), to=to, cc=cc)):
        item = one(made)
        if audience is None:
            assert item == Refused(messages.DIRECT, f"{ME}/statuses/1")
        else:
            assert isinstance(item, Upsert)
            assert item.record.audience == audience
            assert item.record.audience_source == "asserted"


def test_copies_to_the_hidden_are_private():
    made = note(bto=[YOU], bcc=[PUBLIC], audience=PUBLIC)
    del made["to"], made["cc"]
    assert one(act(object=made)) == Refused(messages.DIRECT, f"{ME}/statuses/1")


def test_where_activity_and_object_disagree_the_narrower_counts():
    public, direct = {"to": [PUBLIC], "cc": []}, {"to": [YOU], "cc": []}
    assert isinstance(one(act(object=note(**direct), **public)), Refused)
    assert isinstance(one(act(object=note(**public), **direct)), Refused)
    followers = one(act(object=note(**public), to=[FOLLOWERS]))
    assert isinstance(followers, Upsert)
    assert followers.record.audience == "followers"


@pytest.mark.parametrize("kind", ["ChatMessage", "EncryptedMessage", ["Note", "ChatMessage"]])
def test_chats_are_private_whomever_they_say_they_are_for(kind):
    assert one(act(object=note(type=kind))) == Refused(messages.DIRECT, f"{ME}/statuses/1")
    assert one(note(type=kind, id=7)) == Refused(messages.DIRECT, "")


def test_the_text_in_one_of_several_languages():
    both = {"de": "<p>Ebbe</p>", "en": "<p>low tide</p>"}
    assert (record(contentMap=both).text, record(contentMap=both).language) == ("low tide", "en")
    found = record(content=None, contentMap=both)
    assert (found.text, found.language) == ("Ebbe", "de")
    assert record(contentMap=both, content="<p>other</p>").language == ""
    assert record(contentMap={"en": "<p>low tide </p>"}).language == "en"
    for odd in ({}, None, [], "en", {"en": None}, {"und": "<p>low tide</p>"}, {"e n": 1}):
        assert record(contentMap=odd).language == ""


def test_what_the_author_typed_comes_first_if_it_is_no_markup():
    source = {"content": "low <tide>", "mediaType": "text/plain"}
    assert record(source=source).text == "low <tide>"
    for other in ("text/markdown", "text/bbcode", "text/html", None):
        assert record(source=source | {"mediaType": other}).text == "low tide"
    assert record(source="low").text == "low tide"
    assert record(content="a <b> c", mediaType="text/plain").text == "a <b> c"


def test_titles_choices_and_warnings():
    article = record(type="Article", name="The sea", summary="An abstract")
    assert (article.text, article.content_warning) == ("The sea\n\nlow tide", "")
    short = record(
        type="Article", name="The sea", content=None, contentMap=None, summary="In short"
    )
    assert short.text == "The sea\n\nIn short"
    assert record(summary="tides", sensitive=True).content_warning == "tides"
    assert record(sensitive=True).sensitive
    assert record(type="Article", summary="tides", sensitive=True).content_warning == "tides"
    options = [{"type": "Note", "name": "yes", "replies": {"totalItems": 3}}, {"name": "no"}, 5]
    assert record(type="Question", oneOf=options).text == "low tide\n\nyes\nno"
    assert record(type="Question", anyOf=options, content=None, contentMap=None).text == "yes\nno"


def test_replies():
    assert (record().surface, record().reply_to) == ("post", "")
    answer = record(inReplyTo=f"{YOU}/statuses/7")
    assert (answer.surface, answer.reply_to) == ("comment", f"{YOU}/statuses/7")
    thread = record(inReplyTo=f"{ME}/statuses/0")
    assert (thread.surface, thread.reply_to) == ("post", f"{ME}/statuses/0")
    assert record(inReplyTo={"type": "Note", "id": f"{YOU}/7"}).reply_to == f"{YOU}/7"
    for unnamed in ({"type": "Note"}, 7, [[]], {"id": None}):
        assert isinstance(one(note(inReplyTo=unnamed)), Rejected)


@pytest.mark.parametrize("key", ["quote", "quoteUrl", "quoteUri", "_misskey_quote"])
def test_quotes(key):
    assert record(**{key: f"{YOU}/7"}).quote_of == f"{YOU}/7"
    assert record(**{key: {"id": f"{YOU}/7", "content": "theirs"}}).quote_of == f"{YOU}/7"
    assert record(**{key: {"type": "Tombstone"}}).quote_of == ""


def test_quotes_as_links():
    link = {"type": "Link", "rel": "https://misskey-hub.net/ns#_misskey_quote", "href": f"{YOU}/7"}
    assert record(tag=link).quote_of == f"{YOU}/7"


def test_edits():
    edited = record(updated="2026-11-02T09:00:00.5Z")
    assert edited.edited_at == datetime(2026, 11, 2, 9, 0, 0, 500_000, tzinfo=UTC)
    assert edited.rev == revision(edited.edited_at)
    assert record(updated="2026-11-01T09:00:00Z").rev == 1
    update = one(act("Update", object=note(), published="2026-11-03T09:00:00Z"))
    assert isinstance(update, Upsert)
    assert update.record.rev == revision(datetime(2026, 11, 3, 9, tzinfo=UTC))
    assert isinstance(one(act("Update", object=note())), Rejected)
    votes = one(act("Update", object=note(type="Question")))
    assert isinstance(votes, Upsert)
    assert votes.record.rev == 1


@pytest.mark.parametrize(
    ("published", "state"),
    [
        ("2026-11-01T10:00:00+01:00", "given"),
        (None, "absent"),
        ("", "absent"),
        ("yesterday", "unreadable"),
        ("1969-12-31T00:00:00Z", "unreadable"),
        ("0001-01-01T00:00:00+14:00", "unreadable"),
        (1_700_000_000, "unreadable"),
        ({}, "unreadable"),
    ],
)
def test_dates(published, state):
    assert record(published=published).date_state == state


def test_attachments():
    picture = {"type": "Document", "mediaType": "image/jpeg", "url": "/m/1.jpg", "name": "a pier"}
    films = {
        "type": "Video",
        "url": [
            {"type": "Link", "mediaType": "text/html", "href": "/w/1"},
            {"type": "Link", "mediaType": "video/mp4", "href": "/1.mp4"},
        ],
    }
    others = [
        picture | {"name": None},
        {"type": "Image", "url": "/2.webp", "summary": "boats"},
        {"type": "Audio", "url": "/3", "description": "bells"},
        films,
        {"type": "Link", "href": "https://docs.example"},
        {"type": "PropertyValue", "name": "site", "value": "x"},
        {"type": "Document", "mediaType": "application/pdf", "url": "/4.pdf", "name": "paper"},
        {"type": "Image"},
        "https://square.example/5.jpg",
        None,
        7,
    ]  # fmt: skip
    assert record(attachment=picture).media == (Medium("/m/1.jpg", "image", "a pier"),)
    assert record(attachment=others).media == (
        Medium("/m/1.jpg", "image"),
        Medium("/2.webp", "image", "boats"),
        Medium("/3", "audio", "bells"),
        Medium("/1.mp4", "video"),
    )
    assert record(content=None, contentMap=None, attachment=picture).text == ""
    assert one(note(content="<p></p>", contentMap=None)) == Skipped("nothing in it")


def test_posts_that_are_media():
    made = record(type="Image", name="Harbour", url="/harbour.jpg")
    assert (made.surface, made.text) == ("photo", "Harbour\n\nlow tide")
    assert made.media == (Medium("/harbour.jpg", "image"),)
    page = {"type": "Link", "mediaType": "text/html", "href": f"{HOST}/w/1"}
    film = {"type": "Link", "mediaType": "video/mp4", "href": f"{HOST}/1.mp4"}
    made = record(type="Video", name="Film", url=[film, page])
    assert (made.url, made.media) == (f"{HOST}/w/1", (Medium(f"{HOST}/1.mp4", "video"),))


def test_tags():
    found = record(
        tag=[
            {"type": "Mention", "href": YOU, "name": "@member-2@other.example"},
            {"type": "Mention", "href": f"{HOST}/users/member-3", "name": "@member-3"},
            {"type": "Mention", "href": f"{HOST}/users/member-4"},
            {"type": "Hashtag", "name": "#Ebbe"},
            {"type": "Hashtag", "name": "#Ebbe"},
            {"type": "Hashtag", "name": None},
            {"type": "Emoji", "name": ":boat:"},
            "x",
        ],
        audience=f"{HOST}/c/boats",
    )
    assert found.mentions == (
        "acct:member-2@other.example",
        "acct:member-3@square.example",
        "acct:member-4@square.example",
    )
    assert (found.tags, found.container) == (("Ebbe",), f"{HOST}/c/boats")


@pytest.mark.parametrize(
    ("address", "account"),
    [
        (ME, "acct:member-1@square.example"),
        ("https://Square.Example/@member-1", "acct:member-1@square.example"),
        ("https://square.example:8443/u/member-1/", "acct:member-1@square.example:8443"),
        ("https://square.example/ap/users/115", "https://square.example/ap/users/115"),
        ("acct:member-1@square.example", "acct:member-1@square.example"),
        ("did:plc:abc", "did:plc:abc"),
        ("member-1", ""),
        ("", ""),
    ],
)
def test_accounts(address, account):
    identity = f"{address}/1" if "square.example" in address.lower() else "urn:1"
    assert record(attributedTo=address, id=identity).author == account


def test_several_authors():
    group = {"type": "Group", "id": f"{HOST}/c/boats"}
    assert record(attributedTo=[ME, group]).co_authors == 0
    assert record(attributedTo=[ME, f"{HOST}/users/member-3"]).co_authors == 1
    assert record(attributedTo=None).author == ""


def test_words_in_another_ones_mouth_are_rejected():
    assert isinstance(one(act(object=note(attributedTo=YOU))), Rejected)
    assert isinstance(one(act(object=note(id=f"{YOU}/statuses/1"))), Rejected)
    profile = {"type": "Person", "id": YOU, "preferredUsername": "member-2"}
    assert isinstance(one(act("Update", object=profile)), Rejected)
    assert isinstance(one(act("Delete", object=profile)), Rejected)


def test_what_is_too_long_is_rejected():
    for fields in (
        {"id": "https://square.example/" + "x" * LONGEST_ID},
        {"inReplyTo": "x" * (LONGEST_ID + 1)},
        {"content": "x" * (LONGEST_TEXT + 1)},
        {"content": "<table>x" * (LONGEST_TEXT // 4)},
        {"id": None},
        {"id": ""},
    ):
        assert isinstance(one(note(**fields)), Rejected)


def test_a_word_on_being_found():
    assert record(searchableBy=[PUBLIC]).train_signal == ""
    assert record(searchableBy=[ME]).train_signal == "deny"
    assert record(searchableBy=[]).train_signal == "deny"


LIKED = f"{YOU}/statuses/7"


@pytest.mark.parametrize(
    ("kind", "verb"), [("Like", "like"), ("EmojiReact", "react"), ("Announce", "share")]
)
def test_reactions(kind, verb):
    seen = Interaction(
        "acct:member-1@square.example",
        verb,
        LIKED,
        at=datetime(2026, 11, 1, 9, tzinfo=UTC),
        id=f"{ME}/activities/1",
    )
    at = "2026-11-01T09:00:00Z"
    assert one(act(kind, object=LIKED, published=at)) == seen
    assert one(act(kind, object={"type": "Note", "id": LIKED}, published=at)) == seen
    wrapped = {"type": "Create", "id": f"{YOU}/activities/9", "object": {"id": LIKED}}
    assert one(act(kind, object=wrapped, published=at)) == seen
    assert isinstance(one(act(kind)), Rejected)
    assert isinstance(one(act(kind, object=LIKED, actor=None)), Rejected)


def test_in_an_outbox_boosts_are_no_content():
    assert one(act("Announce", object=LIKED), Origin(outbox=True)) == Skipped("boost")


def test_taking_back():
    like = {"type": "Like", "id": f"{ME}/likes/1", "object": LIKED}
    assert one(act("Undo", object=like)) == Delete(f"{ME}/likes/1")
    assert one(act("Undo", object=f"{ME}/likes/1")) == Delete(f"{ME}/likes/1")
    assert one(act("Undo", object={"type": "Delete", "object": LIKED})) == Undelete(LIKED)
    assert one(act("Undo", object={"type": "Create", "id": "x", "object": LIKED})) == Delete(LIKED)
    follow = {"type": "Follow", "id": f"{ME}/follows/1", "object": YOU}
    assert one(act("Undo", object=follow)) == Skipped("activity without content")
    assert isinstance(one(act("Undo", object={"type": "Like"})), Rejected)


def test_deletions():
    gone = Delete(f"{ME}/statuses/1")
    assert one(act("Delete", object=f"{ME}/statuses/1")) == gone
    tombstone = {"type": "Tombstone", "id": f"{ME}/statuses/1", "formerType": "Note"}
    assert one(act("Delete", object=tombstone)) == gone
    assert one(tombstone) == gone
    assert items(act("Delete", object=[f"{ME}/statuses/1", tombstone])) == [gone, gone]
    account = AccountUpdate("acct:member-1@square.example", "square.example", state="deleted")
    assert one(act("Delete", object=ME)) == account
    assert one({"type": "Tombstone", "id": ME, "formerType": "Person"}) == account
    assert isinstance(one(act("Delete")), Rejected)


def actor(**fields: Any) -> dict[str, Any]:
    return {
        "id": ME,
        "type": "Person",
        "preferredUsername": "member-1",
        "inbox": f"{ME}/inbox",
        "manuallyApprovesFollowers": True,
        "discoverable": False,
    } | fields


def update(**fields: Any) -> AccountUpdate:
    item = one(actor(**fields))
    assert isinstance(item, AccountUpdate)
    return item


def test_actors():
    plain = AccountUpdate(
        "acct:member-1@square.example", "square.example", handle="member-1", kind="person"
    )
    assert update() == plain
    assert one(act("Update", object=actor())) == plain
    for kind, ours in [("Service", "bot"), ("Application", "bot"), ("Group", "page")]:
        assert update(type=kind).kind == ours
    assert update(suspended=True).state == "private"
    assert update(suspended=False).state == "active"
    assert isinstance(one(actor(id=None)), Rejected)


def test_an_account_has_two_names_where_its_address_shows_none():
    address = f"{HOST}/ap/users/115"
    named, addressed = items(actor(id=address))
    assert isinstance(named, AccountUpdate)
    assert named.account == "acct:member-1@square.example"
    assert addressed == AccountUpdate(
        address, "square.example", handle="member-1", kind="person", moved_to=named.account
    )
    assert update(preferredUsername="member 1 @ x").account == "acct:member-1@square.example"


@pytest.mark.parametrize(
    ("said", "signal"),
    [
        ({}, ""),
        ({"indexable": True}, ""),
        ({"indexable": None}, ""),
        ({"indexable": False}, "deny"),
        ({"indexable": "false"}, "unreadable"),
        ({"indexable": 0}, "unreadable"),
        ({"memorial": True}, "deny"),
        ({"summary": "<p>Sailor. #NoAI</p>"}, "deny"),
        ({"summary": '<a href="/tags/nobot" class="mention">#<span>nobot</span></a>'}, "deny"),
        ({"indexable": True, "summary": "#noindex"}, "deny"),
        ({"summaryMap": {"de": "#noai"}}, "deny"),
        ({"attachment": [{"type": "PropertyValue", "name": "AI", "value": "#noai"}]}, "deny"),
        ({"tag": [{"type": "Hashtag", "name": "#noai"}]}, "deny"),
        ({"summary": "no#noai, #noaim, #nobotany, noai"}, ""),
        ({"searchableBy": [FOLLOWERS]}, "deny"),
        ({"searchableBy": [PUBLIC]}, ""),
    ],
)  # fmt: skip
def test_an_accounts_own_word_on_training(said, signal):
    assert update(**said).train_signal == signal


def test_a_move_counts_if_both_sides_say_so():
    new = {"type": "Person", "id": YOU, "alsoKnownAs": [ME]}
    moved = AccountUpdate(
        "acct:member-1@square.example", "square.example", moved_to="acct:member-2@other.example"
    )
    assert one(act("Move", object=ME, target=new)) == moved
    one_sided = Skipped("move that only one side confirms")
    for target in (YOU, new | {"alsoKnownAs": [YOU]}, new | {"alsoKnownAs": None}, None):
        assert one(act("Move", object=ME, target=target)) == one_sided
    assert one(act("Move", object=ME, target=new, actor=YOU)) == one_sided


def test_what_is_no_content():
    assert one(act("Follow", object=YOU)) == Skipped("activity without content")
    assert one(act("Flag", object=[YOU], content="secret")) == Skipped("report")
    assert one(act(object=f"{ME}/statuses/1")) == Skipped("only an address is given")
    assert one(note(type="Place")) == Skipped("object of another kind")
    for odd in ({}, [], None, 7, {"type": None}, {"type": [7]}, act(object=None), act(object={})):
        assert isinstance(one(odd), Rejected)


def test_lines_are_told_from_others():
    assert lines.dialect_of(json.dumps(act(object=note())).encode()).name == "activitystreams"
    assert fits(act(object=LIKED))
    assert fits(note())
    assert fits({"type": "Like", "object": LIKED})
    assert not fits({"id": "1", "service": "square", "text": "low tide"})
    assert not fits({"type": "net.content.delete", "data": {"id": "1"}})
    (item,) = activitystreams.parse_line(b"{", "x.jsonl", 3)
    assert item == Rejected("x.jsonl", "line 3", "not a JSON object in UTF-8")


def test_deep_nesting_is_no_crash():
    deep = b'{"@context":"%s","type":"Create","object":' % CONTEXT.encode()
    for depth in (500, 900, 990, 100_000):
        for opening, closing in ((b"[", b"]"), (b'{"type":"Create","object":', b"}")):
            line = deep + opening * depth + b"1" + closing * depth + b"}"
            assert all(isinstance(i, Rejected | Skipped)
                       for i in activitystreams.parse_line(line, "x", 1))  # fmt: skip


# Documents


def documents(folder, **files: Any) -> list[Item]:
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value)
        (folder / f"{name}.json").write_text(text, "utf-8")
    tree = open_tree(folder)
    assert as2_documents.claims(tree)
    found = list(as2_documents.read(tree))
    assert list(as2_documents.read(tree)) == found
    return found


def test_documents_of_all_shapes(tmp_path):
    made = one(note())
    ordered = {"@context": CONTEXT, "type": "OrderedCollection", "orderedItems": [note(), act()]}
    found = documents(
        tmp_path,
        a=ordered,
        b={"@context": [CONTEXT], "type": "CollectionPage", "items": note()},
        c=note() | {"@context": CONTEXT},
        d=json.dumps([act(object=note())], indent=1),
        e={"@context": CONTEXT, "type": "OrderedCollection", "first": f"{ME}/outbox?page=1"},
        f={"@context": "https://schema.org", "type": "Note", "id": "x"},
        bookmarks={"@context": CONTEXT, "type": "OrderedCollection", "orderedItems": [note()]},
    )
    rejected = Rejected("a.json", "item 2", "an activity without an object")
    address = Skipped("only an address is given")
    assert found == [made, rejected, made, made, made, address]


def test_a_lone_surrogate_is_rejected_with_its_place_alone(tmp_path):
    text = json.dumps({"@context": CONTEXT, "type": "Collection", "items": [note(), "X"]})
    (item, bad) = documents(tmp_path, a=text.replace('"X"', r'"\ud800"'))
    assert item == one(note())
    assert isinstance(bad, Rejected)
    assert bad.where == "item 2"


def test_a_file_is_told_by_its_content(tmp_path):
    path = tmp_path / "anything"
    path.write_text(json.dumps(act(object=note()), indent=2))
    (export,) = find([path])
    assert [source.name for source in export.sources] == ["activitystreams"]
    assert list(export.read()) == [one(note())]
    path.write_text("\n".join([json.dumps(act(object=note()))] * 2))
    (export,) = find([path])
    assert list(export.read()) == [one(note())] * 2


# Out, and in again


def exported(made: list[Upsert | AccountUpdate], tmp_path) -> list[Item]:
    path = tmp_path / "out.json"
    path.write_bytes(b"".join(as2_writing.collection(made)))
    (export,) = find([path])
    return list(export.read())


@settings(max_examples=300, deadline=None)
@given(records())
def test_a_record_comes_back_as_it_was(made):
    activity = json.loads(json.dumps(as2_writing.activity(made)))
    assert one(activity, OURS) == Upsert(made)


def test_records_come_back_from_a_file(tmp_path):
    made = [
        record(),
        Record(id="x:1", service="x", audience="friends", audience_source="asserted", text="a\nb"),
        Record(id="x:2", service="x", audience="unlisted", audience_source="derived",
               reply_to="x" * (LONGEST_ID + 1)),
    ]  # fmt: skip
    account = AccountUpdate("member-1@x", "x", "member-1", "One", "bot", "minor", "private",
                            train_signal="unreadable")  # fmt: skip
    given = [account, *map(Upsert, made), AccountUpdate("acct:member-2@x", train_signal="deny")]
    assert exported(given, tmp_path) == given
    assert exported([], tmp_path) == []


def test_other_servers_read_an_accounts_no():
    made = as2_writing.actor(AccountUpdate("acct:member-2@x.example", train_signal="deny"))
    item = one(made)
    assert isinstance(item, AccountUpdate)
    assert (item.account, item.train_signal) == ("acct:member-2@x.example", "deny")
    for odd in (None, 7, {}, {"account": 7}, {"account": "x", "state": "odd"}, {"data": {}}):
        assert isinstance(one(made | {"sayso:account": odd}, OURS), Rejected)


def test_other_servers_read_what_is_written():
    made = record(
        tag=[{"type": "Hashtag", "name": "#ebbe"}], content="<p>a &lt;b&gt;</p><p>c<br>d</p>"
    )
    activity = as2_writing.activity(made)
    post = activity["object"]
    assert post["content"] == "<p>a &lt;b&gt;</p><p>c<br>d</p>"
    assert (activity["to"], post["to"], post["attributedTo"]) == ([PUBLIC], [PUBLIC], made.author)
    assert post["tag"] == [{"type": "Hashtag", "name": "#ebbe"}]
    for audience in ("followers", "friends", "only_me", "unknown", "direct"):
        closed = as2_writing.activity(Record(id="1", service="x", text="x", audience=audience))
        assert isinstance(one(closed), Refused)


def test_our_own_words_are_believed_in_our_own_files_alone(tmp_path):
    said = {
        "sayso:author": {"id": "acct:member-9@x", "age_band": "adult"},
        "sayso:policy": {"train": "allow"},
        "sayso:audience": "public",
        "sayso:id": "x",
        "sayso:type": "net.content.upsert",
        "sayso:data": {"id": "x", "service": "x", "text": "x", "audience": "public"},
    }
    assert one(note(**said)) == one(note())
    collection = {"@context": CONTEXT, "type": "Collection", "items": [note(**said)]}
    assert documents(tmp_path, a=collection) == [one(note())]
    narrow = one(note(**said, to=[FOLLOWERS], cc=[]), OURS)
    assert isinstance(narrow, Upsert)
    assert (narrow.record.audience, narrow.record.id) == ("followers", f"{ME}/statuses/1")
    assert isinstance(one(note(**said, to=[YOU], cc=[]), OURS), Refused)


# Whatever comes

SECRET = "never to be seen"
junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=6),
        st.sampled_from([ME, YOU, FOLLOWERS, "Note", "Person", "https://[", "did:", "acct:@"]),
        st.sampled_from(["2026-11-01", "0001-01-01T00:00:00+14:00", "<p>x", "en", "text/plain"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "href", "name", "content", "mediaType", "url", "en"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
KEYS = [*note(), *actor(), "updated", "object", "actor", "source", "quote", "oneOf", "anyOf",
        "mediaType", "image", "audience", "name", "target", "alsoKnownAs", "summaryMap",
        "indexable", "searchableBy", "first", "items", "orderedItems", "formerType", "bto",
        "sayso:author", "sayso:audience", "sayso:rev", "sayso:media", "sayso:text",
        "sayso:created_at"]  # fmt: skip
KINDS = ["Create", "Update", "Delete", "Undo", "Like", "Announce", "Move", "Flag", "Note", "Video",
         "Article", "Question", "Person", "Tombstone", "OrderedCollection", "Collection",
         "ChatMessage", "Follow", "Image", "Page"]  # fmt: skip
origins = st.builds(
    Origin,
    actor=st.sampled_from(["", ME]),
    account=st.just("acct:member-1@square.example"),
    followers=st.sampled_from(["", FOLLOWERS]),
    outbox=st.booleans(),
    ours=st.booleans(),
)
PUBLICS = (PUBLIC, "as:Public", "Public")


def broken(base: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A shape that servers send, with anything in the place of some of its values."""
    return st.builds(
        lambda changes, kind: base | changes | ({"type": kind} if kind else {}),
        st.dictionaries(st.sampled_from(KEYS), junk, max_size=4),
        st.sampled_from(["", *KINDS]),
    )


shapes = st.one_of(broken(note()), broken(actor()), junk)
activities = st.one_of(
    shapes,
    st.builds(
        lambda outer, inner: outer | {"object": inner},
        broken(act()),
        st.one_of(shapes, st.lists(shapes, max_size=2)),
    ),
)


@settings(max_examples=400, deadline=None)
@given(activities, origins)
@example({"type": "OrderedCollection", "orderedItems": {"type": "Collection"}}, OURS)
def test_anything_at_all_is_read(value, origin):
    for item in items(value, origin):
        assert isinstance(item, Item)
        if isinstance(item, Upsert):
            made = item.record
            assert not made.is_message
            assert 0 < len(made.id) <= LONGEST_ID
            assert made.service
            assert len(made.text) <= LONGEST_TEXT


narrow = junk.filter(lambda value: not any(public in json.dumps(value) for public in PUBLICS))


@settings(max_examples=300, deadline=None)
@given(broken(note()), narrow, narrow, origins, st.booleans())
def test_nothing_is_public_unless_it_says_so(base, to, cc, origin, wrapped):
    post = base | {"to": to, "cc": cc}
    value = act(object=post, to=[PUBLIC], cc=[]) if wrapped else post
    if wrapped and to is None and cc is None:
        return  # the activity speaks for both
    for item in items(value, origin):
        assert not isinstance(item, Upsert) or item.record.audience not in ("public", "unlisted")


@settings(max_examples=300, deadline=None)
@given(broken(act()), broken(note()), st.sampled_from([YOU, [YOU], [], None]), st.booleans())
def test_no_word_of_a_private_post_gets_in(outer, inner, to, outbox):
    hidden = {"to": to, "cc": [], "type": "Note"}
    said = dict.fromkeys(["content", "summary", "name"], SECRET)
    post = inner | said | hidden | {"contentMap": {"en": SECRET}, "attachment": [said]}
    for value in (post, outer | hidden | {"type": "Create", "object": post}):
        for item in items(value, Origin(outbox=outbox)):
            assert SECRET not in repr(item)
            assert not isinstance(item, Upsert)
