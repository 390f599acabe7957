"""Whoever turns out to be a minor is gone, as if it had been known from the start."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sayso.corpus import admission
from sayso.corpus.erase import erase
from sayso.corpus.prepare import prepare, tidy
from sayso.corpus.store import Store
from sayso.rights import people
from sayso.rights.database import Rights
from sayso.settings import Settings
from sayso.workspace import Workspace
from tests.conftest import AT, KEY
from tests.corpus.world import event, post, state, take, texts, traces

MARKER = "harbourmaster"
PUPIL = "member-1@square"  # by whom post(1), post(4) and post(7) are


def told(band: str, account: str = PUPIL) -> dict:
    return event("account.update", account=account, service="square", age_band=band)


def by_record(number: int, band: str = "minor") -> dict:
    return post(number, author={"id": PUPIL, "age_band": band})


def likes(number: int) -> dict:
    return event("interaction", actor=PUPIL, verb="like", object=f"post-{number}")


@pytest.mark.parametrize("batch", [1, 4000])
@pytest.mark.parametrize("said", [told("minor"), by_record(7)], ids=["account", "record"])
def test_everything_of_a_minor_goes_and_later_records_are_not_stored(workspace, said, batch):
    take(workspace, post(1, MARKER), post(2, "of somebody else"), likes(2))
    prepare(workspace, admission.judge_all(workspace, AT))
    assert MARKER in str(Store(workspace).corpus.read()["text"].to_list())
    take(workspace, said, post(4, MARKER), likes(5), batch=batch)
    judged = admission.judge_all(workspace, AT)
    assert set(texts(workspace)) == {"post-2"}
    assert judged.counts["denied"] == {"minor": 3 if said == by_record(7) else 2}
    erase(workspace)
    tidy(workspace, judged)
    assert traces(workspace, MARKER) == []
    assert not len(Store(workspace).interactions.read())
    assert admission.explain(workspace, "post-1", AT)[0] == "minor"


def test_who_turns_out_to_be_an_adult_is_taken_in_again(workspace):
    take(workspace, told("minor"), post(1), told("unknown"), post(1))
    assert texts(workspace) == {}, "saying no more does not make anybody older"
    take(workspace, told("adult"), post(1))
    assert set(texts(workspace)) == {"post-1"}


@pytest.mark.parametrize("batch", [1, 4000])
def test_a_record_outlives_an_earlier_word_of_the_account(workspace, batch):
    take(workspace, told("adult"), by_record(1), post(4), batch=batch)
    (pupil,) = people.frame(Rights(workspace)).to_dicts()
    assert pupil["age_band"] == "minor"
    assert texts(workspace) == {}


happenings = st.lists(
    st.one_of(
        st.builds(post, st.integers(0, 8)),
        st.builds(likes, st.integers(0, 8)),
        st.builds(lambda n: event("content.delete", id=f"post-{n}"), st.integers(0, 8)),
        st.sampled_from([told("adult"), told("unknown"), told("minor"), by_record(4)]),
        st.sampled_from(
            [
                event("account.update", account=PUPIL, service="square", state=state)
                for state in ("deleted", "active", "private")
            ]
        ),
    ),
    min_size=2,
    max_size=10,
)
world = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def left(tiny_settings: Settings, events: list, batch: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "home", tiny_settings, KEY)
        if events:
            take(workspace, *events, batch=batch)
        found = state(workspace) | {"trained": sorted(trained(workspace))}
        Rights(workspace).engine.dispose()
        return found


def trained(workspace: Workspace) -> list[str]:
    prepared = prepare(workspace, admission.judge_all(workspace, AT))
    return prepared.training["hash"].to_list()


@world
@given(events=happenings)
def test_it_makes_no_difference_where_batches_begin(tiny_settings: Settings, events: list):
    assert left(tiny_settings, events, 1) == left(tiny_settings, events, 100)


@world
@given(events=happenings, place=st.integers(0, 10))
def test_it_is_as_if_it_had_been_known_from_the_start(
    tiny_settings: Settings, events: list, place: int
):
    # Nobody grows up here: once a minor, always one.
    events = [each for each in events if each != told("adult")]
    late = left(tiny_settings, [*events[:place], told("minor"), *events[place:]], 3)
    early = left(tiny_settings, [told("minor"), *events], 3)
    for table in ("records", "interactions", "fingerprints", "verdicts", "trained"):
        assert late[table] == early[table]
    keys = [{row["key"] for row in found["tombstones"]} for found in (late, early)]
    assert keys[0] == keys[1]


def test_control_without_the_minor_there_is_more(tiny_settings: Settings):
    events = [post(1), post(2)]
    known = left(tiny_settings, [told("minor"), *events], 3)
    assert left(tiny_settings, events, 3)["trained"] != known["trained"]
