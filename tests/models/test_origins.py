"""Origins: where on the calendar they lie, what is settled and foretold there, and that nobody looks ahead."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.learning.origins import FEWEST_MONTHS, Origin, choose_origins

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
BEGIN = datetime(2026, 1, 1)  # a Thursday
Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]


def times(*moments: datetime) -> Times:
    return np.array(moments, dtype="datetime64[us]")


def daily(begin: datetime, end: datetime) -> Times:
    """Look at midnight of each day, the last one included."""
    return times(*(begin + number * DAY for number in range((end - begin).days + 1)))


def in_turn(as_of: Times) -> Floats:
    """Let every second snapshot convert, the first one too."""
    labels: Floats = (np.arange(len(as_of)) % 2 == 0).astype(np.float64)
    return labels


def one_each(as_of: Times) -> NDArray[np.int64]:
    """Let every snapshot be of a lead of its own."""
    return np.arange(len(as_of))


def chosen(as_of: Times, reach: timedelta, count: int = 6, minimum: int = 1, labels: Floats | None = None) -> list[str]:
    """Give the days of the origins that are chosen, each of which is a midnight."""
    labels = in_turn(as_of) if labels is None else labels
    origins = choose_origins(as_of, labels, one_each(as_of), reach, count=count, minimum=minimum)
    assert all(origin.moment == origin.moment.normalize() for origin in origins)
    return [f"{origin.moment:%m-%d}" for origin in origins]


def test_the_worked_example_of_the_docstring() -> None:
    as_of = daily(BEGIN, datetime(2026, 5, 31))
    origins = choose_origins(as_of, in_turn(as_of), one_each(as_of), 30 * DAY, count=6, minimum=1)
    assert [origin.moment for origin in origins] == [pd.Timestamp(2026, month, 1) for month in (2, 3, 4, 5)]
    newest = origins[-1]
    assert as_of[newest.settled(as_of, 30 * DAY)].max() == np.datetime64("2026-04-01")
    assert as_of[newest.foretold(as_of)].tolist() == daily(datetime(2026, 5, 1), datetime(2026, 5, 31)).tolist()
    assert [int(origin.settled(as_of, 30 * DAY).sum()) for origin in origins] == [2, 30, 61, 91]
    assert [int(origin.foretold(as_of).sum()) for origin in origins] == [28, 31, 30, 31]


def test_an_origin_lasts_until_the_next_and_the_last_one_until_after_the_last_snapshot() -> None:
    as_of = np.append(daily(BEGIN, datetime(2026, 4, 10)), times(datetime(2026, 4, 11, 13, 30)))
    origins = choose_origins(as_of, in_turn(as_of), one_each(as_of), 10 * DAY, count=9, minimum=1)
    assert [origin.until for origin in origins] == [
        pd.Timestamp(2026, 3, 1), pd.Timestamp(2026, 4, 1), pd.Timestamp(2026, 4, 11, 13, 30, 0, 1)
    ]  # fmt: skip
    assert origins[-1].foretold(as_of)[-1]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, ["05-01"]), (3, ["03-01", "04-01", "05-01"]), (9, ["02-01", "03-01", "04-01", "05-01"])],
)
def test_the_newest_are_taken_as_many_as_are_wanted(count: int, expected: list[str]) -> None:
    assert chosen(daily(BEGIN, datetime(2026, 5, 31)), 30 * DAY, count=count) == expected


def test_with_fewer_than_three_firsts_of_a_month_there_are_mondays() -> None:
    reach = 10 * DAY
    assert chosen(daily(BEGIN, datetime(2026, 4, 1)), reach) == ["02-01", "03-01", "04-01"]
    mondays = ["02-23", "03-02", "03-09", "03-16", "03-23", "03-30"]
    assert chosen(daily(BEGIN, datetime(2026, 3, 31)), reach) == mondays
    # The first Monday at which something is settled: the snapshots of 1 and 2 January.
    assert chosen(daily(BEGIN, datetime(2026, 1, 25)), reach) == ["01-12", "01-19"]


def test_mondays_that_are_fewer_than_the_firsts_of_a_month_are_not_taken() -> None:
    # On 26 January, the Monday before the second look, the first one is not settled.
    monthly = np.repeat(times(datetime(2026, 1, 1), datetime(2026, 2, 1)), 2)
    assert chosen(monthly, 30 * DAY) == ["02-01"]
    later = np.repeat(times(datetime(2026, 1, 1), datetime(2026, 2, 1), datetime(2026, 3, 1)), 2)
    assert chosen(later, 30 * DAY) == ["02-01", "03-01"]


def test_at_an_origin_enough_convert_and_enough_do_not() -> None:
    as_of = daily(BEGIN, datetime(2026, 12, 31))
    rare = np.isin(as_of, times(*(datetime(2026, month, 2) for month in (1, 3, 5)))).astype(np.float64)
    # The conversion of 2 March is settled on 1 April, that of 2 May on 1 June.
    firsts = [f"{month:02d}-01" for month in range(2, 13)]
    for labels in (rare, 1.0 - rare):
        assert chosen(as_of, 30 * DAY, 12, 1, labels) == firsts
        assert chosen(as_of, 30 * DAY, 12, 2, labels) == firsts[2:]
        assert chosen(as_of, 30 * DAY, 12, 3, labels) == firsts[4:]
        assert chosen(as_of, 30 * DAY, 12, 4, labels) == []


def test_who_converts_after_what_is_settled_does_not_count() -> None:
    as_of = daily(BEGIN, datetime(2026, 4, 30))
    labels = np.where(as_of >= np.datetime64("2026-03-03"), in_turn(as_of), 0.0)
    assert chosen(as_of, 30 * DAY, labels=labels) == ["04-06", "04-13", "04-20", "04-27"]
    assert chosen(as_of, 59 * DAY, labels=labels) == []


def test_a_snapshot_is_settled_a_horizon_and_the_delay_after_it_to_the_microsecond() -> None:
    origin = Origin(pd.Timestamp(2026, 5, 1), pd.Timestamp(2026, 6, 1))
    horizon, delay = 30 * DAY, timedelta(hours=6)
    last = datetime(2026, 3, 31, 18)
    looks = times(last - MICROSECOND, last, last + MICROSECOND, datetime(2026, 4, 1))
    assert origin.settled(looks, horizon + delay).tolist() == [True, True, False, False]
    assert origin.settled(looks, horizon).tolist() == [True] * 4
    assert origin.settled(looks + np.timedelta64(1, "us"), horizon).tolist() == [True, True, True, False]


def test_what_is_foretold_begins_at_the_origin_and_ends_before_the_next_to_the_microsecond() -> None:
    begin, end = datetime(2026, 5, 1), datetime(2026, 6, 1)
    looks = times(begin - MICROSECOND, begin, end - MICROSECOND, end)
    assert Origin(pd.Timestamp(begin), pd.Timestamp(end)).foretold(looks).tolist() == [False, True, True, False]


def test_the_reach_decides_to_the_microsecond_whether_there_is_an_origin() -> None:
    looks = np.repeat(times(datetime(2026, 1, 2), datetime(2026, 2, 1)), 2)
    assert chosen(looks, 30 * DAY) == ["02-01"]  # settled at that very moment
    assert chosen(looks, 30 * DAY + MICROSECOND) == []


def test_a_last_snapshot_at_an_origin_is_foretold_from_it() -> None:
    as_of = daily(BEGIN, datetime(2026, 5, 1))
    newest = choose_origins(as_of, in_turn(as_of), one_each(as_of), 30 * DAY, count=6, minimum=1)[-1]
    assert (newest.moment, newest.until) == (pd.Timestamp(2026, 5, 1), pd.Timestamp(2026, 5, 1, 0, 0, 0, 1))
    assert int(newest.foretold(as_of).sum()) == 1


def test_a_month_in_which_nobody_was_looked_at_is_no_origin() -> None:
    as_of = np.concatenate([daily(BEGIN, datetime(2026, 3, 31)), daily(datetime(2026, 5, 5), datetime(2026, 6, 3))])
    assert chosen(as_of, 30 * DAY) == ["02-01", "03-01", "05-01", "06-01"]


@pytest.mark.parametrize(
    "as_of",
    [
        times(),
        times(BEGIN),
        daily(BEGIN, datetime(2026, 1, 31)),  # on the last day the first snapshot is settled; it is a Saturday
        daily(BEGIN, datetime(2026, 2, 28)),
    ],
    ids=["empty", "one snapshot", "as long as the horizon", "less than two months"],
)
def test_of_an_empty_or_too_short_log_there_is_nothing_at_all(as_of: Times) -> None:
    assert chosen(as_of, 60 * DAY if len(as_of) > 31 else 30 * DAY) == []


Drawn = tuple[Times, Floats, NDArray[np.int64]]
drawn_snapshots = st.lists(
    st.tuples(st.integers(0, 250 * 24), st.sampled_from([0, 0, 1, 59_999_999]), st.booleans()), max_size=80
)
drawn_reach = st.builds(
    lambda hours, delay: timedelta(hours=hours, microseconds=delay), st.integers(1, 100 * 24), st.sampled_from([0, 1])
)


def snapshots_of(drawn: list[tuple[int, int, bool]]) -> Drawn:
    """Give moments, labels, and leads, of which there are seven."""
    as_of = times(*(BEGIN + timedelta(hours=hours, microseconds=more) for hours, more, _ in drawn))
    leads = np.array([hours % 7 for hours, _, _ in drawn], dtype=np.int64)
    return as_of, np.array([float(converts) for _, _, converts in drawn]), leads


def by_hand(  # noqa: PLR0913, RUF100 - what is drawn
    as_of: Times, labels: Floats, leads: NDArray[np.int64], reach: timedelta, minimum: int, *, monthly: bool
) -> list[Origin]:
    """Try each day from the first to the last snapshot, one snapshot at a time."""
    looks: list[datetime] = as_of.tolist()
    if not looks:
        return []
    midnight = datetime.combine(min(looks), datetime.min.time())
    days = [midnight + number * DAY for number in range((max(looks) - midnight).days + 1)]
    starts = [day for day in days if (day.day == 1 if monthly else day.weekday() == 0)]
    found = []
    for moment, until in pairwise([*starts, max(looks) + MICROSECOND]):
        known = {
            (lead, label) for look, label, lead in zip(looks, labels, leads, strict=True) if look + reach <= moment
        }
        fewest = min(sum(own == label for _, own in known) for label in (0.0, 1.0))
        if fewest >= minimum and any(moment <= look < until for look in looks):
            found.append(Origin(pd.Timestamp(moment), pd.Timestamp(until)))
    return found


@given(drawn_snapshots, drawn_reach, st.integers(0, 8), st.integers(1, 5))
@settings(max_examples=200)
def test_no_origin_that_can_be_judged_from_is_left_out(
    drawn: list[tuple[int, int, bool]], reach: timedelta, count: int, minimum: int
) -> None:
    as_of, labels, leads = snapshots_of(drawn)
    months, mondays = (by_hand(as_of, labels, leads, reach, minimum, monthly=monthly) for monthly in (True, False))
    expected = months if len(months) >= min(FEWEST_MONTHS, len(mondays)) else mondays
    found = choose_origins(as_of, labels, leads, reach, count=count, minimum=minimum)
    assert found == expected[len(expected) - min(count, len(expected)) :]


@given(drawn_snapshots, drawn_reach, st.timedeltas(timedelta(0), 9 * DAY), st.integers(1, 8), st.integers(1, 5))
@settings(max_examples=200)
def test_nothing_settled_looks_beyond_its_origin_and_all_after_the_first_is_foretold_once(
    drawn: list[tuple[int, int, bool]], horizon: timedelta, delay: timedelta, count: int, minimum: int
) -> None:
    as_of, labels, leads = snapshots_of(drawn)
    origins = choose_origins(as_of, labels, leads, horizon + delay, count=count, minimum=minimum)
    assert len(origins) <= count
    assert origins == sorted(origins, key=lambda origin: origin.moment)
    times_foretold = np.zeros(len(as_of), dtype=int)
    before = np.zeros(len(as_of), dtype=bool)
    for origin in origins:
        settled, foretold = origin.settled(as_of, horizon + delay), origin.foretold(as_of)
        # The label of a snapshot looks into [as_of, as_of + horizon), and is known the delay after that.
        assert all(look + horizon + delay <= origin.moment for look in as_of[settled].tolist())
        assert all(look + horizon + delay > origin.moment for look in as_of[~settled].tolist())
        for label in (0.0, 1.0):
            assert len(set(leads[settled & (labels == label)])) >= minimum
        assert foretold.any()
        assert not (settled & foretold).any()
        assert (before <= settled).all(), "what was settled once stays so"
        before = settled
        times_foretold += foretold
    if origins:
        assert times_foretold.tolist() == (as_of >= np.datetime64(origins[0].moment)).astype(int).tolist()


@given(drawn_snapshots, drawn_reach, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_the_snapshots_does_not_matter(
    drawn: list[tuple[int, int, bool]], reach: timedelta, random: Any  # noqa: ANN401 - hypothesis names no type
) -> None:  # fmt: skip
    turned = random.sample(drawn, len(drawn))
    found, again = (choose_origins(*snapshots_of(one), reach, count=6, minimum=1) for one in (drawn, turned))
    assert found == again
