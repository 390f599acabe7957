"""Bluesky repositories: posts and reactions as they are, what an account says of AI, no chats."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sayso.content.events import AccountUpdate, Interaction, Upsert
from sayso.content.record import Medium
from sayso.errors import InputError
from sayso.sources import bluesky, bluesky_facets, bluesky_repository
from sayso.sources.items import Refused, Rejected, Skipped
from tests.sources.test_car import DID, POST, Blocks, repository
from tests.sources.trees import (
    LOOSE,
    everything,
    of_kind,
    put,
    records,
    tree_of,
    with_loose_fields,
    zipped,
)

OTHER = "did:plc:member2"
PARENT = f"at://{OTHER}/app.bsky.feed.post/3mpsaaaaaaa22"
ROOT = f"at://{OTHER}/app.bsky.feed.post/3mprootaaaa22"
REFERENCE = {"uri": PARENT, "cid": "bafyreidwaivazkwu67xztlmuobx35hs2lnfh3kolmgfmucldvhd3sgzcqi"}
BLOB = {
    "$type": "blob",
    "ref": {"$link": "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe"},
    "mimeType": "image/jpeg",
    "size": 1997139,
}
IMAGES = {
    "$type": "app.bsky.embed.images",
    "images": [
        {"alt": "a heron", "image": BLOB, "aspectRatio": {"height": 3011, "width": 4000}},
        {"alt": "", "image": BLOB},
    ],
}
QUOTE = {"$type": "app.bsky.embed.record", "record": REFERENCE}
LIKE = {
    "$type": "app.bsky.feed.like",
    "createdAt": "2024-09-09T19:46:02.102Z",
    "subject": REFERENCE,
}
PREFERENCE = "community.lexicon.preference.ai"
INTENTS = "org.user-intents.declaration"
KEY = "3mpt2aaaaaa22"


def items_of(files: dict[str, object]):
    return list(bluesky_repository.read(tree_of({"a.car": repository(files)})))


def post_of(**fields: object):
    """The only record of a repository with one post."""
    (record,) = records(items_of({f"app.bsky.feed.post/{KEY}": POST | fields}))
    return record


def outcome_of(**fields: object):
    """What becomes of a repository's only post, if it is not taken."""
    _, outcome = items_of({f"app.bsky.feed.post/{KEY}": POST | fields})
    return outcome


def labels(*names: object):
    return {
        "$type": "com.atproto.label.defs#selfLabels",
        "values": [{"val": name} for name in names],
    }


def facet(start: object, end: object, feature: str, **fields: object):
    kind = f"app.bsky.richtext.facet#{feature}"
    return {
        "$type": "app.bsky.richtext.facet",
        "index": {"byteStart": start, "byteEnd": end},
        "features": [{"$type": kind, **fields}],
    }


def linked(text: str, shown: str, uri: str) -> str:
    """The text of a post in which `shown` is a link."""
    start = text.encode().index(shown.encode())
    ends = start + len(shown.encode())
    return post_of(text=text, facets=[facet(start, ends, "link", uri=uri)]).text


def preferences(scope: object = None, **allowed: object):
    """A record of community.lexicon.preference.ai."""
    at = {"updatedAt": "2026-05-05T12:00:00.000Z"}
    return {
        "$type": PREFERENCE,
        "scope": scope or {"$type": f"{PREFERENCE}#globalScope"},
        "preferences": {use: {"allow": allow} | at for use, allow in allowed.items()},
        **at,
    }


def intents(**allowed: object):
    return {"$type": INTENTS} | {use: {"allow": allow} for use, allow in allowed.items()}


def posts_only(**allowed: object):
    scope = {"$type": "#collectionScope", "collection": "app.bsky.feed.post"}
    return preferences(scope, **allowed)


def signal_of(files: dict[str, object]) -> str:
    update = items_of(files)[0]
    assert isinstance(update, AccountUpdate)
    return update.train_signal


