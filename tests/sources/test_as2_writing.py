"""Records as ActivityStreams: out, and in again as they were."""

import json

from hypothesis import given, settings

from sayso.content.events import AccountUpdate, Upsert
from sayso.content.record import LONGEST_ID, Record
from sayso.sources import as2_writing
from sayso.sources.detect import find
from sayso.sources.items import Item, Refused, Rejected
from tests.sources.as2_shapes import CONTEXT, FOLLOWERS, ME, OURS, YOU, note, one, record
from tests.sources.records import PUBLIC, records


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
    path = tmp_path / "collection.json"
    collection = {"@context": CONTEXT, "type": "Collection", "items": [note(**said)]}
    path.write_text(json.dumps(collection))
    (export,) = find([path])
    assert list(export.read()) == [one(note())]
    narrow = one(note(**said, to=[FOLLOWERS], cc=[]), OURS)
    assert isinstance(narrow, Upsert)
    assert (narrow.record.audience, narrow.record.id) == ("followers", f"{ME}/statuses/1")
    assert isinstance(one(note(**said, to=[YOU], cc=[]), OURS), Refused)
