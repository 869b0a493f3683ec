"""How good probabilities are: ranking, calibration and lift, each with an interval over leads.

Everything here is computed from blocks of rows with equal probability, best first: a block's rows are in no order,
so no figure depends on the order of the input. A block may weigh anything, which is what the bootstrap needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from features.core.errors import NotEnoughDataError
from models.evaluation.intervals import interval_around, interval_of_loss, interval_of_share

FloatArray = NDArray[np.float64]

SHARES = (1, 5, 10, 20)
FIGURES = (
    "base_rate",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_error",
    "calibration_slope",
    "calibration_intercept",
    *(f"{figure}_at_{share}" for figure in ("precision", "lift") for share in SHARES),
)
"""What `evaluate` gives, where it can be said."""
BINS = 10
DAMPING = 4.0
"""The average precision is taken at a quarter of the distance of each draw: who is drawn twice ties with himself, which
moves every step of it, so that the figure of a full draw varies by more than the figure of other leads does."""
LEVEL = 0.95
SEED = 20_260_101
"""Of the draws of leads, and of nothing else: the same rows have the same draws, whichever model is judged by them."""

WITHOUT_INTERVAL = frozenset({"calibration_error"})
"""Drawing leads anew adds noise, and noise only ever raises a calibration error, which is nought at best: no interval
around it holds the truth. What it is worth, `models.evaluation.chance` says."""
LOSSES = frozenset({"log_loss", "brier"})

SMALLEST_PROBABILITY = 1e-15
"""Beyond it the logarithm of a probability says more about rounding than about the model."""
NEWTON_STEPS = 50
NEWTON_TOLERANCE = 1e-3
"""What is left to go after a step is about its square: a millionth here, far below the width of any interval."""
LONGEST_STEP = 0.5
SMALLEST_DETERMINANT = 1e-10
"""Relative to its largest value: below it slope and intercept can't be told apart."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it can't be said."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Blocks:
    """Rows with equal probability, highest first; all arrays have the shape (blocks,)."""

    probability: FloatArray
    rows: FloatArray
    conversions: FloatArray

    @classmethod
    def of(cls, labels: ArrayLike, probabilities: ArrayLike) -> Blocks:
        """Group `labels` of 0 and 1 by `probabilities`, both of shape (n,)."""
        return _Ranking(labels, probabilities).blocks()

    @cached_property
    def contacted(self) -> FloatArray:
        """Rows in this block and all above it."""
        return np.cumsum(self.rows)

    @cached_property
    def converted(self) -> FloatArray:
        """Conversions in this block and all above it."""
        return np.cumsum(self.conversions)

    def captured(self, shares: ArrayLike) -> FloatArray:
        """Conversions among the best `shares` of the rows, in the shape of `shares`.

        Where the cut falls within a block it is the expected number over all orders of the block.
        """
        contacted = np.concatenate([[0.0], self.contacted])
        converted = np.concatenate([[0.0], self.converted])
        return np.asarray(np.interp(np.asarray(shares) * contacted[-1], contacted, converted), dtype=np.float64)

    def bins(self) -> NDArray[np.int64]:
        """Which of ten bins of equal mass each block belongs to, the lowest probabilities in bin 0: shape (blocks,).

        A block is never divided: it goes where its middle falls.
        """
        middle_from_below = self.contacted[-1] - self.contacted + self.rows / 2.0
        bins: NDArray[np.int64] = np.minimum(BINS / self.contacted[-1] * middle_from_below, BINS - 1).astype(np.int64)
        return bins


def bin_of_each_row(blocks: Blocks, probabilities: FloatArray) -> NDArray[np.int64]:
    """Which of the ten bins each row is in, given the blocks of the same `probabilities`: shape (n,)."""
    block = len(blocks.probability) - 1 - np.searchsorted(blocks.probability[::-1], probabilities)
    found: NDArray[np.int64] = blocks.bins()[block]
    return found