def test_a_post():
    record = post_of(
        langs=["pt-BR", "en"],
        tags=["ponds", "#birds", "ponds"],
        reply={"root": {"uri": ROOT, "cid": "b"}, "parent": REFERENCE},
        embed=IMAGES,
    )
    assert record.id == f"at://{DID}/app.bsky.feed.post/{KEY}"
    assert record.url == f"https://bsky.app/profile/{DID}/post/{KEY}"
    assert (record.author, record.service, record.rev) == (DID, "bluesky", 1)
    assert (record.text, record.language) == ("low tide", "pt-BR")
    assert record.created_at == datetime(2026, 7, 4, 14, 37, 36, 557000, UTC)
    assert (record.audience, record.audience_source) == ("public", "derived")
    assert record.media == (Medium(alt="a heron"), Medium())
    assert record.tags == ("ponds", "birds")
    assert record.reply_to == PARENT
    assert record.age_band == ""
    assert record.source == "bluesky-repository"
    assert not record.sensitive


@pytest.mark.parametrize(
    ("embed", "media", "quote"),
    [
        (QUOTE, (), PARENT),
        (
            {"$type": "app.bsky.embed.recordWithMedia", "record": QUOTE, "media": IMAGES},
            (Medium(alt="a heron"), Medium()),
            PARENT,
        ),
        (
            {"$type": "app.bsky.embed.video", "alt": "waves", "video": BLOB},
            (Medium(kind="video", alt="waves"),),
            "",
        ),
        ({"$type": "app.bsky.embed.video", "video": BLOB}, (Medium(kind="video"),), ""),
        (
            {"$type": "app.bsky.embed.gallery", "items": [{"alt": "a pier", "image": BLOB}]},
            (Medium(alt="a pier"),),
            "",
        ),
        (
            {"$type": "app.bsky.embed.external", "external": {"uri": "https://a.example"}},
            (),
            "",
        ),
        (
            {
                "$type": "app.bsky.embed.record",
                "record": {"uri": f"at://{OTHER}/app.bsky.graph.list/3l", "cid": "b"},
            },
            (),
            "",
        ),
        (None, (), ""),
    ],
)
def test_embeds(embed, media, quote):
    record = post_of(embed=embed)
    assert (record.media, record.quote_of) == (media, quote)


def test_mentions_and_tags_come_from_facets():
    record = post_of(
        text="ébb @member2 #tide",
        facets=[
            facet(5, 13, "mention", did=OTHER),
            facet(14, 19, "tag", tag="tide"),
            facet(14, 19, "tag", tag="##tide"),
            facet(0, 1, "mention", did="@member2"),
        ],
    )
    assert record.mentions == (OTHER,)
    assert record.tags == ("tide", "#tide")
    assert record.text == "ébb @member2 #tide"


@pytest.mark.parametrize(
    ("shown", "uri", "kept"),
    [
        ("a.example/tides/20...", "https://a.example/tides/2026", False),
        ("a.example/tides/20…", "https://a.example/tides/2026", False),
        ("a.example/tides", "https://www.a.example/tides", False),
        ("https://a.example/?q=1", "https://a.example/?q=1&r=2", False),
        ("A.example", "https://a.example", False),
        ("here", "https://a.example/tides", True),
        ("a", "https://a.example/tides", True),
        ("b.example", "https://a.example/tides", True),
        ("a.example/other", "https://a.example/tides", True),
    ],
)
def test_shortened_links_are_whole_again_and_words_stay(shown, uri, kept):
    assert linked(f"é {shown} é", shown, uri) == (f"é {shown} é" if kept else f"é {uri} é")


def test_several_links_and_ranges_that_point_nowhere():
    uri = "https://a.example/1"
    record = post_of(
        text="é a.example b.example é",
        facets=[
            facet(13, 22, "link", uri="https://b.example/2"),
            facet(3, 12, "link", uri=uri),
            facet(1, 5, "link", uri=uri),  # in the middle of a character
            facet(5, 12, "link", uri=uri),  # inside another
            facet(20, 900, "link", uri=uri),
            facet(-1, 4, "link", uri=uri),
            facet(3, 3, "link", uri=uri),
            facet(True, 12, "link", uri=uri),
            facet("3", 12, "link", uri=uri),
            facet(3, 12, "link", uri=None),
        ],
    )
    assert record.text == f"é {uri} https://b.example/2 é"


@given(
    st.text(max_size=20), st.lists(st.tuples(st.integers(-2, 25), st.integers(-2, 25)), max_size=5)
)
def test_no_ranges_lose_words(text, ranges):
    facets = [facet(start, end, "link", uri="https://a.example") for start, end in ranges]
    assert bluesky_facets.read(text, facets).text == text


