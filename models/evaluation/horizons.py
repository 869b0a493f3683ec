"""What the probabilities of another horizon were worth, by the figures of the model's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.chance import of_a_perfect_model
from models.evaluation.checks import mean_over_leads
from models.evaluation.metrics import Estimate, evaluate
from models.learning.ladder import losses


@dataclass(frozen=True)
class Judged:
    """How many conversions were promised and how many happened, and what that is worth.

    ``gain`` is how much lower the log loss of a row is than that of the base rate, with its interval over leads. A
    calibration error is no more than chance explains up to ``error_by_chance``, which a perfect model keeps to in 95
    of 100 cases.
    """

    rows: int
    leads: int
    promised: float
    happened: int
    log_loss: Estimate
    log_loss_of_base_rate: float
    gain: Estimate
    roc_auc: Estimate
    calibration_error: float
    error_by_chance: float

    @property
    def is_calibrated(self) -> bool:
        """Whether chance explains how far the promises are off."""
        return self.calibration_error <= self.error_by_chance


def judge(
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    base_rates: NDArray[np.float64],
    leads: NDArray[Any],
    as_of: NDArray[np.datetime64],
    horizon: timedelta,
    *,
    replicates: int,
) -> Judged:
    """Measure what was foretold of rows whose outcome within the horizon is known: arrays of shape (n,).

    ``base_rates`` are what each row's origin knew of the share that converts. Raises `NotEnoughDataError` where the
    labels don't hold both classes.
    """
    figures = evaluate(labels, probabilities, leads, replicates=replicates)
    without = losses(labels, base_rates)
    return Judged(
        rows=len(labels),
        leads=len(np.unique(leads)),
        promised=float(probabilities.sum()),
        happened=int(labels.sum()),
        log_loss=figures["log_loss"],
        log_loss_of_base_rate=float(without.mean()),
        gain=mean_over_leads(without - losses(labels, probabilities), leads),
        roc_auc=figures["roc_auc"],
        calibration_error=figures["calibration_error"].value,
        error_by_chance=of_a_perfect_model(labels, probabilities, leads, as_of, horizon).error_quantile_95,
    )
