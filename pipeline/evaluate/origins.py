"""What was learned from at each origin and what was foretold, beside what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from models.core.horizons import PROBABILITY, column_of
from models.core.slices import Slice
from pipeline.core.project import Places, read_json
from pipeline.matrix.slices import reach_of, read_rows

_OF_THE_MODEL = {"lead_id", "as_of", "origin", PROBABILITY, "model_version", "happened"}


@dataclass(frozen=True)
class Origins:
    """What was foretold (`later`, `as_of`, `probabilities` and the two rates: shape (n,)), and what came before it.

    `learned` is what was settled at the first origin, in the order of time; without an origin, all rows. The rates are
    the share that converts of all, and of the newest quarter, of what each row's origin had learned from.
    """

    learned: Slice
    later: Slice
    as_of: NDArray[np.datetime64]
    probabilities: NDArray[np.float64]
    base_rates: NDArray[np.float64]
    latest_rates: NDArray[np.float64]
    rivals: Mapping[str, NDArray[np.float64]]
    """What each rung and each baseline said of them, NaN where it said nothing."""
    newest: NDArray[np.bool_]
    """Which rows were foretold from the newest origin."""
    is_later: bool
    """Whether they were foretold from earlier moments, and not by other leads of the same time."""


def read_origins(places: Places, model_version: str) -> Origins:
    """Read the matrix and what was foretold of its rows by the procedure that made a model.

    Raises InputError where they don't belong together.
    """
    rows, as_of = read_rows(places.matrix)
    told = pq.read_table(places.foretold).to_pandas()
    if set(told["model_version"]) - {model_version}:
        raise InputError(f"{places.foretold} is of another model than {places.model}: leadcast train")
    accounts = read_json(places.training)["origins"]
    reach = reach_of(read_json(places.snapshot_counts))
    place = pd.DataFrame({"lead_id": rows.leads, "as_of": as_of, "row": np.arange(len(as_of))})
    found = told.merge(place, on=["lead_id", "as_of"], how="left", validate="one_to_one")["row"]
    if found.isna().any():
        raise InputError(f"{places.foretold} is of another matrix than {places.matrix}: leadcast train")
    later = found.to_numpy(np.int64)
    in_time = np.argsort(as_of, kind="stable")
    base, latest = np.full(len(later), rows.labels.mean()), np.full(len(later), rows.labels.mean())
    settled = np.ones(len(as_of), dtype=bool)
    for account in reversed(accounts):
        origin = pd.Timestamp(account["origin"])
        settled = as_of + np.timedelta64(reach) <= np.datetime64(origin)
        known = rows.labels[in_time][settled[in_time]]
        of_origin = (told["origin"] == origin).to_numpy()
        base[of_origin], latest[of_origin] = known.mean(), known[-max(1, len(known) // 4) :].mean()
    return Origins(
        learned=rows.take(in_time[settled[in_time]]),
        later=rows.take(later),
        as_of=as_of[later],
        probabilities=told[PROBABILITY].to_numpy(np.float64),
        base_rates=base,
        latest_rates=latest,
        rivals={
            name: told[name].to_numpy(np.float64)
            for name in told
            if name not in _OF_THE_MODEL and not name.startswith(column_of(""))
        },
        newest=(told["origin"] == told["origin"].max()).to_numpy(dtype=bool),
        is_later=bool(accounts),
    )
