"""From log-odds to probabilities that mean what they say: fitted on scores of rows that the fit had not seen.

What is fitted here is plain data; `models.core.calibrators` applies it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit

from models.core.calibrators import bent, calibrate, log_odds
from models.core.slices import FOLDS, deal, folds_for
from models.learning.one_order import in_one_order
from models.learning.parameters import Kind, Method

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The simplest first."""

FEWEST_LEADS_TO_COMPARE = 2 * FOLDS
"""With fewer leads of either kind than two per fold, the folds compare chance with chance."""
FEWEST_CONVERSIONS_OF_STEPS = 300
"""Rows that convert, from which on steps are tried at all."""
SMALLEST_SLOPE = 0.01
"""Even where the rows contradict the scores, their order is kept."""
SLOPE_PRECISION = 1.0
"""Slopes are drawn towards 1 (the scores are right) as by a normal prior of this precision: next to the data of a few
dozen conversions it is nothing, and it keeps the slope finite where the scores separate the classes."""
TAIL = 0.005
"""The share of rows beyond either end of a quadratic: a slope must not hang on the outermost ones."""
_MOST_STEPS, _SMALLEST_STEP, _FARTHEST = 25, 1e-10, 1e6
SMALLEST_GAIN = 1e-6
"""In log loss per row: a smaller gain, as between two that say the same, is rounding."""


def fit_calibrator(
    raw: NDArray[np.float64],
    labels: NDArray[np.float64],
    leads: NDArray[Any],
    *,
    method: Method = "auto",
    seed: int,
) -> dict[str, Any]:
    """Fit the calibrator: `raw` log-odds, `labels` of 0 and 1 and the `leads` they belong to, each of shape (n,).

    ``auto`` takes the kind whose log loss is lowest in cross-fitting by lead, the simplest of equal ones: steps only
    where enough rows convert, and ``platt`` where too few leads do to compare. Unless it is ``none``, the mean of the
    probabilities is the mean of the labels on these very rows.

    Raises `ValueError` where the labels hold only one class or the method is unknown.
    """
    if labels.min() == labels.max():
        raise ValueError("a calibrator needs labels of both classes")
    if method == "auto":
        method = _best(raw, labels, leads, seed=seed)
    if method == "none":
        return {"method": method}
    if method not in _FITS:
        raise ValueError(f"unknown method of calibration: {method!r}")
    return {"method": method, **_FITS[method](raw, labels)}


