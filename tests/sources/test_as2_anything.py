"""Whatever comes in whatever place: no crash, nothing wider, no word of anything private."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sayso.content.events import Upsert
from sayso.content.record import LONGEST_ID, LONGEST_TEXT
from sayso.sources.activitystreams import Origin
from sayso.sources.items import Item
from tests.sources.as2_shapes import (
    OURS,
    PUBLICS,
    YOU,
    act,
    broken,
    items,
    junk,
    note,
    origins,
    shapes,
)
from tests.sources.records import PUBLIC

SECRET = "never to be seen"


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
