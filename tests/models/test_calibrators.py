"""Calibrators that are given: worked out by hand, never falling, never certain, and named where they are broken."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.core.calibrators import LARGEST_LOG_ODDS, calibrate, complaint, log_odds

NONE = {"method": "none"}
PLATT = {"method": "platt", "slope": 2.0, "intercept": 1.0}
BETA = {"method": "beta", "above": 2.0, "below": 1.0, "intercept": float(np.log(2.0))}
QUADRATIC = {"method": "quadratic", "ends": [-1.0, 1.0], "slopes": [2.0, 1.0], "intercept": -1.75}
ISOTONIC = {"method": "isotonic", "slope": 0.0, "intercept": 0.0, "points": [-1.0, 1.0], "rates": [0.0, 0.4]}

# The logistic function at 1, -1 and 3.
AT_1, AT_MINUS_1, AT_3 = 0.7310585786300049, 0.2689414213699951, 0.9525741268224334

slopes = st.floats(0.0, 100.0)
numbers = st.floats(-100.0, 100.0)


def logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def logit(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.log(shares / (1.0 - shares)))


@st.composite
def calibrators(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(["none", "platt", "beta", "quadratic", "isotonic"]))
    calibrator: dict[str, Any] = {"method": method, "intercept": draw(numbers)}
    if method in {"platt", "isotonic"}:
        calibrator["slope"] = draw(slopes)
    if method == "beta":
        calibrator |= {"above": draw(slopes), "below": draw(slopes)}
    if method == "quadratic":
        calibrator |= {"ends": sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))}
        calibrator |= {"slopes": [draw(slopes), draw(slopes)]}
    if method == "isotonic":
        points = sorted(draw(st.lists(numbers, min_size=1, max_size=6)))
        shares = st.lists(st.floats(0.0, 1.0), min_size=len(points), max_size=len(points))
        calibrator |= {"points": points, "rates": sorted(draw(shares))}
    return calibrator


def assert_rise(calibrator: dict[str, Any], raw: list[float]) -> None:
    probabilities = calibrate(calibrator, np.sort(np.array(raw)))
    assert ((probabilities > 0.0) & (probabilities < 1.0)).all()
    # Straight lines and parabolas may fall by the last digit, where they rise by less than that.
    assert (np.diff(probabilities) >= -1e-12).all()


def test_none_is_the_logistic_function_of_the_log_odds() -> None:
    np.testing.assert_allclose(calibrate(NONE, np.array([0.0, 1.0, -1.0])), [0.5, AT_1, AT_MINUS_1], rtol=1e-15)


def test_platt_is_the_logistic_function_of_a_line() -> None:
    np.testing.assert_allclose(calibrate(PLATT, np.array([0.0, -1.0, 1.0])), [AT_1, AT_MINUS_1, AT_3], rtol=1e-15)


def test_beta_multiplies_powers_of_the_odds() -> None:
    raw = logit(np.array([0.5, 0.8, 0.2]))
    # Odds of 2 * p^2 / (1 - p): 2 * 0.25 / 0.5 = 1, 2 * 0.64 / 0.2 = 6.4 and 2 * 0.04 / 0.8 = 0.1.
    np.testing.assert_allclose(calibrate(BETA, raw), [0.5, 6.4 / 7.4, 0.1 / 1.1], rtol=1e-14)


@given(above=st.floats(0.01, 5.0), below=st.floats(0.01, 5.0), intercept=st.floats(-5.0, 5.0))
def test_beta_is_what_was_published(above: float, below: float, intercept: float) -> None:
    """Kull, Silva Filho and Flach (2017): 1 / (1 + 1 / (e^c s^a / (1 - s)^b))."""
    score = np.linspace(0.01, 0.99, 99)
    known = 1.0 / (1.0 + 1.0 / (np.exp(intercept) * score**above / (1.0 - score) ** below))
    calibrator = {"method": "beta", "above": above, "below": below, "intercept": intercept}
    np.testing.assert_allclose(calibrate(calibrator, logit(score)), known, rtol=1e-9)


@given(slope=slopes, intercept=numbers)
def test_beta_and_quadratic_of_equal_slopes_are_platt(slope: float, intercept: float) -> None:
    raw = np.linspace(-8.0, 8.0, 33)
    platt = log_odds({"method": "platt", "slope": slope, "intercept": intercept}, raw)
    beta = {"method": "beta", "above": slope, "below": slope, "intercept": intercept}
    np.testing.assert_allclose(log_odds(beta, raw), platt, rtol=1e-12, atol=1e-9)
    # The intercept of a quadratic is added at its lower end.
    quadratic = {
        "method": "quadratic", "ends": [-2.0, 3.0], "slopes": [slope, slope], "intercept": intercept - 2.0 * slope
    }  # fmt: skip
    np.testing.assert_allclose(log_odds(quadratic, raw), platt, rtol=1e-12, atol=1e-9)


def test_quadratic_bends_between_its_ends_and_is_straight_beyond_them() -> None:
    raw = np.array([-3.0, -1.0, 0.0, 1.0, 4.0])
    # From the lower end, 0, a rise of 2 + (1 - 2) / 4 = 1.75 to the middle and of 4 - 4 / 4 = 3 to the upper one;
    # before them two steps of 2, after them three of 1.
    known = np.array([-4.0, 0.0, 1.75, 3.0, 6.0]) - 1.75
    np.testing.assert_allclose(log_odds(QUADRATIC, raw), known, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(calibrate(QUADRATIC, raw), logistic(known), rtol=1e-14)


def test_isotonic_is_straight_between_points_and_level_beyond_and_half_of_it_is_platt() -> None:
    # Platt is 0.5 everywhere: half of the rate and a quarter.
    expected = [0.25, 0.25, 0.35, 0.45, 0.45]
    np.testing.assert_allclose(calibrate(ISOTONIC, np.array([-9.0, -1.0, 0.0, 1.0, 9.0])), expected, rtol=1e-14)


@given(calibrators(), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_nothing_falls_and_no_score_is_so_extreme_that_its_probability_is_certain(
    calibrator: dict[str, Any], raw: list[float]
) -> None:
    assert complaint(calibrator) is None
    assert_rise(calibrator, raw)


def test_the_largest_log_odds_still_differ_from_certainty() -> None:
    ends = calibrate(NONE, np.array([-np.inf, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS, np.inf]))
    assert 0.0 < ends[0] == ends[1] < 1e-14
    assert 1.0 - 1e-14 < ends[2] == ends[3] < 1.0


@given(calibrators(), st.lists(numbers, min_size=1, max_size=20))
def test_a_calibrator_says_the_same_after_a_trip_through_json(calibrator: dict[str, Any], raw: list[float]) -> None:
    restored = json.loads(json.dumps(calibrator, allow_nan=False))
    assert restored == calibrator
    np.testing.assert_array_equal(calibrate(restored, np.array(raw)), calibrate(calibrator, np.array(raw)))


@pytest.mark.parametrize("method", ["sigmoid", "", None, 3, ["platt"], {}])
def test_an_unknown_method_is_named_with_those_that_are_known(method: object) -> None:
    assert complaint(PLATT | {"method": method}) == (
        f"the calibrator's method {method!r} is unknown: known are beta, isotonic, none, platt, quadratic"
    )


NO_NUMBERS: list[object] = [None, "0", True, float("nan"), float("inf"), -1e999, 10**400, [1.0]]


@pytest.mark.parametrize("wrong", NO_NUMBERS, ids=lambda wrong: str(wrong)[:8])
@pytest.mark.parametrize(
    ("calibrator", "name"),
    [
        (PLATT, "slope"), (PLATT, "intercept"), (BETA, "above"), (BETA, "below"), (BETA, "intercept"),
        (QUADRATIC, "intercept"), (ISOTONIC, "slope"), (ISOTONIC, "intercept"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named(calibrator: dict[str, Any], name: str, wrong: object) -> None:
    without = {key: value for key, value in calibrator.items() if key != name}
    for broken in (calibrator | {name: wrong}, without):
        said = complaint(broken)
        assert said is not None
        assert name in said
        assert said.endswith("must be numbers")


@pytest.mark.parametrize(
    "broken",
    [PLATT | {"slope": -0.1}, BETA | {"above": -1.0}, BETA | {"below": -1e-9}, ISOTONIC | {"slope": -1.0},
     QUADRATIC | {"slopes": [-0.1, 1.0]}, QUADRATIC | {"slopes": [1.0, -0.1]}],
)  # fmt: skip
def test_slopes_that_fall_are_named(broken: dict[str, Any]) -> None:
    assert complaint(broken) == "the calibrator's slopes must not fall"


@pytest.mark.parametrize(
    "change",
    [{"ends": [1.0, -1.0]}, {"ends": [1.0, 1.0]}, {"ends": [1.0]}, {"ends": [0.0, 1.0, 2.0]}, {"ends": None},
     {"ends": [float("nan"), 1.0]}, {"ends": 3.0}, {"ends": "ab"}, {"slopes": [1.0]}, {"slopes": 3.0}, {"slopes": None},
     {"slopes": [1.0, None]}, {"slopes": [float("nan"), 1.0]}, {"slopes": [1.0, 1.0, 1.0]}, {"slopes": []}],
)  # fmt: skip
def test_ends_and_slopes_of_a_quadratic_that_cannot_be_are_named(change: dict[str, Any]) -> None:
    assert complaint(QUADRATIC) is None
    assert complaint(QUADRATIC | change) == (
        "the calibrator's ends must be two numbers, the first one lower, and its slopes two numbers"
    )


@pytest.mark.parametrize(
    "change",
    [{"points": [1.0, -1.0]}, {"points": []}, {"points": 3}, {"points": None}, {"points": [float("nan"), 1.0]},
     {"rates": [0.4, 0.0]}, {"rates": [0.0, 1.5]}, {"rates": [-0.1, 0.4]}, {"rates": [0.0]}, {"rates": [0.0, None]},
     {"rates": None}, {"rates": [0.0, float("nan")]}, {"points": [], "rates": []}],
)  # fmt: skip
def test_points_that_fall_and_rates_that_are_no_shares_are_named(change: dict[str, Any]) -> None:
    assert complaint(ISOTONIC) is None
    assert complaint(ISOTONIC | change) == ("the calibrator's points must be numbers that rise, and its rates shares")


anything = st.one_of(
    numbers, st.none(), st.booleans(), st.integers(), st.sampled_from([float("nan"), float("inf"), "1", 10**400]),
    st.lists(st.one_of(numbers, st.none(), st.floats(0.0, 1.0)), max_size=3),
)  # fmt: skip
entries = ("slope", "above", "below", "intercept", "ends", "slopes", "points", "rates")


@settings(max_examples=300)
@given(
    calibrators(),
    st.dictionaries(st.sampled_from(entries), anything, max_size=3),
    st.lists(numbers, min_size=1, max_size=9),
)
def test_what_is_let_through_gives_rising_probabilities(
    calibrator: dict[str, Any], change: dict[str, Any], raw: list[float]
) -> None:
    changed = calibrator | change
    if complaint(changed) is None:
        assert_rise(changed, raw)
