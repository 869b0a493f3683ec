"""The standard task in hand-written SQL for DuckDB, on all cores, from Parquet to Parquet.

Two programs: ``write_matrix`` is what one writes, a single query of filtered aggregates; ``write_matrix_tuned`` is what
a week with the profiler makes of it: two levels, so that the many aggregates run over groups and not over events.
Both may take for granted what the engine must check: events known as they occurred, one actor, quantities of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from benchmarks.logs import RAW, columns_of
from benchmarks.standard_task import HALF_LIFE_DAYS, WINDOW_DAYS, Column, columns
from pipeline.core.sql import file_literal, identifier, literal

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix by one query of filtered aggregates; leads come in any order."""
    with _connect() as connection:
        aggregates = ",\n".join(f"{_aggregate(column)}::FLOAT AS {identifier(column.name)}" for column in columns())
        query = f"SELECT lead_id, as_of, {aggregates} FROM ({{events}}) GROUP BY ALL"
        _run(connection, query, log, snapshots, target)


def write_matrix_tuned(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix by lead and event type first, and the days by lead and day; leads come in any order."""
    with _connect() as connection:
        longest = max(WINDOW_DAYS) * _DAY
        windows = ", ".join(
            f"count(*) FILTER (age <= {days * _DAY}) AS count_{days}, "
            f"sum(value) FILTER (age <= {days * _DAY}) AS value_{days}"
            for days in WINDOW_DAYS
        )
        active = ", ".join(
            f"count(*) FILTER (age <= {days * _DAY}) AS {identifier(Column('active_days', None, days).name)}"
            for days in WINDOW_DAYS
        )
        pivoted = ",\n".join(f"{expression}::FLOAT AS {identifier(name)}" for name, expression in _pivoted())
        wanted = ", ".join(
            f"coalesce({identifier(column.name)}, 0)::FLOAT AS {identifier(column.name)}"
            if column.measure == "active_days"
            else identifier(column.name)
            for column in columns()
        )
        query = f"""
            WITH by_type AS (
                SELECT lead_id, as_of, event, {windows}, min(age) AS age, sum({_weight()}) AS weight
                FROM ({{events}}) GROUP BY ALL
            ), by_day AS (
                SELECT lead_id, as_of, day, min(age) AS age
                FROM ({{events}}) WHERE age <= {longest} GROUP BY ALL
            ), days AS (SELECT lead_id, as_of, {active} FROM by_day GROUP BY ALL),
            types AS (SELECT lead_id, as_of, {pivoted} FROM by_type GROUP BY ALL)
            SELECT lead_id, as_of, {wanted} FROM types LEFT JOIN days USING (lead_id, as_of)"""
        _run(connection, query, log, snapshots, target)


def sort_and_write(raw: Path, target: Path, memory_limit: str) -> None:
    """Sort the raw file by lead and time and write it: what an ingest can't do without."""
    with _connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(f"SET memory_limit = {literal(memory_limit)}")
        connection.execute(f"SET temp_directory = {literal(str(target.with_suffix('.spill')))}")
        connection.execute(
            f"COPY (FROM {_read_raw(raw)} ORDER BY {identifier(RAW.lead)}, {identifier(RAW.time)}) "
            f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4_raw)"
        )


def _read_raw(raw: Path) -> str:
    """Read Parquet, or a CSV whose dialect and types are told, so that nothing of it is read twice."""
    if raw.suffix == ".parquet":
        return f"read_parquet({file_literal(raw)})"
    types = dict.fromkeys(("lead", "time", "event", "channel", "campaign", "amount"), "VARCHAR")
    types |= {RAW.time: "TIMESTAMP", RAW.value: "DOUBLE"}
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    return (
        f"read_csv({file_literal(raw)}, auto_detect = false, header = true, delim = ',', quote = '\"', "
        f"columns = {{{columns}}})"
    )


def scan(log: Path) -> None:
    """Read every column of every row: the floor under all that computes from this file.

    One hash of each column is the cheapest query that DuckDB can't answer from the statistics of the file.
    """
    with _connect() as connection:
        read = ", ".join(f"bit_xor(hash({identifier(name)}))" for name in pq.read_schema(log).names)
        connection.execute(f"SELECT {read} FROM read_parquet({file_literal(log)})").fetchall()


