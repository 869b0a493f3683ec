"""Promises against what happened, however often one looks: bets worked out by hand, and worlds whose truth is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.alarms_truth import alarm, quiet_world, watched
from models.evaluation import promises
from models.evaluation.promises import OTHERS, WHOLE, Promise, Strand, band_edges, bands, counted_once, log_gains, watch

MONTH = timedelta(days=30)
MONDAY = datetime(2026, 1, 5)


def scores(weeks: int, leads: int, probability: float, happened: float, *, first: int = 0) -> pd.DataFrame:
    """Score other leads each Monday, of which the first so many convert."""
    rows = [
        (f"L{week}-{lead}", MONDAY + timedelta(weeks=week), probability, lead < round(happened * leads))
        for week in range(first, first + weeks)
        for lead in range(leads)
    ]
    return pd.DataFrame(rows, columns=["lead_id", "as_of", "probability", "happened"])


def watch_all(rows: pd.DataFrame, kinds: dict[str, pd.Series] | None = None, **more: object) -> list[Promise]:
    options: dict[str, Any] = {"false_alarms": 0.05, "tolerance": 1.0, "tolerance_of_parts": 1.25, **more}
    return watch(rows, kinds or {}, MONTH, **options)


def test_a_bet_multiplies_as_worked_out_by_hand() -> None:
    # Odds of 1 to 4; of 1.6 to 4 and of 1 to 6.4 beyond: 2/7 and 5/37 instead of 1/5.
    gains = np.exp(log_gains(np.array([0.2, 0.2]), np.array([1.0, 0.0]), 1.0))
    assert gains == pytest.approx(
        np.array([[(2 / 7) / (1 / 5), (5 / 37) / (1 / 5)], [(5 / 7) / (4 / 5), (32 / 37) / (4 / 5)]])
    )
    # With a tolerance of 2 the edges are odds of 2 to 4 and 1 to 8: 3.2 to 4 over 2 to 4, 1 to 12.8 over 1 to 8.
    gains = np.exp(log_gains(np.array([0.2]), np.array([1.0]), 2.0))
    assert gains == pytest.approx(np.array([[(3.2 / 7.2) / (1 / 3), (1 / 13.8) / (1 / 9)]]))


def test_capital_waits_and_is_laid_out_bit_by_bit() -> None:
    strand = Strand()
    strand.look(np.log([3.0, 0.5]))
    assert np.exp(strand.capital) == pytest.approx(11 / 12 + 3 / 24 + 0.5 / 24)
    strand.look(np.log([2.0, 1.0]))
    laid_out = 11 / 12 / 24
    assert np.exp(strand.capital) == pytest.approx(
        (11 / 12) ** 2 + (3 / 24 + laid_out) * 2.0 + (0.5 / 24 + laid_out) * 1.0
    )


@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5),
    st.floats(1.0, 2.0),
    st.floats(-1.0, 1.0),
)
def test_whose_odds_are_within_the_tolerance_lets_nobody_get_rich(
    said: list[float], tolerance: float, where: float
) -> None:
    """Of all that may happen to a few leads, each as likely as it truly is, both bets are worth 1 at most."""
    probabilities = np.array(said)
    true = 1.0 / (1.0 + (1.0 - probabilities) / probabilities / tolerance**where)
    worth = np.zeros(2)
    for case in range(2 ** len(said)):
        happened = np.array([float(case >> lead & 1) for lead in range(len(said))])
        chance = np.prod(np.where(happened > 0, true, 1.0 - true))
        worth += chance * np.exp(log_gains(probabilities, happened, tolerance).sum(axis=0))
    assert (worth <= 1.0 + 1e-9).all()
    if tolerance == 1.0:
        assert worth == pytest.approx(1.0)


def test_evidence_is_the_mean_of_the_strands_of_a_horizon() -> None:
    rows = scores(1, 100, 0.2, 0.05)
    (found,) = watch_all(rows)
    strand = Strand()
    strand.look(log_gains(rows["probability"].to_numpy(), rows["happened"].to_numpy(float), 1.0).sum(axis=0))
    # Five weeks have a horizon of thirty days; four strands still have all that they began with.
    assert np.exp(found.evidence[0]) == pytest.approx((4 + np.exp(strand.capital)) / 5)
    assert (found.expected, found.happened, found.threshold) == pytest.approx((20.0, 5, np.log(40)))


@pytest.mark.parametrize(("happened", "is_less"), [(0.1, True), (0.4, False)])
def test_a_broken_promise_is_found_and_which_way(happened: float, *, is_less: bool) -> None:
    quiet, broken = scores(20, 150, 0.2, 0.2), scores(10, 150, 0.2, happened, first=20)
    (found,) = watch_all(pd.concat([quiet, broken], ignore_index=True))
    assert found.broken_at is not None
    assert 20 <= found.broken_at <= 25
    assert found.is_less is is_less
    assert found.evidence[:20].max() < 0.1
    (before,) = watch_all(quiet)
    assert before.broken_at is None
    assert before.evidence == pytest.approx(found.evidence[:20])  # later looks change nothing of what was known


def test_a_lead_scored_thirty_times_counts_once() -> None:
    days = pd.DataFrame({
        "lead_id": "A",
        "as_of": [MONDAY + timedelta(days=day) for day in range(30)],
        "probability": 0.2,
        "happened": True,
    })  # fmt: skip
    (found,) = watch_all(days)
    assert (found.leads, found.happened) == (1, 1)
    assert found.expected == pytest.approx(0.2)
    assert len(found.looks) == 5  # one a week
    # Each strand has seen it once: 2/7 over 1/5, and 5/37 over 1/5, of a 24th each.
    assert np.exp(found.evidence[-1]) == pytest.approx(11 / 12 + ((2 / 7) / (1 / 5) + (5 / 37) / (1 / 5)) / 24)


def test_looks_that_would_overlap_are_left_out() -> None:
    """Late in its week and early in the fifth after it, two looks of a strand are 29 days apart."""
    late, early = MONDAY + timedelta(days=6), MONDAY + timedelta(weeks=5)
    rows = pd.concat([scores(1, 50, 0.2, 0.5).assign(as_of=at) for at in (late, early)], ignore_index=True)
    (found,) = watch_all(rows)
    assert found.evidence[0] == found.evidence[1]
    assert found.happened == 25
    (apart,) = watch_all(rows.assign(as_of=rows["as_of"].where(rows["as_of"] == late, early + timedelta(days=1))))
    assert apart.evidence[1] > apart.evidence[0]


@pytest.mark.parametrize("weeks", [1, 2, 4])
def test_looks_that_are_seconds_early_are_not_left_out(weeks: int) -> None:
    """A night's scores are never of the same second: with as many strands as whole weeks, every other look would go."""
    early = [MONDAY + timedelta(weeks=week, hours=2, seconds=-week) for week in range(12)]
    rows = pd.concat([scores(1, 50, 0.2, 0.02, first=number) for number in range(12)], ignore_index=True)
    rows["as_of"] = np.repeat(np.array(early, "datetime64[us]"), 50)
    (found,) = watch(rows, {}, timedelta(weeks=weeks), false_alarms=0.05, tolerance=1.0, tolerance_of_parts=1.25)
    assert (np.diff(found.evidence) > 0.0).all()


