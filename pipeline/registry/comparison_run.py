"""The comparison of two models as a run of its own in MLflow, beside the runs of the models; it names no lead."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.project import Places
from pipeline.registry.mlflow import connected, experiment_id
from pipeline.registry.view import COMPARED, describe_experiment
from pipeline.settings.learning import Evaluate


@dataclass(frozen=True)
class Kept:
    """What is kept of a comparison."""

    name: str
    versions: tuple[str, str]
    """The model_version of both."""
    note: str
    """What came of it, in Markdown."""
    metrics: Mapping[str, float]
    tables: Mapping[str, Mapping[str, Sequence[str]]]
    """By name, the columns of each."""
    texts: Mapping[str, str]
    """By file name: the page, the JSON."""
    pictures: Mapping[str, Path]
    """By name, PNG files."""


def keep_comparison(places: Places, settings: Evaluate, kept: Kept) -> str:
    """Log a comparison once, in the experiment of the models; gives the id of its run.

    The same two with the same texts are the same run.
    """
    from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

    digest = hashlib.sha256("\0".join(kept.texts.values()).encode()).hexdigest()
    compared = " ".join(kept.versions)
    with connected(places) as client:
        experiment = experiment_id(client, places, settings.experiment)
        wanted = f"tags.{COMPARED} = '{compared}' AND tags.sha256_comparison = '{digest}'"
        for run in client.search_runs([experiment], wanted):
            if run.info.status == "FINISHED":
                return str(run.info.run_id)
            client.delete_run(run.info.run_id)  # what a killed one has begun
        tags = {
            COMPARED: compared,
            "compared_a": kept.versions[0],
            "compared_b": kept.versions[1],
            "sha256_comparison": digest,
            "mlflow.note.content": kept.note,
        }
        run = client.create_run(experiment, run_name=kept.name, tags=tags)
        run_id = str(run.info.run_id)
        client.log_batch(run_id, metrics=[Metric(name, value, 0, 0) for name, value in kept.metrics.items()])
        _log_files(client, run_id, kept)
        client.set_terminated(run_id)
        describe_experiment(client, experiment, settings.model_name)
    return run_id


def _log_files(client: Any, run_id: str, kept: Kept) -> None:  # noqa: ANN401 - MLflow's own
    """Log tables, pictures and texts at the root, where MLflow shows them."""
    import mlflow  # noqa: PLC0415 - takes seconds

    for name, columns in kept.tables.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*'str' dtypes are included", DeprecationWarning)  # of MLflow's own use
            client.log_table(run_id, {header: list(cells) for header, cells in columns.items()}, f"{name}.json")
    for name, path in kept.pictures.items():
        client.log_image(run_id, mlflow.Image(str(path)), artifact_file=f"{name}.png")
    for name, text in kept.texts.items():
        client.log_text(run_id, text, name)
