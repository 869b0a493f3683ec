"""The stage ``train``: trees, their stopping and their calibration, each on a later part than the one before."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalogue import Catalogue
from features.duration import parse_duration
from features.schema import CALIBRATION, EARLY_STOPPING, FIT
from models.learner import Slice, fit
from pipeline.artefacts import (
    CATALOGUE,
    FEATURES,
    MODEL,
    SNAPSHOT_COUNTS,
    TRAINING,
    Progress,
    read_json,
    require,
    write_json,
    written_whole,
)
from pipeline.configuration import Parameters
from pipeline.question import question_of

_ROUNDS_A_LINE = 100


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Fit, stop and calibrate; write the model's three files and the training log."""
    require(root / FEATURES)
    content = read_json(root / CATALOGUE)
    catalogue = Catalogue.from_json(content)
    counts = read_json(root / SNAPSHOT_COUNTS)
    settings = parameters.train

    def tell(done: int, most: int) -> None:
        if done % _ROUNDS_A_LINE == 0:
            progress(f"grown {done:,} trees of at most {most:,}")

    fitting = read_slice(root / FEATURES, FIT)
    model, log = fit(
        fitting=fitting,
        early_stopping=read_slice(root / FEATURES, EARLY_STOPPING),
        calibration=read_slice(root / FEATURES, CALIBRATION),
        columns=catalogue.columns,
        categorical=catalogue.categories,
        parameters=settings.parameters,
        calibration_method=settings.calibration,
        minimum_conversions=settings.minimum_conversions,
        manifest={
            "catalogue": catalogue.to_json(),
            "known_types": content.get("known_types", {}),
            "horizon": counts["horizon"],
            "question": question_of(parameters),
            "oldest_episode_days": float(fitting.frame["episode_age_days"].max()),
            "trained_from": counts["parts"][FIT]["from"],
            "trained_until": labels_until(counts).isoformat(),
            "matrix_sha256": fingerprint(root / FEATURES),
            "versions": {name: importlib.metadata.version(name) for name in ("leadcast", "lightgbm", "numpy")},
        },
        seed=settings.seed,
        progress=tell,
    )
    (root / TRAINING).unlink(missing_ok=True)  # it says that the model is whole
    with written_whole(root / MODEL) as temporary:
        model.save(temporary)
    write_json(root / TRAINING, asdict(log) | {"model_version": model.version})


def labels_until(counts: dict[str, Any]) -> datetime:
    """Tell up to when the labels of the last training part look: what happened before it is no news to the model."""
    last = datetime.fromisoformat(counts["parts"][CALIBRATION]["to"])
    return last + parse_duration(counts["horizon"]) + timedelta(hours=counts["outcome_delay_hours"])


def read_slice(matrix: Path, part: str, *, in_time: bool = False) -> Slice:
    """Read the rows of one part of the matrix, in its order, or in the order of time."""
    table = pq.read_table(matrix, filters=pc.field("part") == part)
    if in_time:
        table = table.sort_by([("as_of", "ascending"), ("lead_id", "ascending")])
    frame = table.drop_columns(["lead_id", "as_of", "part", "label"]).to_pandas()
    return Slice(frame, table["label"].to_numpy().astype(float), table["lead_id"].to_numpy())


def read_as_of(matrix: Path, part: str) -> NDArray[np.datetime64]:
    """Read when the rows that `read_slice` gives were taken (UTC), in its order."""
    moments: NDArray[np.datetime64] = pq.read_table(matrix, columns=["as_of"], filters=pc.field("part") == part)[
        "as_of"
    ].to_numpy()
    return moments


def fingerprint(path: Path) -> str:
    """Give the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