def test_parts_are_those_of_the_first_look_and_share_the_other_half_of_the_false_alarms() -> None:
    rows = pd.concat([scores(1, 40, 0.2, 0.2), scores(1, 40, 0.2, 0.2, first=1)], ignore_index=True)
    channel = pd.Series(["web"] * 20 + ["mail"] * 20 + ["new"] * 40)
    found = {
        (one.kind, one.name): one for one in watch_all(rows, {"channel": channel, "tier": channel.map(lambda _: "SQL")})
    }
    assert list(found) == [
        (WHOLE, WHOLE),
        ("channel", "mail"),
        ("channel", "web"),
        ("channel", OTHERS),
        ("tier", "SQL"),
        ("tier", OTHERS),
    ]
    assert found["channel", OTHERS].leads == 40
    assert sum(one.share for one in found.values()) == pytest.approx(0.05)
    assert found["channel", "web"].share == pytest.approx(0.05 / 2 / 2 / 3)


def test_what_somebody_has_settled_counts_no_more() -> None:
    rows = scores(10, 150, 0.2, 0.05)
    (broken,) = watch_all(rows)
    assert broken.broken_at is not None
    later = MONDAY + timedelta(weeks=9)
    (settled,) = watch_all(rows, begins={(WHOLE, WHOLE): later})
    assert (settled.broken_at, settled.leads, settled.evidence[-1]) == (None, 0, 0.0)


def test_nothing_is_said_of_no_scores() -> None:
    assert watch_all(scores(0, 0, 0.2, 0.2)) == []


def test_each_lead_counts_once_a_horizon_from_its_first_score_on() -> None:
    at = [MONDAY + timedelta(days=day) for day in (0, 29, 30, 59, 60)]
    rows = pd.DataFrame({"lead_id": "A", "as_of": pd.Series(at, dtype="datetime64[us]")})
    assert counted_once(rows, MONTH).tolist() == [True, False, True, False, True]


def test_bands_share_what_was_promised_alike_and_are_named_by_their_bounds() -> None:
    first = np.array([0.01] * 60 + [0.02] * 30 + [0.1] * 6 + [0.6])
    names = bands(first, band_edges(first))
    assert list(dict.fromkeys(names)) == ["below 2 %", "2 % to 10 %", "10 % to 60 %", "from 60 %"]
    assert bands(np.array([0.3]), band_edges(np.array([0.3, 0.3]))).tolist() == ["all"]


def test_quiet_worlds_are_left_in_peace_and_halved_ones_are_not() -> None:
    """A small version of ``benchmarks/alarms_truth.py``; there it is 200 worlds."""
    quiet = [quiet_world(seed, arrivals=12) for seed in range(6)]
    assert [alarm(watched(world)) for world in quiet] == [None] * 6
    half = quiet_world(0, times=0.5, arrivals=12)
    assert alarm(watched(half)) is not None


def test_the_chance_of_a_false_alarm_is_what_was_allowed() -> None:
    """Bets of a strand on a promise at the very edge of the tolerance: of 4,000 at most a share of 5 % reach 20."""
    generator = np.random.default_rng(7)
    reached = 0
    for _ in range(4_000):
        strand, highest = Strand(), 0.0
        for _ in range(24):
            happened = float(generator.binomial(60, 1 / 6))
            both: NDArray[np.float64] = np.array([
                sign * happened * np.log(promises.BEYOND)
                + 60 * (np.log1p(0.2) - np.log1p(0.2 * promises.BEYOND**sign))
                for sign in (1.0, -1.0)
            ])  # fmt: skip
            strand.look(both)
            highest = max(highest, strand.capital)
        reached += highest >= np.log(20)
    assert reached / 4_000 <= 0.05
    assert reached > 0
