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


def byar_interval(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the 95 % interval of what a count is on average (Byar: Breslow and Day 1987, vol. II, 2.10).

    >>> low, high = byar_interval(np.array([0.0, 9.0]))
    >>> [(round(float(a), 2), round(float(b), 2)) for a, b in zip(low, high)]
    [(0.0, 3.67), (4.11, 17.09)]
    """
    more = counts + 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        low = counts * (1.0 - 1.0 / (9.0 * counts) - NORMAL_QUANTILE / (3.0 * np.sqrt(counts))) ** 3
    high = more * (1.0 - 1.0 / (9.0 * more) + NORMAL_QUANTILE / (3.0 * np.sqrt(more))) ** 3
    return np.where(counts > 0.0, np.maximum(low, 0.0), 0.0), high


def poisson_bounds(means: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between which whole numbers a Poisson count of some mean, of which few are expected, lies in 95 of 100 at least.

    >>> low, high = poisson_bounds(np.array([0.0, 3.0]))
    >>> low.tolist(), high.tolist()
    ([0.0, 0.0], [0.0, 7.0])
    """
    low, high = np.zeros_like(means), np.zeros_like(means)
    term, below = np.exp(-means), np.exp(-means)
    low_open, high_open = below < _TAIL, below < 1.0 - _TAIL
    count = 0
    while low_open.any() or high_open.any():
        count += 1
        low[low_open], high[high_open] = count, count
        term = term * means / count
        below = below + term
        low_open &= below < _TAIL
        high_open &= below < 1.0 - _TAIL
    return low, high


_TAIL = 0.025
