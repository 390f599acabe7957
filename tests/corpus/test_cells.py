"""The grid: every example in exactly one cell, and nobody's records in another person's square."""

import calendar
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.corpus.cells import (
    Chain,
    chains,
    era_of,
    examples_of,
    in_sample,
    is_held_out,
    period_of,
    shard_of,
)
from sayso.settings import Cells

PERIODS = ["calendar", "months"]
ERAS = ["period", "year", "forever"]
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


unhurried = settings(deadline=None)  # the machine may be busy


class Row(msgspec.Struct, frozen=True):
    order: int
    hash: str
    text: str
    person_key: int
    written: datetime


numbers = st.integers(0, 2**64 - 1)
shares = st.floats(0, 1)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))
# Close enough to share a month or a year now and then.
distances = st.timedeltas(timedelta(0), timedelta(days=500))
grids = st.builds(
    Cells,
    shards=st.integers(1, 12),
    periods=st.sampled_from(PERIODS),
    era=st.sampled_from(ERAS),
)


@st.composite
def corpora(draw: st.DrawFn) -> list[Row]:
    """Some people with some texts each, within the two years before the training."""
    people = draw(st.lists(numbers, min_size=1, max_size=5, unique=True))
    drawn = st.tuples(
        numbers,
        st.sampled_from(people),
        st.datetimes(datetime(2024, 12, 1), datetime(2026, 11, 30), timezones=st.just(UTC)),
    )
    rows = draw(st.lists(drawn, max_size=25, unique_by=lambda row: row[0]))
    return [Row(order, f"{order:032x}", "text", person, at) for order, person, at in rows]


def frame(rows: list[Row]) -> pl.DataFrame:
    schema = {
        "order": pl.UInt64,
        "hash": pl.String,
        "text": pl.String,
        "person_key": pl.UInt64,
        "written": pl.Datetime("us", "UTC"),
    }
    made = pl.DataFrame([msgspec.structs.asdict(row) for row in rows], schema=schema)
    return made.with_columns(frozen=pl.lit(value=False))


def manifests(found: list[Chain]) -> dict[tuple[int, str], tuple[str, ...]]:
    return {(cell.shard, cell.period): cell.manifest for chain in found for cell in chain}


@unhurried
@given(moments, distances, moments, st.sampled_from(PERIODS))
def test_periods_cut_time_into_pieces_in_its_order(
    first: datetime, apart: timedelta, at: datetime, periods: str
) -> None:
    last = first + apart
    middle = first + apart / 2
    before, between, after = (period_of(w, at, periods) for w in (first, middle, last))
    assert before <= between <= after
    if before == after:
        assert before == between
    for written, period in ((first, before), (last, after)):
        assert f"{written:%Y-%m-%d}".startswith(period)


@unhurried
@given(moments, distances, moments, distances, st.sampled_from(PERIODS))
def test_periods_only_ever_grow_together(
    first: datetime, apart: timedelta, at: datetime, later: timedelta, periods: str
) -> None:
    last = first + apart
    if period_of(first, at, periods) == period_of(last, at, periods):
        assert period_of(first, at + later, periods) == period_of(last, at + later, periods)


@unhurried
@given(moments)
def test_days_become_months_and_months_become_years(written: datetime) -> None:
    def seen(at: datetime) -> str:
        return period_of(written, at, "calendar")

    days = calendar.monthrange(written.year, written.month)[1]
    assert seen(written) == f"{written:%Y-%m-%d}"
    assert seen(written.replace(day=days)) == f"{written:%Y-%m-%d}"
    if written.month < 12:
        assert seen(written.replace(day=1, month=written.month + 1)) == f"{written:%Y-%m}"
        assert seen(written.replace(day=31, month=12)) == f"{written:%Y-%m}"
    assert seen(written.replace(day=1, month=1, year=written.year + 1)) == f"{written:%Y}"


@unhurried
@given(moments, moments, moments)
def test_months_are_months_whenever_one_looks(
    written: datetime, at: datetime, later: datetime
) -> None:
    assert period_of(written, at, "months") == period_of(written, later, "months")
    assert period_of(written, at, "months") == f"{written:%Y-%m}"


