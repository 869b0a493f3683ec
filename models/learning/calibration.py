"""From the trees' log-odds to probabilities that mean what they say: fitted on a slice the trees never saw.

What is fitted here is plain data; `models.core.artefact.calibrate` applies it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit

from models.core.artefact import calibrate

Method = Literal["auto", "sigmoid", "isotonic"]

FOLDS = 5
FEWEST_LEADS_TO_COMPARE = 2 * FOLDS
"""With fewer leads of either kind than two per fold, the folds compare chance with chance."""
SMALLEST_SLOPE = 0.01
"""Even where the slice contradicts the trees, the order of their scores is kept."""
SLOPE_PRECISION = 1.0
"""The slope is drawn towards 1 (the trees are right) as by a normal prior of this precision: next to the data of a few
dozen conversions it is nothing, and it keeps the slope finite where the scores separate the classes."""
ISOTONIC_BLEND = 0.05
"""The share of the sigmoid in isotonic's probabilities: enough to tell scores on one step apart, and from 0 and 1."""
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

    ``sigmoid``   Platt's two numbers.
    ``isotonic``  the best rising steps, with a little of the sigmoid mixed in: what the steps tie stays in order.
    ``auto``      isotonic where its log loss in cross-fitting by lead is lower by more than a standard error,
                  else sigmoid: steps that are no real gain cost ranking.

    Whichever it is, the mean of the probabilities is the mean of the labels on these very rows.

    Raises `ValueError` where the labels hold only one class or the method is unknown.
    """
    if labels.min() == labels.max():
        raise ValueError("a calibrator needs labels of both classes")
    if method == "auto":
        method = "isotonic" if _isotonic_wins(raw, labels, leads, seed=seed) else "sigmoid"
    if method == "sigmoid":
        return _fit_sigmoid(raw, labels)
    if method == "isotonic":
        return _fit_isotonic(raw, labels)
    raise ValueError(f"unknown method of calibration: {method!r}")


def _fit_sigmoid(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Platt scaling (Platt 1999): logistic regression of the label on the log-odds."""
    centre = float(raw.mean())
    centred = raw - centre
    rows = len(raw)

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Mean log loss and prior at slope and intercept, and its gradient."""
        slope, intercept = point
        log_odds = slope * centred + intercept
        excess = expit(log_odds) - labels
        value = np.mean(np.logaddexp(0.0, log_odds) - labels * log_odds)
        value += SLOPE_PRECISION * (slope - 1.0) ** 2 / (2 * rows)
        gradient = [np.mean(excess * centred) + SLOPE_PRECISION * (slope - 1.0) / rows, np.mean(excess)]
        return float(value), np.array(gradient)

    start = np.array([1.0, _logit(float(labels.mean()))])
    best = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(SMALLEST_SLOPE, None), (None, None)],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )
    slope = float(best.x[0])
    return {"method": "sigmoid", "slope": slope, "intercept": _fit_intercept(slope * raw, labels)}


def _fit_intercept(offset: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Find the intercept at which the mean probability equals the mean label."""
    rate = float(labels.mean())
    # Each end suits the most extreme offset alone: the mean is below the rate at one and above it at the other.
    low, high = _logit(rate) - float(offset.max()) - 1.0, _logit(rate) - float(offset.min()) + 1.0
    return float(brentq(lambda intercept: float(expit(offset + intercept).mean()) - rate, low, high, xtol=1e-14))


def _fit_isotonic(raw: NDArray[np.float64], labels: NDArray[np.float64]) -> dict[str, Any]:
    """Isotonic regression (Zadrozny & Elkan 2002): the first and the last point of each of its level steps."""
    distinct, place, rows = np.unique(raw, return_inverse=True, return_counts=True)
    steps = isotonic_regression(np.bincount(place, weights=labels) / rows, weights=rows)
    ends = np.unique(np.concatenate([steps.blocks[:-1], steps.blocks[1:] - 1]))
    return {
        **_fit_sigmoid(raw, labels),
        "method": "isotonic",
        "blend": ISOTONIC_BLEND,
        "raw": distinct[ends].tolist(),
        "rate": steps.x[ends].tolist(),
    }


def _isotonic_wins(raw: NDArray[np.float64], labels: NDArray[np.float64], leads: NDArray[Any], *, seed: int) -> bool:
    """Whether isotonic's log loss is lower by more than one standard error, over folds that split no lead."""
    lead_of_row, distinct = pd.factorize(leads)
    converts = np.zeros(len(distinct), dtype=bool)
    converts[lead_of_row[labels > 0]] = True
    if min(converts.sum(), (~converts).sum()) < FEWEST_LEADS_TO_COMPARE:
        return False
    fold_of_row = _folds(converts, seed=seed)[lead_of_row]
    gain = np.empty(len(raw))
    for fold in range(FOLDS):
        held_out, rest = fold_of_row == fold, fold_of_row != fold
        losses = [
            _log_losses(labels[held_out], calibrate(fit(raw[rest], labels[rest]), raw[held_out]))
            for fit in (_fit_sigmoid, _fit_isotonic)
        ]
        gain[held_out] = losses[0] - losses[1]
    # Rows of one lead err together: the error of the mean is counted over leads, not over rows.
    deviations = np.bincount(lead_of_row, weights=gain - gain.mean())
    standard_error = float(np.sqrt(np.sum(deviations**2))) / len(raw)
    return float(gain.mean()) > max(standard_error, SMALLEST_GAIN)


def _folds(converts: NDArray[np.bool_], *, seed: int) -> NDArray[np.int64]:
    """Deal leads to folds, those that convert and those that don't each in turn: shape (leads,)."""
    generator = np.random.default_rng(seed)
    folds = np.empty(len(converts), dtype=np.int64)
    for kind in (converts, ~converts):
        members = generator.permutation(np.flatnonzero(kind))
        folds[members] = np.arange(len(members)) % FOLDS
    return folds


def _log_losses(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-np.log(np.where(labels > 0, probabilities, 1.0 - probabilities)))


def _logit(rate: float) -> float:
    return float(np.log(rate / (1.0 - rate)))
