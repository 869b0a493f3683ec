"""The standard task in pandas, from Parquet to Parquet.

Two programs. ``write_matrix`` is a careful groupby script: texts are categories, each window is filtered out of the
next longer one, no function of Python's is called per group, and snapshots are taken one per lead at a time, so that no
event is repeated in memory. ``write_matrix_tuned`` is what a week with the profiler makes of it: all keys are whole
numbers of NumPy's, and each group is one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.logs import columns_of
from benchmarks.standard_task import EVENT_TYPES, HALF_LIFE_DAYS, WINDOW_DAYS, Column, columns

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
_TYPES = len(EVENT_TYPES)


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix by a careful groupby script; the rows come in the order of their rank within their lead."""
    names = columns_of(pq.read_schema(log).names)
    used = {names.lead: "lead", names.time: "time", names.event: "event", names.value: "value"}
    events = pd.read_parquet(log, columns=list(used)).rename(columns=used)
    events = events.astype({"lead": "category", "event": "category"})
    events["day"] = events["time"].dt.floor("D")
    parts = []
    for part in _one_each(snapshots):
        moments = part.set_index("lead_id")["as_of"]
        age = events["lead"].map(moments).astype("datetime64[us]") - events["time"]
        known = events.assign(age=age)[age > pd.Timedelta(0)]
        features = _grouped(known).reindex(part["lead_id"])
        empty = {column.name: 0 for column in columns() if column.measure != "days_since_last"}
        features = features.fillna(empty).astype("float32").rename_axis("lead_id").reset_index()
        parts.append(features.assign(as_of=part["as_of"].to_numpy()))
    pd.concat(parts, ignore_index=True).to_parquet(target, index=False)


