"""The standard task in polars, in two steps. Runs in an environment of its own, in which the project is not installed.

First what is known of each lead and event type, and of each lead and day; then these are laid out as the columns of a
lead, so that the many aggregates run over groups and not over events. Leads and types are numbers meanwhile.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from benchmarks.logs import columns_of
from benchmarks.standard_task import EVENT_TYPES, HALF_LIFE_DAYS, WINDOW_DAYS, Column, columns

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix; snapshots are taken one per lead at a time, so that no event is repeated in memory."""
    wanted = pl.read_parquet(snapshots, columns=["lead_id", "as_of"]).cast({"lead_id": pl.Categorical})
    wanted = wanted.with_columns(position=pl.int_range(pl.len()).over("lead_id"))
    parts = [_part(log, part.drop("position")) for part in wanted.partition_by("position", maintain_order=True)]
    pl.concat(parts).cast({"lead_id": pl.String}).write_parquet(target)


def _part(log: Path, wanted: pl.DataFrame) -> pl.DataFrame:
    """Compute the rows of snapshots of which each lead has one."""
    by_type, by_day = pl.collect_all(_steps(_events(log, wanted)))
    types, days = _spread(by_type), by_day.lazy().group_by("lead").agg(_of_days())
    empty = [pl.col(column.name).fill_null(0) for column in columns() if column.measure != "days_since_last"]
    return (
        wanted.lazy()
        .join(types, left_on="lead_id", right_on="lead", how="left")
        .join(days, left_on="lead_id", right_on="lead", how="left")
        .with_columns(empty)
        .select("lead_id", "as_of", *(pl.col(column.name).cast(pl.Float32) for column in columns()))
        .collect()
    )


def _events(log: Path, wanted: pl.DataFrame) -> pl.LazyFrame:
    """Read lead, kind, day, value and age (microseconds) of the events before their lead's snapshot."""
    names = columns_of(list(pl.read_parquet_schema(log)))
    events = pl.scan_parquet(log).select(
        lead=pl.col(names.lead).cast(pl.Categorical),
        kind=pl.col(names.event).cast(pl.Enum(EVENT_TYPES)),
        time=names.time,
        value=names.value,
    )
    if wanted["as_of"].n_unique() == 1:
        # Where all leads have one moment, it is a constant, and no join is needed.
        events = events.with_columns(as_of=pl.lit(wanted["as_of"][0]))
    else:
        events = events.join(wanted.lazy(), left_on="lead", right_on="lead_id")
    return events.filter(pl.col("time") < pl.col("as_of")).select(
        "lead", "kind", "value", day=pl.col("time").dt.date(), age=(pl.col("as_of") - pl.col("time")).cast(pl.Int64)
    )


def _steps(events: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Gather the events by lead and type, and by lead and day."""
    weight = (-(pl.col("age") // _HOUR) * (math.log(2) / (HALF_LIFE_DAYS * 24))).exp()
    within = {days: pl.col("age") <= days * _DAY for days in WINDOW_DAYS}
    by_type = events.group_by("lead", "kind").agg(
        pl.col("age").min(),
        weight=weight.sum(),
        **{f"count_{days}": recent.sum() for days, recent in within.items()},
        **{f"value_{days}": pl.when(recent).then("value").sum() for days, recent in within.items()},
    )
    longest = within[max(WINDOW_DAYS)]
    by_day = events.filter(longest).group_by("lead", "day").agg(pl.col("age").min())
    return [by_type, by_day]


def _spread(by_type: pl.DataFrame) -> pl.LazyFrame:
    """Lay what is known of the event types beside one another, a row for each lead, and add up over all types."""
    values = [name for name in by_type.columns if name not in ("lead", "kind")]
    spread = by_type.pivot(on="kind", index="lead", values=values, on_columns=EVENT_TYPES, maintain_order=False)
    made = []
    for column in columns():
        match column.measure:
            case "count" if column.event_type:
                made.append(pl.col(f"count_{column.window_days}_{column.event_type}"))
            case "count" | "sum":
                kind = "count" if column.measure == "count" else "value"
                made.append(
                    pl.sum_horizontal(f"{kind}_{column.window_days}_{event_type}" for event_type in EVENT_TYPES)
                )
            case "days_since_last":
                made.append(pl.col(f"age_{column.event_type}") / _DAY)
            case "decayed_count":
                made.append(pl.col(f"weight_{column.event_type}"))
            case "active_days":
                continue
        made[-1] = made[-1].alias(column.name)
    return spread.lazy().select("lead", *made)


def _of_days() -> list[pl.Expr]:
    return [(pl.col("age") <= days * _DAY).sum().alias(Column("active_days", None, days).name) for days in WINDOW_DAYS]
