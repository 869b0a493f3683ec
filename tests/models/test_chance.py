"""What a perfect model shows by chance: known laws, and a hundred worlds whose truth is known, with fixed seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest

from benchmarks.drawn_worlds import HORIZON, Rows, World, after_events, irregular, monthly, weekly
from models.evaluation.chance import Chance, of_a_perfect_model
from models.evaluation.curves import calibration_beside
from models.evaluation.metrics import WITHOUT_INTERVAL, Estimate, calibration_error_of, compare, evaluate

NOW = np.datetime64("2026-01-01T00:00:00", "us")
WORLDS = 100
LOOKS = [weekly, monthly, irregular, after_events]


@cache
def worlds(looks: object) -> list[Rows]:
    return [World(looks).draw(1_500, seed) for seed in range(WORLDS)]  # type: ignore[arg-type]


def by_chance(rows: Rows, times: float = 1.0) -> Chance:
    return of_a_perfect_model(rows.labels, rows.promising(times), rows.leads, rows.as_of, HORIZON)


@cache
def chances(looks: object) -> list[Chance]:
    return [by_chance(rows) for rows in worlds(looks)]


def calibration_error(rows: Rows, times: float = 1.0) -> float:
    return calibration_error_of(rows.labels, rows.promising(times))


def once_each(probabilities: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Chance:
    """Look at as many leads once."""
    rows = len(probabilities)
    return of_a_perfect_model(np.arange(rows) % 2, probabilities, np.arange(rows), np.full(rows, NOW), HORIZON)


def test_the_error_of_independent_rows_follows_from_the_normal_law() -> None:
    # A hundred thousand coins of one probability are one bin. The mean of |error| is sqrt(2 / pi) standard deviations,
    # of sqrt(0.25 / 100,000).
    chance = once_each(np.full(100_000, 0.5))
    assert chance.error_mean == pytest.approx(math.sqrt(2 / math.pi) * math.sqrt(0.25 / 100_000), rel=0.02)
    assert chance.error_quantile_95 == pytest.approx(1.96 * math.sqrt(0.25 / 100_000), rel=0.02)
    filled = ~np.isnan(chance.low)
    assert filled.sum() == 1
    assert chance.low[filled] == pytest.approx(0.5 - 1.96 * math.sqrt(0.25 / 100_000), rel=0.001)
    assert chance.rows_for_one[filled] == pytest.approx(1.0)


def test_few_conversions_have_the_skewness_of_counts() -> None:
    # Three of a thousand are expected. 95 in 100 such counts (Poisson) lie between 0 and 7; the normal law says 6.4.
    chance = once_each(np.full(1_000, 0.003))
    high = 1_000 * chance.high[~np.isnan(chance.high)][0]
    assert 6.5 < high < 7.5
    assert 0.0 <= 1_000 * chance.low[~np.isnan(chance.low)][0] < 0.5


def test_two_looks_at_one_moment_are_one_look() -> None:
    probabilities = np.linspace(0.02, 0.3, 400)
    once = once_each(probabilities)
    twice = of_a_perfect_model(
        np.repeat(np.arange(400) % 2, 2),
        np.repeat(probabilities, 2),
        np.repeat(np.arange(400), 2),
        np.full(800, NOW),
        HORIZON,
    )
    assert twice.error_mean == pytest.approx(once.error_mean, rel=0.01)
    assert twice.rows_for_one == pytest.approx(2.0 * once.rows_for_one)


def test_conversions_that_come_in_clumps_are_skewed_as_clumps_are() -> None:
    # Three leads of a thousand are expected to convert. One lead in ten is looked at ten times at once, the others
    # once, so what comes in clumps of ten is drawn here from its own law: two Poisson counts.
    leads = np.concatenate([np.repeat(np.arange(100), 10), np.arange(100, 1_000)])
    rows = len(leads)
    chance = of_a_perfect_model(np.arange(rows) % 2, np.full(rows, 0.003), leads, np.full(rows, NOW), HORIZON)
    generator = np.random.default_rng(1)
    conversions = 10 * generator.poisson(0.3, 100_000) + generator.poisson(2.7, 100_000)
    high = rows * chance.high[~np.isnan(chance.high)][0]
    assert np.mean(conversions > high) == pytest.approx(0.05, abs=0.015)
    assert chance.low[~np.isnan(chance.low)][0] == 0.0


def test_two_looks_a_horizon_apart_are_two_leads() -> None:
    probabilities, later = np.linspace(0.02, 0.3, 800), np.arange(800) % 2 * np.timedelta64(30, "D")
    apart = of_a_perfect_model(np.arange(800) % 2, probabilities, np.arange(800) // 2, NOW + later, HORIZON)
    assert apart.rows_for_one == pytest.approx(np.ones(10))
    assert apart.error_mean == pytest.approx(once_each(probabilities).error_mean, rel=0.01)


def test_half_of_a_window_shared_is_half_a_conversion_shared() -> None:
    # The later row's probability p falls evenly into its window: p / 2 of it into the earlier one's. The variance of
    # both together is 2 p (1 - p) + 2 (p / 2) (1 - p), half as much again as of two leads.
    rows, half = 4_000, np.arange(4_000) % 2 * np.timedelta64(15, "D")
    later_converts = np.repeat([1.0, 1.0, 0.0, 0.0], rows // 4) * (np.arange(rows) % 2)
    with_earlier = np.repeat([1.0, 0.0, 0.0, 0.0], rows // 4) * (np.arange(rows) % 2 == 0)
    labels = later_converts + with_earlier  # of the later rows that convert, half do so in the earlier one's window
    chance = of_a_perfect_model(labels, np.full(rows, 0.25), np.arange(rows) // 2, NOW + half, HORIZON)
    assert chance.rows_for_one[~np.isnan(chance.rows_for_one)] == pytest.approx(1.5)
    early = np.where(np.arange(rows) % 2 == 0, np.roll(later_converts, -1), labels)
    sooner = of_a_perfect_model(early, np.full(rows, 0.25), np.arange(rows) // 2, NOW + half, HORIZON)
    assert sooner.rows_for_one[~np.isnan(sooner.rows_for_one)] == pytest.approx(2.0, abs=0.001), "all convert at once"


def test_what_chance_shows_depends_on_no_order() -> None:
    rows = worlds(weekly)[0]
    shuffled = np.random.default_rng(1).permutation(len(rows.labels))
    other = Rows(rows.labels[shuffled], rows.probabilities[shuffled], rows.leads[shuffled], rows.as_of[shuffled])
    assert by_chance(other).error_quantile_95 == pytest.approx(by_chance(rows).error_quantile_95, rel=1e-12)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="2 probabilities, 1 labels"):
        of_a_perfect_model([1.0], [0.5, 0.5], [1, 2], [NOW, NOW], timedelta(days=1))


@pytest.mark.parametrize("looks", LOOKS)
def test_19_perfect_models_in_20_stay_within_what_chance_explains(looks: object) -> None:
    drawn = zip(worlds(looks), chances(looks), strict=True)
    within = sum(calibration_error(rows) <= chance.error_quantile_95 for rows, chance in drawn)
    assert within >= 88


def test_the_yardstick_is_as_long_as_the_errors_of_perfect_models_are() -> None:
    drawn = worlds(weekly)
    truth = np.quantile([calibration_error(rows) for rows in drawn], 0.95)
    claimed = np.mean([chance.error_quantile_95 for chance in chances(weekly)])
    assert claimed == pytest.approx(truth, rel=0.08)


@cache
def curves(looks: object) -> list[pd.DataFrame]:
    drawn = zip(worlds(looks), chances(looks), strict=True)
    return [calibration_beside(chance, rows.labels, rows.probabilities, rows.leads) for rows, chance in drawn]


@pytest.mark.parametrize("looks", LOOKS)
def test_the_dots_of_a_perfect_model_lie_in_the_band_all_at_once(looks: object) -> None:
    within = [((c["band_low"] <= c["observed"]) & (c["observed"] <= c["band_high"])).all() for c in curves(looks)]
    assert sum(within) >= 88


@pytest.mark.parametrize("looks", LOOKS)
def test_the_interval_of_each_dot_holds_the_truth_in_19_worlds_of_20(looks: object) -> None:
    held = np.array([(c["low"] <= c["predicted"]) & (c["predicted"] <= c["high"]) for c in curves(looks)])
    assert held.shape == (WORLDS, 10)
    assert min(held.sum(axis=0)) >= 88, held.sum(axis=0)


@cache
def population() -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Give labels, true probabilities and a worse model's of so many leads that their figures are the truth."""
    large = {seed: World(monthly).draw(60_000, seed) for seed in range(10**9, 10**9 + 4)}
    parts = [(rows.labels, rows.probabilities, rows.noisy(seed)) for seed, rows in large.items()]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def least_held(truth: dict[str, Estimate], estimates: Iterable[dict[str, Estimate]]) -> tuple[int, str]:
    """Give in how many worlds the interval that holds the truth least often holds it, and whose it is."""
    held = dict.fromkeys(truth.keys() - WITHOUT_INTERVAL, 0)
    for of_a_world in estimates:
        for name in held:
            held[name] += of_a_world[name].low <= truth[name].value <= of_a_world[name].high
    return min((count, name) for name, count in held.items())


def test_every_interval_of_a_figure_holds_the_truth_in_19_worlds_of_20() -> None:
    labels, probabilities, _ = population()
    truth = evaluate(labels, probabilities, np.arange(len(labels)), replicates=0)
    drawn = (evaluate(rows.labels, rows.probabilities, rows.leads, replicates=80) for rows in worlds(monthly))
    assert least_held(truth, drawn) >= (88, "")  # of 38 conversions in each world


def test_every_interval_of_a_difference_holds_the_truth_in_19_worlds_of_20() -> None:
    labels, probabilities, worse = population()
    truth = compare(labels, probabilities, worse, np.arange(len(labels)), replicates=0)
    drawn = (
        compare(rows.labels, rows.probabilities, rows.noisy(seed), rows.leads, replicates=80)
        for seed, rows in enumerate(worlds(monthly))
    )
    assert least_held(truth, drawn) >= (88, "")


def test_a_model_that_promises_too_much_is_found_out() -> None:
    drawn = [World().draw(8_000, seed) for seed in range(10)]
    found = [
        sum(calibration_error(rows, by) > by_chance(rows, by).error_quantile_95 for rows in drawn) for by in (1, 1.3)
    ]
    assert found[0] <= 1
    assert found[1] >= 9
