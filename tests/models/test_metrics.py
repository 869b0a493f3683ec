"""Figures against hand-made tables, against scikit-learn, and against worlds whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from features.core.errors import NotEnoughDataError
from models.evaluation.metrics import WITHOUT_INTERVAL, Blocks, compare, evaluate

Floats = NDArray[np.float64]


def values(labels: Floats, probabilities: Floats) -> dict[str, float]:
    """Leave out the intervals."""
    estimates = evaluate(labels, probabilities, np.arange(len(labels)), replicates=2, seed=0)
    return {name: estimate.value for name, estimate in estimates.items()}


def calibrated_world(rows: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    probabilities = 1.0 / (1.0 + np.exp(-generator.normal(-2.5, 1.0, rows)))
    return (generator.random(rows) < probabilities).astype(np.float64), probabilities


def test_figures_of_a_table_worked_out_by_hand() -> None:
    probabilities = np.array([0.1, 0.8, 0.4, 0.4, 0.2])
    labels = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    figures = values(labels, probabilities)
    assert figures["base_rate"] == pytest.approx(2 / 5)
    # Six pairs of a conversion and another: 0.8 wins three, 0.4 wins two and ties one.
    assert figures["roc_auc"] == pytest.approx(5.5 / 6)
    # Recall 1/2 at precision 1, the other half (both of 0.4 are called at once) at precision 2/3.
    assert figures["average_precision"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert figures["brier"] == pytest.approx((0.01 + 0.04 + 0.36 + 0.16 + 0.04) / 5)
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.6) + math.log(0.8)) / 5
    assert figures["log_loss"] == pytest.approx(expected)
    # Four bins hold rows: 0.1, 0.2, the two of 0.4, 0.8.
    assert figures["calibration_error"] == pytest.approx((0.1 + 0.2 + 0.2 + 0.2) / 5)
    # One row in five: the best one, which converts. One in ten: half of it.
    assert figures["precision_at_20"] == pytest.approx(1.0)
    assert figures["precision_at_10"] == pytest.approx(1.0)
    assert figures["lift_at_20"] == pytest.approx(2.5)


def test_a_cut_within_ties_counts_the_expected_number() -> None:
    # Ten per cent of thirty rows are three: the best row, and two of the four that tie, of which three convert.
    probabilities = np.array([0.9] + [0.5] * 4 + [0.1] * 25)
    labels = np.array([0.0, 1.0, 1.0, 0.0, 1.0] + [0.0] * 24 + [1.0])
    figures = values(labels, probabilities)
    assert figures["precision_at_10"] == pytest.approx((0 + 2 * 3 / 4) / 3)
    assert figures["lift_at_10"] == pytest.approx((1.5 / 3) / (4 / 30))


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(1, 5)), min_size=2, max_size=30),
)
def test_weighted_figures_equal_those_of_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    labels = np.array([True, False] + [row[0] for row in rows]).astype(float)
    probabilities = np.array([5, 5] + [row[1] for row in rows]) / 10.0
    times = np.array([1, 1] + [row[2] for row in rows])
    figures = values(np.repeat(labels, times), np.repeat(probabilities, times))
    known = {
        "roc_auc": roc_auc_score(labels, probabilities, sample_weight=times),
        "average_precision": average_precision_score(labels, probabilities, sample_weight=times),
        "log_loss": log_loss(labels, probabilities, sample_weight=times),
        "brier": brier_score_loss(labels, probabilities, sample_weight=times),
    }
    for name, value in known.items():
        assert figures[name] == pytest.approx(value, rel=1e-9), name


def test_no_figure_depends_on_the_order_of_the_rows() -> None:
    labels, probabilities = calibrated_world(500, seed=1)
    probabilities = probabilities.round(2)  # many ties
    shuffled = np.random.default_rng(2).permutation(500)
    one, other = values(labels, probabilities), values(labels[shuffled], probabilities[shuffled])
    assert one == pytest.approx(other, rel=1e-9)


def test_probabilities_that_are_the_truth_have_slope_one_and_intercept_nought() -> None:
    labels, probabilities = calibrated_world(100_000, seed=3)
    figures = values(labels, probabilities)
    assert figures["calibration_slope"] == pytest.approx(1.0, abs=0.04)
    assert figures["calibration_intercept"] == pytest.approx(0.0, abs=0.04)


def test_slope_and_intercept_find_a_known_distortion() -> None:
    labels, probabilities = calibrated_world(100_000, seed=4)
    log_odds = np.log(probabilities / (1 - probabilities))
    steeper = values(labels, 1 / (1 + np.exp(-2.0 * log_odds)))
    assert steeper["calibration_slope"] == pytest.approx(0.5, abs=0.02)
    higher = values(labels, 1 / (1 + np.exp(-(log_odds + 0.7))))
    assert higher["calibration_intercept"] == pytest.approx(-0.7, abs=0.04)
    assert higher["calibration_slope"] == pytest.approx(1.0, abs=0.04)


def test_the_intercept_moves_the_mean_probability_to_the_base_rate() -> None:
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    # Everyone is promised one half, one in four converts: log(1/3) lower.
    assert values(labels, np.full(4, 0.5))["calibration_intercept"] == pytest.approx(math.log(1 / 3), abs=1e-6)


def test_a_slope_that_cannot_be_said_is_nan() -> None:
    equal = evaluate(np.array([1.0, 0.0, 0.0]), np.full(3, 0.5), np.arange(3), replicates=5, seed=0)
    assert math.isnan(equal["calibration_slope"].value)
    assert math.isnan(equal["calibration_slope"].low)
    separated = values(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.6, 0.7]))
    assert math.isnan(separated["calibration_slope"])
    assert separated["roc_auc"] == 1.0


def test_probabilities_of_nought_and_one_do_not_break_the_figures() -> None:
    figures = values(np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.4]))
    assert figures["brier"] == pytest.approx((0 + 0 + 1 + 0.16) / 4)
    assert 5.0 < figures["log_loss"] < 10.0
    assert math.isfinite(figures["calibration_intercept"])


def test_the_figures_come_with_their_names() -> None:
    labels, probabilities = calibrated_world(200, seed=5)
    assert set(evaluate(labels, probabilities, np.arange(200), replicates=2, seed=0)) == {
        *("base_rate", "roc_auc", "average_precision", "log_loss", "brier"),
        *("calibration_error", "calibration_slope", "calibration_intercept"),
        *(f"{name}_at_{share}" for name in ("lift", "precision") for share in (1, 5, 10, 20)),
    }


def test_the_interval_of_a_rate_is_the_binomial_one() -> None:
    labels = np.repeat([1.0, 0.0], [100, 900])
    base_rate = evaluate(labels, np.linspace(0.01, 0.9, 1000), np.arange(1000), replicates=500, seed=1)["base_rate"]
    # Wilson's interval of 100 in 1,000.
    assert base_rate.low == pytest.approx(0.0829, abs=0.002)
    assert base_rate.high == pytest.approx(0.1202, abs=0.002)


def test_rows_of_one_lead_are_no_independent_witnesses() -> None:
    labels, probabilities = calibrated_world(400, seed=6)
    leads = np.array([f"lead {row}" for row in range(400)])
    once = evaluate(labels, probabilities, leads, replicates=400, seed=2)
    often = evaluate(np.tile(labels, 9), np.tile(probabilities, 9), np.tile(leads, 9), replicates=400, seed=2)
    apart = evaluate(np.tile(labels, 9), np.tile(probabilities, 9), np.arange(3600), replicates=400, seed=2)
    for name in ("roc_auc", "log_loss", "base_rate"):
        assert often[name].value == pytest.approx(once[name].value)
        width = often[name].high - often[name].low
        assert width == pytest.approx(once[name].high - once[name].low, rel=1e-6)
        # Nine times the rows would narrow it to a third.
        assert apart[name].high - apart[name].low == pytest.approx(width / 3, rel=0.25)


def test_nineteen_intervals_in_twenty_hold_the_truth() -> None:
    generator = np.random.default_rng(7)
    held = 0
    for seed in range(60):
        scores = generator.normal(size=300) + np.repeat([1.0, 0.0], [60, 240])
        estimate = evaluate(
            np.repeat([1.0, 0.0], [60, 240]), 1 / (1 + np.exp(-scores)), np.arange(300), replicates=100, seed=seed
        )["roc_auc"]
        held += estimate.low <= 0.7602 <= estimate.high  # Phi(1 / sqrt 2)
    assert 52 <= held <= 59


def test_intervals_hold_their_own_value() -> None:
    labels, probabilities = calibrated_world(2000, seed=8)
    for name, estimate in evaluate(labels, probabilities, np.arange(2000), replicates=50, seed=3).items():
        assert name in WITHOUT_INTERVAL or estimate.low <= estimate.value <= estimate.high, name


def test_the_calibration_error_has_no_interval_for_none_holds_the_truth() -> None:
    labels, probabilities = calibrated_world(2000, seed=8)
    error = evaluate(labels, probabilities, np.arange(2000), replicates=50)["calibration_error"]
    difference = compare(labels, probabilities, probabilities**2, np.arange(2000), replicates=50)["calibration_error"]
    assert error.value > 0.0
    assert difference.value < 0.0
    assert all(math.isnan(end) for end in (error.low, error.high, difference.low, difference.high))


def test_the_draws_belong_to_the_leads_and_not_to_the_order_of_their_rows() -> None:
    labels, probabilities = calibrated_world(600, seed=8)
    leads = np.array([f"lead {row % 200}" for row in range(600)], dtype=object)
    shuffled = np.random.default_rng(1).permutation(600)
    one = evaluate(labels, probabilities, leads, replicates=50)
    other = evaluate(labels[shuffled], probabilities[shuffled], leads[shuffled], replicates=50)
    for name, estimate in one.items():
        assert vars(other[name]) == pytest.approx(vars(estimate), rel=1e-9, nan_ok=True), name


def test_the_same_seed_gives_the_same_intervals() -> None:
    labels, probabilities = calibrated_world(300, seed=9)
    one, same, other = (evaluate(labels, probabilities, np.arange(300), replicates=20, seed=s) for s in (1, 1, 2))
    del one["calibration_error"], same["calibration_error"]  # NaN equals nothing
    assert one == same
    assert one["roc_auc"].low != other["roc_auc"].low


def test_draws_without_a_conversion_do_not_count_for_the_ranking() -> None:
    labels = np.array([1.0] + [0.0] * 9)
    estimates = evaluate(labels, np.linspace(0.9, 0.1, 10), np.arange(10), replicates=200, seed=4)
    # A third of the draws miss the only conversion; in all others it is ranked first. One case tells no more than
    # Wilson's interval of 1 in 1 says: from 1 / (1 + 1.96^2) on.
    for name, best in (("roc_auc", 1.0), ("lift_at_10", 10.0)):
        assert estimates[name].low == pytest.approx(best * 0.2065, abs=best * 1e-4), name
        assert estimates[name].high == pytest.approx(best), name


@pytest.mark.parametrize(("labels", "said"), [([0.0] * 5, "0 of the 5"), ([1.0] * 5, "5 of the 5"), ([], "0 of the 0")])
def test_without_both_kinds_of_outcome_nothing_is_measured(labels: list[float], said: str) -> None:
    with pytest.raises(NotEnoughDataError, match=f"{said} rows of the test slice convert"):
        evaluate(labels, [0.5] * len(labels), range(len(labels)), seed=0)


@pytest.mark.parametrize(
    ("labels", "probabilities", "leads"),
    [
        ([0.0, 1.0], [0.5], [1, 2]),
        ([0.0, 2.0], [0.5, 0.5], [1, 2]),
        ([0.0, 1.0], [0.5, 1.5], [1, 2]),
        ([0.0, 1.0], [0.5, float("nan")], [1, 2]),
        ([0.0, 1.0], [0.5, 0.6], [1, 2, 3]),
    ],
)
def test_what_cannot_be_labels_and_probabilities_is_refused(
    labels: list[float], probabilities: list[float], leads: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"must be|leads for"):
        evaluate(labels, probabilities, leads, seed=0)


def test_bins_hold_equal_numbers_where_nothing_ties() -> None:
    blocks = Blocks.of(np.zeros(95), np.random.default_rng(13).permutation(95) / 100)
    assert sorted(np.bincount(blocks.bins()).tolist()) == [9] * 5 + [10] * 5
    assert blocks.bins()[0] == 9  # the highest probability comes first and is in the last bin


def test_rows_that_tie_share_a_bin() -> None:
    blocks = Blocks.of(np.zeros(10), np.array([0.1] * 5 + [0.9] * 5))
    np.testing.assert_array_equal(blocks.bins(), [7, 2])


def test_a_slope_is_found_where_full_newton_steps_run_away() -> None:
    """Nearly all rows sit far below the base rate, and a few far above: from a level line a full step overshoots."""
    log_odds = np.concatenate([np.full(20_000, -7.0), np.full(300, 0.5), np.full(300, 4.0)])
    truth = 1.0 / (1.0 + np.exp(-(0.3 + 1.2 * log_odds)))
    labels = np.concatenate(
        [np.arange(len(part)) < round(float(part.sum())) for part in np.split(truth, [20_000, 20_300])]
    ).astype(float)
    probabilities = 1.0 / (1.0 + np.exp(-log_odds))
    figures = evaluate(labels, probabilities, np.arange(len(labels)), replicates=20, seed=1)
    assert figures["calibration_slope"].value == pytest.approx(1.2, abs=0.05)
    assert figures["calibration_slope"].low < 1.2 < figures["calibration_slope"].high


def test_a_difference_is_that_of_the_figures_and_nothing_where_nothing_differs() -> None:
    labels, probabilities = calibrated_world(2_000, seed=5)
    leads = np.arange(2_000) // 4
    other = np.random.default_rng(6).permutation(probabilities)
    differences = compare(labels, probabilities, other, leads, replicates=20, seed=1)
    better, worse = (evaluate(labels, scores, leads, replicates=20, seed=1) for scores in (probabilities, other))
    assert set(differences) == set(better) - {"base_rate"}
    for name, difference in differences.items():
        assert difference.value == pytest.approx(better[name].value - worse[name].value, abs=1e-12), name
    assert differences["roc_auc"].low > 0
    for name, difference in compare(labels, probabilities, probabilities, leads, replicates=20, seed=1).items():
        assert difference.value == 0, name
        assert name in WITHOUT_INTERVAL or (difference.low, difference.high) == (0, 0), name


def test_models_that_are_nearly_one_are_told_apart_where_their_own_intervals_overlap() -> None:
    labels, probabilities = calibrated_world(4_000, seed=8)
    leads = np.arange(4_000)
    log_odds = np.log(probabilities / (1 - probabilities)) + np.random.default_rng(9).normal(0, 0.5, 4_000)
    noisy = 1 / (1 + np.exp(-log_odds))
    difference = compare(labels, probabilities, noisy, leads, replicates=200, seed=2)["roc_auc"]
    sharp, blurred = (
        evaluate(labels, scores, leads, replicates=200, seed=2)["roc_auc"] for scores in (probabilities, noisy)
    )
    assert difference.low > 0
    assert blurred.high > sharp.low
    assert difference.high - difference.low < 0.7 * (sharp.high - sharp.low)


def test_a_comparison_where_nothing_converts_says_what_helps() -> None:
    with pytest.raises(NotEnoughDataError, match="A longer test slice"):
        compare(np.zeros(3), np.full(3, 0.1), np.full(3, 0.2), np.arange(3), seed=0)
