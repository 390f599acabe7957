"""Third persons: what is found of them, what is done about it, and that order does not matter."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.corpus import admission
from sayso.corpus.depicted import is_withheld, object_to_items, settle, shows_objector
from sayso.corpus.erase import mark, withdraw
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store
from sayso.errors import UsageError
from sayso.gate.keyset import KeySet
from sayso.rights import claims, contacts, items, names, objections, requests
from sayso.rights.database import Rights
from sayso.rights.objection import Given, Objection
from sayso.rights.requests import Contact
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, take, traces

NAME = "Lena Brandt"
NEAR = "Lena Brandt rows at the harbour"
ACCOUNT = "lena@square"
PICTURE = [{"path": "a.jpg", "kind": "image"}]
EXAMPLE = "https://square.example/9"


def objects(workspace: Workspace, confirmed_by: str = "operator", **about: object) -> Objection:
    given = Given(name="unused", confirmed_by=confirmed_by, channel="test")
    return object_to_items(workspace, given, **about)


def rows(workspace: Workspace, number: str) -> dict[str, tuple[str, str, str]]:
    """What is noted of stored records, by their ids."""
    ids = dict(Store(workspace).records.read(["key", "id"]).iter_rows())
    with Rights(workspace).reading() as connection:
        found = items.of_objection(connection, number)
    how = {i.record_key: (i.act, i.state, i.decided_by.removeprefix("match:")) for i in found}
    return {ids[key]: each for key, each in how.items() if key in ids}


def rules(workspace: Workspace) -> dict[str, str]:
    mark(workspace)
    judged = admission.judge_all(workspace, AT).records
    return dict(judged.select("id", "rule").iter_rows())


def trained(workspace: Workspace) -> list[str]:
    mark(workspace)
    judged = admission.judge_all(workspace, AT)
    found = prepare(workspace, judged).training
    tidy(workspace, judged)
    return sorted(found["text"])


def test_only_what_a_name_and_its_context_tell_is_masked(workspace):
    take(workspace, post(1, NEAR), post(2, f"{NAME} again"), post(3, "the harbour alone"))
    made = objects(workspace, name=NAME, context=["Harbour"])
    assert rows(workspace, made.number) == {
        "post-1": ("mask", "decided", "context"),
        "post-2": ("mask", "review", "name"),
    }
    assert rules(workspace) == {"post-1": "allowed", "post-2": "frozen", "post-3": "allowed"}
    assert trained(workspace) == ["[NAME] rows at the harbour", "the harbour alone"]


def test_masked_names_leave_corpus_and_answers_and_come_back_with_a_withdrawal(workspace):
    take(workspace, post(1, NEAR), post(2, "low tide"))
    assert trained(workspace) == [NEAR, "low tide"]
    made = objects(workspace, name=NAME, context=["harbour"])
    assert trained(workspace) == ["[NAME] rows at the harbour", "low tide"]
    # The author's own record keeps it; what is made of it for the model and the answers does not.
    left = {path.split("/")[1] for path in traces(workspace, "Lena") if "/" in path}
    assert left == {"records.lance"}
    withdraw(workspace, made.number)
    assert trained(workspace) == [NEAR, "low tide"]
    with Rights(workspace).reading() as connection:
        assert not names.any_kept(connection), "nothing is kept of what does not stand"


def test_captions_and_alt_texts_are_words_too(workspace):
    shown = [{"path": "a.jpg", "kind": "image", "alt": f"{NAME} rows", "caption": "the harbour"}]
    take(workspace, post(1, "look", media=shown))
    objects(workspace, name=NAME, context=["harbour"])
    assert trained(workspace) == ["look\nthe harbour\n[NAME] rows"]


def test_a_claim_freezes_until_an_operator_confirms_it(workspace):
    take(workspace, post(1, NEAR))
    made = objects(workspace, "", name=NAME, context=["harbour"])
    assert rules(workspace) == {"post-1": "frozen"}
    take(workspace, post(2, f"{NEAR} too"))
    assert rules(workspace) == {"post-1": "frozen", "post-2": "frozen"}
    claims.confirm(Rights(workspace), [made.number], "operator")
    assert trained(workspace) == ["[NAME] rows at the harbour", "[NAME] rows at the harbour too"]


def test_a_claim_that_lapses_leaves_nothing(workspace):
    take(workspace, post(1, NEAR))
    made = objects(workspace, "", name=NAME, context=["harbour"])
    claims.lapse(Rights(workspace), made.number, "operator")
    assert trained(workspace) == [NEAR]
    with Rights(workspace).reading() as connection:
        assert not names.any_kept(connection)


def code_for(workspace: Workspace, request: str) -> str:
    rights = Rights(workspace)
    with rights.writing() as connection:
        return requests.new_code(connection, rights, request)


@pytest.mark.parametrize("known", [True, False])
def test_an_address_shows_whose_an_account_is_and_nothing_of_a_name(workspace, known):
    mail = "member-1@mail.example"
    rights = Rights(workspace)
    take(
        workspace,
        event("account.update", account=ACCOUNT, service="square"),
        post(1, NEAR),
        post(2, "a picture", media=PICTURE, mentions=[ACCOUNT]),
    )
    if known:
        with rights.writing() as connection:
            contacts.put(connection, rights, ACCOUNT, mail)
    given = Given(name="x", confirmed_by="", contact=Contact(mail))
    made = object_to_items(workspace, given, account=ACCOUNT, name=NAME, context=["harbour"])
    claims.redeem(rights, code_for(workspace, made.request))
    picture = "item-objection" if known else "frozen"
    assert rules(workspace) == {"post-1": "frozen", "post-2": picture}
    claims.confirm(rights, [made.number], "operator")
    assert rules(workspace) == {"post-1": "allowed", "post-2": "item-objection"}


def test_links_are_reviewed_unless_the_name_is_there(workspace):
    take(workspace, post(1, "nothing to see"), post(2, f"{NAME} again", url=EXAMPLE))
    made = objects(workspace, name=NAME, links=["post-1", EXAMPLE, "post-7"])
    take(workspace, post(7, "came later"))
    assert rows(workspace, made.number) == {
        "post-1": ("out", "review", "link"),
        "post-2": ("mask", "decided", "link context"),
        "post-7": ("out", "review", "link"),
    }


def test_what_somebody_decided_stays_decided(workspace):
    take(workspace, post(1, f"{NAME} again"))
    made = objects(workspace, name=NAME)
    key = workspace.pseudonyms.number("record", "post-1")
    items.decide(Rights(workspace), made.number, key, "none", "operator")
    take(workspace, post(1, f"{NAME} again and again", rev=2))
    assert rows(workspace, made.number) == {"post-1": ("none", "decided", "operator")}
    assert trained(workspace) == [f"{NAME} again and again"]


def test_a_decision_to_mask_without_a_name_leaves_nothing(workspace):
    take(workspace, post(1, "whom it is about"))
    made = objects(workspace, links=["post-1"])
    key = workspace.pseudonyms.number("record", "post-1")
    items.decide(Rights(workspace), made.number, key, "mask", "operator")
    assert trained(workspace) == []


def test_a_name_in_too_many_records_freezes_none(tmp_path, tiny_settings):
    few = msgspec.structs.replace(tiny_settings.objecting, most_matches=2)
    workspace = Workspace.create(
        tmp_path / "few", msgspec.structs.replace(tiny_settings, objecting=few), KEY
    )
    take(workspace, *(post(n, f"{NEAR} {n}") for n in range(2)))
    made = objects(workspace, "", name=NAME, context=["harbour"])
    assert set(rules(workspace).values()) == {"frozen"}
    take(workspace, post(2, f"{NEAR} 2"))
    assert is_withheld(workspace, made.number)
    assert set(rules(workspace).values()) == {"allowed"}
    # Once an operator said that it is the person's name, there is no limit to what is clear.
    claims.confirm(Rights(workspace), [made.number], "operator")
    assert trained(workspace) == [f"[NAME] rows at the harbour {n}" for n in range(3)]
    other = objects(workspace, name="rows at")
    assert is_withheld(workspace, other.number)


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"name": "Lena"},
        {"name": "Le", "context": ["harbour"]},
        {"name": "L. B."},
        {"name": "田", "context": ["港区"]},
        {"name": NAME, "context": ["Brandt"]},
        {"name": NAME, "context": ["at"]},
        {"links": [str(n) for n in range(101)]},
    ],
)
def test_what_could_mean_anybody_is_refused_and_nothing_is_kept(workspace, about):
    with pytest.raises(UsageError) as error:
        objects(workspace, **about)
    assert "Lena" not in f"{error.value}"
    assert objections.list_all(Rights(workspace)) == []


def test_no_name_is_kept(workspace):
    objects(workspace, name="Zoraya Quentin", context=["Wittlage"])
    assert traces(workspace, "Zoraya") + traces(workspace, "Wittlage") == []


def test_tagged_accounts_that_object_are_told(workspace):
    take(
        workspace,
        post(1, media=PICTURE, mentions=[ACCOUNT]),
        post(2, mentions=[ACCOUNT]),
        post(3, media=PICTURE, mentions=["@lena"]),
        post(4, media=PICTURE, mentions=["other@square"]),
        post(5, media=PICTURE),
    )
    number = workspace.pseudonyms.number
    store = Store(workspace)
    objectors = key_set(number("account", ACCOUNT))
    found = shows_objector(store, workspace.pseudonyms, objectors)
    assert set(found) == {number("record", "post-1"), number("record", "post-3")}
    assert not len(shows_objector(store, workspace.pseudonyms, key_set()))


def test_pictures_that_tag_somebody_who_objects_do_not_train(workspace):
    take(
        workspace,
        post(1, media=PICTURE, mentions=[ACCOUNT]),
        post(2, mentions=[ACCOUNT]),
        post(3, media=PICTURE, mentions=["@lena"]),
        post(4, media=PICTURE),
    )
    allowed = dict.fromkeys(["post-1", "post-2", "post-3", "post-4"], "allowed")
    rights = Rights(workspace)
    ((claim,),) = claims.receive_all(rights, [Given(name=ACCOUNT, confirmed_by="")])
    assert rules(workspace) == allowed  # anybody could have typed it
    claims.confirm(rights, [claim.number], "member")
    shown = allowed | {"post-1": "shows-objector", "post-3": "shows-objector"}
    assert rules(workspace) == shown
    verdict, found = admission.explain(workspace, "post-1", AT)
    assert verdict == "shows-objector"
    assert [each.rule for each in found if each.fired] == ["shows-objector"]
    assert len(trained(workspace)) == 2
    take(workspace, post(5, media=PICTURE, mentions=[ACCOUNT]))  # later ones, too
    assert rules(workspace) == shown | {"post-5": "shows-objector"}
    withdraw(workspace, claim.number)
    assert rules(workspace) == allowed | {"post-5": "allowed"}


def key_set(*keys: int) -> KeySet:
    return KeySet(np.array(keys, np.uint64))


# --- who came first ---

WORDS = st.sampled_from(
    [NEAR, f"{NAME} again", "the harbour", "Lena at the harbour", "LENA BRANDTS harbour"]
)
records = st.builds(
    lambda n, text, tagged, shown, rev: post(
        n,
        text,
        rev=rev,
        media=PICTURE if shown else [],
        mentions=[ACCOUNT] if tagged else [],
        url=EXAMPLE if n % 2 else "",  # a record keeps its address; two may share one
    ),
    st.integers(0, 4),
    WORDS,
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
)
abouts = st.fixed_dictionaries(
    {"name": st.just(NAME), "context": st.sampled_from([(), ("harbour",)])},
    optional={"account": st.just(ACCOUNT), "links": st.sampled_from([["post-1"], [EXAMPLE]])},
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    given_records=st.lists(records, min_size=1, max_size=5),
    about=abouts,
    place=st.integers(0, 5),
    confirmed_late=st.booleans(),
    decision=st.sampled_from(items.ACTS),
)
def test_it_makes_no_difference_who_came_first(
    tiny_settings: Settings,
    given_records: Sequence[dict],
    about: dict,
    place: int,
    confirmed_late: bool,
    decision: str,
):
    def outcome(before: Sequence[dict], after: Sequence[dict], late: bool) -> object:
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace.create(Path(folder) / "home", tiny_settings, KEY)
            take(workspace, *before)
            trained(workspace)  # as it would have been, without the objection
            made = objects(workspace, "" if late else "operator", **about)
            take(workspace, *after)
            if late:
                claims.confirm(Rights(workspace), [made.number], "operator")
            settle(workspace)
            found = rows(workspace, made.number), rules(workspace)
            # What is frozen may stay where it is trained already; once decided, nothing depends
            # on what was trained when.
            rights = Rights(workspace)
            with rights.reading() as connection:
                waiting = items.waiting(connection)
            for item in waiting:
                items.decide(rights, item.number, item.record_key, decision, "operator")
            found += (trained(workspace),)
            rights.engine.dispose()
            return found

    first = outcome([], given_records, late=False)
    assert outcome(given_records[:place], given_records[place:], confirmed_late) == first