def fit_shift(probabilities: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Give what must be added to the log-odds so that as many conversions are promised as there were.

    Both of shape (n,): of the newest rows, by fits that had not seen them. One more row is counted, which converts as
    promised on average, so that there is an answer where none converted, or all.
    """
    rows = len(labels)
    rate = (float(labels.sum()) + float(probabilities.mean())) / (rows + 1.0)
    odds = np.log(probabilities) - np.log1p(-probabilities)
    return float(brentq(lambda shift: float(expit(odds + shift).mean()) - rate, -30.0, 30.0, xtol=1e-12))


def _best(raw: NDArray[np.float64], labels: NDArray[np.float64], leads: NDArray[Any], *, seed: int) -> Kind:
    folds = folds_for(len(labels))
    dealt = deal(labels, leads, seed=seed, folds=folds)
    if min(dealt.converting, dealt.others) < FEWEST_LEADS_TO_COMPARE:
        return "platt"
    tried = KINDS if labels.sum() >= FEWEST_CONVERSIONS_OF_STEPS else KINDS[:-1]
    losses = dict.fromkeys(tried, 0.0)
    for fold in range(folds):
        held_out, rest = dealt.fold == fold, dealt.fold != fold
        for kind in tried:
            calibrator = fit_calibrator(raw[rest], labels[rest], leads[rest], method=kind, seed=seed)
            said = calibrate(calibrator, raw[held_out])
            losses[kind] -= float(np.log(np.where(labels[held_out] > 0, said, 1.0 - said)).sum()) / len(raw)
    best = min(losses.values())
    return next(kind for kind, loss in losses.items() if loss <= best + SMALLEST_GAIN)


def _fit_platt(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Platt scaling (Platt 1999): logistic regression of the label on the log-odds."""
    (slope,) = fit_slopes(np.stack([raw]), labels)
    return {"slope": slope, "intercept": _fit_intercept(slope * raw, labels)}


def _fit_beta(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Beta calibration (Kull, Silva Filho and Flach 2017): one slope for ln p, another one for -ln(1 - p)."""
    above, below = fit_slopes(np.stack([-np.logaddexp(0.0, -raw), np.logaddexp(0.0, raw)]), labels)
    shape = {"method": "beta", "above": above, "below": below, "intercept": 0.0}
    return {"above": above, "below": below, "intercept": _fit_intercept(log_odds(shape, raw), labels)}


def _fit_quadratic(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Fit a parabola in the log-odds that rises throughout: its slope at either end is what is fitted."""
    low, high = (float(end) for end in np.quantile(raw, [TAIL, 1.0 - TAIL]))
    if low == high:
        slope = _fit_platt(raw, labels)["slope"]
        low, high, slopes = low - 1.0, high + 1.0, (slope, slope)
    else:
        columns = [bent(raw, (low, high), slopes) for slopes in ((1.0, 0.0), (0.0, 1.0))]
        first, last = fit_slopes(np.stack(columns), labels)
        slopes = (first, last)
    offset = bent(raw, (low, high), slopes)
    return {"ends": [low, high], "slopes": list(slopes), "intercept": _fit_intercept(offset, labels)}


def _fit_isotonic(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Isotonic regression (Zadrozny & Elkan 2002): the first and the last point of each of its level steps."""
    distinct, place, rows = np.unique(raw, return_inverse=True, return_counts=True)
    steps = isotonic_regression(np.bincount(place, weights=labels) / rows, weights=rows)
    ends = np.unique(np.concatenate([steps.blocks[:-1], steps.blocks[1:] - 1]))
    return {**_fit_platt(raw, labels), "points": distinct[ends].tolist(), "rates": steps.x[ends].tolist()}


_FITS: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], dict[str, Any]]] = {
    "platt": _fit_platt,
    "beta": _fit_beta,
    "quadratic": _fit_quadratic,
    "isotonic": _fit_isotonic,
}


@in_one_order()
def fit_slopes(columns: NDArray[np.float64], labels: NDArray[np.float64]) -> list[float]:
    """Fit a logistic regression whose slopes are at least SMALLEST_SLOPE and drawn towards 1.

    ``columns`` of shape (slopes, n), ``labels`` of 0 and 1 of shape (n,).
    """
    centred = columns - columns.mean(axis=1, keepdims=True)
    start = np.append(np.ones(len(columns)), _logit(float(labels.mean())))
    found = _newton(centred, labels, start)
    if found is None or found[:-1].min() < SMALLEST_SLOPE:
        found = _bounded(centred, labels, start)
    return [float(slope) for slope in found[:-1]]


def _newton(
    centred: NDArray[np.float64], labels: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Find slopes and intercept without bounds, in a few steps; None where they don't lead anywhere."""
    design = np.vstack([centred, np.ones(len(labels))])
    prior = np.append(np.full(len(centred), SLOPE_PRECISION), 0.0)
    point = start.copy()
    for _ in range(_MOST_STEPS):
        said = expit(point @ design)
        gradient = design @ (said - labels) + prior * (point - 1.0)
        curvature = (design * (said * (1.0 - said))) @ design.T + np.diag(prior)
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError:
            return None
        point = point - step
        if not np.abs(point).max() < _FARTHEST:  # nor is what is no number
            return None
        if np.abs(step).max() < _SMALLEST_STEP:
            return point
    return None


def _bounded(
    centred: NDArray[np.float64], labels: NDArray[np.float64], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find slopes that keep to their bound, and the intercept, step by careful step."""
    rows = len(labels)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Mean log loss and prior at slopes and intercept, and its gradient."""
        away = point[:-1] - 1.0
        score = point[:-1] @ centred + point[-1]
        excess = expit(score) - labels
        value = np.mean(np.logaddexp(0.0, score) - labels * score) + SLOPE_PRECISION * float(away @ away) / (2 * rows)
        return float(value), np.append(centred @ excess + SLOPE_PRECISION * away, excess.sum()) / rows

    best = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_SLOPE, None)] * len(centred) + [(None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )
    return np.asarray(best.x)


def _fit_intercept(offset: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Find the intercept at which the mean probability equals the mean label."""
    rate = float(labels.mean())
    # Each end suits the most extreme offset alone: the mean is below the rate at one and above it at the other.
    low, high = _logit(rate) - float(offset.max()) - 1.0, _logit(rate) - float(offset.min()) + 1.0
    return float(brentq(lambda intercept: float(expit(offset + intercept).mean()) - rate, low, high, xtol=1e-14))


def _logit(rate: float) -> float:
    return float(np.log(rate / (1.0 - rate)))
