"""Our own side of every comparison: the project's functions, called as its stages call them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.standard_task import CHANNELS, EVENT_TYPES, HALF_LIFE_DAYS, Column, columns
from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Filter, Vocabulary
from pipeline.core.project import HERE, Project
from pipeline.core.sql import connect, file_literal
from pipeline.ingest import stage as ingest
from pipeline.matrix import local as matrix
from pipeline.matrix.local import stream_matrix
from pipeline.settings.parameters import Parameters
from pipeline.settings.run import Run
from pipeline.settings.types import halve

RAW_LOG, DELIMITED_LOG, RAW_LEADS = Path("raw/log.parquet"), Path("raw/log.csv"), Path("raw/leads.parquet")
"""Where the raw files of a benchmark's project lie."""


def standard_catalogue() -> Catalogue:
    """Declare the standard task."""
    features = tuple(_declare(column) for column in columns())
    catalogue = Catalogue(Vocabulary(event_types=tuple(sorted(EVENT_TYPES)), channels=CHANNELS), features)
    assert catalogue.names == tuple(column.name for column in columns()), "the names of the task are the project's own"
    return catalogue


def stream_standard_matrix(log: Path, snapshots: Path) -> Iterator[pa.Table]:
    """Yield the matrix of the standard task, within the default limit of memory: only here the engine is called."""
    asked = f"SELECT * FROM read_parquet({file_literal(snapshots)})"
    of_duckdb, of_batches = halve(standard_parameters().run.memory_limit)
    with connect(of_duckdb, log.parent / "spill") as connection:
        yield from stream_matrix(
            connection, asked, log, log.with_name(HERE.leads.name), standard_catalogue(), memory_limit=of_batches
        )


def compute_matrix(log: Path, snapshots: Path) -> None:
    """Compute the matrix and drop it."""
    for _ in stream_standard_matrix(log, snapshots):
        pass


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix and write it, as the stage ``features`` does."""
    for _ in matrix.write_matrix(stream_standard_matrix(log, snapshots), target):
        pass


def ingest_log(root: Path, run: Run = Run()) -> None:  # noqa: B008 - settings don't change
    """Run the stage ``ingest`` on the raw files below ``root``."""
    ingest.run(Project(root, standard_parameters().model_copy(update={"run": run})), lambda _: None)


def ingest_delimited_log(root: Path) -> None:
    """Run the stage ``ingest`` on the CSV file below ``root``."""
    ingest.run(Project(root, standard_parameters(DELIMITED_LOG)), lambda _: None)


def standard_parameters(log: Path = RAW_LOG) -> Parameters:
    """Give the settings that a user with such a log would write."""
    source = {
        "path": log.name,
        "known_at": "as_it_occurred",
        "actor": "lead",
        "columns": {
            "lead_id": "lead",
            "occurred_at": "time",
            "event_type": "event",
            "channel": "channel",
            "campaign": "campaign",
            "value": "amount",
        },
    }
    leads = {"path": RAW_LEADS.name, "columns": {"lead_id": "lead", "created_at": "created"}}
    return Parameters.model_validate(
        {
            "data_root": str(RAW_LOG.parent),
            "ingest": {"sources": {"log": source}, "leads": leads},
            "validate": {},
            "episodes": {"conversion": ["purchase"]},
            "snapshots": {"policies": [{"calendar": "monthly"}], "horizon": "30d"},
            "features": {},
            "train": {},
            "evaluate": {},
            "decision": {"tiers": {"mql": 0.1, "sql": 0.3}},
            "recommend": {},
            "kpi": {},
            "leads": {},
            "words": {},
        }
    )


def _declare(column: Column) -> Feature:
    return Feature(
        column.measure,
        Filter(event_type=column.event_type),
        window=None if column.window_days is None else timedelta(days=column.window_days),
        half_life=timedelta(days=HALF_LIFE_DAYS) if column.measure == "decayed_count" else None,
    )
