"""Posts of ActivityStreams: who said what to whom; nothing private, nothing wider than it was."""

import json
from datetime import UTC, datetime

import pytest

from sayso.content.events import Upsert
from sayso.content.record import LONGEST_ID, LONGEST_TEXT, Medium, Record, revision
from sayso.sources import activitystreams, messages
from sayso.sources.items import Refused, Rejected, Skipped
from tests.sources.as2_shapes import FOLLOWERS, HOST, ME, YOU, act, note, one, record
from tests.sources.records import PUBLIC


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
