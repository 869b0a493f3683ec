"""Members that add up, learned: logistic regression on a short catalogue, and base rates of a few kinds of lead.

Both are logistic regressions with a normal prior of mean 0 on the weights (a ridge), found by Newton's method. Rows of
one lead repeat each other, so the prior's precision is for each lead and not for each row: the same log looked at twice
as often is no more certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from models.core.additive import Additive, Term, shaped
from models.core.slices import whole_leads
from models.learning.one_order import in_one_order

PRIOR = 16.0
"""The precision of a weight's prior, for a column whose standard deviation is 1, in leads: a sixteenth of a lead's
worth of doubt. Chosen by folds over leads on two logs."""
PACES = (3.0, 14.0, 60.0)
"""In days: how fast what lies back fades."""
PRIOR_OF_RATES = 4.0
"""Of base rates: few terms, which overlap little."""
MOST_ROWS = 250_000
"""Rows that weights are learned from, of leads drawn by a hash: two hundred weights need no more, and their matrix
stays below 200 MB."""
_MOST_STEPS, _SMALLEST_GAIN, _SMALLEST_STEP = 50, 1e-9, 2.0**-20
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Roles:
    """The columns in their roles; those of categories are the model's own.

    ``decayed`` are counts that fade, of each event type and of all, by several half-lives; ``recency`` the days since
    the last event of each type; ``ages`` the days since the lead and its episode began; ``numbers`` attributes and how
    many episodes there were; ``channels`` the categories that say where a lead came from. For yardsticks: ``counts``
    has the column of each event type that counts its events of the longest window, ``frequency`` those that count all
    events, and ``last`` the days since the last event of all.
    """

    decayed: Sequence[str] = ()
    recency: Sequence[str] = ()
    ages: Sequence[str] = ()
    numbers: Sequence[str] = ()
    channels: Sequence[str] = ()
    counts: Mapping[str, str] = field(default_factory=dict)
    frequency: Sequence[str] = ()
    last: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """All of them but categories, each once."""
        plain = (*self.decayed, *self.recency, *self.ages, *self.numbers, *self.frequency, *self.last)
        return list(dict.fromkeys((*plain, *self.counts.values())))


def terms_of_regression(
    roles: Roles, numbers: Mapping[str, NDArray[Any]], categories: Mapping[str, Sequence[str]]
) -> list[Term]:
    """List the terms of the logistic regression: two shapes of each count, three paces of each age."""
    terms = []
    for column in roles.decayed:
        top = float(np.quantile(numbers[column], 0.995))
        terms += [Term(column, "log", 10.0), Term(column, "capped", max(top, 1e-3))]
    for column in roles.ages:
        terms += [Term(column, "decay", days) for days in PACES] + [Term(column, "log")]
    for column in roles.numbers:
        terms += [Term(column, "log"), Term(column, "missing")]
    return terms + _levels(categories, categories)


def terms_of_rates(roles: Roles, categories: Mapping[str, Sequence[str]]) -> list[Term]:
    """List the terms of base rates: channel and last act, how long ago it was, and how many there were."""
    last = [Term(column, "latest") for column in roles.recency]
    return _levels(roles.channels, categories) + last + terms_of_recency_and_frequency(roles)


def terms_of_recency_and_frequency(roles: Roles) -> list[Term]:
    """List the terms of how long ago the last act was, whichever, and how many there were."""
    paces = [Term(column, "decay", days) for column in roles.last for days in PACES]
    return paces + [Term(column, "log") for column in roles.frequency]


def _levels(columns: Sequence[str] | Mapping[str, Any], categories: Mapping[str, Sequence[str]]) -> list[Term]:
    return [Term(column, "level", float(code)) for column in columns for code in range(len(categories[column]) + 1)] + [
        Term(column, "missing") for column in columns
    ]


@in_one_order()
def fit_additive(
    terms: Sequence[Term],
    numbers: Mapping[str, NDArray[Any]],
    labels: NDArray[np.float64],
    leads: NDArray[Any],
    fold: NDArray[np.int64],
    *,
    prior: float,
) -> tuple[Additive, NDArray[np.float64]]:
    """Learn the weights, and give each row's score by weights that had not seen its fold.

    ``numbers`` are columns of shape (n,), as `encoding.numbers_of` gives them; ``labels`` from 0 to 1, ``leads`` and
    ``fold`` are of shape (n,). Terms that are the same in all rows are left out.
    """
    chosen = whole_leads(leads, MOST_ROWS)
    design, terms = _design(terms, numbers, len(labels))
    rows = np.flatnonzero(chosen)
    precision = prior * len(rows) / max(len(np.unique(leads[rows])), 1)
    weights = _newton(design, labels, rows, precision, None)
    scores = design @ weights[:-1] + weights[-1]
    scores = scores.astype(np.float64)
    for number in range(int(fold.max()) + 1):
        held_out = np.flatnonzero(fold == number)
        others = rows[fold[rows] != number]
        without = _newton(design, labels, others, precision, weights)
        known = held_out[chosen[held_out]]
        scores[known] = design[known] @ without[:-1] + without[-1]
    found = [
        replace(term, weight=float(weight) / term.spread) for term, weight in zip(terms, weights[:-1], strict=True)
    ]
    return Additive(float(weights[-1]), tuple(found)), scores


def _design(
    terms: Sequence[Term], numbers: Mapping[str, NDArray[Any]], rows: int
) -> tuple[NDArray[np.float32], list[Term]]:
    """Shape the columns, centre and scale them: what is missing is average. Shape (n, terms that differ)."""
    columns, kept = [], []
    for term, values in zip(terms, shaped(terms, numbers), strict=True):
        known = values[~np.isnan(values)]
        mean, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        if spread > 1e-9 * max(1.0, abs(mean)):
            columns.append(np.nan_to_num((values - mean) / spread).astype(np.float32))
            kept.append(replace(term, mean=mean, spread=spread))
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.float32), kept


def _newton(
    design: NDArray[np.float32],
    labels: NDArray[np.float64],
    rows: NDArray[np.int64],
    precision: float,
    start: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Find the weights and, as the last one, the intercept, of some rows; from a start that is near, in few steps."""
    weights = np.zeros(design.shape[1] + 1) if start is None else start
    if start is None and len(rows):
        rate = np.clip(labels[rows].mean(), 0.5 / len(rows), 1.0 - 0.5 / len(rows))
        weights[-1] = np.log(rate / (1.0 - rate))
    prior = np.append(np.full(design.shape[1], precision), 1e-6)
    value, gradient, curvature = _slope(design, labels, rows, weights, prior)
    for _ in range(_MOST_STEPS):
        step = cho_solve(cho_factor(curvature), gradient)
        if 0.5 * float(gradient @ step) < _SMALLEST_GAIN * len(rows):
            return weights - step  # what it gains is known before it is made
        length = 1.0
        while True:
            tried = weights - length * step
            found = _slope(design, labels, rows, tried, prior)
            if found[0] <= value or length < _SMALLEST_STEP:
                break
            length /= 2.0
        weights, (value, gradient, curvature) = tried, found
    return weights


def _slope(
    design: NDArray[np.float32],
    labels: NDArray[np.float64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Give the loss of all rows together and the prior, its gradient and its curvature, block by block."""
    size = len(weights)
    value = 0.5 * float(prior @ weights**2)
    gradient, curvature = prior * weights, np.diag(prior)
    narrow = weights.astype(np.float32)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first : first + _ROWS_AT_ONCE]
        block = np.ones((len(some), size), dtype=np.float32)
        np.take(design, some, axis=0, out=block[:, :-1])
        score = (block @ narrow).astype(np.float64)
        said = expit(score)
        value += float(np.sum(np.logaddexp(0.0, score) - labels[some] * score))
        gradient = gradient + block.T @ (said - labels[some]).astype(np.float32)
        block *= np.sqrt(said * (1.0 - said)).astype(np.float32)[:, None]
        curvature = curvature + block.T @ block
    return value, gradient, curvature
