"""The ledger's fold: the same whether it is read in one go or entry by entry."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from sayso.rights import ledger
from sayso.rights.database import Rights
from sayso.rights.tables import ledger as table
from sayso.settings import Settings
from sayso.web.progress import Board
from sayso.workspace import Workspace
from tests.web.conftest import gate_entry, release_entry

NUMBERS = ["OBJ-1", "OBJ-2", "OBJ-3"]
LATER = "2026-12-24T00:00:00+00:00"


def extension(number: str) -> dict:
    return {"number": number, "months": 1, "due_at": LATER, "by": "0" * 16}


entries = st.lists(
    st.one_of(
        st.builds(lambda n: ("objection", {"number": n}), st.sampled_from(NUMBERS)),
        st.builds(lambda n: ("claim", {"number": n}), st.sampled_from(NUMBERS)),
        st.builds(lambda n: ("withdrawal", {"number": n}), st.sampled_from(NUMBERS)),
        st.builds(lambda n: ("lapse", {"number": n, "by": "time"}), st.sampled_from(NUMBERS)),
        st.builds(lambda n: ("extension", extension(n)), st.sampled_from(NUMBERS)),
        st.builds(
            lambda name, kind, up_to: ("release", release_entry(name, kind, up_to)),
            st.sampled_from(["a", "b"]),
            st.sampled_from(["interim", "full"]),
            st.integers(0, 15),
        ),
        st.just(("gate", gate_entry(3, {"minor": 2}, {"waiting": 1}))),
        st.just(("something-else", {})),
    ),
    max_size=15,
)


def new_rights(folder: Path) -> Rights:
    return Rights(Workspace.create(folder, Settings()))


def add(rights: Rights, kind: str, body: dict) -> ledger.Entry:
    with rights.writing() as connection:
        return ledger.append(connection, kind, body)


@settings(max_examples=40, deadline=None)
@given(entries)
def test_reading_on_is_reading_anew(story: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rights = new_rights(Path(folder))
        followed = Board(rights)
        for kind, body in story:
            add(rights, kind, body)
            followed.overview()
        anew = Board(rights)
        assert followed.overview() == anew.overview()
        for number in NUMBERS:
            progress = anew.progress(number)
            assert followed.progress(number) == progress
            if progress and progress.gone_at:
                assert progress.gone_at >= progress.received_at
            if progress and progress.rebuilt_at:
                assert progress.gone_at <= progress.rebuilt_at
        rights.engine.dispose()


def test_the_steps_of_an_objection(tmp_path: Path) -> None:
    rights = new_rights(tmp_path)
    board = Board(rights)
    assert board.progress("OBJ-1") is None
    add(rights, "release", release_entry("r0", "full", 0))
    received = add(rights, "objection", {"number": "OBJ-1"})
    assert board.progress("OBJ-1").steps_done == 2
    # A training that began before the objection does not heed it, even if it ends after it.
    add(rights, "release", release_entry("r1", "full", received.seq - 1))
    assert board.progress("OBJ-1").steps_done == 2
    interim = add(rights, "release", release_entry("r2", "interim", received.seq, ["OBJ-1"]))
    assert board.progress("OBJ-1").gone_with == "r2"
    assert board.progress("OBJ-1").steps_done == 3
    add(rights, "release", release_entry("r3", "full", received.seq))
    add(rights, "release", release_entry("r4", "full", received.seq))
    add(rights, "release", release_entry("r4", "full", received.seq + 1))  # it is no other
    progress = board.progress("OBJ-1")
    assert (progress.gone_with, progress.rebuilt_with, progress.steps_done) == ("r2", "r3", 4)
    overview = board.overview()
    assert [release.name for release in overview.releases] == ["r4", "r3", "r2", "r1", "r0"]
    waited = datetime.fromisoformat(interim.at) - datetime.fromisoformat(received.at)
    assert overview.median_seconds == waited.total_seconds()
    assert overview.verdicts is None
    with rights.reading() as connection:
        assert (overview.entries, overview.head) == ledger.verify(connection)
    assert board.released_at("r2") == datetime.fromisoformat(interim.at).astimezone(UTC)
    assert board.released_at("r9") is None


def test_a_claim_counts_from_when_it_came_and_is_heeded_once_it_is_confirmed(
    tmp_path: Path,
) -> None:
    rights = new_rights(tmp_path)
    board = Board(rights)
    claimed = add(rights, "claim", {"number": "OBJ-1"})
    add(rights, "claim", {"number": "OBJ-2"})
    add(rights, "release", release_entry("r1", "full", claimed.seq + 1))
    assert board.progress("OBJ-1").gone_at is None  # nobody knows yet whose it is
    bound = add(rights, "objection", {"number": "OBJ-1"})
    add(rights, "lapse", {"number": "OBJ-2", "by": "time"})
    add(rights, "extension", extension("OBJ-1"))
    add(rights, "release", release_entry("r2", "full", bound.seq))
    progress = board.progress("OBJ-1")
    assert progress.received_at == datetime.fromisoformat(claimed.at)
    assert (progress.gone_with, progress.rebuilt_with) == ("r2", "r2")
    assert progress.due_at == datetime.fromisoformat(LATER)
    assert board.progress("OBJ-2").lapsed_at is not None
    overview = board.overview()
    assert (overview.objections, overview.lapsed, overview.withdrawn) == (2, 1, 0)


def test_a_letter_counts_from_when_it_came(tmp_path: Path) -> None:
    rights = new_rights(tmp_path)
    came = "2026-11-01T00:00:00+00:00"
    noted = add(rights, "objection", {"number": "OBJ-1", "received_at": came})
    add(rights, "release", release_entry("r1", "interim", noted.seq))
    board = Board(rights)
    assert board.progress("OBJ-1").received_at == datetime.fromisoformat(came)
    assert board.overview().median_seconds > 24 * 3600


def test_another_ledger_in_its_place_is_noticed(tmp_path: Path) -> None:
    rights = new_rights(tmp_path)
    board = Board(rights)
    add(rights, "objection", {"number": "OBJ-1"})
    add(rights, "objection", {"number": "OBJ-2"})
    assert board.overview().objections == 2
    # A back-up was restored: shorter first, then as long again but different.
    with rights.writing() as connection:
        connection.execute(delete(table).where(table.c.seq == 2))
    assert board.overview().objections == 1
    with rights.writing() as connection:
        body, digest = '{"number":"OBJ-3"}', "f" * 64
        connection.execute(update(table).where(table.c.seq == 1).values(body=body, hash=digest))
    assert board.progress("OBJ-1") is None
    assert board.progress("OBJ-3") is not None
