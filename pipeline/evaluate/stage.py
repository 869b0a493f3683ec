"""The stage ``evaluate``: what the procedure was worth at its origins, and what may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from models.core.model import Model
from models.core.verdicts import Verdict
from models.evaluation import curves
from models.evaluation.chance import of_a_perfect_model
from pipeline.core.project import Progress, Project, require, write_json, written_whole
from pipeline.core.trained import open_trained
from pipeline.core.verdicts import write_verdicts
from pipeline.evaluate.acts import touched
from pipeline.evaluate.breakdown import break_down, share_of_attainable
from pipeline.evaluate.families import families
from pipeline.evaluate.figures import Figures, count, in_short, measure, measure_part, of_newest, unknown
from pipeline.evaluate.findings import gather
from pipeline.evaluate.horizons import figures_of, judge_horizons
from pipeline.evaluate.origins import read_origins
from pipeline.evaluate.pictures import draw
from pipeline.log.reach import Reach
from pipeline.registry.card import model_card
from pipeline.registry.described import Sections
from pipeline.registry.runs import track

_MOST_IMPORTANT = 30
_COLUMNS = {
    "calibration": ("bin", "rows", "predicted", "observed", "low", "high", "band_low", "band_high"),
    "gains": ("share_contacted", "share_of_conversions", "lift"),
    "precision_recall": ("threshold", "recall", "precision"),
}
"""Of the plots that only origins can give: without them they hold no row."""


def run(project: Project[Sections], progress: Progress) -> None:
    """Measure what was foretold, write figures, plots and verdicts, and track the model in MLflow."""
    require(project.matrix, project.model, project.foretold)
    model = open_trained(project)
    origins = read_origins(project, model.version)
    later, probabilities = origins.later, origins.probabilities
    figures = unknown()
    breakdown: dict[str, Any] = {"rivals": [], "segments": [], "worst": [], "away_by_chance": None, "families": []}
    plots = {name: pd.DataFrame(columns=list(columns)) for name, columns in _COLUMNS.items()}
    if 0 < later.conversions < len(later.labels):
        as_of, horizon = origins.as_of, parse_duration(model.manifest["horizon"])
        replicates = project.parameters.evaluate.replicates
        progress(f"measuring on {len(probabilities):,} later snapshots, {replicates:,} bootstrap draws over leads")
        chance = of_a_perfect_model(later.labels, probabilities, later.leads, as_of, horizon)
        figures |= measure(later.labels, probabilities, later.leads, chance, replicates=replicates)
        plots |= {
            "calibration": curves.calibration_beside(chance, later.labels, probabilities, later.leads),
            "gains": curves.gains_curve(later.labels, probabilities),
            "precision_recall": curves.precision_recall_curve(later.labels, probabilities),
        }
        newest = later.take(origins.newest)
        figures |= of_newest(newest.labels, probabilities[origins.newest], newest.leads, replicates=replicates)
        acted = touched(project.interactions, later.leads, as_of)
        if acted is not None:
            rest = later.take(~acted)
            untouched = measure_part(
                rest.labels, probabilities[~acted], rest.leads, as_of[~acted], horizon, replicates=replicates
            )
            untouched["foretold"] = count(rest.labels, rest.leads)
            figures |= {f"untouched_{name}": parts for name, parts in untouched.items()}
        progress("comparing with what else could be done")
        catalogue = Catalogue.from_json(model.manifest["catalogue"])
        breakdown = break_down(project, catalogue, origins, str(model.manifest["rung"]), acted)
        breakdown["families"] = families(catalogue, model, (newest if origins.newest.any() else later).frame)
        if truth := project.parameters.evaluate.truth:
            figures["log_loss_share_of_attainable"] = {**share_of_attainable(project.root / truth, origins)}
    if model.steps:
        progress(f"measuring {', '.join(step.horizon for step in model.steps)}")
    breakdown["horizons"] = judge_horizons(project, model.steps, project.parameters.evaluate.replicates)
    figures |= figures_of(breakdown["horizons"])
    figures["foretold"] = count(later.labels, later.leads)
    progress("looking for what may be wrong")
    needed = Reach(project).needed
    verdicts = gather(project, model, origins, figures, project.parameters.evaluate.acquitted, needed)
    plots["importance"] = curves.importance(model).head(_MOST_IMPORTANT)
    _write(project, model, figures, breakdown, verdicts, plots)
    progress("tracking the model in MLflow")
    progress(track(project, model, figures, breakdown, verdicts))


def _write(
    project: Project[Sections],
    model: Model,
    figures: Figures,
    breakdown: dict[str, Any],
    verdicts: Sequence[Verdict],
    plots: dict[str, pd.DataFrame],
) -> None:
    for path in (project.metrics, project.figures, project.breakdown, project.verdicts, project.card):
        path.unlink(missing_ok=True)  # figures stand beside their pictures, or not at all
    for name, frame in plots.items():
        with written_whole(project.plots / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
        if frame.empty:
            (project.pictures / f"{name}.png").unlink(missing_ok=True)  # of origins that are no more
    draw({name: frame for name, frame in plots.items() if not frame.empty}, project.pictures)
    write_verdicts(project, model.version, verdicts)
    write_json(project.breakdown, breakdown)
    write_json(project.figures, figures)
    write_json(project.metrics, in_short(figures, breakdown))
    with written_whole(project.card) as temporary:
        temporary.write_text(model_card(project, model, figures, breakdown, verdicts), encoding="utf-8")
