"""From draws of leads to an interval of 95 %: the draws say how far a figure varies, its kind on which scale.

Percentiles of the draws are too narrow where few leads convert, and lopsided. What is a share of something (rates, the
shares of conversions or of pairs) has Wilson's interval for as many independent cases as vary as much; a loss varies on
the scale of its logarithm, whatever else as it is. `docs/truth.md` has the measured coverage of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NORMAL_QUANTILE = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: intervals of 95 %."""


def interval_of_share(value: float, draws: NDArray[np.float64], independent: float) -> tuple[float, float]:
    """Low and high end of a share; `independent` cases are taken where it is 0 or 1, and so never varies.

    Where few cases make a share so small that even none would be no wonder, only the low end can miss: the interval
    then holds the truth in 97.5 of 100.
    """
    variance = float(np.var(draws))
    number = value * (1.0 - value) / variance if 0.0 < value < 1.0 and variance > 0.0 else independent
    low, high = wilson_interval(np.array([value * number]), np.array([number]))
    return float(low[0]), float(high[0])


def interval_of_loss(value: float, draws: NDArray[np.float64]) -> tuple[float, float]:
    """Low and high end of a figure above 0 that has no upper end."""
    factor = float(np.exp(NORMAL_QUANTILE * np.std(np.log(draws[draws > 0.0])))) if (draws > 0.0).any() else 1.0
    return value / factor, value * factor


def interval_around(value: float, draws: NDArray[np.float64]) -> tuple[float, float]:
    """Low and high end of a figure that may be any number."""
    half = NORMAL_QUANTILE * float(np.std(draws))
    return value - half, value + half


def wilson_interval(
    conversions: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the 95 % interval of a rate (Wilson 1927), all of shape (n,).

    >>> low, high = wilson_interval(np.array([0.0, 5.0]), np.array([10.0, 10.0]))
    >>> [(round(float(a), 4), round(float(b), 4)) for a, b in zip(low, high)]
    [(0.0, 0.2775), (0.2366, 0.7634)]
    """
    square = NORMAL_QUANTILE**2
    middle = (conversions + square / 2.0) / (rows + square)
    half = NORMAL_QUANTILE * np.sqrt(conversions * (rows - conversions) / rows + square / 4.0) / (rows + square)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