def test_times_that_a_client_made_up():
    assert post_of(createdAt="0001-01-01T00:00:00Z").date_state == "unreadable"
    assert post_of(createdAt="1970-01-01T00:00:00.000Z").date_state == "unreadable"
    assert post_of(createdAt="yesterday").date_state == "unreadable"
    assert post_of(createdAt=True).date_state == "unreadable"
    assert post_of(createdAt=None).date_state == "absent"
    assert post_of(createdAt="2024-01-01T00:00:00.123456789+01:00").date_state == "given"


def test_self_labels():
    warned = post_of(labels=labels("porn", "graphic-media", "porn"))
    assert (warned.sensitive, warned.content_warning) == (True, "porn, graphic-media")
    assert warned.audience == "public"
    shy = post_of(labels=labels("!no-unauthenticated"))
    assert (shy.audience, shy.audience_source, shy.sensitive) == ("unlisted", "asserted", False)
    assert post_of(labels=labels()).audience == "public"


@pytest.mark.parametrize(
    "unreadable", [1, [], {}, {"values": 1}, labels(None), labels("porn", 1), labels("")]
)
def test_labels_that_cannot_be_read_hold_a_post_back(unreadable):
    record = post_of(labels=unreadable)
    assert (record.audience, record.audience_source, record.sensitive) == ("unknown", "", True)
    profile = {"$type": "app.bsky.actor.profile", "labels": unreadable}
    shy = POST | {"labels": labels("!no-unauthenticated")}
    files = {"app.bsky.feed.post/1": POST, "app.bsky.feed.post/2": shy}
    found = items_of(files | {"app.bsky.actor.profile/self": profile})
    assert [(r.audience, r.audience_source) for r in records(found)] == [("unknown", "")] * 2


def test_a_profile_says_what_its_account_is_and_to_whom_it_is_shown():
    profile = {"$type": "app.bsky.actor.profile", "displayName": "Member One"}
    found = items_of(
        {
            "app.bsky.actor.profile/self": profile
            | {"labels": labels("bot", "!no-unauthenticated")},
            "app.bsky.feed.post/1": POST,
            "app.bsky.feed.post/2": POST | {"labels": 1},
        }
    )
    assert found[0] == AccountUpdate(DID, "bluesky", kind="bot")
    assert [(r.audience, r.audience_source) for r in records(found)] == [
        ("unlisted", "derived"),
        ("unknown", ""),
    ]
    assert items_of({"app.bsky.actor.profile/self": profile}) == [AccountUpdate(DID, "bluesky")]


def test_reactions_have_ids_by_which_they_are_taken_back():
    found = items_of(
        {
            "app.bsky.feed.like/1": LIKE,
            "app.bsky.feed.repost/2": LIKE | {"$type": "app.bsky.feed.repost"},
            "app.bsky.feed.like/3": LIKE | {"subject": "somewhere"},
        }
    )
    at = datetime(2024, 9, 9, 19, 46, 2, 102000, UTC)
    assert of_kind(found, Interaction) == [
        Interaction(DID, "like", PARENT, at=at, id=f"at://{DID}/app.bsky.feed.like/1"),
        Interaction(DID, "share", PARENT, at=at, id=f"at://{DID}/app.bsky.feed.repost/2"),
    ]
    assert of_kind(found, Rejected) == [Rejected("a.car", "item 2", "`subject` names no record")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": 1}, "`text` is no text"),
        ({"reply": {}}, "`reply` names no post"),
        ({"reply": {"parent": {"uri": "https://a.example"}}}, "`reply` names no post"),
        ({"embed": {"$type": "app.bsky.embed.record"}}, "`embed` names no record"),
        ({"embed": {"$type": "app.bsky.embed.recordWithMedia"}}, "`embed` names no record"),
        ({"text": "x" * 1_000_001}, "a text longer than 1000000 characters"),
        (
            {"embed": {"$type": "app.bsky.embed.video", "alt": "x" * 1_000_001}},
            "its words are more than 1000000 characters",
        ),
    ],
)
def test_posts_that_cannot_be_taken_say_why(fields, reason):
    assert outcome_of(**fields) == Rejected("a.car", "item 1", reason)


