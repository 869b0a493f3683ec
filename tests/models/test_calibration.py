"""Calibrators that are fitted, against the truth that the labels were drawn from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.core.calibrators import calibrate, complaint
from models.learning.calibration import KINDS, fit_calibrator
from models.learning.parameters import Kind, Method

Floats = NDArray[np.float64]
World = tuple[Floats, Floats, Floats, NDArray[np.str_]]
"""Log-odds, true probabilities, labels and leads."""

FITTED: list[Kind] = [kind for kind in KINDS if kind != "none"]
BETA = {"method": "beta", "above": 0.3, "below": 1.8, "intercept": -1.0}
QUADRATIC = {"method": "quadratic", "ends": [-5.0, 2.0], "slopes": [1.5, 0.2], "intercept": -6.0}


def draw(raw: Floats, truth: Floats, generator: np.random.Generator) -> World:
    """Labels by their probabilities; leads of three rows."""
    labels = (generator.random(len(truth)) < truth).astype(np.float64)
    return raw, truth, labels, np.array([f"lead {row // 3}" for row in range(len(truth))])


def shaped(calibrator: dict[str, Any], rows: int, seed: int) -> World:
    """Log-odds from which a calibrator leads to the truth."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(-2.0, 1.5, rows)
    return draw(raw, calibrate(calibrator, raw), generator)


def right(rows: int, seed: int) -> World:
    """Log-odds that are those of the truth."""
    return shaped({"method": "none"}, rows, seed)


def overconfident(rows: int, seed: int) -> World:
    """Log-odds that are half as steep and one lower in truth."""
    return shaped({"method": "platt", "slope": 0.5, "intercept": -1.0}, rows, seed)


def beta_shaped(rows: int, seed: int) -> World:
    return shaped(BETA, rows, seed)


def bent(rows: int, seed: int) -> World:
    return shaped(QUADRATIC, rows, seed)


