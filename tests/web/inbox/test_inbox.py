"""The inbox: what members of another server do becomes records and reactions."""

from sayso.corpus.store import Store
from tests.corpus.world import traces
from tests.web.inbox.conftest import account, reactions, words
from tests.web.inbox.peer import PUBLIC

MARKER = "zwiebelfisch"


def test_a_public_post_and_what_its_author_says_of_themselves(running, member):
    assert member.deliver(running, member.does("Create", member.note(1))) == 202
    (row,) = Store(running.workspace).records.read().to_dicts()
    assert (row["id"], row["author"], row["text"], row["audience"]) == (
        f"{member.id}/statuses/1",
        member.account,
        "low tide",
        "public",
    )
    assert row["source"] == "activitystreams"
    # The actor document was fetched for its key: it speaks of training, too.
    assert account(running, member).train_signal == "deny"
    assert member.peer.asked == {"/users/member-1": 1}
    assert 'keyId="http://sayso.example/actor#main-key"' in member.peer.signed[0]["Signature"]


def test_what_is_not_public_is_refused(running, member):
    for number, (to, cc) in enumerate(
        (
            ([f"{member.id}/followers"], []),
            ([f"{member.peer.url}/users/member-9"], []),
            ([], [f"{member.id}/followers"]),
            ([], []),
        )
    ):
        note = member.note(number, MARKER, to=to, cc=cc)
        assert member.deliver(running, member.does("Create", note, to=to, cc=cc)) == 202
    assert traces(running.workspace, MARKER) == []
    # Nor does it come in later.
    assert member.deliver(running, member.does("Create", member.note(1))) == 202
    assert words(running) == []


def test_unlisted_posts_keep_their_audience(running, member):
    note = member.note(1, to=[f"{member.id}/followers"], cc=[PUBLIC])
    assert member.deliver(running, member.does("Create", note)) == 202
    assert Store(running.workspace).records.read(["audience"])["audience"].to_list() == ["unlisted"]


def test_edits_and_deletions(running, member):
    member.deliver(running, member.does("Create", member.note(1, "first")))
    member.deliver(running, member.does("Create", member.note(2, "other")))
    edited = member.note(1, "second", updated="2026-09-12T07:15:00Z")
    assert member.deliver(running, member.does("Update", edited)) == 202
    assert words(running) == ["other", "second"]
    tombstone = {"id": f"{member.id}/statuses/1", "type": "Tombstone"}
    assert member.deliver(running, member.does("Delete", tombstone)) == 202
    assert member.deliver(running, member.does("Delete", f"{member.id}/statuses/2")) == 202
    assert words(running) == []
    assert member.peer.asked["/users/member-1"] == 1


def test_reactions_and_taking_them_back(running, member, other):
    like = member.does("Like", f"{other.id}/statuses/1")
    boost = member.does("Announce", f"{other.id}/statuses/1")
    assert member.deliver(running, like) == 202
    assert member.deliver(running, boost) == 202
    assert reactions(running) == ["like", "share"]
    assert other.deliver(running, other.does("Undo", like)) == 403
    assert other.deliver(running, other.does("Undo", like | {"actor": other.id})) == 403
    assert other.deliver(running, other.does("Undo", like["id"])) == 403
    assert reactions(running) == ["like", "share"]
    assert member.deliver(running, member.does("Undo", like)) == 202
    assert member.deliver(running, member.does("Undo", boost["id"])) == 202
    assert reactions(running) == []


def test_a_member_who_leaves_takes_everything_along(running, member, other):
    member.deliver(running, member.does("Create", member.note(1, MARKER)))
    other.deliver(running, other.does("Create", other.note(1)))
    assert member.deliver(running, member.does("Delete", member.id)) == 202
    assert account(running, member).state == "deleted"
    assert words(running) == ["low tide"]


def test_a_changed_profile(running, member):
    changed = member.document | {"indexable": True, "type": "Service"}
    assert member.deliver(running, member.does("Update", changed)) == 202
    assert account(running, member).kind == "bot"


def test_other_activities_are_heard_and_forgotten(running, member):
    for kind in ("Follow", "Block", "Flag", "Move", "Accept", "Question", "View"):
        assert member.deliver(running, member.does(kind, member.id, target=member.id)) == 202
    assert words(running) == reactions(running) == []
