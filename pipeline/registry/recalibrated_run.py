"""A model that differs from the champion in its calibrator alone: its run, and its version, which is the challenger."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.core.model import Model
from pipeline.core.project import Places
from pipeline.registry.champion import Champion
from pipeline.registry.figures import rounded
from pipeline.registry.mlflow import connected, experiment_id
from pipeline.registry.registering import register
from pipeline.registry.runs import ORIGINS_COUNTED, WRONG
from pipeline.registry.versions import MODEL_VERSION, logged_files
from pipeline.settings.learning import Evaluate

BEFORE = "before"
"""The column of what the champion had said, in what the new calibrators foretold of the same rows."""
_MOST_AT_ONCE = 100
"""Parameters that MLflow takes in one call."""
_OF_THE_CHAMPION = ("recipe", "horizon", "code", "git_revision", "dvc_exp_name")
"""Tags of its run that hold of this model, too."""


@dataclass(frozen=True)
class RecalibratedRun:
    """The model, its figures as runs name them, from how many origins they come, and what is told of it."""

    model: Model
    figures: Mapping[str, float]
    origins: int
    told: Sequence[str]


def keep_recalibrated(places: Places, settings: Evaluate, champion: Champion, kept: RecalibratedRun) -> list[str]:
    """Log the model in a run of its own, or in the one that has it, and register it; gives what was done as lines."""
    model = kept.model
    with connected(places) as client:
        experiment = experiment_id(client, places, settings.experiment)
        runs = client.search_runs([experiment], f"tags.{MODEL_VERSION} = '{model.version}'", max_results=1)
        run = runs[0] if runs else client.create_run(experiment, tags={MODEL_VERSION: model.version})
        if run.info.status != "FINISHED":  # what a killed one has begun is made complete
            version = client.get_model_version(settings.model_name, champion.version)
            _log(client, run, client.get_run(champion.run_id), version, kept)
    return register(places, settings, model.version, lambda: None, None)


def _log(client: Any, run: Any, before: Any, version: Any, kept: RecalibratedRun) -> None:  # noqa: ANN401 - MLflow's own
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - takes seconds

    run_id, model = run.info.run_id, kept.model
    since = model.manifest["recalibrated"]
    parameters = {**before.data.params, "recalibrated": since["model_version"]}
    missing = [Param(name, parameters[name]) for name in sorted(parameters.keys() - run.data.params.keys())]
    for start in range(0, len(missing), _MOST_AT_ONCE):
        client.log_batch(run_id, params=missing[start : start + _MOST_AT_ONCE])
    about = (
        f"The champion, version {version.version}, with another calibrator: fitted to {since['rows']:,} snapshots that "
        f"it had not learned from ({since['from'][:10]} to {since['until'][:10]}). The order of the leads is the same."
    )
    tags = {
        "mlflow.runName": f"recalibrated: {before.info.run_name}",
        "mlflow.note.content": "\n\n".join([about, *kept.told]),
        "period": f"{since['from'][:10]} to {since['until'][:10]}",
        ORIGINS_COUNTED: str(kept.origins),
        # What is wrong with the members is wrong with this model, too.
        WRONG: version.tags.get(WRONG, "[]"),
        **{name: before.data.tags[name] for name in _OF_THE_CHAMPION if name in before.data.tags},
    }
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    client.log_text(run_id, f"**{about}**\n\n{' '.join(kept.told)}\n\n{version.description or ''}", "model-card.md")
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        model_id = logged_files(client, run, 0, Path(folder), model)
    metrics = [Metric(name, rounded(value), 0, 0, model_id) for name, value in kept.figures.items()]
    client.log_batch(run_id, metrics=metrics)
    client.set_terminated(run_id)
