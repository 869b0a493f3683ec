"""Members that add up, learned: logistic regression on a short catalogue, and base rates of a few kinds of lead.

Both are logistic regressions with a normal prior of mean 0 on the weights (a ridge), found by Newton's method. Rows of
one lead repeat each other, so the prior's precision is for each lead and not for each row: the same log looked at twice
as often is no more certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
_ROWS_AT_FIRST, _ONE_IN = 8_192, 8
"""From so many rows on the weights of one row in eight are found first."""
_SLOW = 0.1
"""The share of what the step before gained that a step by a former curvature may gain at most."""


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
    learned = _Loss(
        design if chosen.all() else design[rows],
        labels[rows],
        np.append(np.full(len(terms), prior * len(rows) / max(len(np.unique(leads[rows])), 1)), 1e-6),
    )
    weights = _fit(learned)
    scores = (design @ weights).astype(np.float64)
    for number, without in _fit_others(learned, fold[rows], weights):
        known = np.flatnonzero(chosen & (fold == number))
        scores[known] = design[known] @ without
    found = [
        replace(term, weight=float(weight) / term.spread) for term, weight in zip(terms, weights[:-1], strict=True)
    ]
    return Additive(float(weights[-1]), tuple(found)), scores


def _design(
    terms: Sequence[Term], numbers: Mapping[str, NDArray[Any]], rows: int
) -> tuple[NDArray[np.float32], list[Term]]:
    """Shape the columns, centre and scale them: what is missing is average; the last one, for the intercept, is 1.

    Of shape (n, terms that differ + 1).
    """
    columns, kept = [], []
    for term, values in zip(terms, shaped(terms, numbers), strict=True):
        known = values[~np.isnan(values)]
        mean, spread = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        if spread > 1e-9 * max(1.0, abs(mean)):
            columns.append(np.nan_to_num((values - mean) / spread).astype(np.float32))
            kept.append(replace(term, mean=mean, spread=spread))
    return np.stack([*columns, np.ones(rows, np.float32)], axis=1), kept


@dataclass(frozen=True)
class _Loss:
    """The log loss of rows together, and the prior of the weights.

    ``design`` of shape (n, weights), ``labels`` of shape (n,), ``prior`` the precision of each weight's.
    """

    design: NDArray[np.float32]
    labels: NDArray[np.float64]
    prior: NDArray[np.float64]

    def slope(
        self, weights: NDArray[np.float64], counted: NDArray[np.bool_] | None
    ) -> tuple[float, NDArray[np.float64]]:
        """Give the loss of the rows that count and the prior, and its gradient."""
        value, gradient = 0.5 * float(self.prior @ weights**2), self.prior * weights
        narrow = weights.astype(np.float32)
        for first in range(0, len(self.labels), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            block, labels = self.design[some], self.labels[some]
            score = (block @ narrow).astype(np.float64)
            losses, excess = np.logaddexp(0.0, score) - labels * score, expit(score) - labels
            if counted is not None:
                losses, excess = losses * counted[some], excess * counted[some]
            value += float(losses.sum())
            gradient = gradient + block.T @ excess.astype(np.float32)
        return value, gradient

    def curvature(self, weights: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the curvature of the loss of some rows, without the prior's."""
        total = np.zeros((len(weights), len(weights)))
        narrow = weights.astype(np.float32)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            block = np.take(self.design, rows[first : first + _ROWS_AT_ONCE], axis=0)
            said = expit((block @ narrow).astype(np.float64))
            block *= np.sqrt(said * (1.0 - said)).astype(np.float32)[:, None]
            total = total + block.T @ block
        return total


def _fit(loss: _Loss) -> NDArray[np.float64]:
    """Find the weights of all rows: first those of some, from which it is not far."""
    weights = np.zeros(len(loss.prior))
    rows = len(loss.labels)
    if rows:
        rate = np.clip(loss.labels.mean(), 0.5 / rows, 1.0 - 0.5 / rows)
        weights[-1] = np.log(rate / (1.0 - rate))
    if rows >= _ROWS_AT_FIRST:
        some = slice(None, None, _ONE_IN)
        first = _Loss(np.ascontiguousarray(loss.design[some]), loss.labels[some], loss.prior / _ONE_IN)
        weights = _newton(first, weights)
    return _newton(loss, weights)


def _fit_others(
    loss: _Loss, fold: NDArray[np.int64], weights: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Find, for each fold, the weights of the rows outside it, from those of all rows.

    They are near, so that the curvature there serves all steps: that of all rows, less that of the fold's own.
    """
    parts = [loss.curvature(weights, np.flatnonzero(fold == number)) for number in range(int(fold.max()) + 1)]
    total = np.sum(parts, axis=0) + np.diag(loss.prior)
    for number, own in enumerate(parts):
        yield number, _newton(loss, weights, fold != number, total - own)


def _newton(
    loss: _Loss,
    weights: NDArray[np.float64],
    counted: NDArray[np.bool_] | None = None,
    curvature: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Find the weights of the rows that count, by default of all, by Newton's method.

    To find the curvature costs as much as hundreds of gradients: that of an earlier step, or of the start, serves for
    as long as steps by it gain less and less.
    """
    rows = np.arange(len(loss.labels)) if counted is None else np.flatnonzero(counted)
    value, gradient = loss.slope(weights, counted)
    factor, is_new = (None, False) if curvature is None else (cho_factor(curvature), False)
    gained = np.inf
    for _ in range(_MOST_STEPS):
        if factor is None:
            factor, is_new = cho_factor(loss.curvature(weights, rows) + np.diag(loss.prior)), True
        step = cho_solve(factor, gradient)
        gain = 0.5 * float(gradient @ step)
        if gain < _SMALLEST_GAIN * len(rows):
            return weights - step  # what it gains is known before it is made
        if gain > _SLOW * gained and not is_new:
            factor = None
            continue
        length, gained, is_new = 1.0, gain, False
        while True:
            tried = weights - length * step
            found = loss.slope(tried, counted)
            if found[0] <= value or length < _SMALLEST_STEP:
                break
            length /= 2.0
        weights, (value, gradient) = tried, found
    return weights
