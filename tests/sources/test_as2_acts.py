"""What actors do and say of themselves: reactions, deletions, moves, words on training."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sayso.content.events import AccountUpdate, Delete, Interaction, Undelete
from sayso.sources import activitystreams, lines
from sayso.sources.activitystreams import Origin, fits
from sayso.sources.items import Rejected, Skipped
from tests.sources.as2_shapes import CONTEXT, FOLLOWERS, HOST, ME, YOU, act, actor, items, note, one
from tests.sources.records import PUBLIC

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
        ({"indexable": True}, "unset"),
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
