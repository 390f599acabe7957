"""What accounts say: both atproto lexicons and actors. Examples of the lexicons and of Mastodon."""

import json

import pytest

from sayso.rights.signals import activitypub, atproto, files, resolve

GLOBAL = {
    "$type": "community.lexicon.preference.ai",
    "scope": {"$type": "#globalScope"},
    "preferences": {
        "training": {"allow": False, "updatedAt": "2026-04-01T00:00:00.000Z"},
        "inference": {"allow": True, "updatedAt": "2026-04-01T00:00:00.000Z"},
    },
    "updatedAt": "2026-04-01T00:00:00.000Z",
}
INTENTS = {
    "$type": "org.user-intents.declaration",
    "updatedAt": "2025-02-20T21:37:20.362Z",
    "syntheticContentGeneration": {"allow": False, "updatedAt": "2025-02-20T21:37:20.362Z"},
}


def test_records_of_both_lexicons_keep_their_words():
    for record in (GLOBAL, INTENTS):
        found = files.read(json.dumps(record).encode(), "atproto")
        verdict = resolve.verdict(found)
        assert verdict.answer == "deny"
        assert json.loads(verdict.statements[0].raw) == record
        assert resolve.is_declared(verdict.statements[0])


def test_posts_before_the_account_and_others_not_at_all():
    def record(scope, allow):
        return {"scope": scope, "preferences": {"training": {"allow": allow}}}

    posts = {"$type": "#collectionScope", "collection": "app.bsky.feed.post"}
    other = {"$type": "community.lexicon.preference.ai#entityScope", "entity": "did:web:x.example"}
    every = {"$type": "#globalScope"}

    def answer(*records):
        listed = [(atproto.PREFERENCE, str(n), each) for n, each in enumerate(records)]
        return resolve.verdict(atproto.statements(listed)).answer

    assert answer(record(every, False), record(posts, True)) == "allow"
    assert answer(record(every, True), record(posts, False)) == "deny"
    assert answer(record(other, False)) == "unknown"
    assert answer(record(every, True), None) == "unreadable"
    assert atproto.streamed(atproto.PREFERENCE, "x", record(posts, True)) == []


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ({"indexable": False}, "deny"),
        ({"indexable": True}, "unknown"),  # consent to search is no consent to training
        ({"discoverable": False}, "unknown"),
        ({"indexable": "no"}, "unreadable"),
        ({"searchableBy": "https://x.example/followers"}, "deny"),
        ({"searchableBy": ["as:Public"]}, "unknown"),
        ({"memorial": True}, "deny"),
        ({"summary": "<p>Sailor</p><p>#<span>NoAI</span></p>"}, "deny"),
        ({"summary": "<p>rope</p>#noimageai"}, "deny"),
        ({"summaryMap": {"de": "#nobots"}}, "deny"),
        ({"attachment": {"name": "AI", "value": "#noai"}}, "deny"),
        ({"summary": "no#noai #noairport"}, "unknown"),
    ],
)
def test_actors(actor, expected):
    assert resolve.verdict(activitypub.actor(actor)).answer == expected
