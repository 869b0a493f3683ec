"""The stage ``train``: trees, their stopping and their calibration, each on a later part than the one before."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Protocol

from features.core.schema import CALIBRATION, EARLY_STOPPING, FIT
from features.core.time import parse_duration
from models.learning.learner import Trained, fit
from pipeline.core.project import Places, Progress, Project, fingerprint, read_json, require, write_json, written_whole
from pipeline.matrix.slices import read_catalogue, read_slice
from pipeline.settings import question
from pipeline.settings.learning import Train
from pipeline.settings.question import question_of

_ROUNDS_A_LINE = 100


class Sections(question.Sections, Protocol):
    """The sections of the settings that this stage is handed."""

    train: Train


def run(project: Project[Sections], progress: Progress) -> None:
    """Fit, stop and calibrate; write the model's three files and the training log."""
    require(project.matrix)
    counts = read_json(project.snapshot_counts)

    def tell(done: int, most: int) -> None:
        if done % _ROUNDS_A_LINE == 0:
            progress(f"grown {done:,} trees of at most {most:,}")

    manifest = {
        "horizon": counts["horizon"],
        "question": question_of(project.parameters),
        "trained_from": counts["parts"][FIT]["from"],
        "trained_until": labels_until(counts).isoformat(),
        "matrix_sha256": fingerprint(project.matrix),
        "versions": {name: importlib.metadata.version(name) for name in ("leadcast", "lightgbm", "numpy")},
    }
    model, log = learn(project.parameters.train, project, manifest, tell)
    project.training.unlink(missing_ok=True)  # it says that the model is whole
    with written_whole(project.model) as temporary:
        model.save(temporary)
    write_json(project.training, asdict(log) | {"model_version": model.version})


def learn(
    settings: Train,
    places: Places,
    manifest: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Fit, stop and calibrate on the matrix and the catalogue that lie in a folder, and write nothing."""
    catalogue, known_types = read_catalogue(places.catalogue)
    fitting = read_slice(places.matrix, FIT)
    known = {
        "catalogue": catalogue.to_json(),
        "known_types": known_types,
        "oldest_episode_days": float(fitting.frame["episode_age_days"].max()),
    }
    return fit(
        fitting=fitting,
        early_stopping=read_slice(places.matrix, EARLY_STOPPING),
        calibration=read_slice(places.matrix, CALIBRATION),
        columns=catalogue.columns,
        categorical=catalogue.categories,
        parameters=settings.parameters,
        calibration_method=settings.calibration,
        minimum_conversions=settings.minimum_conversions,
        manifest={**known, **(manifest or {})},
        seed=settings.seed,
        progress=progress,
    )


def labels_until(counts: dict[str, Any]) -> datetime:
    """Tell up to when the labels of the last training part look: what happened before it is no news to the model."""
    last = datetime.fromisoformat(counts["parts"][CALIBRATION]["to"])
    return last + parse_duration(counts["horizon"]) + timedelta(hours=counts["outcome_delay_hours"])