@unhurried
@given(moments, moments, st.sampled_from(PERIODS))
def test_eras_hold_whole_periods_of_one_year_or_all(
    written: datetime, at: datetime, periods: str
) -> None:
    period = period_of(written, at, periods)
    assert era_of(period, "period") == period
    assert era_of(period, "year") == f"{written:%Y}"
    assert era_of(period, "forever") == "all"


@unhurried
@given(numbers, st.integers(1, 4096))
def test_a_persons_shard_is_one_of_the_shards(person: int, shards: int) -> None:
    assert shard_of(person, shards) in range(shards)


@unhurried
@given(numbers, shares, shares)
def test_a_larger_share_of_people_held_out_contains_the_smaller(
    person: int, one: float, other: float
) -> None:
    smaller, larger = sorted((one, other))
    assert is_held_out(person, larger) or not is_held_out(person, smaller)
    assert is_held_out(person, 1.0)
    assert not is_held_out(person, 0.0)


@unhurried
@given(numbers, shares, shares)
def test_a_larger_sample_contains_the_smaller(order: int, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert in_sample(order, larger) or not in_sample(order, smaller)
    assert in_sample(order, 1.0)
    assert not in_sample(order, 0.0)


@unhurried
@given(corpora(), grids)
def test_every_example_is_in_exactly_one_cell_its_own(rows: list[Row], grid: Cells) -> None:
    found = chains(frame(rows), grid, AT)
    by_hash = {row.hash: row for row in rows}
    placed = Counter(digest for chain in found for cell in chain for digest in cell.manifest)
    assert placed == Counter(row.hash for row in rows)
    assert examples_of(found) == set(by_hash)
    for chain in found:
        for cell in chain:
            assert cell.examples
            for example in cell.examples:
                row = by_hash[example.hash]
                assert (example.order, example.text) == (row.order, row.text)
                assert cell.shard == shard_of(row.person_key, grid.shards)
                assert cell.period == period_of(row.written, AT, grid.periods)


@unhurried
@given(corpora(), grids)
def test_chains_and_cells_and_examples_are_in_order(rows: list[Row], grid: Cells) -> None:
    found = chains(frame(rows), grid, AT)
    names = [(chain[0].shard, chain[0].era) for chain in found]
    assert names == sorted(set(names))
    for chain in found:
        assert {(cell.shard, cell.era) for cell in chain} == {(chain[0].shard, chain[0].era)}
        periods = [cell.period for cell in chain]
        assert periods == sorted(set(periods))
        assert all(cell.era == era_of(cell.period, grid.era) for cell in chain)
        for cell in chain:
            orders = [example.order for example in cell.examples]
            assert orders == sorted(orders)
    if grid.era == "period":
        assert all(len(chain) == 1 for chain in found)


@unhurried
@given(corpora(), grids, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    rows: list[Row], grid: Cells, random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert chains(frame(shuffled), grid, AT) == chains(frame(rows), grid, AT)


@unhurried
@given(corpora(), grids, st.integers(0, 24))
def test_removing_a_person_changes_their_cells_and_no_other(
    rows: list[Row], grid: Cells, which: int
) -> None:
    if not rows:
        return
    person = rows[which % len(rows)].person_key
    theirs = {row.hash for row in rows if row.person_key == person}
    rest = [row for row in rows if row.person_key != person]
    before, after = (manifests(chains(frame(part), grid, AT)) for part in (rows, rest))
    for square, manifest in before.items():
        kept = tuple(digest for digest in manifest if digest not in theirs)
        assert after.get(square, ()) == kept
        if theirs & set(manifest):
            assert square[0] == shard_of(person, grid.shards)
    assert after.keys() <= before.keys()


@unhurried
@given(corpora(), grids)
def test_a_cells_hash_names_its_examples_and_their_order(rows: list[Row], grid: Cells) -> None:
    cells = [cell for chain in chains(frame(rows), grid, AT) for cell in chain]
    assert len({cell.manifest_hash for cell in cells}) == len(cells)
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        turned = msgspec.structs.replace(cell, examples=cell.examples[::-1])
        assert (turned.manifest_hash == cell.manifest_hash) == (len(cell.examples) == 1)
        moved = msgspec.structs.replace(cell, shard=cell.shard + 1, period="1999", era="1999")
        assert moved.manifest_hash == cell.manifest_hash
