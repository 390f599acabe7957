"""What records were trained in: noted when releases are published, kept when all else is gone."""

import contextlib
from datetime import timedelta

from sayso.rights import items, objections
from sayso.rights.database import Rights
from sayso.rights.objection import ITEMS, Given
from sayso.training import lineage, releases
from sayso.training.train import train
from tests.conftest import AT
from tests.corpus.world import event, post, take, traces

WORDS = "tide mussel rope gull lantern harbour engine paint bread net winter ferry".split()


def own_text(number: int) -> str:
    return " ".join(f"{word}{number}" for word in WORDS[: 8 + number % 3])


def key(workspace, number):
    return workspace.pseudonyms.number("record", f"post-{number}")


def inside(workspace):
    found = lineage.spans(workspace)
    return set(found.filter(found["until"].is_null())["key"].to_list())


def once_inside(workspace):
    return set(lineage.spans(workspace)["key"].to_list())


def go(workspace, days=0):
    return train(workspace, AT + timedelta(days=days), in_process=True)


def test_records_are_followed_through_releases_and_after_their_erasure(workspace):
    take(workspace, *(post(n, own_text(n), url=f"https://square.example/p/{n}/") for n in range(6)))
    go(workspace)
    everything = {key(workspace, n) for n in range(6)}
    assert inside(workspace) == everything == once_inside(workspace)
    noted = lineage.noted_up_to(workspace)
    go(workspace)  # nothing changed: no row is added, the table does not grow
    assert lineage.noted_up_to(workspace) == noted
    assert lineage.table(workspace).open().count_rows() == 6
    objections.receive(Rights(workspace), "member-1@square")
    take(workspace, event("content.delete", id="post-0"), post(2, own_text(22), rev=2))
    go(workspace)
    assert inside(workspace) == {key(workspace, n) for n in (2, 3, 5)}
    assert once_inside(workspace) == everything
    edited = lineage.spans(workspace, f"key IN ({key(workspace, 2)})").sort("since")
    assert edited["print_key"].n_unique() == 2  # the old words were inside, the new ones are
    assert edited["until"].is_null().to_list() == [False, True]
    rows = lineage.table(workspace).read()
    address = lineage.url_key(workspace, "http://SQUARE.example/p/1#top")
    assert set(rows.filter(rows["url_key"] == address)["key"]) == {key(workspace, 1)}
    assert rows["public"].all()
    assert not traces(workspace, "mussel1")
    current = releases.current(workspace)
    assert len(current.names) == len(current.trained_on)


def test_a_crash_between_a_release_and_its_note_loses_nothing(workspace, monkeypatch):
    take(workspace, *(post(n, own_text(n)) for n in range(6)))

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lineage, "note", crash)
        with contextlib.suppress(KeyboardInterrupt):
            go(workspace)
    assert once_inside(workspace) == set()
    items.take_out(
        Rights(workspace),
        Given(name="member-1@square", about=ITEMS, confirmed_by="member"),
        {key(workspace, 1): workspace.pseudonyms.number("account", "member-1@square")},
    )
    objections.receive(Rights(workspace), "member-2@square")
    go(workspace)
    assert once_inside(workspace) == {key(workspace, n) for n in range(6)}
    assert not inside(workspace) & {key(workspace, 2), key(workspace, 5)}
