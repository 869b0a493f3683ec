"""The stage ``evaluate``: what the model is worth on leads that came later, as figures, plots and an MLflow run."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from features.duration import parse_duration
from features.schema import TEST
from models import curves
from models.chance import of_a_perfect_model
from models.metrics import WITHOUT_INTERVAL, evaluate
from pipeline.artefacts import (
    FEATURES,
    METRICS,
    MODEL,
    PICTURES,
    PLOTS,
    Progress,
    require,
    write_json,
    written_whole,
)
from pipeline.configuration import Parameters
from pipeline.pictures import draw
from pipeline.tracking import track
from pipeline.train import read_as_of, read_slice
from pipeline.trained import open_model

_MOST_IMPORTANT = 30


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Measure on the test part, write metrics and plots, and track the model in MLflow."""
    require(root / FEATURES, root / MODEL)
    model = open_model(root / MODEL)
    test = read_slice(root / FEATURES, TEST)
    as_of = read_as_of(root / FEATURES, TEST)
    probabilities = model.predict(test.frame)
    horizon = parse_duration(model.manifest["horizon"])
    replicates = parameters.evaluate.replicates
    progress(f"measuring on {len(probabilities):,} later snapshots, {replicates:,} bootstrap draws over leads")
    figures: dict[str, dict[str, float | None]] = {
        name: _without_nan({"value": estimate.value} if name in WITHOUT_INTERVAL else asdict(estimate))
        for name, estimate in evaluate(test.labels, probabilities, test.leads, replicates=replicates).items()
    }
    chance = of_a_perfect_model(test.labels, probabilities, test.leads, as_of, horizon)
    figures["calibration_error_by_chance"] = {"mean": chance.error_mean, "quantile_95": chance.error_quantile_95}
    figures["test"] = {"rows": len(test.labels), "leads": len(set(test.leads)), "conversions": test.conversions}
    (root / METRICS).unlink(missing_ok=True)  # figures stand beside their pictures, or not at all
    plots = {
        "calibration": curves.calibration_curve(test.labels, probabilities, test.leads, as_of, horizon),
        "gains": curves.gains_curve(test.labels, probabilities),
        "precision_recall": curves.precision_recall_curve(test.labels, probabilities),
        "importance": curves.importance(model).head(_MOST_IMPORTANT),
    }
    for name, frame in plots.items():
        _write_csv(root / PLOTS / f"{name}.csv", frame)
    draw(plots, root / PICTURES)
    write_json(root / METRICS, figures)
    progress("tracking the model in MLflow")
    progress(track(parameters, root, model, figures))


def _write_csv(path: Path, frame: pd.DataFrame) -> None:
    with written_whole(path) as temporary:
        frame.to_csv(temporary, index=False)


def _without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """Give null for what can't be said: JSON knows no NaN."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
