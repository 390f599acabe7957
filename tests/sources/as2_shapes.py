"""ActivityStreams as servers send it, and as nobody should."""

from typing import Any

from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.content.record import Record
from sayso.sources.activitystreams import Origin, read
from sayso.sources.items import Item
from tests.sources.records import PUBLIC

HOST = "https://square.example"
ME = f"{HOST}/users/member-1"
YOU = "https://other.example/users/member-2"
CONTEXT = "https://www.w3.org/ns/activitystreams"
OURS = Origin(ours=True)

FOLLOWERS = f"{ME}/followers"


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


def actor(**fields: Any) -> dict[str, Any]:
    return {
        "id": ME,
        "type": "Person",
        "preferredUsername": "member-1",
        "inbox": f"{ME}/inbox",
        "manuallyApprovesFollowers": True,
        "discoverable": False,
    } | fields


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
