"""The ladder of recipes, and which rung is taken: the simplest that nothing beats by more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.core.slices import FOLDS
from models.learning.parameters import RUNGS, Rung

RUNG_NAMES: dict[Rung, str] = {
    "base_rates": "base rates of kinds of lead",
    "logistic": "logistic regression",
    "trees": "boosted trees",
    "stack": "stack of logistic regression and trees",
}
"""Their names on every page."""
FEWEST_WINS = 2 * FOLDS
"""Leads that convert, from which on more than base rates is tried: with fewer than two in a fold, folds compare chance
with chance. That more is tried is not that more is taken."""

SHIFTED = "+shift"
"""Behind a rung's name: with the base rate of the newest outcomes."""

Name = TypeVar("Name", bound=str)


def rungs_for(wins: int) -> Sequence[Rung]:
    """List the rungs that so many converting leads bear."""
    return RUNGS if wins >= FEWEST_WINS else RUNGS[:1]


def losses(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log loss of each row: shape (n,)."""
    return np.asarray(-np.log(np.where(labels > 0, probabilities, 1.0 - probabilities)))


def choose(candidates: Mapping[Name, NDArray[np.float64]], leads: NDArray[Any]) -> Name:
    """Take the first of the candidates, the simplest first, that the best one beats by no more than a standard error.

    ``candidates`` are losses of the same rows, each of shape (n,), and ``leads`` the rows' leads: the standard error of
    a difference of means is taken over leads, for the rows of one lead go together.
    """
    best = min(candidates, key=lambda name: float(candidates[name].mean()))
    for name, loss in candidates.items():
        mean, error = mean_and_error(loss - candidates[best], leads)
        if mean <= error:
            return name
    return best


def mean_and_error(values: NDArray[np.float64], leads: NDArray[Any]) -> tuple[float, float]:
    """Give the mean of values of shape (n,) and its standard error, where the rows of one lead hang together.

    The values' distances from the mean are summed over each lead; these sums are independent (Liang & Zeger 1986). Four
    leads, of which A has two rows, lie 1, -0.5, -0.5 and 0 from the mean: sqrt(1.5 * 4 / 3) / 5.

    >>> mean_and_error(np.array([1.0, 1.0, 0.0, 0.0, 0.5]), np.array(["A", "A", "B", "C", "D"]))
    (0.5, 0.282842712474619)
    """
    mean = float(values.mean())
    of_row, distinct = pd.factorize(leads)
    sums = np.bincount(of_row, weights=values - mean)
    return mean, float(np.sqrt(np.sum(sums**2) * len(distinct) / max(len(distinct) - 1, 1))) / len(values)
