"""The matrix on disk: what training and measuring read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from models.core.slices import Slice
from pipeline.core.project import read_json


def read_rows(matrix: Path) -> tuple[Slice, NDArray[np.datetime64]]:
    """Read all rows of the matrix, in its order, and when each was taken (UTC)."""
    table = pq.read_table(matrix)
    labels, leads, as_of = (table[name].to_numpy() for name in ("label", "lead_id", "as_of"))
    table = table.drop_columns(["lead_id", "as_of", "label"])
    # Each column is freed as soon as pandas has it: there are never two matrices.
    return Slice(table.to_pandas(split_blocks=True, self_destruct=True), labels.astype(float), leads), as_of


def read_catalogue(path: Path) -> tuple[Catalogue, dict[str, float]]:
    """Read the features that the matrix has, and which share of the events of each source was of types they know."""
    content = read_json(path)
    return Catalogue.from_json(content), content.get("known_types", {})


def reach_of(counts: dict[str, Any]) -> timedelta:
    """Tell how long after its as_of the label of a snapshot is complete and known."""
    return parse_duration(counts["horizon"]) + timedelta(hours=counts["outcome_delay_hours"])
