"""What a model that promises exactly right would still show by chance, over ten groups of rows.

The rows of a lead hang together through the one moment at which it converts. Say ``p`` is the probability of a row and
``q`` the part of it that falls into the window of an earlier row of that lead. That the later row exists says that the
lead had not converted by then: the earlier one converts if the moment falls where the windows meet. Then

    variance of (label - p)                          p (1 - p)
    covariance of (label - p) of two such rows       q (1 - p), with p of the later row

and rows whose windows don't meet have none. Where conversions are rare, rows of a lead convert together as often as the
window of the earliest of them catches what the last one promises: from that follows how skewed their sum is. These hold
for the rows that there are: where a lead converts, its later rows are missing from the data and from the sum alike. How
much of ``p`` falls into the first part of its window goes by a hazard that falls (or rises) through the window at one
rate for all rows, read from the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from models.evaluation.metrics import BINS, LEVEL, Blocks, bin_of_each_row

FloatArray = NDArray[np.float64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

DRAWS = 20_000
SEED = 10
# How fast a hazard may fall (or rise) within a window: e-fold, over the whole of it.
SLOWEST, FASTEST = -5.0, 30.0
LARGEST_SKEWNESS = 2.0
"""Of a sum of few conversions: beyond it the bend to a skewness is no longer close to a sum of that kind."""
NO_SKEWNESS = 1e-6
HALF = 0.5


@dataclass(frozen=True)
class Chance:
    """What a perfect model shows: its calibration error, and its ten groups; arrays have the shape (10,)."""

    error_mean: float
    error_quantile_95: float
    """In 95 of 100 perfect worlds the calibration error is at most this."""
    low: FloatArray
    high: FloatArray
    """In 95 of 100 perfect worlds the share that converts lies between these, in all groups at once; else NaN."""
    rows_for_one: FloatArray
    """How many rows of a group tell as much as one independent row would; NaN without rows."""


def of_a_perfect_model(
    labels: ArrayLike, probabilities: ArrayLike, leads: ArrayLike, as_of: ArrayLike, horizon: timedelta
) -> Chance:
    """Say what these rows would show if each of the `probabilities` were exactly right; all of shape (n,).

    The `labels` say only how early in its window a conversion comes; `as_of` are times. The sums of the ten groups are
    drawn from the normal law of their covariance, bent to their skewness.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    outcomes = np.asarray(labels, dtype=np.float64)
    lead = np.unique(np.asarray(leads), return_inverse=True)[1]
    moment = _in_horizons(as_of, horizon)
    if not len(scores) == len(outcomes) == len(lead) == len(moment):
        raise ValueError(f"{len(scores)} probabilities, {len(outcomes)} labels, {len(lead)} leads, {len(moment)} as_of")
    order = np.lexsort((moment, lead))
    scores, outcomes, lead, moment = scores[order], outcomes[order], lead[order], moment[order]
    bins = bin_of_each_row(Blocks.of(outcomes, scores), scores)
    covariance, independent, third_moment = _moments(scores, outcomes, lead, moment, bins)
    rows, expected = (np.bincount(bins, weights=of, minlength=BINS) for of in (np.ones(len(bins)), scores))
    rows[rows == 0] = np.nan
    deviation = np.sqrt(np.diagonal(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.nan_to_num(third_moment / deviation**3).clip(-LARGEST_SKEWNESS, LARGEST_SKEWNESS)
        drawn = expected + deviation * _bend(_draws(covariance / np.outer(deviation, deviation)), skewness)
        conversions = np.maximum(np.rint(drawn), 0.0)
        errors = np.abs(conversions - expected).sum(axis=1) / len(scores)
        # A whole number stands for all up to halfway to the next: a band holds it that reaches its nearer end.
        above = _bent_to((conversions - HALF - expected) / deviation, skewness)
        below = _bent_to((conversions + HALF - expected) / deviation, skewness)
        widest = float(np.quantile(np.maximum(above, -below).max(axis=1), LEVEL))
        low = (expected + deviation * _bend(-widest, skewness) - HALF) / rows
        high = (expected + deviation * _bend(widest, skewness) + HALF) / rows
        rows_for_one = np.diagonal(covariance) / independent
    return Chance(
        error_mean=float(errors.mean()),
        error_quantile_95=float(np.quantile(errors, LEVEL)),
        low=low.clip(0.0, 1.0),
        high=high.clip(0.0, 1.0),
        rows_for_one=rows_for_one,
    )


def _in_horizons(as_of: ArrayLike, horizon: timedelta) -> FloatArray:
    moments = np.asarray(as_of).astype("datetime64[us]").astype(np.int64)
    return np.asarray((moments - moments.min(initial=0)) / (horizon / timedelta(microseconds=1)), dtype=np.float64)


def _moments(
    scores: FloatArray, outcomes: FloatArray, lead: NDArray[np.int64], moment: FloatArray, bins: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the covariance of what the groups hold beyond their promise, its diagonal were rows independent, their skew.

    The last is the third central moment of each group. That of `n` rows of one lead that convert together is `n ** 3`
    times the one of a single row: one for each row, and six for each pair times the steps in the group between them.
    """
    fails = 1.0 - scores
    independent = np.bincount(bins, weights=scores * fails, minlength=BINS).astype(np.float64)
    step = _step_in_group(lead, bins)
    share = _share_by(_rate(outcomes, lead, moment), moment)
    together = np.zeros(BINS * BINS)
    third = np.bincount(bins, weights=scores * fails * (fails - scores), minlength=BINS).astype(np.float64)
    for earlier, later in _pairs(lead, moment):
        both = scores[later] * share(earlier, later) * fails[later]
        together += np.bincount(bins[earlier] * BINS + bins[later], weights=both, minlength=BINS * BINS)
        skew = 6.0 * both * (fails - scores)[later] * (step[later] - step[earlier]) * (bins[earlier] == bins[later])
        third += np.bincount(bins[later], weights=skew, minlength=BINS)
    square = together.reshape(BINS, BINS)
    return np.diag(independent) + square + square.T, independent, third


def _step_in_group(lead: NDArray[np.int64], bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count how many rows of its lead stand before each in its own group; rows are sorted by lead and time."""
    group = lead * BINS + bins
    order = np.argsort(group, kind="stable")
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    step = np.empty(len(group), dtype=np.int64)
    step[order] = np.arange(len(group)) - np.repeat(begins, np.diff(begins, append=len(group)))
    return step


def _pairs(lead: NDArray[np.int64], moment: FloatArray) -> Iterator[Pairs]:
    """Yield the pairs of rows of one lead whose windows meet: neighbours first, then those with one between them ..."""
    for apart in range(1, len(lead)):
        meet = (lead[apart:] == lead[:-apart]) & (moment[apart:] < moment[:-apart] + 1.0)
        earlier = np.flatnonzero(meet)
        if not earlier.size:
            return
        yield earlier, earlier + apart


def _share_by(rate: float, moment: FloatArray) -> Callable[[Any, Any], FloatArray]:
    """Say what part of a later row's probability falls into the window of an earlier one."""

    def share(earlier: NDArray[np.int64], later: NDArray[np.int64]) -> FloatArray:
        return _early(moment[earlier] + 1.0 - moment[later], rate)

    return share


def _early(part: FloatArray, rate: float) -> FloatArray:
    """Say what share of the conversions of a window comes in its first `part`, where the hazard falls at `rate`."""
    if abs(rate) < 1e-6:  # noqa: PLR2004 - as good as even
        return part
    return np.asarray(np.expm1(-rate * part) / np.expm1(-rate), dtype=np.float64)


def _rate(outcomes: FloatArray, lead: NDArray[np.int64], moment: FloatArray) -> float:
    """Read from the rows how early in its window a conversion comes.

    Where the later of two rows converts, the earlier one does so, too, if the conversion falls into its window. At the
    rate that is sought as many do as is expected; even, where no row tells.
    """
    parts, seen = [], 0.0
    for earlier, later in _pairs(lead, moment):
        converts = outcomes[later] > 0
        parts.append((moment[earlier] + 1.0 - moment[later])[converts])
        seen += float(outcomes[earlier][converts].sum())
    part = np.concatenate([np.empty(0), *parts])

    def excess(rate: float) -> float:
        return float(_early(part, rate).sum()) - seen

    if not part.size or excess(SLOWEST) > 0.0:
        return SLOWEST if part.size else 0.0
    return FASTEST if excess(FASTEST) < 0.0 else float(brentq(excess, SLOWEST, FASTEST, xtol=1e-6))


def _draws(correlation: FloatArray) -> FloatArray:
    """Draw the groups from the normal law with this correlation: shape (draws, 10), a group without rows always 0."""
    known = np.nan_to_num(correlation)
    values, vectors = np.linalg.eigh(known)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.zeros((BINS, DRAWS))
    # A product of matrices would be summed in an order that goes by the number of threads.
    for group, parts in enumerate(root):
        for normal, part in zip(_normal(), parts, strict=True):
            drawn[group] += normal * part
    return np.ascontiguousarray(drawn.T)


@cache
def _normal() -> FloatArray:
    """Draw what all are made of, once: shape (10, draws)."""
    return np.ascontiguousarray(np.random.default_rng(SEED).standard_normal((DRAWS, BINS)).T)


def _bend(standard: Any, skewness: FloatArray) -> FloatArray:  # noqa: ANN401 - a number or an array
    """Bend normal values to those of a gamma distribution of this skewness, mean 0 and variance 1.

    A sum of few clumps of conversions is close to one. By the cube of Wilson & Hilferty (1931).
    """
    sixth = _not_zero(skewness) / 6.0
    return np.asarray((np.maximum(1.0 + sixth * standard - sixth**2, 0.0) ** 3 - 1.0) / (3.0 * sixth))


def _bent_to(value: FloatArray, skewness: FloatArray) -> FloatArray:
    """Give the normal value that `_bend` turns into `value`; where none does, the one that comes nearest."""
    sixth = _not_zero(skewness) / 6.0
    return np.nan_to_num((np.cbrt(np.maximum(1.0 + 3.0 * sixth * value, 0.0)) - 1.0 + sixth**2) / sixth)


def _not_zero(skewness: FloatArray) -> FloatArray:
    """Take a skewness that bends nothing for one that bends less than can be seen, for what divides by it."""
    return np.where(np.abs(skewness) < NO_SKEWNESS, NO_SKEWNESS, skewness)