def two_levels(rows: int, seed: int) -> World:
    """Log-odds of which a threshold says all: no line fits."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(-3.0, 1.0, rows)
    return draw(raw, np.where(raw > -2.5, 0.2, 0.01), generator)


def chosen(world: World, seed: int = 0) -> str:
    raw, _, labels, leads = world
    return str(fit_calibrator(raw, labels, leads, method="auto", seed=seed)["method"])


def distance(world: World, kind: Method) -> float:
    """How far a kind is from the truth, on average."""
    raw, truth, labels, leads = world
    return float(np.abs(calibrate(fit_calibrator(raw, labels, leads, method=kind, seed=0), raw) - truth).mean())


def test_platt_finds_the_line_that_the_labels_came_from() -> None:
    raw, truth, labels, leads = overconfident(50_000, seed=1)
    calibrator = fit_calibrator(raw, labels, leads, method="platt", seed=0)
    assert calibrator["method"] == "platt"
    assert calibrator["slope"] == pytest.approx(0.5, abs=0.03)
    assert calibrator["intercept"] == pytest.approx(-1.0, abs=0.05)
    np.testing.assert_allclose(calibrate(calibrator, raw), truth, atol=0.02)


def test_platt_is_a_logistic_regression() -> None:
    raw, _, labels, _ = overconfident(20_000, seed=2)
    # Two hundred thousand rows, so that the weak prior on the slope counts for nothing.
    raw, labels = np.tile(raw, 10), np.tile(labels, 10)
    calibrator = fit_calibrator(raw, labels, np.arange(len(raw)), method="platt", seed=0)
    known = LogisticRegression(C=np.inf, tol=1e-12).fit(raw[:, None], labels)
    assert calibrator["slope"] == pytest.approx(float(known.coef_[0, 0]), abs=1e-4)
    assert calibrator["intercept"] == pytest.approx(float(known.intercept_[0]), abs=2e-4)


def test_beta_finds_the_two_slopes_that_the_labels_came_from() -> None:
    raw, truth, labels, leads = beta_shaped(50_000, seed=1)
    calibrator = fit_calibrator(raw, labels, leads, method="beta", seed=0)
    assert calibrator["above"] == pytest.approx(0.3, abs=0.1)
    assert calibrator["below"] == pytest.approx(1.8, abs=0.2)
    assert calibrator["intercept"] == pytest.approx(-1.0, abs=0.2)
    np.testing.assert_allclose(calibrate(calibrator, raw), truth, atol=0.02)


def test_beta_is_a_logistic_regression_on_the_logarithms_of_what_is_promised_and_of_the_rest() -> None:
    raw, _, labels, _ = beta_shaped(20_000, seed=2)
    raw, labels = np.tile(raw, 10), np.tile(labels, 10)
    calibrator = fit_calibrator(raw, labels, np.arange(len(raw)), method="beta", seed=0)
    promised = 1.0 / (1.0 + np.exp(-raw))
    columns = np.column_stack([np.log(promised), -np.log(1.0 - promised)])
    known = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(columns, labels)
    fitted = [calibrator["above"], calibrator["below"], calibrator["intercept"]]
    assert fitted == pytest.approx([*known.coef_[0], *known.intercept_], abs=1e-3)


def test_quadratic_finds_the_bend_that_the_labels_came_from() -> None:
    raw, truth, labels, leads = bent(50_000, seed=1)
    calibrator = fit_calibrator(raw, labels, leads, method="quadratic", seed=0)
    # The ends are those of 99 % of the log-odds.
    assert calibrator["ends"] == pytest.approx([-2.0 - 2.5758 * 1.5, -2.0 + 2.5758 * 1.5], abs=0.1)
    # The true slope falls by 1.3 over seven steps, and stays level a little before the fitted ends.
    assert calibrator["slopes"] == pytest.approx([1.5, 0.2], abs=0.2)
    assert np.abs(calibrate(calibrator, raw) - truth).mean() < 0.003


def test_isotonic_finds_the_levels_that_the_labels_came_from() -> None:
    raw, truth, labels, leads = two_levels(50_000, seed=1)
    calibrator = fit_calibrator(raw, labels, leads, method="isotonic", seed=0)
    steps = np.interp(raw, calibrator["points"], calibrator["rates"])
    assert np.abs(steps - truth).mean() < 0.005
    assert np.interp([-4.5, -3.0, -2.0, -1.0], calibrator["points"], calibrator["rates"]) == pytest.approx(
        [0.01, 0.01, 0.2, 0.2], abs=0.02
    )


def test_isotonic_is_the_pooled_means_half_mixed_with_platt() -> None:
    raw = np.array([3.0, 1.0, 2.0, 4.0, 2.0, 5.0])
    labels = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    # By hand: 1 | 2 2 3 (which fall, so are pooled: two of three) | 4 5.
    calibrator = fit_calibrator(raw, labels, np.arange(6), method="isotonic", seed=0)
    assert calibrator["points"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert calibrator["rates"] == pytest.approx([0.0, 2 / 3, 2 / 3, 1.0, 1.0])
    platt = fit_calibrator(raw, labels, np.arange(6), method="platt", seed=0)
    assert (calibrator["slope"], calibrator["intercept"]) == (platt["slope"], platt["intercept"])
    expected = 0.5 * np.array([2 / 3, 0.0, 2 / 3, 1.0, 2 / 3, 1.0]) + 0.5 * calibrate(platt, raw)
    np.testing.assert_allclose(calibrate(calibrator, raw), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("world", "nearest"),
    [(right, "none"), (overconfident, "platt"), (beta_shaped, "beta"), (bent, "quadratic"), (two_levels, "isotonic")],
)
def test_each_truth_is_on_average_best_found_by_its_own_kind(world: Callable[[int, int], World], nearest: Kind) -> None:
    drawn = [world(10_000, seed) for seed in range(6)]
    distances = {kind: sum(distance(one, kind) for one in drawn) for kind in KINDS}
    assert min(distances, key=lambda kind: distances[kind]) == nearest


@pytest.mark.parametrize("method", [*FITTED, "auto"])
@pytest.mark.parametrize("rows", [200, 5000])
def test_the_mean_probability_is_the_base_rate_of_the_rows_it_was_fitted_to(rows: int, method: Method) -> None:
    for world in (overconfident, beta_shaped, bent, two_levels):
        raw, _, labels, leads = world(rows, 3)
        calibrator = fit_calibrator(raw, labels, leads, method=method, seed=0)
        if calibrator["method"] == "none":  # which leaves the scores as they are
            np.testing.assert_array_equal(calibrate(calibrator, raw), calibrate({"method": "none"}, raw))
        else:
            assert calibrate(calibrator, raw).mean() == pytest.approx(labels.mean(), abs=1e-12)


def test_auto_mostly_leaves_few_scores_that_are_right_as_they_are() -> None:
    counted = Counter(chosen(right(400, seed), seed) for seed in range(30))
    assert counted["none"] > 15, counted


@pytest.mark.parametrize(
    ("world", "kind"), [(right, "none"), (overconfident, "platt"), (beta_shaped, "beta"), (bent, "quadratic")]
)
def test_auto_takes_most_often_the_kind_that_is_the_truth(world: Callable[[int, int], World], kind: Kind) -> None:
    counted = Counter(chosen(world(5000, seed), seed) for seed in range(10))
    assert counted.most_common(1)[0][0] == kind, counted


def test_what_auto_takes_is_about_as_near_to_the_truth_as_the_best() -> None:
    for world in (right, overconfident, beta_shaped, bent):
        drawn = [world(5000, seed) for seed in range(4)]
        best = min(sum(distance(one, kind) for one in drawn) for kind in KINDS[:4])
        assert sum(distance(one, "auto") for one in drawn) < best + 4 * 0.01


def test_auto_takes_isotonic_where_a_threshold_says_all() -> None:
    drawn = two_levels(30_000, seed=5)
    assert chosen(drawn) == "isotonic"
    # Half of it is steps: it lies half as far off as Platt.
    assert distance(drawn, "isotonic") < 0.6 * distance(drawn, "platt")


def test_auto_takes_no_steps_of_fewer_than_three_hundred_conversions() -> None:
    raw, _, labels, leads = two_levels(30_000, seed=5)
    cut = int(np.flatnonzero(np.cumsum(labels) == 299)[-1]) + 1  # 299 conversions, however many rows in between
    assert labels[:cut].sum() == 299
    assert fit_calibrator(raw[:cut], labels[:cut], leads[:cut], seed=0)["method"] != "isotonic"
    # As many rows with one more decide by what they say: among many, steps win.
    where = np.concatenate([np.flatnonzero(labels > 0)[:300], np.flatnonzero(labels == 0)[:4000]])
    assert fit_calibrator(raw[where], labels[where], leads[where], seed=0)["method"] == "isotonic"
    assert fit_calibrator(raw[where[1:]], labels[where[1:]], leads[where[1:]], seed=0)["method"] != "isotonic"


@pytest.mark.parametrize("converting", [1, 9])
def test_auto_does_not_take_many_rows_of_few_leads_for_evidence(converting: int) -> None:
    raw, _, labels, _ = two_levels(30_000, seed=6)
    few = np.where(labels > 0, np.arange(30_000) % converting, 100 + np.arange(30_000) % 1000)
    assert fit_calibrator(raw, labels, few, method="auto", seed=0)["method"] == "platt"
    ten = np.where(labels > 0, np.arange(30_000) % 10, 100 + np.arange(30_000) % 1000)
    assert fit_calibrator(raw, labels, ten, method="auto", seed=0)["method"] == "isotonic"


def test_auto_takes_platt_where_few_leads_never_convert() -> None:
    raw, _, labels, _ = two_levels(5000, seed=6)
    leads = np.where(labels > 0, np.arange(5000), np.arange(5000) % 9)
    assert fit_calibrator(raw, labels, leads, method="auto", seed=0)["method"] == "platt"


def test_auto_takes_the_simplest_that_says_it_where_all_scores_are_equal() -> None:
    _, _, labels, leads = overconfident(2000, seed=7)
    calibrator = fit_calibrator(np.full(2000, -1.0), labels, leads, method="auto", seed=0)
    assert calibrator["method"] == "platt"
    assert calibrate(calibrator, np.array([-1.0]))[0] == pytest.approx(labels.mean(), abs=1e-12)
    rate = labels.mean()
    at_the_rate = np.full(2000, np.log(rate / (1 - rate)))
    assert fit_calibrator(at_the_rate, labels, leads, method="auto", seed=0) == {"method": "none"}


def test_the_same_seed_gives_the_same_calibrator() -> None:
    raw, _, labels, leads = two_levels(3000, seed=8)
    one, other = (fit_calibrator(raw, labels, leads, method="auto", seed=9) for _ in range(2))
    assert json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("method", KINDS)
def test_a_fitted_calibrator_survives_json_to_the_last_bit(method: Method) -> None:
    raw, _, labels, leads = two_levels(1000, seed=10)
    calibrator = fit_calibrator(raw, labels, leads, method=method, seed=0)
    restored = json.loads(json.dumps(calibrator))
    assert restored == calibrator
    np.testing.assert_array_equal(calibrate(restored, raw), calibrate(calibrator, raw))


@pytest.mark.parametrize("method", FITTED)
def test_scores_that_rank_upside_down_keep_their_order(method: Method) -> None:
    raw, _, labels, leads = overconfident(2000, seed=11)
    calibrator = fit_calibrator(-raw, labels, leads, method=method, seed=0)
    probabilities = calibrate(calibrator, np.sort(-raw))
    assert (np.diff(probabilities) > 0.0).all()
    assert probabilities.mean() == pytest.approx(labels.mean(), abs=1e-12)


def test_scores_that_separate_the_classes_do_not_promise_certainty() -> None:
    raw = np.linspace(-1.0, 1.0, 50)
    labels = (raw > 0).astype(float)
    calibrator = fit_calibrator(raw, labels, np.arange(50), method="platt", seed=0)
    assert 1.0 < calibrator["slope"] < 10.0
    for method in FITTED:
        probabilities = calibrate(fit_calibrator(raw, labels, np.arange(50), method=method, seed=0), raw)
        assert 1e-6 < probabilities.min() < 0.06
        assert 0.94 < probabilities.max() < 1.0 - 1e-6


@settings(max_examples=100)
@given(
    scores=st.lists(st.integers(-60, 60), min_size=4, max_size=40),
    flips=st.integers(0, 2**40 - 1),
    method=st.sampled_from(["auto", *KINDS]),
)
def test_calibration_never_ties_scores_that_differ(scores: list[int], flips: int, method: Method) -> None:
    raw = np.array(scores) / 10.0
    calibrator = fit_to(raw, flips, method)
    probabilities = calibrate(calibrator, np.unique(raw))
    assert (np.diff(probabilities) > 0.0).all()
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()


@settings(max_examples=200)
@given(
    scores=st.lists(st.floats(-40.0, 40.0), min_size=2, max_size=40),
    flips=st.integers(0, 2**40 - 1),
    method=st.sampled_from(KINDS),
    asked=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20),
)
def test_whatever_the_rows_were_nothing_falls_and_nothing_is_certain(
    scores: list[float], flips: int, method: Kind, asked: list[float]
) -> None:
    raw = np.array(scores)
    calibrator = fit_to(raw, flips, method)
    assert complaint(calibrator) is None
    probabilities = calibrate(calibrator, np.sort(np.array([*asked, *scores])))
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()
    assert (np.diff(probabilities) >= -1e-12).all()
    if method != "none":
        labels = labels_of(flips, len(raw))
        assert calibrate(calibrator, raw).mean() == pytest.approx(labels.mean(), abs=1e-9)


def labels_of(flips: int, rows: int) -> Floats:
    labels = np.array([float(flips >> place & 1) for place in range(rows)])
    labels[:2] = [0.0, 1.0]
    return labels


def fit_to(raw: Floats, flips: int, method: Method) -> dict[str, Any]:
    return fit_calibrator(raw, labels_of(flips, len(raw)), np.arange(len(raw)), method=method, seed=0)


def test_one_class_or_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_calibrator(np.zeros(3), np.ones(3), np.arange(3), seed=0)
    with pytest.raises(ValueError, match="unknown method"):
        fit_calibrator(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.arange(3), method="sigmoid", seed=0)  # type: ignore[arg-type] # the point of the test