def _connect() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"preserve_insertion_order": False})


def _run(connection: duckdb.DuckDBPyConnection, query: str, log: Path, snapshots: Path, target: Path) -> None:
    """Run a query over ``{events}`` and write what it gives for all snapshots.

    Snapshots are taken one per lead at a time: joined at once they multiply the events in memory.
    """
    connection.execute(
        "CREATE TEMP TABLE snapshot AS SELECT lead_id AS snapshot_lead, as_of, "
        "row_number() OVER (PARTITION BY lead_id ORDER BY as_of) AS position "
        f"FROM read_parquet({file_literal(snapshots)})"
    )
    positions = connection.execute(
        "SELECT position, count(DISTINCT as_of), min(as_of) FROM snapshot GROUP BY position ORDER BY position"
    ).fetchall()
    for position, moments, first in positions:
        # Where all leads have one moment, it is a constant, and no join is needed.
        moment = f"TIMESTAMP {literal(str(first))}" if moments == 1 else None
        part = _complete(query.format(events=_events(log, position, moment)), position)
        if len(positions) == 1:
            _copy(connection, part, target)
        else:
            connection.execute(f"CREATE TEMP TABLE matrix_{position} AS {part}")
    if len(positions) > 1:
        _copy(connection, " UNION ALL ".join(f"FROM matrix_{position}" for position, *_ in positions), target)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> None:
    connection.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet)")


def _events(log: Path, position: int, moment: str | None) -> str:
    """Query the events before the snapshots of one rank: lead_id, as_of, event, value, day, age (microseconds)."""
    names = columns_of(pq.read_schema(log).names)
    lead, time, event, value = (identifier(name) for name in (names.lead, names.time, names.event, names.value))
    as_of, join = moment, ""
    if moment is None:
        as_of = "as_of"
        one_each = f"SELECT snapshot_lead, as_of FROM snapshot WHERE position = {position}"
        join = f"JOIN ({one_each}) ON snapshot_lead = events.{lead}"
    return (
        f"SELECT events.{lead} AS lead_id, {as_of} AS as_of, {event} AS event, {value} AS value, "
        f"CAST({time} AS DATE) AS day, epoch_us({as_of}) - epoch_us({time}) AS age "
        f"FROM read_parquet({file_literal(log)}) AS events {join} WHERE {time} < {as_of}"
    )


def _complete(query: str, position: int) -> str:
    """Add the snapshots before which nothing had happened."""
    filled = ", ".join(
        f"coalesce({identifier(column.name)}, 0) AS {identifier(column.name)}"
        for column in columns()
        if column.measure != "days_since_last"
    )
    snapshot = f"SELECT snapshot_lead AS lead_id, as_of FROM snapshot WHERE position = {position}"
    return f"SELECT * REPLACE ({filled}) FROM ({snapshot}) LEFT JOIN ({query}) USING (lead_id, as_of)"


def _weight() -> str:
    return f"pow(2, -(age // {_HOUR}) / {HALF_LIFE_DAYS * 24}.0)"


def _aggregate(column: Column) -> str:
    conditions = []
    if column.event_type:
        conditions.append(f"event = {literal(column.event_type)}")
    if column.window_days:
        conditions.append(f"age <= {column.window_days * _DAY}")
    filter_ = f"FILTER ({' AND '.join(conditions)})"
    match column.measure:
        case "count":
            return f"count(*) {filter_}"
        case "sum":
            return f"sum(value) {filter_}"
        case "active_days":
            return f"count(DISTINCT day) {filter_}"
        case "days_since_last":
            return f"min(age) {filter_} / {_DAY}.0"
        case "decayed_count":
            return f"sum({_weight()}) {filter_}"


def _pivoted() -> Iterator[tuple[str, str]]:
    """Give each column but the active days, made of what is known of each event type."""
    for column in columns():
        filter_ = f"FILTER (event = {literal(column.event_type)})" if column.event_type else ""
        match column.measure:
            case "count":
                yield column.name, f"sum(count_{column.window_days}) {filter_}"
            case "sum":
                yield column.name, f"sum(value_{column.window_days})"
            case "days_since_last":
                yield column.name, f"min(age) {filter_} / {_DAY}.0"
            case "decayed_count":
                yield column.name, f"sum(weight) {filter_}"
            case "active_days":
                pass