@pytest.mark.parametrize("key", ["", "a/b", "a b", "é", "x" * 513, "a\n"])
def test_names_that_are_no_record_keys(key):
    found = items_of({f"app.bsky.feed.post/{key}": POST})
    assert found[1:] == [Rejected("a.car", "item 1", "its name is no record key")]


def test_posts_without_words():
    assert outcome_of(text=" \n") == Skipped("nothing in it")
    assert post_of(text="", embed=IMAGES).media


def test_a_reply_whose_parent_is_unreadable_still_is_a_reply():
    assert post_of(reply={"root": {"uri": ROOT}, "parent": 1}).reply_to == ROOT


def test_chats_are_refused_and_what_is_no_content_is_counted():
    found = items_of(
        {
            "app.bsky.feed.threadgate/1": {"post": PARENT},
            "app.bsky.feed.postgate/1": {"post": PARENT},
            "app.bsky.graph.follow/1": {"subject": OTHER},
            "chat.bsky.actor.declaration/self": {"allowIncoming": "all"},
            "chat.bsky.convo.message/1": {"text": "psst"},
            "app.bsky.feed.post/1": POST,
        }
    )
    assert of_kind(found, Refused) == [
        Refused("bluesky-chat", f"at://{DID}/chat.bsky.convo.message/1")
    ]
    assert of_kind(found, Skipped) == [Skipped("not content", 4)]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ""),
        ({"training": True, "inference": True, "syntheticContent": True}, "allow"),
        ({"training": True}, "allow"),
        ({"training": False}, "deny"),
        ({"training": True, "embedding": False}, "allow"),
        # What Sayso trains also answers, from what it was given.
        ({"training": True, "syntheticContent": False}, "deny"),
        ({"training": True, "inference": False}, "deny"),
        ({"training": None}, "unreadable"),
        ({"training": 0}, "unreadable"),
        ({"training": "false"}, "unreadable"),
        ({"embedding": True}, "unreadable"),
        ({"training": True, "inference": "no"}, "unreadable"),
    ],
)
def test_ai_preferences(said, expected):
    files = {f"{PREFERENCE}/self": preferences(**said)} if said else {}
    assert signal_of(files) == expected


@pytest.mark.parametrize("fields", [[], {}, {"preferences": []}, {"scope": {}, "preferences": {}}])
def test_ai_preferences_that_cannot_be_read_are_no_yes(fields):
    assert signal_of({f"{PREFERENCE}/self": fields}) == "unreadable"


YES, NO = preferences(training=True), preferences(training=False)
FOR_OTHERS = {"$type": f"{PREFERENCE}#entityScope", "entity": "did:web:other.example"}
FOR_LIKES = {"$type": "#collectionScope", "collection": "app.bsky.feed.like"}


@pytest.mark.parametrize(
    ("own", "override", "expected"),
    [
        (YES, posts_only(training=False), "deny"),
        (NO, posts_only(training=True), "allow"),
        (YES, posts_only(embedding=True), "allow"),
        (NO, posts_only(embedding=True), "deny"),
        (preferences(inference=False), posts_only(training=True), "deny"),
        (YES, preferences(FOR_OTHERS, training=False), "allow"),
        (NO, preferences(FOR_OTHERS, training=True), "deny"),
        (YES, preferences(FOR_LIKES, training=False), "allow"),
        (YES, preferences({"$type": "#newScope"}, training=True), "unreadable"),
        (YES, preferences({"$type": "#entityScope"}, training=True), "unreadable"),
        (YES, NO, "deny"),
        (None, posts_only(training=False), "deny"),
        (None, preferences(FOR_OTHERS, training=False), ""),
    ],
)
def test_overrides_hold_for_what_they_name(own, override, expected):
    files = {f"{PREFERENCE}/{KEY}": override} | ({f"{PREFERENCE}/self": own} if own else {})
    assert signal_of(files) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (intents(syntheticContentGeneration=False), "deny"),
        (intents(syntheticContentGeneration=True), "allow"),
        (intents(syntheticContentGeneration=None), ""),
        (intents(syntheticContentGeneration="no"), "unreadable"),
        (intents(bulkDataset=False), "deny"),
        (intents(bulkDataset=False, syntheticContentGeneration=True), "deny"),
        (intents(bulkDataset=True), ""),
        (intents(publicAccessArchive=False, protocolBridging=False), ""),
        ({"syntheticContentGeneration": {"updatedAt": "2025-02-20T21:37:20.362Z"}}, ""),
        ({"org.user-intents.syntheticContentGeneration": {"allow": False}}, "deny"),
        ({"syntheticContentGeneration": True}, "unreadable"),
        ([], "unreadable"),
    ],
)
def test_user_intents(said, expected):
    assert signal_of({f"{INTENTS}/self": said}) == expected


