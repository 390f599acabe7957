"""Anybody asks whether a text is in the model: the answer, and all that it must not tell."""

import logging

import httpx2
import msgspec
import pytest

from sayso.audit.trained import Trained
from sayso.rights import objections
from sayso.rights.database import Rights
from sayso.settings import Asking, Settings
from sayso.training import lineage
from sayso.training.train import train
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, take
from tests.web.conftest import KnownAssistant, serving

OBJECTED, DELETED, STAYS, DENIED = (
    "the mussel boat came home late with torn nets and a broken engine",
    "painting the lantern room took three summers and nine buckets of red",
    "my grandmother baked bread for the ferry crew each winter morning at four",
    "only my two friends shall read what I think of the harbour master",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_settings: Settings):
    """A community with one text in the model, two that were, and one that never was."""
    settings = msgspec.structs.replace(tiny_settings, asking=Asking(per_minute=0))
    workspace = Workspace.create(tmp_path_factory.mktemp("asked") / "home", settings, KEY)
    texts = (DELETED, OBJECTED, STAYS)
    take(
        workspace,
        *(post(n, text, url=f"https://square.example/@m/{n}") for n, text in enumerate(texts)),
        post(5, DENIED, audience="friends"),
    )
    train(workspace, AT, in_process=True)
    take(workspace, event("content.delete", id="post-0"))
    objections.receive(Rights(workspace), "member-1@square")
    train(workspace, AT, in_process=True)
    with serving(workspace, KnownAssistant()) as address:
        yield workspace, address


def asked(trained, **question):
    with httpx2.Client(base_url=trained[1], timeout=20) as client:
        return client.post("/api/am-i-in-it", json=question)


def answer(trained, **question):
    found = asked(trained, **question)
    assert found.status_code == 200, found.text
    return found.json()["answer"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STAYS, "now"),
        (STAYS.upper().replace(" ", "  ") + " !!", "now"),
        (OBJECTED, "before"),
        (DELETED, "before"),
        (DENIED, "never"),
        ("nobody has ever said anything like this sentence about purple tractors", "never"),
    ],
)
def test_a_text_is_in_it_was_in_it_or_never(trained, text, expected):
    assert answer(trained, text=text) == expected


def test_nearly_the_same_text_is_found(trained):
    long = " ".join(f"{word}{n}" for n in range(12) for word in STAYS.split())
    workspace, _ = trained
    take(workspace, post(8, long))
    train(workspace, AT, in_process=True)
    assert answer(trained, text=long + " really") == "now"
    assert answer(trained, text=long[: len(long) // 2]) == "never"


def test_a_post_is_found_by_its_link_and_its_id(trained):
    for way in ("https://square.example/@m/2", "http://SQUARE.example/@m/2/#reply", "post-2"):
        assert answer(trained, link=way) == "now"
    for way in ("https://square.example/@m/1", "post-0", "https://square.example/@m/0"):
        assert answer(trained, link=way) == "before"
    for way in ("post-5", "post-99", "https://square.example/@m/99", "x"):
        assert answer(trained, link=way) == "never"


def test_objection_and_deletion_are_told_apart_by_nothing(trained):
    objected, deleted = asked(trained, text=OBJECTED), asked(trained, text=DELETED)
    drop = {"date", "content-length"}
    assert objected.json() == deleted.json()
    assert {k: v for k, v in objected.headers.items() if k not in drop} == {
        k: v for k, v in deleted.headers.items() if k not in drop
    }
    with httpx2.Client(base_url=trained[1], timeout=20) as client:
        pages = [client.post("/am-i-in-it", data={"text": t}).text for t in (OBJECTED, DELETED)]
    assert pages[0] == pages[1]


def test_what_few_could_read_is_not_confirmed(trained):
    workspace, _ = trained
    never = asked(trained, text="nobody has ever said anything like this about purple tractors")
    assert asked(trained, text=DENIED).json() == never.json()
    # Even what a policy let train: an outsider may not have a guess at it confirmed.
    number = workspace.pseudonyms.number
    index = Trained(workspace)
    assert index.of_text(STAYS) == "now"
    rows = lineage.table(workspace).read(where=f"key = {number('record', 'post-2')}")
    hidden = rows.with_columns(public=rows["inside"] & False)
    lineage.table(workspace).remove([number("record", "post-2")])
    lineage.table(workspace).append(hidden)
    assert Trained(workspace).of_text(STAYS) == "never"
    assert Trained(workspace).of_link("post-2") == "never"
    lineage.table(workspace).remove([number("record", "post-2")])
    lineage.table(workspace).append(rows)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"text": "Good morning everybody"}, "too short"),
        ({"text": "    " * 50}, "one of the two"),
        ({}, "one of the two"),
        ({"text": STAYS, "link": "post-2"}, "one of the two"),
        ({"text": "x" * 50_001}, "50000"),
        ({"link": "x" * 3000}, "2048"),
    ],
)
def test_what_cannot_be_asked_is_said(trained, question, says):
    found = asked(trained, **question)
    assert found.status_code == 422
    assert says in found.text


def test_nothing_of_a_question_is_kept(trained, caplog):
    workspace, address = trained
    caplog.set_level(logging.DEBUG)
    secret = "zebrawort " * 9
    with httpx2.Client(base_url=address, timeout=20) as client:
        form = client.get("/am-i-in-it")
        found = client.post("/am-i-in-it", data={"text": secret})
        before = client.get("/metrics").text
        client.post("/am-i-in-it", data={"link": "https://x.example/zebrawort"})
        after = client.get("/metrics").text
    assert "zebrawort" not in found.text
    assert found.headers["cache-control"] == form.headers["cache-control"] == "no-store"
    assert asked(trained, text=secret).headers["cache-control"] == "no-store"
    assert form.headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert 'method="post"' in form.text
    assert not any("zebrawort" in r.getMessage() for r in caplog.records if "httpx" not in r.name)
    for path in workspace.home.rglob("*"):
        assert not path.is_file() or b"zebrawort" not in path.read_bytes()
    changed = set(after.splitlines()) - set(before.splitlines())
    assert len(changed) == 1
    assert changed.pop().startswith("sayso_membership_questions_total")


def test_too_many_questions_are_refused(tmp_path, tiny_settings: Settings):
    settings = msgspec.structs.replace(tiny_settings, asking=Asking(per_minute=2))
    workspace = Workspace.create(tmp_path / "home", settings, KEY)
    with serving(workspace, KnownAssistant()) as address:
        codes = [asked((workspace, address), text=STAYS).status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_the_index_follows_releases_as_if_it_were_new(trained):
    """An index that saw each change answers as one that reads everything afterwards."""
    workspace, _ = trained
    index = Trained(workspace)
    index.warm()
    texts = [f"{word} {STAYS}" * 3 for word in ("alpha", "beta", "gamma")]
    for n, text in enumerate(texts):
        take(workspace, post(20 + 3 * n, text + f" number {n}" * 4))
        train(workspace, AT, in_process=True)
        take(workspace, event("content.delete", id=f"post-{20 + 3 * n}")) if n % 2 else None
        questions = [*texts, OBJECTED, STAYS, DELETED]
        fresh = Trained(workspace)
        assert [index.of_text(q) for q in questions] == [fresh.of_text(q) for q in questions]