def _grouped(known: pd.DataFrame) -> pd.DataFrame:
    """Compute the columns of the leads that have events."""
    known["weight"] = np.exp2(-(known["age"] // pd.Timedelta(hours=1)) / (HALF_LIFE_DAYS * 24))
    by_type = known.groupby(["lead", "event"], observed=True, sort=False).agg(
        age=("age", "min"), weight=("weight", "sum")
    )
    tables = [
        (by_type["age"] / pd.Timedelta(days=1))
        .unstack()
        .rename(columns=lambda event: Column("days_since_last", event).name),
        by_type["weight"].unstack().rename(columns=lambda event: Column("decayed_count", event).name),
    ]
    recent = known
    for days in sorted(WINDOW_DAYS, reverse=True):
        recent = recent[recent["age"] <= pd.Timedelta(days=days)]
        counts = recent.groupby(["lead", "event"], observed=True, sort=False).size().unstack(fill_value=0)
        active = recent.drop_duplicates(["lead", "day"])
        totals = {
            Column("count", None, days).name: counts.sum(axis=1),
            Column("sum", None, days).name: recent.groupby("lead", observed=True, sort=False)["value"].sum(),
            Column("active_days", None, days).name: active.groupby("lead", observed=True, sort=False).size(),
        }
        named = {event: Column("count", event, days).name for event in EVENT_TYPES}
        tables += [counts.rename(columns=named), pd.DataFrame(totals)]
    return pd.concat([table.set_axis(table.index.astype(object)) for table in tables], axis=1).reindex(
        columns=[column.name for column in columns()]
    )


def write_matrix_tuned(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the same over whole numbers alone."""
    wanted = pd.read_parquet(snapshots, columns=["lead_id"])
    leads = pd.Index(wanted["lead_id"].unique())
    events = _read_events(log, leads)
    parts = []
    for part in _one_each(snapshots):
        rows = leads.get_indexer(part["lead_id"])
        moments = np.full(len(leads), np.iinfo(np.int64).min)
        moments[rows] = part["as_of"].astype("int64").to_numpy()
        features = pd.DataFrame(dict(_features(events, moments, len(leads))), copy=False)
        parts.append(pd.concat([part.reset_index(drop=True), features.take(rows).reset_index(drop=True)], axis=1))
    pd.concat(parts, ignore_index=True).to_parquet(target, index=False)


def _one_each(snapshots: Path) -> Iterator[pd.DataFrame]:
    """Cut the snapshots (lead_id, as_of) into parts in which a lead has one at most."""
    wanted = pd.read_parquet(snapshots, columns=["lead_id", "as_of"])
    for _, part in wanted.groupby(wanted.groupby("lead_id", sort=False).cumcount()):
        yield part


def _read_events(log: Path, leads: pd.Index) -> pd.DataFrame:
    """Read what the task needs: lead (the number of its row in ``leads``), kind, time (microseconds), value, day."""
    names = columns_of(pq.read_schema(log).names)
    used = [names.lead, names.time, names.event, names.value]
    table = pd.read_parquet(log, columns=used, read_dictionary=[names.lead, names.event])
    time = table[names.time].astype("int64").to_numpy()
    return pd.DataFrame(
        {
            "lead": _recode(table[names.lead], leads).astype(np.int32),
            "kind": _recode(table[names.event], pd.Index(EVENT_TYPES)).astype(np.int8),
            "time": time,
            "value": table[names.value].to_numpy(),
            "day": (time // _DAY).astype(np.int32),
        },
        copy=False,
    )


def _recode(texts: pd.Series, names: pd.Index) -> NDArray[np.int64]:
    """Give each text its position in ``names``, looking each distinct text up once."""
    return np.asarray(names.get_indexer(texts.cat.categories)[texts.cat.codes.to_numpy()])


def _features(
    events: pd.DataFrame, moments: NDArray[np.int64], leads: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Compute the columns for one moment of each lead, in any order of columns."""
    age = moments[events["lead"].to_numpy()] - events["time"].to_numpy()
    known = events.assign(age=age) if (age > 0).all() else events.assign(age=age)[age > 0]
    known["group"] = known["lead"].to_numpy().astype(np.int64) * _TYPES + known["kind"].to_numpy()
    hours = known["age"].to_numpy() // _HOUR
    known["weight"] = np.exp2(-np.arange(hours.max(initial=0) + 1) / (HALF_LIFE_DAYS * 24))[hours]
    whole = known.groupby("group", sort=False).agg(age=("age", "min"), weight=("weight", "sum"))
    last = _by_type(whole["age"] / _DAY, leads, np.nan)
    weight = _by_type(whole["weight"], leads, 0.0)
    for position, event_type in enumerate(EVENT_TYPES):
        yield Column("days_since_last", event_type).name, last[position]
        yield Column("decayed_count", event_type).name, weight[position]
    recent = known
    for days in sorted(WINDOW_DAYS, reverse=True):
        recent = recent[recent["age"] <= days * _DAY]
        counts = _by_type(recent.groupby("group", sort=False).size(), leads, 0.0)
        for position, event_type in enumerate(EVENT_TYPES):
            yield Column("count", event_type, days).name, counts[position]
        yield Column("count", None, days).name, counts.sum(axis=0)
        yield Column("sum", None, days).name, _by_lead(recent.groupby("lead", sort=False)["value"].sum(), leads)
        active = recent[["lead", "day"]].drop_duplicates()
        yield Column("active_days", None, days).name, _by_lead(active.groupby("lead", sort=False).size(), leads)


def _by_type(values: pd.Series, leads: int, empty: float) -> NDArray[np.float32]:
    """Spread values by group over (types, leads)."""
    dense = np.full(leads * _TYPES, empty, dtype=np.float32)
    dense[values.index.to_numpy()] = values.to_numpy()
    return np.ascontiguousarray(dense.reshape(leads, _TYPES).T)


def _by_lead(values: pd.Series, leads: int) -> NDArray[np.float32]:
    dense = np.zeros(leads, dtype=np.float32)
    dense[values.index.to_numpy()] = values.to_numpy()
    return dense
