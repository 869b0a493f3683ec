"""The model beside what else could be done: on the same rows, at the same origins."""

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
