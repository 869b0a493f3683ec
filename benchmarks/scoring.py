"""Scoring against LightGBM alone: probabilities of the rows of a matrix.

Both sides read the same rows before the time begins; ours begins with a frame, the bare booster with its own matrix.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.standard_task import columns
from models.core.calibrators import calibrate
from models.core.encoding import encode
from models.core.model import Model
from models.core.trees import without_settings

_TREES = 200
_FITTED = 50_000


def make_model(matrix: Path, rows: int, folder: Path) -> None:
    """Train a model on a matrix of the standard task, and write ``rows.parquet``, its rows repeated, beside it."""
    import lightgbm  # noqa: PLC0415 - after the project's own files, which say how its threads wait

    names = [column.name for column in columns()]
    table = pq.read_table(matrix, columns=names)
    fitted = encode(table.slice(0, _FITTED).to_pandas(), names, {})
    random = np.random.default_rng(7)
    drawn = np.nan_to_num(np.asarray(fitted, dtype=np.float64)) @ random.normal(size=len(names)) + random.normal(
        size=len(fitted)
    )
    data = lightgbm.Dataset(fitted, label=drawn > np.quantile(drawn, 0.9))
    settings = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.05, "deterministic": True, "verbose": -1}
    booster = lightgbm.train(settings, data, num_boost_round=_TREES)
    calibrator = {"method": "platt", "slope": 1.0, "intercept": 0.0}
    text = without_settings(booster.model_to_string())
    Model((text,), calibrator, {"columns": names, "categories": {}}).save(folder)
    repeated = pa.concat_tables([table] * -(-rows // len(table))).slice(0, rows)
    pq.write_table(repeated, folder / "rows.parquet")


def predict(folder: Path, target: Path) -> float:
    """Predict as the project does; gives the seconds, and writes the probabilities."""
    model, frame = Model.load(folder), pq.read_table(folder / "rows.parquet").to_pandas()
    model.boosters  # noqa: B018 - read before the time begins, on both sides
    start = time.perf_counter()
    probabilities = model.predict(frame)
    seconds = time.perf_counter() - start
    np.save(target, probabilities)
    return seconds


def predict_bare(folder: Path, target: Path) -> float:
    """Predict by LightGBM alone, from a matrix that lies as it likes it best; gives the seconds."""
    model = Model.load(folder)
    matrix = encode(pq.read_table(folder / "rows.parquet").to_pandas(), model.columns, model.categories)
    (booster,) = model.boosters
    start = time.perf_counter()
    raw = booster.predict(matrix, raw_score=True)
    seconds = time.perf_counter() - start
    np.save(target, calibrate(model.calibrator, np.asarray(raw)))
    return seconds
