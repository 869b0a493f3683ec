"""Points of the curves, worked out by hand."""

from __future__ import annotations

import doctest
from datetime import timedelta

import numpy as np
import pytest
from labelled_rows import CATEGORICAL, COLUMNS, QUICK, draw_rows

import models.evaluation.curves
import models.evaluation.intervals
from models.evaluation.curves import (
    calibration_curve,
    conversion_curve,
    gains_curve,
    importance,
    precision_recall_curve,
)
from models.evaluation.intervals import wilson_interval
from models.learning.learner import Recipe, learn

NOW, HORIZON = np.datetime64("2026-01-01T00:00:00", "us"), timedelta(days=30)


def test_the_calibration_curve_compares_promise_and_outcome_in_ten_bins() -> None:
    probabilities = np.arange(1, 21) / 100
    labels = np.zeros(20)
    labels[[4, 18, 19]] = 1.0
    shuffled = np.random.default_rng(1).permutation(20)
    curve = calibration_curve(labels[shuffled], probabilities[shuffled], np.arange(20), np.full(20, NOW), HORIZON)
    assert curve["bin"].tolist() == list(range(1, 11))
    assert curve["rows"].tolist() == [2] * 10
    assert curve["predicted"].tolist() == pytest.approx([0.015 + 0.02 * place for place in range(10)])
    assert curve["observed"].tolist() == [0, 0, 0.5, 0, 0, 0, 0, 0, 0, 1]
    assert (curve["low"] <= curve["observed"]).all()
    assert (curve["high"] >= curve["observed"]).all()
    assert (curve["band_low"] <= curve["predicted"]).all()
    assert (curve["band_high"] >= curve["predicted"]).all()
    # Leads that are seen once: Wilson's interval for one of two, and for none of two.
    assert curve.loc[[0, 2], ["low", "high"]].to_numpy() == pytest.approx(
        np.array([[0, 0.6576], [0.0945, 0.9055]]), abs=1e-4
    )


def test_rows_of_one_lead_widen_the_interval_of_their_dot() -> None:
    probabilities, labels = np.repeat([0.1, 0.5], 200), np.tile([1.0, 0.0, 0.0, 0.0], 100)
    once = calibration_curve(labels, probabilities, np.arange(400), np.full(400, NOW), HORIZON)
    leads = np.repeat(np.arange(400), 3)
    thrice = calibration_curve(np.repeat(labels, 3), np.repeat(probabilities, 3), leads, np.full(1200, NOW), HORIZON)
    assert thrice["rows"].tolist() == [600, 600]
    for end in ("observed", "low", "high", "band_low", "band_high"):
        assert thrice[end].tolist() == pytest.approx(once[end].tolist(), rel=0.02), end


def test_bins_that_ties_leave_empty_are_left_out() -> None:
    curve = calibration_curve([0.0, 1.0, 0.0, 1.0], [0.1, 0.1, 0.1, 0.8], range(4), np.full(4, NOW), HORIZON)
    assert curve["rows"].tolist() == [3, 1]
    assert curve["observed"].tolist() == pytest.approx([1 / 3, 1.0])


def test_the_interval_of_a_rate_is_that_of_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson_interval(np.array([81.0, 15.0, 0.0, 1.0]), np.array([263.0, 148.0, 20.0, 29.0]))
    assert low.tolist() == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high.tolist() == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


def test_the_gains_curve_says_what_share_of_conversions_the_best_bring() -> None:
    labels = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    probabilities = [0.5, 0.9, 0.5, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1, 0.1]
    curve = gains_curve(labels, probabilities, points=5)
    assert curve["share_contacted"].tolist() == [0.2, 0.4, 0.6, 0.8, 1.0]
    # Of two contacts the second is one of the three that tie, of which one converts.
    assert curve["share_of_conversions"].tolist() == pytest.approx([(1 + 1 / 3) / 2, 1, 1, 1, 1])
    assert curve["lift"].tolist() == pytest.approx([10 / 3, 2.5, 1 / 0.6, 1.25, 1.0])


def test_the_precision_recall_curve_has_a_point_for_each_threshold_that_gains_recall() -> None:
    curve = precision_recall_curve([1.0, 0.0, 1.0, 0.0, 0.0], [0.9, 0.8, 0.7, 0.7, 0.1])
    assert curve["threshold"].tolist() == [0.9, 0.7]
    assert curve["recall"].tolist() == [0.5, 1.0]
    assert curve["precision"].tolist() == [1.0, 0.5]


def test_a_long_precision_recall_curve_is_thinned_evenly() -> None:
    generator = np.random.default_rng(2)
    curve = precision_recall_curve(generator.random(5000) < 0.3, generator.random(5000), points=50)
    assert len(curve) == 50
    np.testing.assert_allclose(curve["recall"], np.arange(1, 51) / 50, atol=0.001)
    assert curve["threshold"].is_monotonic_decreasing


def test_a_curve_of_gains_needs_a_conversion() -> None:
    with pytest.raises(ValueError, match="nothing to gain"):
        gains_curve([0.0], [0.5])
    with pytest.raises(ValueError, match="no recall"):
        precision_recall_curve([0.0], [0.5])


def test_importance_ranks_what_the_labels_follow_above_noise() -> None:
    model, _ = learn(draw_rows(4000, seed=1)[0], Recipe(COLUMNS, CATEGORICAL, QUICK, seed=1, num_threads=1), members=2)
    table = importance(model)
    assert table["feature"].tolist()[0] == "clicks"
    assert table["feature"].tolist()[-2:] == ["constant", "never known"]
    assert set(table["feature"][:3]) == {"clicks", "age", "source"}
    assert table["share"].is_monotonic_decreasing
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["share"].iloc[-1] == 0.0


def test_the_conversion_curve_counts_those_that_were_watched_only_for_a_while() -> None:
    # Two convert and one is lost of five; one is last seen open on day 1, one on day 4.
    curve = conversion_curve([3, 1, 2, 4, 3], ["converted", None, "lost", None, "converted"])
    assert curve["days"].tolist() == [0, 2, 3]
    assert curve["watched"].tolist() == [5, 4, 3]
    # Day 2: one of four is lost. Day 3: two of the three that are left, who stand for three quarters, convert.
    assert curve["lost"].tolist() == pytest.approx([0, 1 / 4, 1 / 4])
    assert curve["converted"].tolist() == pytest.approx([0, 0, 3 / 4 * 2 / 3])


def test_where_all_are_watched_to_their_end_the_conversion_curve_is_the_plain_share() -> None:
    generator = np.random.default_rng(3)
    days = generator.integers(0, 20, 400)
    ends = np.where(generator.random(400) < 0.3, "converted", "lost")
    curve = conversion_curve(days, ends.tolist())
    for row in curve[curve["days"] > 0].itertuples():
        assert row.converted == pytest.approx(((days <= row.days) & (ends == "converted")).mean())
        assert row.lost == pytest.approx(((days <= row.days) & (ends == "lost")).mean())


def test_a_conversion_curve_of_nobody_is_flat_and_a_negative_length_is_refused() -> None:
    assert conversion_curve([], []).to_dict("list") == {"days": [0], "watched": [0], "converted": [0], "lost": [0]}
    with pytest.raises(ValueError, match="no day below 0"):
        conversion_curve([-1.0], [None])


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(models.evaluation.curves).failed == doctest.testmod(models.evaluation.intervals).failed == 0
