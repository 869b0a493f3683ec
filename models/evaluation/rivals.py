"""The model beside what else could be done, and what could be attained: on the same rows, at the same origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.evaluation.checks import mean_over_leads
from models.learning.ladder import losses


@dataclass(frozen=True)
class Rival:
    """What another one said of the same rows.

    ``gain`` is how much higher its log loss of a row is than ours, with its 95 % interval over leads: above 0 ours is
    better.
    """

    name: str
    log_loss: float
    roc_auc: float
    gain: float
    low: float
    high: float


def compare_with(
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    leads: NDArray[Any],
    rivals: Mapping[str, NDArray[np.float64]],
) -> list[Rival]:
    """Measure each rival, all arrays of shape (n,), where it said something (not NaN) of every row.

    Those that ours does not beat come first.
    """
    found = []
    ours = losses(labels, probabilities)
    for name, said in rivals.items():
        if np.isnan(said).any():
            continue
        theirs = losses(labels, said)
        gain = mean_over_leads(theirs - ours, leads)
        auc = float(roc_auc_score(labels, said))
        found.append(Rival(name, float(theirs.mean()), auc, gain.value, gain.low, gain.high))
    return sorted(found, key=lambda one: (one.low > 0.0, one.gain))


def attained(likely: NDArray[np.float64], said: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """Say what share of the log loss that could be saved is saved, where the truth is known: arrays of shape (n,).

    Losses are expected ones under ``likely``, the limit of what can be known, so what happened by chance plays no part;
    saved is what is lower than by the share of ``labels`` that converts.
    """
    none = expected_loss(likely, np.full(len(likely), labels.mean()))
    best, ours = expected_loss(likely, likely), expected_loss(likely, said)
    return (none - ours) / (none - best)


def expected_loss(likely: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    """Mean log loss to be expected of ``said`` where ``likely`` is true, both of shape (n,): a limit may be 0."""
    within = np.clip(said, 1e-6, 1.0 - 1e-6)
    return float(-np.mean(likely * np.log(within) + (1.0 - likely) * np.log1p(-within)))
