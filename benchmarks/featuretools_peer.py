"""The standard task in featuretools. Runs in an environment of its own, in which the project is not installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.standard_task import EVENT_TYPES, HALF_LIFE_DAYS, WINDOW_DAYS, Column


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix of one snapshot each: one synthesis a window, and one over the whole past."""
    warnings.simplefilter("ignore")
    import featuretools as ft  # noqa: PLC0415 - is not there where only the names are needed
    from woodwork.logical_types import Categorical, Datetime, Double  # noqa: PLC0415 - comes with it

    wanted = pd.read_parquet(snapshots, columns=["lead_id", "as_of"])
    events = pd.read_parquet(log, columns=["lead_id", "occurred_at", "event_type", "value", "local_day"])
    events["day"] = events.pop("local_day").astype("datetime64[us]").astype("int64")
    entities = ft.EntitySet("log")
    entities.add_dataframe(
        events.reset_index(names="number"),
        dataframe_name="events",
        index="number",
        time_index="occurred_at",
        logical_types={
            "lead_id": Categorical,
            "occurred_at": Datetime,
            "event_type": Categorical,
            "value": Double,
            "day": Categorical,
        },
    )
    entities.add_dataframe(
        wanted[["lead_id"]].copy(), dataframe_name="leads", index="lead_id", logical_types={"lead_id": Categorical}
    )
    entities.add_relationship("leads", "lead_id", "events", "lead_id")
    entities.add_interesting_values(dataframe_name="events", values={"event_type": list(EVENT_TYPES)})
    cutoff = wanted.rename(columns={"as_of": "time"})
    common = {"entityset": entities, "cutoff_time": cutoff, "include_cutoff_time": False, "verbose": False}
    moment = ft.IdentityFeature(entities["events"].ww["occurred_at"])
    kind = ft.IdentityFeature(entities["events"].ww["event_type"])
    number = ft.IdentityFeature(entities["events"].ww["number"])
    value = ft.IdentityFeature(entities["events"].ww["value"])
    day = ft.IdentityFeature(entities["events"].ww["day"])

    def over_leads(primitive: Any, base: Any, where: Any = None) -> Any:  # noqa: ANN401 - featuretools has no types
        return ft.AggregationFeature(base, parent_dataframe_name="leads", primitive=primitive, where=where)

    parts = [wanted.reset_index(drop=True)]
    windowed = {
        "count": over_leads(ft.primitives.Count, number),
        "sum": over_leads(ft.primitives.Sum, value),
        "active_days": over_leads(ft.primitives.NumUnique, day),
    }
    counts = {event_type: over_leads(ft.primitives.Count, number, kind == event_type) for event_type in EVENT_TYPES}
    for days in WINDOW_DAYS:
        features = [*counts.values(), *windowed.values()]
        names = [Column("count", event_type, days).name for event_type in counts]
        names += [Column(measure, None, days).name for measure in ("count", "sum", "active_days")]
        matrix = ft.calculate_feature_matrix(features, training_window=ft.Timedelta(days, "days"), **common)
        parts.append(_named(matrix, wanted, names).fillna(0))
    decayed = _decayed_count(ft)
    recency = [over_leads(ft.primitives.TimeSinceLast(unit="days"), moment, kind == name) for name in EVENT_TYPES]
    weights = [over_leads(decayed, moment, kind == name) for name in EVENT_TYPES]
    matrix = ft.calculate_feature_matrix([*recency, *weights], **common)
    last = [Column("days_since_last", name).name for name in EVENT_TYPES]
    weight = [Column("decayed_count", name).name for name in EVENT_TYPES]
    parts.append(_named(matrix, wanted, [*last, *weight]).fillna(dict.fromkeys(weight, 0)))
    pd.concat(parts, axis=1).to_parquet(target, index=False)


def _named(matrix: pd.DataFrame, wanted: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Put the rows in the order of the snapshots, under the names of the task."""
    rows = matrix.droplevel("time") if matrix.index.nlevels > 1 else matrix
    return rows.reindex(wanted["lead_id"]).reset_index(drop=True).set_axis(names, axis=1).astype("float32")


def _decayed_count(ft: Any) -> Any:  # noqa: ANN401 - featuretools has no types
    """Make the one primitive that featuretools lacks, over all times of a lead at once."""
    from woodwork.column_schema import ColumnSchema  # noqa: PLC0415 - comes with featuretools
    from woodwork.logical_types import Datetime, Double  # noqa: PLC0415 - comes with featuretools

    class DecayedCount(ft.primitives.AggregationPrimitive):  # type: ignore[misc] # featuretools has no types
        """How many events, each halved in weight for every half-life that has passed, by whole hours."""

        name = "decayed_count"
        input_types = [ColumnSchema(logical_type=Datetime, semantic_tags={"time_index"})]  # noqa: RUF012 - its way
        return_type = ColumnSchema(logical_type=Double, semantic_tags={"numeric"})
        uses_calc_time = True

        def get_function(self) -> Any:  # noqa: ANN401 - featuretools has no types
            """Give what is called for each group."""

            def decayed_count(times: pd.Series, time: pd.Timestamp) -> float:
                hours = (np.datetime64(time) - times.to_numpy()) // np.timedelta64(1, "h")
                return float(np.exp2(-hours / (HALF_LIFE_DAYS * 24)).sum())

            return decayed_count

    return DecayedCount