class _Ranking:
    """Rows sorted once, with what depends on the probabilities alone, so that a replicate only weighs."""

    def __init__(self, labels: ArrayLike, probabilities: ArrayLike) -> None:
        outcomes, scores = np.asarray(labels, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
        if outcomes.shape != scores.shape or outcomes.ndim != 1 or not outcomes.size:
            raise ValueError(f"labels {outcomes.shape} and probabilities {scores.shape} must be of one shape (n,)")
        if not np.isin(outcomes, (0.0, 1.0)).all() or not ((scores >= 0.0) & (scores <= 1.0)).all():
            raise ValueError("labels must be 0 or 1, probabilities between 0 and 1, and none missing")
        self.order = np.argsort(-scores, kind="stable")
        self.labels = outcomes[self.order]
        scores = scores[self.order]
        self.starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
        self.probability = scores[self.starts]
        clipped = np.clip(self.probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
        self.log_miss = np.log1p(-clipped)
        self.log_odds = np.log(clipped) - self.log_miss

    def blocks(self, weights: FloatArray | None = None) -> Blocks:
        """Weigh the rows, `weights` in the ranking's own order."""
        weights = np.ones(len(self.labels)) if weights is None else weights
        return Blocks(
            probability=self.probability,
            rows=np.add.reduceat(weights, self.starts),
            conversions=np.add.reduceat(weights * self.labels, self.starts),
        )

    def figures(self, blocks: Blocks, *, start: _Line | None) -> dict[str, float]:
        """All figures of these blocks, NaN where one doesn't exist; `start` is near their line of recalibration."""
        rows, conversions = float(blocks.contacted[-1]), float(blocks.converted[-1])
        base_rate = conversions / rows
        log_likelihood = _dot(blocks.conversions, self.log_odds) + _dot(blocks.rows, self.log_miss)
        misses = blocks.rows - blocks.conversions
        squares = _dot(blocks.conversions, (1.0 - self.probability) ** 2) + _dot(misses, self.probability**2)
        precision = blocks.captured([share / 100.0 for share in SHARES]) / [rows * share / 100.0 for share in SHARES]
        return {
            "base_rate": base_rate,
            "roc_auc": _roc_auc(blocks),
            "average_precision": _average_precision(blocks),
            "log_loss": -float(log_likelihood) / rows,
            "brier": float(squares) / rows,
            "calibration_error": _calibration_error(blocks),
            "calibration_slope": _recalibrate(blocks, self.log_odds, start=start).slope,
            "calibration_intercept": _calibration_intercept(blocks, self.log_odds),
            **{f"precision_at_{share}": float(value) for share, value in zip(SHARES, precision, strict=True)},
            **{
                f"lift_at_{share}": float(value) / base_rate if base_rate else np.nan
                for share, value in zip(SHARES, precision, strict=True)
            },
        }


@dataclass(frozen=True)
class _Line:
    """Log-odds that a recalibration would give, as a line over those that were given."""

    intercept: float
    slope: float


def evaluate(
    labels: ArrayLike, probabilities: ArrayLike, leads: ArrayLike, *, replicates: int = 500, seed: int = SEED
) -> dict[str, Estimate]:
    """All figures of a test slice: `labels` of 0 and 1, `probabilities` and the rows' `leads`, each of shape (n,).

    =========================  =====================================================================
    base_rate                  share of rows that convert
    roc_auc                    chance that a converting row stands above another; ties count a half
    average_precision          precision averaged over the steps of recall
    log_loss, brier            mean logarithmic and squared error
    calibration_error          mean difference of probability and rate over ten bins of equal mass
    calibration_slope          of a logistic regression of the label on the log-odds: 1 is right, less is overconfident
    calibration_intercept      of the same with the slope held at 1: 0 is right, below it promises too much
    precision_at_K             share that converts among the best K % of the rows (1, 5, 10, 20)
    lift_at_K                  the same as a multiple of the base rate
    =========================  =====================================================================

    The intervals come from a bootstrap that draws leads, with all their rows, with replacement (Field & Welsh 2007):
    rows of one lead are no independent witnesses. `models.evaluation.intervals` makes them of the draws. A draw in
    which a figure doesn't exist (ranking with only one class, a slope where a threshold separates the classes) doesn't
    count for that figure; NaN where no draw is left. The calibration error has none: see `models.evaluation.chance`.

    Raises `NotEnoughDataError` where the labels don't hold both classes.
    """
    figures, draws = measure_draws(labels, probabilities, leads, replicates=replicates, seed=seed)
    cases = _cases(labels, leads)
    return {
        name: _estimate(name, value, np.array([draw[name] for draw in draws]), cases) for name, value in figures.items()
    }


def compare(
    labels: ArrayLike,
    probabilities: ArrayLike,
    baseline: ArrayLike,
    leads: ArrayLike,
    *,
    replicates: int = 500,
    seed: int = SEED,
) -> dict[str, Estimate]:
    """How the figures of `probabilities` differ from those of a `baseline` on the same rows, all of shape (n,).

    The figures are those of `evaluate` but the base rate, which is the same. Both are measured on the same draws of
    leads (a paired bootstrap): luck with the leads that were drawn raises or lowers both and cancels, so the interval
    of a difference is narrower than two intervals side by side suggest. One that holds 0 tells nothing.

    Raises `NotEnoughDataError` where the labels don't hold both classes.
    """
    figures, draws = measure_draws(labels, probabilities, leads, replicates=replicates, seed=seed)
    before, draws_before = measure_draws(
        labels, baseline, leads, replicates=replicates, seed=seed
    )  # equal seed, equal draws
    return {
        name: _estimate(
            name,
            value - before[name],
            np.array([draw[name] - other[name] for draw, other in zip(draws, draws_before, strict=True)]),
            {},
        )
        for name, value in figures.items()
        if name != "base_rate"
    }


def measure_draws(
    labels: ArrayLike, probabilities: ArrayLike, leads: ArrayLike, *, replicates: int, seed: int = SEED
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Give the figures of all rows, and those of each draw; who is drawn goes by the leads' ids and the seed alone.

    The arguments are those of `evaluate`, and so are the figures' names; NaN where one can't be said.

    Raises `NotEnoughDataError` where the labels don't hold both classes.
    """
    outcomes = np.asarray(labels, dtype=np.float64)
    if not outcomes.size or (outcomes == outcomes[0]).all():
        raise NotEnoughDataError(
            f"{np.count_nonzero(outcomes)} of the {outcomes.size} rows of the test slice convert: without both kinds of"
            " outcome nothing can be measured. A longer test slice, a longer log or a shorter horizon may help."
        )
    ranking = _Ranking(outcomes, probabilities)
    lead_of_row, distinct = pd.factorize(np.asarray(leads), sort=True)
    if lead_of_row.shape != ranking.labels.shape:
        raise ValueError(f"{len(lead_of_row)} leads for {len(ranking.labels)} labels")
    lead_of_row = lead_of_row[ranking.order]
    whole = ranking.blocks()
    line = _recalibrate(whole, ranking.log_odds, start=None)
    figures = ranking.figures(whole, start=line)
    generator = np.random.default_rng(seed)
    draws = []
    for _ in range(replicates):
        drawn = generator.integers(len(distinct), size=len(distinct))
        weights = np.bincount(drawn, minlength=len(distinct)).astype(np.float64)[lead_of_row]
        draw = ranking.figures(ranking.blocks(weights), start=line)
        near = _average_precision(ranking.blocks(1.0 + (weights - 1.0) / DAMPING))
        away = near - figures["average_precision"]
        draw["average_precision"] = figures["average_precision"] + DAMPING * away
        draws.append(draw)
    return figures, draws


def _dot(left: FloatArray, right: FloatArray) -> np.float64:
    # np.dot hands over to BLAS, whose order of summation, and so the last bit, goes by the number of threads.
    return np.float64((left * right).sum())


def _roc_auc(blocks: Blocks) -> float:
    misses = blocks.rows - blocks.conversions
    misses_below = np.sum(misses) - (blocks.contacted - blocks.converted)
    pairs = float(misses.sum() * blocks.converted[-1])
    return float(_dot(blocks.conversions, misses_below + misses / 2.0)) / pairs if pairs else np.nan


def _average_precision(blocks: Blocks) -> float:
    if not blocks.converted[-1]:
        return np.nan
    contacted = np.maximum(blocks.contacted, 1e-300)  # nothing may have been drawn at the top
    return float(_dot(blocks.conversions, blocks.converted / contacted) / blocks.converted[-1])


def calibration_error_of(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean difference of probability and rate over ten bins of equal mass, of arrays of shape (n,)."""
    return _calibration_error(Blocks.of(labels, probabilities))


def _calibration_error(blocks: Blocks) -> float:
    excess = np.bincount(blocks.bins(), weights=blocks.rows * blocks.probability - blocks.conversions)
    return float(np.abs(excess).sum() / blocks.contacted[-1])


def _recalibrate(blocks: Blocks, log_odds: FloatArray, *, start: _Line | None) -> _Line:
    """Fit the logistic regression of the label on the log-odds (Cox 1958) by Newton's method.

    NaN where there is no single best: one class, one probability, or a threshold that separates the classes.
    """
    nothing = _Line(np.nan, np.nan)
    rows, conversions = float(blocks.contacted[-1]), float(blocks.converted[-1])
    if conversions in (0.0, rows):
        return nothing
    # A full step can overshoot, and the next one more so: steps are cut. A replicate is two steps from the whole.
    level = _Line(float(np.log(conversions / (rows - conversions))), 0.0)
    line = level if start is None or np.isnan(start.slope) else start
    for _ in range(NEWTON_STEPS):
        probability = expit(line.intercept + line.slope * log_odds)
        expected = blocks.rows * probability
        excess = blocks.conversions - expected
        spread = expected * (1.0 - probability)
        leaning = spread * log_odds
        zeroth, first, second = spread.sum(), leaning.sum(), _dot(leaning, log_odds)
        determinant = zeroth * second - first**2
        if not determinant > SMALLEST_DETERMINANT * zeroth * second:
            return nothing
        by_intercept, by_slope = excess.sum(), _dot(excess, log_odds)
        step = (second * by_intercept - first * by_slope) / determinant
        turn = (zeroth * by_slope - first * by_intercept) / determinant
        length = float(max(abs(step), abs(turn)))
        cut = min(1.0, LONGEST_STEP / length) if length else 1.0
        line = _Line(float(line.intercept + cut * step), float(line.slope + cut * turn))
        if length < NEWTON_TOLERANCE:
            return line
    return nothing


def _calibration_intercept(blocks: Blocks, log_odds: FloatArray) -> float:
    """How far all log-odds must be shifted for the mean probability to equal the base rate."""
    rows, conversions = float(blocks.contacted[-1]), float(blocks.converted[-1])
    if conversions in (0.0, rows):
        return np.nan
    shift, probability = 0.0, blocks.probability
    for _ in range(NEWTON_STEPS):
        expected = blocks.rows * probability
        spread = expected.sum() - _dot(expected, probability)
        # A longer step would leave the region where Newton's straight line says anything about the curve.
        step = float(np.clip((conversions - expected.sum()) / max(spread, SMALLEST_PROBABILITY), -2.0, 2.0))
        shift += step
        if abs(step) < NEWTON_TOLERANCE:
            return shift
        probability = expit(shift + log_odds)
    return np.nan


def _estimate(name: str, value: float, draws: FloatArray, cases: Mapping[str, float]) -> Estimate:
    """Give a figure its interval; `cases` says of the shares how many leads each tells of."""
    known = draws[np.isfinite(draws)]
    if name in WITHOUT_INTERVAL or not np.isfinite(value) or not known.size:
        return Estimate(value=value, low=np.nan, high=np.nan)
    kind, _, share = name.partition("_at_")
    if kind == "lift" and cases:  # it multiplies the share of all conversions that is reached
        times = 100.0 / float(share)
        low, high = (times * end for end in interval_of_share(value / times, known / times, cases[kind]))
    elif name in cases:
        low, high = interval_of_share(value, known, cases[name])
    elif name in LOSSES and cases:
        low, high = interval_of_loss(value, known)
    else:
        low, high = interval_around(value, known)
    return Estimate(value=value, low=low, high=high)


def _cases(labels: ArrayLike, leads: ArrayLike) -> dict[str, float]:
    converts = np.asarray(labels, dtype=np.float64) > 0
    lead = pd.factorize(np.asarray(leads))[0]
    everyone, converting = float(len(np.unique(lead))), float(len(np.unique(lead[converts])))
    tops = {f"precision_at_{share}": everyone * share / 100.0 for share in SHARES}
    return tops | {"base_rate": everyone, "lift": converting, "roc_auc": converting}