def test_of_two_records_on_ai_the_stricter_holds():
    generate = intents(syntheticContentGeneration=True)
    never = intents(syntheticContentGeneration=False)
    assert signal_of({f"{PREFERENCE}/self": YES, f"{INTENTS}/self": never}) == "deny"
    assert signal_of({f"{PREFERENCE}/self": NO, f"{INTENTS}/self": generate}) == "deny"
    assert signal_of({f"{PREFERENCE}/self": YES, f"{INTENTS}/self": generate}) == "allow"
    assert signal_of({f"{PREFERENCE}/self": [], f"{INTENTS}/self": generate}) == "unreadable"
    assert signal_of({f"{INTENTS}/did:web:other.example": never}) == ""


def test_a_signal_whose_block_is_damaged_is_no_yes():
    blocks = Blocks()
    broken = blocks.put_bytes(b"\xff")
    root = blocks.commit(blocks.tree({f"{PREFERENCE}/self": broken}))
    found = list(bluesky_repository.read(tree_of({"a.car": blocks.car(root)})))
    (update,) = found
    assert replace(update, evidence="") == AccountUpdate(DID, "bluesky", train_signal="unreadable")


FILES = {
    "_commit.json": {"did": DID, "version": 3, "rev": KEY, "prev": None},
    f"app.bsky.feed.post/{KEY}.json": POST,
    "app.bsky.feed.like/3l.json": LIKE,
    "app.bsky.graph.follow/3l.json": {"subject": OTHER},
    f"{PREFERENCE}/self.json": NO,
}


def in_folder(folder: str, files: dict[str, object]):
    return {f"{folder}/{name}": json.dumps(content, indent=2) for name, content in files.items()}


def test_an_unpacked_repository_says_the_same_as_its_car(tmp_path):
    car = repository(
        {name.removesuffix(".json"): fields for name, fields in FILES.items() if "/" in name}
    )
    unpacked = everything(put(tmp_path / "unpacked", in_folder("member", FILES)))
    assert unpacked == everything(put(tmp_path / "car", {"export": car}))
    assert records(unpacked)[0].author == DID
    assert unpacked == everything(zipped(tmp_path / "a.zip", in_folder("deep/er", FILES)))
    assert unpacked == everything(zipped(tmp_path / "b.zip", {"repo": car}))


def test_repositories_lie_side_by_side_each_with_its_own_account(tmp_path):
    named = {name: content for name, content in FILES.items() if name != "_commit.json"}
    files = in_folder("one", FILES) | in_folder(OTHER, named)
    files["three.car"] = repository({"app.bsky.feed.post/1": POST}, "did:plc:member3")
    found = everything(put(tmp_path, files))
    assert {record.author for record in records(found)} == {DID, OTHER, "did:plc:member3"}
    assert len(records(found)) == 3


def test_chats_in_an_unpacked_repository_are_not_opened():
    tree = tree_of(FILES | {"chat.bsky.convo.message/1.json": b"not even JSON"})
    found = list(bluesky_repository.read(tree))
    assert of_kind(found, Refused) == [
        Refused("bluesky-chat", f"at://{DID}/chat.bsky.convo.message/1")
    ]


@pytest.mark.parametrize("did", [None, 1, "member", "did:", "did:plc:member one"])
def test_without_a_did_nobody_wrote_it(did):
    files = FILES | {"_commit.json": {"did": did}}
    with pytest.raises(InputError, match="names no account"):
        list(bluesky_repository.read(tree_of(files)))
    with pytest.raises(InputError):
        list(bluesky_repository.read(tree_of({"a.car": repository({}, did)})))


def test_a_folder_without_its_commit_is_known_by_its_name_alone():
    files = {name: content for name, content in FILES.items() if name != "_commit.json"}
    with pytest.raises(InputError, match="names no account"):
        list(bluesky_repository.read(tree_of(in_folder("posts", files))))


