"""The one schema of the project: what an interaction is, and what a lead is.

Every other part (ingest, the contracts, the engine) reads it from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

ACTORS = ("lead", "system", "us")
"""Who can have acted, in byte order."""


@dataclass(frozen=True)
class Field:
    """One column: its Arrow and DuckDB types and what must hold of every value."""

    name: str
    arrow: pa.DataType
    duckdb: str
    nullable: bool = False
    allowed: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


_TIME = pa.timestamp("us")

INTERACTION: tuple[Field, ...] = (
    Field("lead_id", pa.string(), "VARCHAR"),
    Field("occurred_at", _TIME, "TIMESTAMP"),
    Field("known_at", _TIME, "TIMESTAMP"),
    Field("event_type", pa.string(), "VARCHAR"),
    Field("actor", pa.string(), "VARCHAR", allowed=ACTORS),
    Field("channel", pa.string(), "VARCHAR", nullable=True),
    Field("campaign", pa.string(), "VARCHAR", nullable=True),
    Field("value", pa.float64(), "DOUBLE", nullable=True),
    Field("quantity", pa.int64(), "BIGINT", minimum=1),
    Field("event_id", pa.string(), "VARCHAR", nullable=True),
    Field("source", pa.string(), "VARCHAR"),
    Field("sequence", pa.int64(), "BIGINT", minimum=0),
    Field("local_day", pa.date32(), "DATE"),
    Field("local_hour", pa.int8(), "TINYINT", minimum=0, maximum=23),
)
"""Times are microseconds in UTC without a zone. Sorted by lead_id (byte order), occurred_at, source, sequence."""

LEAD: tuple[Field, ...] = (
    Field("lead_id", pa.string(), "VARCHAR"),
    Field("created_at", _TIME, "TIMESTAMP"),
    Field("known_at", _TIME, "TIMESTAMP"),
    Field("account_id", pa.string(), "VARCHAR", nullable=True),
    Field("time_zone", pa.string(), "VARCHAR", nullable=True),
)
"""Attributes follow, named as in the source: numbers as DOUBLE, categories as VARCHAR. Sorted by lead_id."""

SORT_ORDER = ("lead_id", "occurred_at", "source", "sequence")

SPENDING: tuple[Field, ...] = (
    Field("day", pa.date32(), "DATE"),
    Field("channel", pa.string(), "VARCHAR", nullable=True),
    Field("campaign", pa.string(), "VARCHAR", nullable=True),
    Field("cost", pa.float64(), "DOUBLE"),
    Field("clicks", pa.int64(), "BIGINT", nullable=True, minimum=0),
)
"""What was spent on advertising; sorted by all its columns. Rows that are alike are separate spendings."""

RECOMMENDATION: tuple[Field, ...] = (
    Field("lead_id", pa.string(), "VARCHAR"),
    Field("as_of", _TIME, "TIMESTAMP"),
    Field("probability", pa.float64(), "DOUBLE", minimum=0.0, maximum=1.0),
    Field("score", pa.float64(), "DOUBLE", minimum=0.0, maximum=100.0),
    Field("maturity", pa.string(), "VARCHAR", allowed=("cold", "warm", "hot")),
    Field("tier", pa.string(), "VARCHAR", allowed=("IQL", "MQL", "SQL")),
    Field("reasons", pa.list_(pa.string()), "VARCHAR[]"),
    Field("model_version", pa.string(), "VARCHAR"),
)
"""One row for each open lead. Sorted by probability, the highest first, then by lead_id."""

FIT, EARLY_STOPPING, CALIBRATION, GAP, TEST = "fit", "early_stopping", "calibration", "gap", "test"
PARTS = (FIT, EARLY_STOPPING, CALIBRATION, GAP, TEST)
"""The parts of the labelled snapshots, in the order of time."""

CONVERTED, LOST = "converted", "lost"
