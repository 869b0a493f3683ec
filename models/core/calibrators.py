"""From the log-odds of a model to probabilities: what `models.learning.calibration` has fitted, applied.

A calibrator is plain data with a ``method``; ``raw`` are the model's log-odds, and the same formulas hold everywhere:

``none``       the log-odds as they are
``platt``      slope * raw + intercept (Platt 1999)
``beta``       above * ln p - below * ln(1 - p) + intercept, with p the probability as it is (Kull et al. 2017)
``quadratic``  a slope that goes evenly from ``slopes[0]`` at ``ends[0]`` to ``slopes[1]`` at ``ends[1]``, stays level
               beyond them, and an intercept, added at ``ends[0]``
``isotonic``   half of it the straight lines between the points (`points`, `rates`), level beyond the ends, half of it
               ``platt``, so that nothing is level and nothing is 0 or 1

Where there is a ``shift``, it is added to the log-odds of what comes out: the base rate is another one of late.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_LOG_ODDS = 34.0
"""Where `exp` and `1 / (1 + exp)` still tell neighbours apart: beyond it a probability would round to 0 or 1."""
BLEND = 0.5
"""The share of Platt's probabilities in those of isotonic."""
_NUMBERS = {
    "none": (),
    "platt": ("slope", "intercept"),
    "beta": ("above", "below", "intercept"),
    "quadratic": ("intercept",),
    "isotonic": ("slope", "intercept"),
}


def calibrate(calibrator: Mapping[str, Any], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, shape (n,), for log-odds of shape (n,): never 0 or 1, and in the order of the log-odds."""
    said = probability(log_odds(calibrator, raw))
    if calibrator["method"] == "isotonic":
        steps = np.interp(raw, calibrator["points"], calibrator["rates"])
        said = np.asarray(steps + BLEND * (said - steps), dtype=np.float64)
    return shifted(said, float(calibrator["shift"])) if "shift" in calibrator else said


def shifted(probabilities: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Add to the log-odds of probabilities of shape (n,)."""
    return probability(np.log(probabilities) - np.log1p(-probabilities) + shift)


def log_odds(calibrator: Mapping[str, Any], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the smooth part of a calibrator, as log-odds: shape (n,)."""
    method = calibrator["method"]
    if method == "none":
        return raw
    intercept = float(calibrator["intercept"])
    if method in {"platt", "isotonic"}:
        return np.asarray(calibrator["slope"] * raw + intercept)
    if method == "beta":
        # ln p and ln(1 - p) of log-odds, without a probability that rounds to 0 or 1.
        return np.asarray(
            intercept - calibrator["above"] * np.logaddexp(0.0, -raw) + calibrator["below"] * np.logaddexp(0.0, raw)
        )
    return intercept + bent(raw, calibrator["ends"], calibrator["slopes"])


def bent(raw: NDArray[np.float64], ends: tuple[float, float], slopes: tuple[float, float]) -> NDArray[np.float64]:
    """Rise from 0 at the lower end, with a slope that goes evenly from one to the other between the ends."""
    low, high = ends
    within = np.clip(raw, low, high) - low
    rise = slopes[0] * within + (slopes[1] - slopes[0]) * within**2 / (2.0 * (high - low))
    return np.asarray(rise + slopes[0] * np.minimum(raw - low, 0.0) + slopes[1] * np.maximum(raw - high, 0.0))


def probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-log_odds)), strictly between 0 and 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS))))


def complaint(calibrator: Mapping[str, Any]) -> str | None:
    """Say why `calibrate` could give something else than rising probabilities; None where it can't."""
    method = calibrator["method"]
    if not isinstance(method, str) or method not in _NUMBERS:
        return f"the calibrator's method {method!r} is unknown: known are {', '.join(sorted(_NUMBERS))}"
    if not _is_number(calibrator.get("shift", 0.0)):
        return "the calibrator's shift must be a number"
    if not all(_is_number(calibrator.get(name)) for name in _NUMBERS[method]):
        return f"the calibrator's {', '.join(_NUMBERS[method])} must be numbers"
    slopes = [calibrator[name] for name in _NUMBERS[method] if name != "intercept"]
    if method == "quadratic":
        ends, slopes = _rising(calibrator.get("ends")), _numbers(calibrator.get("slopes"))
        if len(ends) != 2 or ends[0] == ends[1] or len(slopes) != 2:  # noqa: PLR2004
            return "the calibrator's ends must be two numbers, the first one lower, and its slopes two numbers"
    if min(slopes, default=0.0) < 0.0:
        return "the calibrator's slopes must not fall"
    if method == "isotonic":
        points, rates = _rising(calibrator.get("points")), _rising(calibrator.get("rates"))
        if not points or len(points) != len(rates) or rates[0] < 0 or rates[-1] > 1:
            return "the calibrator's points must be numbers that rise, and its rates shares"
    return None


def _rising(values: object) -> list[float]:
    """Give a list of numbers that never fall, and an empty one where it is none."""
    numbers = _numbers(values)
    return numbers if numbers == sorted(numbers) else []


def _numbers(values: object) -> list[float]:
    return values if isinstance(values, list) and all(map(_is_number, values)) else []


def _is_number(value: object) -> bool:
    # JSON knows whole numbers that no float can hold.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
