"""The rows of the table that are about ingest: ours against DuckDB, which reads, sorts and writes, and does no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from benchmarks import duckdb_peer, engine
from benchmarks.comparison import DifferenceError
from benchmarks.delimited_log import Quotes, write_delimited
from benchmarks.logs import INGESTED, RAW, LogColumns
from benchmarks.matrices import Progress, StandardLog
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, within
from pipeline.core.project import Places
from pipeline.core.sql import file_literal, identifier


def ingest(log: StandardLog, progress: Progress) -> Measurement:
    """Measure ingest of the raw Parquet file; the log stays for what is measured next."""
    progress(f"ingest, {log.size} events")
    return measure(engine.ingest_log, log.root)


def against_sort(log: StandardLog, ours: Measurement, goal: float, progress: Progress) -> Result:
    """Compare ingest of the raw Parquet file with DuckDB's sorting and writing it."""
    task = f"ingest, {log.size} events"
    progress(f"{task}: DuckDB's sort-and-write")
    theirs = _measure_sort(log.raw, log.ingested)
    return within(task, "DuckDB's sort-and-write", ours, theirs, goal)


def delimited_against_sort(log: StandardLog, quotes: Quotes, goal: float, progress: Progress) -> Result:
    """Compare ingest of the same events from a CSV file with DuckDB's reading, sorting and writing them."""
    task = f"ingest, {log.size} events of {quotes} CSV"
    progress(task)
    root = log.root.with_name(f"{log.root.name}-{quotes}")
    raw, leads = root / engine.DELIMITED_LOG, engine.RAW_LEADS
    raw.parent.mkdir(parents=True)
    write_delimited(log.raw, raw, quotes)
    shutil.copyfile(log.root / leads, root / leads)
    ours = measure(engine.ingest_delimited_log, root)
    progress(f"{task}: DuckDB's read-sort-write")
    theirs = _measure_sort(raw, Places(root).interactions)
    shutil.rmtree(root)
    return within(task, "DuckDB's read-sort-write", ours, theirs, goal)


def compare_logs(ingested: Path, sorted_raw: Path) -> None:
    """Hold the events of the two logs to be the same, whatever the order of ties."""
    with duckdb.connect() as connection:
        sums = [
            connection.execute(
                f"SELECT count(*), sum(hash({_columns(names)})) FROM read_parquet({file_literal(path)})"
            ).fetchone()
            for path, names in ((ingested, INGESTED), (sorted_raw, RAW))
        ]
    if sums[0] != sums[1]:
        raise DifferenceError(f"the ingested log is another than the sorted one: {sums[0]} against {sums[1]}")


def _measure_sort(raw: Path, ingested: Path) -> Measurement:
    """Measure DuckDB, within the memory that ingest is given, and hold what we have ingested to what it has sorted."""
    target = ingested.with_name("sorted.parquet")
    theirs = measure(duckdb_peer.sort_and_write, raw, target, engine.standard_parameters().run.memory_limit)
    compare_logs(ingested, target)
    target.unlink()
    return theirs


def _columns(names: LogColumns) -> str:
    return ", ".join(identifier(name) for name in (names.lead, names.time, names.event, names.value))