def test_a_record_file_that_is_no_unicode_is_told_and_a_broken_one_stops_all():
    broken = f"app.bsky.feed.post/{KEY}.json"
    found = list(bluesky_repository.read(tree_of(FILES | {broken: POST | {"text": "\ud800"}})))
    assert [(item.file, item.where) for item in of_kind(found, Rejected)] == [(broken, "item 1")]
    with pytest.raises(InputError, match="cannot be read as JSON"):
        list(bluesky_repository.read(tree_of(FILES | {broken: b'{"text":'})))
    with pytest.raises(InputError, match="follows"):
        list(bluesky_repository.read(tree_of(FILES | {broken: json.dumps(POST) + "{}"})))


def test_a_record_that_talks_of_chats_is_no_chat(tmp_path):
    text = 'read "chat.bsky.convo.defs", and\n[12.03.24, 10:00:00] a: b\n[12.03.24, 10:01:00] c: d'
    files = {"a.car": repository({"app.bsky.feed.post/1": POST | {"text": text}})}
    assert records(everything(put(tmp_path, files)))[0].text == text


FULL = POST | {
    "langs": ["en"],
    "facets": [facet(0, 3, "link", uri="https://low.example"), facet(0, 3, "tag", tag="x")],
    "reply": {"root": REFERENCE, "parent": REFERENCE},
    "embed": {"$type": "app.bsky.embed.recordWithMedia", "record": QUOTE, "media": IMAGES},
    "labels": labels("porn"),
    "tags": ["x"],
}
EMBEDS = st.one_of(
    with_loose_fields(IMAGES),
    with_loose_fields(QUOTE),
    with_loose_fields(FULL["embed"]),
    with_loose_fields({"$type": "app.bsky.embed.gallery", "items": [{"alt": "x"}]}),
)
FACETS = st.lists(
    st.one_of(LOOSE, with_loose_fields(facet(0, 3, "link", uri="https://low.example"))), max_size=3
)
# As libipld gives them: links are bytes.
LOOSE_CBOR = st.one_of(LOOSE, st.binary(max_size=4), st.lists(st.binary(max_size=4), max_size=2))
LOOSE_POST = st.one_of(
    LOOSE_CBOR,
    with_loose_fields(FULL),
    st.builds(lambda embed: FULL | {"embed": embed}, EMBEDS),
    st.builds(lambda facets: FULL | {"facets": facets}, FACETS),
    st.builds(lambda name, value: FULL | {name: value}, st.sampled_from(list(FULL)), LOOSE_CBOR),
)


@given(LOOSE_POST, st.one_of(LOOSE_CBOR, with_loose_fields(LIKE)), st.text(max_size=5))
def test_no_fields_break_the_reading(post, like, key):
    origin = bluesky.Origin(DID, "test")
    made = bluesky.content(origin, bluesky.POST, key, post, "a.car", "item 1")
    assert isinstance(made, Upsert | Rejected | Skipped)
    for record in records([made]):
        assert record.audience in ("public", "unlisted", "unknown")
        json.dumps([record.text, record.mentions, record.tags], ensure_ascii=False).encode()
    made = bluesky.content(origin, "app.bsky.feed.like", key, like, "a.car", "item 1")
    assert isinstance(made, Interaction | Rejected)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([f"{PREFERENCE}/self", f"{PREFERENCE}/{KEY}", f"{INTENTS}/self"]),
            st.one_of(
                LOOSE,
                with_loose_fields(YES),
                with_loose_fields(NO),
                with_loose_fields(posts_only(training=False)),
                with_loose_fields(intents(syntheticContentGeneration=False)),
            ),
        ),
        max_size=4,
    )
)
def test_no_signal_breaks_the_reading_and_a_plain_no_holds(files):
    texts = {f"{name}.json": json.dumps(fields) for name, fields in files}
    tree = tree_of({"_commit.json": {"did": DID}, "app.bsky.feed.post/1.json": POST} | texts)
    update = next(iter(bluesky_repository.read(tree)))
    assert update.train_signal in ("", "allow", "deny", "unreadable")
    no = {f"{INTENTS}/other.json": json.dumps(intents(syntheticContentGeneration=False))}
    tree = tree_of({"_commit.json": {"did": DID}, "app.bsky.feed.post/1.json": POST} | texts | no)
    assert next(iter(bluesky_repository.read(tree))).train_signal == "deny"
