"""The stage ``evaluate``: what the model is worth on leads that came later, as figures, plots and an MLflow run."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from features.schema import TEST
from models import curves
from models.metrics import calibration_error_by_chance, evaluate
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
from pipeline.train import read_slice
from pipeline.trained import open_trained

_MOST_IMPORTANT = 30


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Measure on the test part, write metrics and plots, and track the model in MLflow."""
    require(root / FEATURES, root / MODEL)
    model = open_trained(root)
    test = read_slice(root / FEATURES, TEST)
    probabilities = model.predict(test.frame)
    seed, replicates = parameters.train.seed, parameters.evaluate.replicates
    progress(f"measuring on {len(probabilities):,} later snapshots, {replicates:,} bootstrap draws over leads")
    figures: dict[str, dict[str, float | None]] = {
        name: _without_nan(asdict(estimate))
        for name, estimate in evaluate(test.labels, probabilities, test.leads, replicates=replicates, seed=seed).items()
    }
    figures["calibration_error_by_chance"] = _without_nan(
        asdict(calibration_error_by_chance(probabilities, test.leads, replicates=replicates, seed=seed))
    )
    figures["test"] = {"rows": len(test.labels), "leads": len(set(test.leads)), "conversions": test.conversions}
    (root / METRICS).unlink(missing_ok=True)  # figures stand beside their pictures, or not at all
    plots = {
        "calibration": curves.calibration_curve(test.labels, probabilities),
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
