"""The matrix on disk: what training and measuring read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from features.core.schema import CONVERTED
from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from models.core.slices import Slice
from pipeline.core.project import Places, read_json


def read_rows(matrix: Path) -> tuple[Slice, NDArray[np.datetime64]]:
    """Read all rows of the matrix, in its order, and when each was taken (UTC)."""
    table = pq.read_table(matrix)
    labels, leads, as_of = (table[name].to_numpy() for name in ("label", "lead_id", "as_of"))
    table = table.drop_columns(["lead_id", "as_of", "label"])
    # Each column is freed as soon as pandas has it: there are never two matrices.
    return Slice(table.to_pandas(split_blocks=True, self_destruct=True), labels.astype(float), leads), as_of


def read_taught(places: Places) -> tuple[Slice, NDArray[np.datetime64]]:
    """Read what is learned from: all rows of the matrix, how soon they convert, and when each was taken (UTC).

    Raises InputError where the snapshots are not those that the matrix was made of.
    """
    rows, as_of = read_rows(places.matrix)
    waits = waits_of(rows, as_of, places.snapshots)
    soon = soon_of(waits, horizon_of(read_json(places.snapshot_counts)))
    return replace(rows, soon=soon * rows.labels), as_of


def soon_of(waits: NDArray[np.timedelta64], horizon: timedelta) -> NDArray[np.float64]:
    """Say how soon rows convert within the horizon, by their waits (NaT for never): shape (n,).

    >>> soon_of(np.array([0, 6, 30, "NaT"], "timedelta64[D]"), timedelta(days=30)).tolist()
    [1.0, 0.8, 0.0, 0.0]
    """
    share = waits / np.timedelta64(horizon)
    return np.where(share < 1.0, 1.0 - share, 0.0)


def read_waits(snapshots: Path) -> pd.DataFrame:
    """Read how long after its ``as_of`` (UTC) each labelled snapshot converts: lead_id, as_of and wait, NaT for never.

    The label of any horizon is whether the wait is shorter. One whose episode was over at as_of, unknown to us, does
    not convert any more.
    """
    columns = ["lead_id", "as_of", "outcome", "outcome_at"]
    taken = pq.read_table(snapshots, columns=columns, filters=pc.field("label").is_valid()).to_pandas()
    wait = taken["outcome_at"] - taken["as_of"]
    converts = (taken["outcome"] == CONVERTED) & (wait >= pd.Timedelta(0))
    return taken[["lead_id", "as_of"]].assign(wait=wait.where(converts))


def waits_of(rows: Slice, as_of: NDArray[np.datetime64], snapshots: Path) -> NDArray[np.timedelta64]:
    """Give the waits of the rows of the matrix, in its order: shape (n,).

    Raises InputError where the snapshots are not those that the matrix was made of.
    """
    places = pd.DataFrame({"lead_id": rows.leads, "as_of": as_of})
    found = places.merge(read_waits(snapshots), on=["lead_id", "as_of"], how="left", indicator=True)
    if len(found) != len(places) or (found["_merge"] != "both").any():
        raise InputError(f"{snapshots} holds other snapshots than the matrix: leadcast features")
    waits: NDArray[np.timedelta64] = found["wait"].to_numpy("timedelta64[us]")
    return waits


def read_catalogue(path: Path) -> tuple[Catalogue, dict[str, float]]:
    """Read the features that the matrix has, and which share of the events of each source was of types they know."""
    content = read_json(path)
    return Catalogue.from_json(content), content.get("known_types", {})


def reach_of(counts: dict[str, Any]) -> timedelta:
    """Tell how long after its as_of the label of a snapshot is complete and known."""
    return horizon_of(counts) + delay_of(counts)


def horizon_of(counts: dict[str, Any]) -> timedelta:
    """Tell how far the labels of the snapshots look."""
    return parse_duration(counts["horizon"])


def delay_of(counts: dict[str, Any]) -> timedelta:
    """Tell how long after it occurred an outcome is known at the latest."""
    return timedelta(hours=counts["outcome_delay_hours"])
