"""What the scores of a model that is in use mean by now, learned from what came of leads that it has not learned from.

The order of the leads stays what it was. What another calibrator is worth is judged as models are, by rolling origins:
at each one a calibrator of what was settled by then says what comes after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.core.calibrators import calibrate
from models.core.enough import Pace, told_of_lack
from models.core.slices import count_leads
from models.learning.calibration import fit_calibrator
from models.learning.origins import choose_origins
from models.learning.parameters import Method

FEWEST_CONVERTING = 30
"""Leads of either outcome, from which on a calibrator is fitted: slope and level of fewer are chance."""
_MOST_ORIGINS = 24


@dataclass(frozen=True)
class Recalibration:
    """A calibrator, and what such calibrators had said of later rows: arrays of shape (n,)."""

    calibrator: dict[str, Any]
    said: NDArray[np.float64]
    """NaN of rows that no origin foretold."""
    origin: NDArray[np.datetime64]
    """From which it was said (UTC); NaT where it was not."""

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which rows were foretold."""
        return ~np.isnan(self.said)


def lacking(labels: NDArray[np.float64], leads: NDArray[Any], pace: Pace | None = None) -> str | None:
    """Say how many leads a calibrator lacks and, by the pace so far, when they will be there; None where none."""
    return told_of_lack(*count_leads(labels, leads), FEWEST_CONVERTING, pace)


def recalibrate(
    raw: NDArray[np.float64],
    labels: NDArray[np.float64],
    leads: NDArray[Any],
    as_of: NDArray[np.datetime64],
    reach: timedelta,
    *,
    method: Method = "auto",
    seed: int,
) -> Recalibration:
    """Fit a calibrator to all rows, and one at each origin that they bear.

    ``raw`` are log-odds before calibration, ``labels`` 0 and 1, ``as_of`` times (UTC): shape (n,), of rows that the
    model has not learned from. ``reach`` is the horizon and the delay of outcomes. Raises ValueError where `lacking`
    says what lacks.
    """
    if lack := lacking(labels, leads):
        raise ValueError(f"too few for a calibrator: {lack}")
    said, origin = np.full(len(raw), np.nan), np.full(len(raw), "NaT", dtype="datetime64[us]")
    for one in choose_origins(as_of, labels, leads, reach, count=_MOST_ORIGINS, minimum=FEWEST_CONVERTING):
        known, later = one.settled(as_of, reach), one.foretold(as_of)
        fitted = fit_calibrator(raw[known], labels[known], leads[known], method=method, seed=seed)
        said[later], origin[later] = calibrate(fitted, raw[later]), one.moment.to_datetime64()
    return Recalibration(fit_calibrator(raw, labels, leads, method=method, seed=seed), said, origin)
