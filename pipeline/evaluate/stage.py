"""The stage ``evaluate``: what the model is worth on leads that came later, and what may be wrong."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd

from features.core.schema import TEST
from features.core.time import parse_duration
from models.evaluation import curves
from models.evaluation.chance import of_a_perfect_model
from models.evaluation.metrics import FIGURES, WITHOUT_INTERVAL, evaluate
from pipeline.core.project import Progress, Project, require, write_json, written_whole
from pipeline.core.trained import open_trained
from pipeline.core.verdicts import write_verdicts
from pipeline.evaluate.findings import gather
from pipeline.evaluate.pictures import draw
from pipeline.log.reach import Reach
from pipeline.matrix.slices import read_as_of, read_slice
from pipeline.registry.mlflow import Sections, track

_MOST_IMPORTANT = 30
_UNKNOWN: dict[str, float | None] = {"value": None, "low": None, "high": None}
_COLUMNS = {
    "calibration": ("bin", "rows", "predicted", "observed", "low", "high", "band_low", "band_high"),
    "gains": ("share_contacted", "share_of_conversions", "lift"),
    "precision_recall": ("threshold", "recall", "precision"),
}
"""Of the plots that only a test part can give: where it can't be measured on they hold no row."""


def run(project: Project[Sections], progress: Progress) -> None:
    """Measure on the test part, write metrics, plots and verdicts, and track the model in MLflow."""
    require(project.matrix, project.model)
    model = open_trained(project)
    test = read_slice(project.matrix, TEST)
    probabilities = model.predict(test.frame) if len(test.labels) else np.empty(0)
    figures: dict[str, dict[str, float | None]] = {
        name: {"value": None} if name in WITHOUT_INTERVAL else _UNKNOWN for name in FIGURES
    }
    figures["calibration_error_by_chance"] = {"mean": None, "quantile_95": None}
    plots = {name: pd.DataFrame(columns=list(columns)) for name, columns in _COLUMNS.items()}
    if 0 < test.conversions < len(test.labels):
        as_of, horizon = read_as_of(project.matrix, TEST), parse_duration(model.manifest["horizon"])
        replicates = project.parameters.evaluate.replicates
        progress(f"measuring on {len(probabilities):,} later snapshots, {replicates:,} bootstrap draws over leads")
        figures |= {
            name: _without_nan({"value": estimate.value} if name in WITHOUT_INTERVAL else asdict(estimate))
            for name, estimate in evaluate(test.labels, probabilities, test.leads, replicates=replicates).items()
        }
        chance = of_a_perfect_model(test.labels, probabilities, test.leads, as_of, horizon)
        figures["calibration_error_by_chance"] = {"mean": chance.error_mean, "quantile_95": chance.error_quantile_95}
        plots |= {
            "calibration": curves.calibration_curve(test.labels, probabilities, test.leads, as_of, horizon),
            "gains": curves.gains_curve(test.labels, probabilities),
            "precision_recall": curves.precision_recall_curve(test.labels, probabilities),
        }
    figures["test"] = {"rows": len(test.labels), "leads": len(set(test.leads)), "conversions": test.conversions}
    progress("looking for what may be wrong")
    judged = test if len(test.labels) else None
    needed = Reach(project).needed
    verdicts = gather(project, model, judged, figures, project.parameters.evaluate.acquitted, needed)
    for path in (project.metrics, project.verdicts):
        path.unlink(missing_ok=True)  # figures stand beside their pictures, or not at all
    plots["importance"] = curves.importance(model).head(_MOST_IMPORTANT)
    for name, frame in plots.items():
        with written_whole(project.plots / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
        if frame.empty:
            (project.pictures / f"{name}.png").unlink(missing_ok=True)  # of a test part that is no more
    draw({name: frame for name, frame in plots.items() if not frame.empty}, project.pictures)
    write_verdicts(project, model.version, verdicts)
    write_json(project.metrics, figures)
    progress("tracking the model in MLflow")
    progress(track(project, model, figures, verdicts))


def _without_nan(figures: dict[str, float]) -> dict[str, float | None]:
    """Give null for what can't be said: JSON knows no NaN."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}
