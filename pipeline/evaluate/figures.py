"""The figures of what was foretold as they are written: each with its interval, and null for what can't be said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.chance import Chance, of_a_perfect_model
from models.evaluation.metrics import FIGURES, WITHOUT_INTERVAL, Estimate, evaluate
from models.evaluation.pairs import are_enough
from models.evaluation.rivals import compare_with

Figures = dict[str, dict[str, float | None]]
BY_CHANCE = "calibration_error_by_chance"
_OF_THE_NEWEST = ("base_rate", "roc_auc", "log_loss", "calibration_slope")


def unknown() -> Figures:
    """Give all figures of `measure`, none of which can be said."""
    nothing: dict[str, float | None] = {"value": None, "low": None, "high": None}
    figures: Figures = {name: {"value": None} if name in WITHOUT_INTERVAL else dict(nothing) for name in FIGURES}
    return figures | {BY_CHANCE: {"mean": None, "quantile_95": None}}


def measure(
    labels: NDArray[np.float64], probabilities: NDArray[np.float64], leads: NDArray[Any], chance: Chance,
    *, replicates: int,
) -> Figures:  # fmt: skip
    """Measure rows, of which some convert and some don't: arrays of shape (n,); ``chance`` is of the same rows."""
    found = evaluate(labels, probabilities, leads, replicates=replicates)
    figures = {name: _written(name, estimate) for name, estimate in found.items()}
    return figures | {BY_CHANCE: {"mean": chance.error_mean, "quantile_95": chance.error_quantile_95}}


def of_newest(
    labels: NDArray[np.float64], probabilities: NDArray[np.float64], leads: NDArray[Any], *, replicates: int
) -> Figures:
    """Measure the rows of the newest origin, by the figures that so few can tell; nothing where they are too few."""
    if not are_enough(labels, leads):
        return {}
    found = evaluate(labels, probabilities, leads, replicates=replicates)
    return {f"newest_{name}": _written(name, found[name]) for name in _OF_THE_NEWEST}


def measure_part(
    labels: NDArray[np.float64], probabilities: NDArray[np.float64], leads: NDArray[Any],
    as_of: NDArray[np.datetime64], horizon: timedelta, *, replicates: int,
) -> Figures:  # fmt: skip
    """Measure rows at their ``as_of`` (UTC): arrays of shape (n,); all is unknown where they are too few to tell."""
    if not are_enough(labels, leads):
        return unknown()
    chance = of_a_perfect_model(labels, probabilities, leads, as_of, horizon)
    return measure(labels, probabilities, leads, chance, replicates=replicates)


def gain_over(
    labels: NDArray[np.float64], probabilities: NDArray[np.float64], other: NDArray[np.float64], leads: NDArray[Any]
) -> dict[str, float | None]:
    """Say how much lower the log loss of a row is than that of another model, on the same rows: arrays of shape (n,).

    Its 95 % interval is over leads; unknown where they are too few to tell.
    """
    if not are_enough(labels, leads):
        return dict.fromkeys(("value", "low", "high"))
    (found,) = compare_with(labels, probabilities, leads, {"other": other})
    return {"value": found.gain, "low": found.low, "high": found.high}


_IN_SHORT = (
    "log_loss", "roc_auc", "average_precision", "lift_at_10", "calibration_error", "calibration_slope",
    "newest_log_loss", "newest_roc_auc", "log_loss_share_of_attainable",
)  # fmt: skip
"""What experiments are compared by: more columns nobody reads side by side."""


def in_short(figures: Figures, breakdown: Mapping[str, Any]) -> dict[str, float | None]:
    """Give the values that matter alone: what ``dvc exp show`` has a column for."""
    gain = next((one["gain"] for one in breakdown["rivals"] if one["code"] == "base_rate"), None)
    short = {name: figures[name]["value"] for name in _IN_SHORT if name in figures}
    return short | {"gain_over_base_rate": gain, "foretold_conversions": figures["foretold"]["conversions"]}


def count(labels: NDArray[np.float64], leads: NDArray[Any]) -> dict[str, float | None]:
    """Count rows, leads, and the rows that convert."""
    return {"rows": len(labels), "leads": len(np.unique(leads)), "conversions": int(labels.sum())}


def _written(name: str, estimate: Estimate) -> dict[str, float | None]:
    """Give null for what can't be said: JSON knows no NaN."""
    parts = {"value": estimate.value} if name in WITHOUT_INTERVAL else asdict(estimate)
    return {part: None if math.isnan(value) else value for part, value in parts.items()}
