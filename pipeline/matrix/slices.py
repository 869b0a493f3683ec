"""The matrix on disk, part by part: what training and measuring read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.language.catalogue import Catalogue
from models.core.slices import Slice
from pipeline.core.project import read_json


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


def read_catalogue(path: Path) -> tuple[Catalogue, dict[str, float]]:
    """Read the features that the matrix has, and which share of the events of each source was of types they know."""
    content = read_json(path)
    return Catalogue.from_json(content), content.get("known_types", {})
