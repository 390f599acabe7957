"""Facebook's reactions in both dialects, and what was watched for how long."""

from tests.sources.facebook_exports import ACTIVITY, LIKES, read
from tests.sources.meta_exports import (
    AT,
    reactions,
    rejected,
    skipped,
)


def test_both_dialects_of_reactions(tmp_path):
    old = {"timestamp": AT, "title": "Member One likes Member Two's post.",
           "data": [{"reaction": {"reaction": "LIKE", "actor": "Member One"}}]}  # fmt: skip
    love = old | {"data": [{"reaction": {"reaction": "LOVE", "actor": "Member One"}}]}
    theirs = old | {"data": [{"reaction": {"reaction": "LIKE", "actor": "Member Two"}}]}
    url = "https://www.facebook.com/groups/1/posts/2"
    new = [
        {"timestamp": AT, "fbid": "1", "label_values": [
            {"label": "Reaction", "value": "LIKE"},
            {"label": "URL", "value": url},
            {"label": "Name", "value": "Member Two"}]},
        {"timestamp": AT, "media": [], "label_values": [
            {"label": "Cảm xúc", "value": "Thích"},
            {"label": "URL", "value": url, "href": url},
            {"dict": [{"label": "Tên", "value": "Member Two"}], "title": "Tác giả"}]},
        {"timestamp": AT, "label_values": [{"label": "Reaction", "value": "LIKE"}]},
    ]  # fmt: skip
    story = {"timestamp": AT, "title": "Member One reacted to Member Two's story."}
    items = read(tmp_path, {
        LIKES.replace(".json", "_1.json"): [old, love, theirs],
        LIKES: new,
        f"{ACTIVITY}/stories/story_reactions.json": {"stories_feedback_v2": [story]},
        f"{ACTIVITY}/x/likes_and_reactions_2.json": {"reactions_v2": [old | {"timestamp": AT + 1}]},
    })  # fmt: skip
    found = reactions(items)
    assert [seen.verb for seen in found] == ["like", "react", "like", "react", "like", "react"]
    assert [seen.object for seen in found].count(url) == 2
    assert {seen.actor for seen in found} == {"acct:member.1@facebook.com"}
    assert "Member" not in repr(found)
    assert skipped(items) == {"someone else's reaction": 1}
    assert [r.where for r in rejected(items)] == ["item 3"]


def test_what_was_watched_and_for_how_long(tmp_path):
    def entry(name, **data):
        return {"timestamp": AT, "data": {"name": name, **data}}

    watched = [entry("A", uri="https://fb.watch/1", watch_time="12.5"), entry("B", watch_time=3)]
    items = read(tmp_path, {
        "logged_information/interactions/recently_viewed.json": {"recently_viewed": [
            {"name": "Videos", "description": "…", "children": [
                {"name": "Time", "entries": [*watched, entry("C", watch_time="a while"), "bad"]}]},
            {"name": "Posts", "entries": [entry("", uri="https://fb.example/2"), entry("")]},
        ]},
    })  # fmt: skip
    assert [(s.verb, s.object, s.value, s.unit) for s in reactions(items)] == [
        ("dwell", "https://fb.watch/1", 12500.0, "ms"),
        ("dwell", "facebook:B", 3000.0, "ms"),
        ("view", "facebook:C", None, ""),
        ("view", "https://fb.example/2", None, ""),
    ]
    assert len(rejected(items)) == 2
