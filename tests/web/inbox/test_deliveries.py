"""Whatever an activity says: what comes of it is its actor's own, and public."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.content.events import AccountUpdate, Delete, Interaction, Upsert
from sayso.sources import as2_values as values
from sayso.sources.as2_values import UnfitError
from sayso.sources.items import Item, Refused, Rejected, Skipped
from sayso.web.deliveries import NotTheirsError, host_of, items_of, owned

HOST = "harbour.example"
ACTOR = f"https://{HOST}/users/member-1"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


addresses = st.sampled_from(
    [
        ACTOR,
        f"{ACTOR}/statuses/1",
        f"{ACTOR}#likes/1",
        f"https://{HOST}/users/member-2",
        f"https://{HOST}/users/member-2/statuses/1",
        "https://elsewhere.example/users/member-1",
        f"https://elsewhere.example/users/{HOST}",
        f"https://{HOST}@elsewhere.example/notes/1",
        f"https://elsewhere.example@{HOST}/notes/1",
        f"https://{HOST}.elsewhere.example/1",
        "https://[/1",
        f"acct:member-2@{HOST}",
        PUBLIC,
        "",
    ]
)
kinds = st.sampled_from(
    "Create Update Delete Undo Like Announce EmojiReact Follow Move Note Article Question Person "
    "Group Tombstone ChatMessage OrderedCollection x".split()
)
loose = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), addresses)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = inner | st.lists(inner, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "id": addresses | parts,
            "type": kinds | st.lists(kinds, max_size=2) | parts,
            "actor": addresses | parts,
            "object": parts,
            "attributedTo": addresses | parts,
            "to": st.just([PUBLIC]) | parts,
            "cc": st.just([PUBLIC]) | parts,
            "formerType": kinds,
            "content": st.sampled_from(["<p>low tide</p>", ""]) | parts,
            "published": st.just("2026-09-11T07:15:00Z") | parts,
            "updated": st.just("2026-09-12T07:15:00Z") | parts,
            "preferredUsername": st.just("member-1") | parts,
            "orderedItems": parts,
        },
    )


anything = st.recursive(loose, objects, max_leaves=12)
# Most of what is made of nothing but chance says nothing.
activities = st.builds(
    lambda kind, part, changes: {
        "id": f"{ACTOR}#acts/1",
        "type": kind,
        "actor": ACTOR,
        "object": part,
    } | changes,
    st.sampled_from(["Create", "Update", "Delete", "Undo", "Like", "Announce"]),
    anything
    | objects(anything).map(
        lambda fields: {
            "id": f"{ACTOR}/statuses/1", "type": "Note", "attributedTo": ACTOR, "to": [PUBLIC],
            "content": "low tide", "updated": "2026-09-12T07:15:00Z",
        } | fields
    ),
    st.just({}) | objects(anything),
)  # fmt: skip


def is_their_own(item: Item) -> bool:
    match item:
        case Upsert(record=record):
            is_open = record.audience in ("public", "unlisted")
            theirs = (record.author, host_of(record.id)) == (values.account(ACTOR), HOST)
            return is_open and theirs
        case Delete(id=name) | Refused(id=name):
            return host_of(name) == HOST
        case AccountUpdate(account=account, moved_to=moved_to):
            return {values.host(account), values.host(moved_to)} <= {HOST, ""}
        case Interaction(actor=actor):
            return actor == values.account(ACTOR)
        case Skipped() | Rejected():
            return True
    return False


@settings(max_examples=400)
@given(activities)
@example({"id": ACTOR, "type": "Delete", "actor": ACTOR, "object": {"id": ACTOR, "type": "Person"}})
@example(
    {
        "id": f"{ACTOR}#1",
        "type": "Delete",
        "actor": ACTOR,
        "object": {"id": f"https://{HOST}/users/member-2", "formerType": "Person"},
    }
)
def test_what_comes_of_an_activity_is_its_actors_own(activity):
    try:
        taken = owned(activity, ACTOR)
    except (NotTheirsError, UnfitError):
        return
    if taken is not None:
        assert all(map(is_their_own, items_of(taken)))


@settings(max_examples=200)
@given(st.text() | addresses)
def test_hosts_are_those_of_web_addresses(text):
    host = host_of(text)
    assert not host or (text.lower().startswith("http") and host in text.lower())
    assert "@" not in host
