"""The figures of a run as reviewers read them: the few that matter, grouped by what they say, rounded for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.core.verdicts import SEVERITIES, Verdict
from pipeline.core.project import Places

Figures = Mapping[str, Mapping[str, float | None]]

LOG_LOSS, AUC, GAIN = "verdict/log_loss", "ranking/roc_auc", "verdict/gain_over_base_rate"
CALIBRATION, BY_CHANCE = "calibration/error", "calibration/error_by_chance"
_SHOWN = {
    LOG_LOSS: ("log_loss", "value"),
    "verdict/share_of_attainable": ("log_loss_share_of_attainable", "value"),
    AUC: ("roc_auc", "value"),
    "ranking/average_precision": ("average_precision", "value"),
    "ranking/lift_at_10": ("lift_at_10", "value"),
    CALIBRATION: ("calibration_error", "value"),
    BY_CHANCE: ("calibration_error_by_chance", "quantile_95"),
    "calibration/slope": ("calibration_slope", "value"),
    "newest/log_loss": ("newest_log_loss", "value"),
    "newest/roc_auc": ("newest_roc_auc", "value"),
    "data/base_rate": ("base_rate", "value"),
    "data/foretold_rows": ("foretold", "rows"),
    "data/foretold_leads": ("foretold", "leads"),
    "data/foretold_conversions": ("foretold", "conversions"),
}
_WITH_INTERVAL = ("log_loss", "roc_auc", "lift_at_10", "calibration_slope", "newest_log_loss")
_DECIMALS = 4
FOUND = "findings"
"""Of how many verdicts of each weight were found."""
LEARNING = "learning/log_loss"
"""Of each origin, by how many snapshots it had learned from: what more data bring, and what time takes."""


def shown(figures: Figures, breakdown: Mapping[str, Any], verdicts: Sequence[Verdict]) -> dict[str, float | None]:
    """Name the metrics of a run with their values, None where one can't be said; those it never had are left out.

    Everything else stands in ``figures.json`` among its artefacts.
    """
    said = {name: figures[key].get(part) for name, (key, part) in _SHOWN.items() if key in figures}
    said |= {
        f"intervals/{name}_{part}": figures[name].get(part)
        for name in _WITH_INTERVAL
        if name in figures
        for part in ("low", "high")
    }
    said |= {
        name.replace("horizon_", "horizons/"): parts.get("value")
        for name, parts in figures.items()
        if name.startswith("horizon_") and name.endswith("_log_loss")
    }
    said[GAIN] = next((one["gain"] for one in breakdown["rivals"] if one["code"] == "base_rate"), None)
    said |= {
        f"{FOUND}/{severity}": float(sum(verdict.weight == severity for verdict in verdicts)) for severity in SEVERITIES
    }
    return {name: None if value is None else rounded(value) for name, value in said.items()}


def rounded(value: float) -> float:
    """Round a figure for people: MLflow shows all digits that it is given."""
    return float(round(value, _DECIMALS))


def of_rivals(breakdown: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Give the metrics of each baseline that stood beside the model, on the same rows, by its name."""
    return {
        one["name"]: {LOG_LOSS: rounded(one["log_loss"]), AUC: rounded(one["roc_auc"])} for one in breakdown["rivals"]
    }


def losses_of_origins(places: Places) -> dict[str, float]:
    """Give the log loss of what each origin foretold, by its moment as ``data/training.json`` writes it."""
    told = pq.read_table(places.foretold, columns=["origin", "probability", "happened"]).to_pandas()
    losses = {}
    for origin, rows in told.dropna(subset=["origin"]).groupby("origin", sort=True):
        said = np.where(rows["happened"].astype(bool), rows["probability"], 1.0 - rows["probability"])
        losses[origin.isoformat()] = -float(np.log(np.maximum(said, np.finfo(float).tiny)).mean())
    return losses


def learning_curve(places: Places, training: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Give how many snapshots each origin had learned from, and the log loss of what it foretold."""
    learned = {one["origin"]: int(one["learned"]["rows"]) for one in training["origins"]}
    return [
        (learned[origin], rounded(loss)) for origin, loss in losses_of_origins(places).items() if not math.isnan(loss)
    ]
