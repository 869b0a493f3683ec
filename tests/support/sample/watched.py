"""Scores that a champion might have given, planted: so much is promised that it is known what must be found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from world import Project

from features.timeline.snapshots import take_snapshots_at
from models.core.model import Model
from pipeline.log.history import read_history
from pipeline.scoring.earlier import AS_OF
from pipeline.scoring.files import write_recommendations

FIRST, LAST = datetime(2026, 3, 2), datetime(2026, 6, 22)
"""Mondays after what the champion has learned from."""
PROMISED = 0.15
"""To one of two leads, and two thirds of it to the other: far more than happens."""


def learned_until(day: str, world: Project, folder: Path, *, then: Sequence[str] = ("ingest", "snapshots")) -> Project:
    """Train a champion on the log until a day, and read the rest of the log afterwards."""
    project = world.copy_to(folder, leave_out=("reports", "scores"))
    read_until = {f"ingest.sources.{name}.observed_until": day for name in ("web", "email", "crm", "outcomes")}
    few = {"train.origins": 2, "train.other_horizons": [], "train.rung": "logistic", "evaluate.replicates": 10}
    project = project.with_settings(read_until | few)
    project.run("ingest", "snapshots", "features", "train", "evaluate")
    project = project.with_settings(dict.fromkeys(read_until))
    project.run(*then)
    return project


def write_scores(project: Project, as_of: datetime, probability: float) -> int:
    """Write what the champion might have foretold of the leads that were open; gives how many these are."""
    model = Model.load(project.model)
    leads = take_snapshots_at(read_history(project, project.parameters.episodes), as_of)["lead_id"].tolist()
    table = pa.table({
        "lead_id": leads,
        "as_of": pa.array([as_of] * len(leads), pa.timestamp("us")),
        "probability": np.where(np.arange(len(leads)) % 2 == 0, probability, probability / 1.5),
        "tier": np.where(np.arange(len(leads)) % 2 == 0, "SQL", "MQL"),
        "model_version": [model.version] * len(leads),
    })  # fmt: skip
    folder = project.scores / f"{as_of:{AS_OF}}" / f"model={model.version[:16]}"
    write_recommendations(folder / "recommendations.parquet", table)
    return len(leads)
