"""What was foretold of other horizons than the model's own, where what came of it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.core.time import parse_duration
from models.core.horizons import Step, column_of
from models.evaluation.horizons import judge
from models.evaluation.pairs import are_enough
from pipeline.core.project import Places, read_json
from pipeline.matrix.slices import delay_of, read_waits

Figure = dict[str, float | None]


def judge_horizons(places: Places, steps: Sequence[Step], replicates: int) -> list[dict[str, Any]]:
    """Measure each horizon on the rows of the origins whose outcome within it is known, the shortest first.

    Gives what `Judged` holds of each, with its horizon and how many origins it could be judged from, and from how many
    not: nothing was settled for it then, or nothing of what was foretold is known yet. Where none is left, or too few
    leads convert, or don't, to tell a model from chance, there are no figures.
    """
    counts = read_json(places.snapshot_counts)
    observed_until, delay = np.datetime64(counts["observed_until"]), delay_of(counts)
    waits = read_waits(places.snapshots)
    told = pq.read_table(places.foretold).to_pandas().merge(waits, on=["lead_id", "as_of"], how="left")
    origins = told["origin"].dropna().unique()
    as_of = waits["as_of"].to_numpy("datetime64[us]")
    found = []
    for text in sorted((step.horizon for step in steps), key=parse_duration):
        horizon = parse_duration(text)
        reach = np.timedelta64(horizon + delay)
        said = told[column_of(text)] if column_of(text) in told else pd.Series(np.nan, index=told.index)
        known = (told["as_of"].to_numpy("datetime64[us]") + reach <= observed_until) & said.notna().to_numpy()
        rows = told[known]
        base = {
            origin: _rate((waits["wait"] < horizon).to_numpy()[as_of + reach <= np.datetime64(origin)])
            for origin in rows["origin"].unique()
        }
        labels = (rows["wait"] < horizon).to_numpy(np.float64)
        one: dict[str, Any] = {"horizon": text, "origins": len(base), "origins_left_out": len(origins) - len(base)}
        leads = rows["lead_id"].to_numpy()
        if are_enough(labels, leads):
            judged = judge(
                labels,
                said[known].to_numpy(np.float64),
                rows["origin"].map(base).to_numpy(np.float64),
                leads,
                rows["as_of"].to_numpy("datetime64[us]"),
                horizon,
                replicates=replicates,
            )
            one |= {**asdict(judged), "is_calibrated": judged.is_calibrated}
        found.append(one)
    return found


def figures_of(judged: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Name the figures of each horizon as those of the model are named: ``horizon_60d_log_loss``."""
    figures: dict[str, Figure] = {}
    for one in judged:
        if "rows" not in one:
            continue
        name = f"horizon_{one['horizon']}"
        figures[f"{name}_log_loss"] = one["log_loss"]
        figures[f"{name}_log_loss_of_base_rate"] = {"value": one["log_loss_of_base_rate"]}
        figures[f"{name}_roc_auc"] = one["roc_auc"]
        figures[f"{name}_calibration_error"] = {"value": one["calibration_error"]}
        figures[f"{name}_calibration_error_by_chance"] = {"quantile_95": one["error_by_chance"]}
        figures[f"{name}_foretold"] = {"rows": one["rows"], "leads": one["leads"], "conversions": one["happened"]}
    return figures


def _rate(converts: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Give the share that converts, as if half a row did where none does, or does not where all do."""
    least = 0.5 / len(converts)
    return float(np.clip(converts.mean(), least, 1.0 - least))
