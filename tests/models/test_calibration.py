"""Calibrators against the truth that the labels were drawn from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.core.artefact import calibrate
from models.learning.calibration import Method, fit_calibrator

Floats = NDArray[np.float64]


def draw(truth: Floats, generator: np.random.Generator) -> tuple[Floats, NDArray[np.str_]]:
    """Labels by their probabilities; leads of three rows."""
    labels = (generator.random(len(truth)) < truth).astype(np.float64)
    return labels, np.array([f"lead {row // 3}" for row in range(len(truth))])


def logistic(log_odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


def overconfident(rows: int, seed: int) -> tuple[Floats, Floats, Floats, NDArray[np.str_]]:
    """Log-odds that are half as steep and one lower in truth."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(-2.0, 1.5, rows)
    truth = logistic(0.5 * raw - 1.0)
    return raw, truth, *draw(truth, generator)


def two_levels(rows: int, seed: int) -> tuple[Floats, Floats, Floats, NDArray[np.str_]]:
    """Log-odds of which a threshold says all: no line fits."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(-3.0, 1.0, rows)
    truth = np.where(raw > -2.5, 0.2, 0.01)
    return raw, truth, *draw(truth, generator)


def test_a_sigmoid_finds_the_line_that_the_labels_came_from() -> None:
    raw, truth, labels, leads = overconfident(50_000, seed=1)
    calibrator = fit_calibrator(raw, labels, leads, method="sigmoid", seed=0)
    assert calibrator["method"] == "sigmoid"
    assert calibrator["slope"] == pytest.approx(0.5, abs=0.03)
    assert calibrator["intercept"] == pytest.approx(-1.0, abs=0.05)
    np.testing.assert_allclose(calibrate(calibrator, raw), truth, atol=0.02)


def test_a_sigmoid_is_a_logistic_regression() -> None:
    raw, _, labels, _ = overconfident(20_000, seed=2)
    # Two hundred thousand rows, so that the weak prior on the slope counts for nothing.
    raw, labels = np.tile(raw, 10), np.tile(labels, 10)
    calibrator = fit_calibrator(raw, labels, np.arange(len(raw)), method="sigmoid", seed=0)
    known = LogisticRegression(C=np.inf, tol=1e-12).fit(raw[:, None], labels)
    assert calibrator["slope"] == pytest.approx(float(known.coef_[0, 0]), abs=1e-4)
    assert calibrator["intercept"] == pytest.approx(float(known.intercept_[0]), abs=2e-4)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "auto"])
@pytest.mark.parametrize("rows", [200, 5000])
def test_the_mean_probability_is_the_base_rate_of_the_calibration_slice(rows: int, method: Method) -> None:
    for world in (overconfident, two_levels):
        raw, _, labels, leads = world(rows, seed=3)
        calibrator = fit_calibrator(raw, labels, leads, method=method, seed=0)
        assert calibrate(calibrator, raw).mean() == pytest.approx(labels.mean(), abs=1e-12)


def test_isotonic_is_the_pooled_means_mixed_with_a_little_of_the_sigmoid() -> None:
    raw = np.array([3.0, 1.0, 2.0, 4.0, 2.0, 5.0])
    labels = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    # By hand: 1 | 2 2 3 (which fall, so are pooled: two of three) | 4 5.
    calibrator = fit_calibrator(raw, labels, np.arange(6), method="isotonic", seed=0)
    assert calibrator["raw"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert calibrator["rate"] == pytest.approx([0.0, 2 / 3, 2 / 3, 1.0, 1.0])
    sigmoid = fit_calibrator(raw, labels, np.arange(6), method="sigmoid", seed=0)
    expected = 0.95 * np.array([2 / 3, 0, 2 / 3, 1, 2 / 3, 1]) + 0.05 * calibrate(sigmoid, raw)
    np.testing.assert_allclose(calibrate(calibrator, raw), expected, rtol=1e-12)


def test_auto_keeps_the_sigmoid_where_a_line_is_the_truth() -> None:
    for seed in range(5):
        raw, _, labels, leads = overconfident(3000, seed=seed)
        assert fit_calibrator(raw, labels, leads, method="auto", seed=seed)["method"] == "sigmoid"


def test_auto_takes_isotonic_where_no_line_fits() -> None:
    raw, truth, labels, leads = two_levels(30_000, seed=5)
    calibrator = fit_calibrator(raw, labels, leads, method="auto", seed=0)
    assert calibrator["method"] == "isotonic"
    off = {
        method: np.abs(calibrate(fit_calibrator(raw, labels, leads, method=method, seed=0), raw) - truth).mean()
        for method in ("sigmoid", "isotonic")
    }
    assert off["isotonic"] < 0.3 * off["sigmoid"]


def test_auto_does_not_take_many_rows_of_few_leads_for_evidence() -> None:
    raw, _, labels, _ = two_levels(30_000, seed=6)
    few_leads = np.where(labels > 0, np.arange(30_000) % 9, 100 + np.arange(30_000) % 1000)
    assert fit_calibrator(raw, labels, few_leads, method="auto", seed=0)["method"] == "sigmoid"


def test_auto_takes_the_sigmoid_where_all_scores_are_equal() -> None:
    _, _, labels, leads = overconfident(2000, seed=7)
    calibrator = fit_calibrator(np.full(2000, -1.0), labels, leads, method="auto", seed=0)
    assert calibrator["method"] == "sigmoid"
    assert calibrate(calibrator, np.array([-1.0]))[0] == pytest.approx(labels.mean(), abs=1e-12)


def test_the_same_seed_gives_the_same_calibrator() -> None:
    raw, _, labels, leads = two_levels(3000, seed=8)
    one, other = (fit_calibrator(raw, labels, leads, method="auto", seed=9) for _ in range(2))
    assert json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibrator_survives_json_to_the_last_bit(method: Method) -> None:
    raw, _, labels, leads = two_levels(1000, seed=10)
    calibrator = fit_calibrator(raw, labels, leads, method=method, seed=0)
    restored = json.loads(json.dumps(calibrator))
    assert restored == calibrator
    np.testing.assert_array_equal(calibrate(restored, raw), calibrate(calibrator, raw))


def test_scores_that_rank_upside_down_keep_their_order() -> None:
    raw, _, labels, leads = overconfident(2000, seed=11)
    calibrator = fit_calibrator(-raw, labels, leads, method="sigmoid", seed=0)
    assert calibrator["slope"] > 0.0
    assert calibrate(calibrator, -raw).mean() == pytest.approx(labels.mean(), abs=1e-12)


def test_scores_that_separate_the_classes_do_not_promise_certainty() -> None:
    raw = np.linspace(-1.0, 1.0, 50)
    calibrator = fit_calibrator(raw, (raw > 0).astype(float), np.arange(50), method="sigmoid", seed=0)
    assert 1.0 < calibrator["slope"] < 10.0


@settings(max_examples=50, deadline=None)
@given(
    scores=st.lists(st.integers(-60, 60), min_size=4, max_size=40),
    flips=st.integers(0, 2**40 - 1),
    method=st.sampled_from(["sigmoid", "isotonic", "auto"]),
)
def test_calibration_never_ties_scores_that_differ(scores: list[int], flips: int, method: Method) -> None:
    raw = np.array(scores) / 10.0
    labels = np.array([float(flips >> place & 1) for place in range(len(raw))])
    labels[:2] = [0.0, 1.0]
    calibrator = fit_calibrator(raw, labels, np.arange(len(raw)), method=method, seed=0)
    probabilities = calibrate(calibrator, np.unique(raw))
    assert (np.diff(probabilities) > 0.0).all()
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()


def test_one_class_or_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_calibrator(np.zeros(3), np.ones(3), np.arange(3), seed=0)
    with pytest.raises(ValueError, match="unknown method"):
        fit_calibrator(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.arange(3), method="beta", seed=0)  # type: ignore[arg-type] # the point of the test
