"""Training against LightGBM alone, from the same matrix in Parquet to trees: their number by folds, and the members.

Both sides deal the same folds and grow the same trees. The bare program reads the file with PyArrow and hands the table
to LightGBM; ours goes through the project's own functions, calibration included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.core.slices import deal, folds_for
from models.learning.learner import Recipe, learn
from models.learning.parameters import checked_parameters
from pipeline.matrix.slices import read_rows

ROWS, COLUMNS = 1_200_000, 206
_A_LEAD, _ROWS_A_GROUP = 12, 100_000
_SETTINGS = {"num_iterations": 60}
_SEED = 7
_IN_TIME = np.datetime64("2026-01-01", "us")


def write_matrix(path: Path, rows: int) -> None:
    """Write a matrix as the stage ``features`` does: counts and sums, most of them 0, as float32."""
    random = np.random.default_rng(_SEED)
    names = [f"column_{number}" for number in range(COLUMNS)]
    writer = None
    for first in range(0, rows, _ROWS_A_GROUP):
        size = min(_ROWS_A_GROUP, rows - first)
        lively = random.gamma(0.5, size=size)
        values = [
            (random.poisson(lively * (0.1 + number % 7)) * (1.0 if number % 3 else 0.37)).astype(np.float32)
            for number in range(COLUMNS)
        ]
        labels = random.random(size) < 1.0 / (1.0 + np.exp(4.0 - 0.1 * sum(values[:20])))
        table = pa.table(
            {
                "lead_id": pa.array([f"L{row // _A_LEAD}" for row in range(first, first + size)]),
                "as_of": pa.array(np.full(size, _IN_TIME)),
                "label": pa.array(labels.astype(np.int8)),
                **dict(zip(names, values, strict=True)),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def train(matrix: Path, members: int) -> None:
    """Train as the project does where trees are asked for."""
    rows, _ = read_rows(matrix)
    recipe = Recipe(list(rows.frame.columns), parameters=_SETTINGS, calibration="platt", seed=_SEED, rung="trees")
    learn(rows, recipe, members=members)


def train_bare(matrix: Path, members: int) -> None:
    """Train by LightGBM alone."""
    import lightgbm  # noqa: PLC0415 - after the project's own files, which say how its threads wait

    table = pq.read_table(matrix)
    labels, leads = table["label"].to_numpy().astype(float), table["lead_id"].to_numpy()
    table = table.drop_columns(["lead_id", "as_of", "label"])
    parameters = checked_parameters(_SETTINGS, rows=len(labels))
    trees, patience = int(parameters.pop("num_iterations")), int(parameters.pop("early_stopping_round"))
    settings: dict[str, Any] = {
        **parameters,
        "objective": "binary",
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(table, label=labels)
    fold = deal(labels, leads, seed=_SEED, folds=folds_for(len(labels))).fold
    folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(int(fold.max()) + 1)]
    stopping = [lightgbm.early_stopping(patience, verbose=False)]
    result = lightgbm.cv(settings, data, trees, folds=folds, callbacks=stopping)
    best = int(np.argmin(result["valid binary_logloss-mean"])) + 1
    for member in range(members):
        lightgbm.train({**settings, "seed": _SEED + member}, data, best)
