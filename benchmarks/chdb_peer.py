"""The standard task in SQL for ClickHouse, in process, in two steps. Runs in an environment of its own.

First what is known of each lead and event type, and of each lead and day; then the columns of a lead, of these rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.logs import columns_of
from benchmarks.standard_task import EVENT_TYPES, HALF_LIFE_DAYS, WINDOW_DAYS, Column, columns

_DAY = 86_400_000_000
_HOUR = 3_600_000_000


def write_matrix(log: Path, snapshots: Path, target: Path) -> None:
    """Compute the matrix of one snapshot each; leads come in any order."""
    import chdb  # noqa: PLC0415 - is not there where only the names are needed

    def ask(query: str) -> list[str]:
        return str(chdb.query(query, "TabSeparated")).splitlines()

    wanted = f"SELECT assumeNotNull(lead_id) AS lead, assumeNotNull(as_of) AS as_of FROM {_read(snapshots)}"
    [counted] = ask(f"SELECT uniqExact(as_of), max(toUnixTimestamp64Micro(as_of)) FROM ({wanted})")
    moments, last = map(int, counted.split("\t"))
    # Where all leads have one moment, it is a constant, and no join is needed.
    events = _events(log, last if moments == 1 else None, wanted)
    filled = ", ".join(f"toFloat32({column.name}) AS {column.name}" for column in columns())
    query = (
        f"WITH events AS ({events}), types AS ({_by_type()}), days AS ({_by_day()}) "
        f"SELECT wanted.lead AS lead_id, wanted.as_of AS as_of, {filled} FROM ({wanted}) AS wanted "
        "LEFT JOIN types ON wanted.lead = types.lead LEFT JOIN days ON wanted.lead = days.lead"
    )
    ask(f"{query} INTO OUTFILE {_literal(str(target))} TRUNCATE FORMAT Parquet")


def _events(log: Path, moment: int | None, wanted: str) -> str:
    """Query the events before the snapshot of their lead: lead, event, value, day, age (microseconds)."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - comes with it

    names = columns_of(pq.read_schema(log).names)
    kinds = ", ".join(f"{_literal(name)} = {number}" for number, name in enumerate(EVENT_TYPES))
    rows = (
        f"SELECT assumeNotNull({names.lead}) AS lead, CAST(assumeNotNull({names.event}) AS Enum8({kinds})) AS event, "
        f"ifNull({names.value}, 0) AS value, assumeNotNull({names.time}) AS time FROM {_read(log)}"
    )
    as_of, join = str(moment), ""
    if moment is None:
        as_of, join = "toUnixTimestamp64Micro(wanted.as_of)", f"JOIN ({wanted}) AS wanted ON wanted.lead = rows.lead"
    return (
        f"SELECT rows.lead AS lead, event, value, toDate(time) AS day, {as_of} - toUnixTimestamp64Micro(time) AS age "
        f"FROM ({rows}) AS rows {join} WHERE age > 0"
    )


def _by_type() -> str:
    windows = ", ".join(
        f"countIf(age <= {days * _DAY}) AS count_{days}, sumIf(value, age <= {days * _DAY}) AS value_{days}"
        for days in WINDOW_DAYS
    )
    weight = f"sum(exp2(-intDiv(age, {_HOUR}) / {HALF_LIFE_DAYS * 24}))"
    grouped = f"SELECT lead, event, {windows}, min(age) AS last, {weight} AS weight FROM events GROUP BY lead, event"
    made = ", ".join(f"{expression} AS {name}" for name, expression in _of_types())
    return f"SELECT lead, {made} FROM ({grouped}) GROUP BY lead"


def _by_day() -> str:
    grouped = (
        f"SELECT lead, day, min(age) AS last FROM events WHERE age <= {max(WINDOW_DAYS) * _DAY} GROUP BY lead, day"
    )
    made = ", ".join(
        f"countIf(last <= {days * _DAY}) AS {Column('active_days', None, days).name}" for days in WINDOW_DAYS
    )
    return f"SELECT lead, {made} FROM ({grouped}) GROUP BY lead"


def _of_types() -> Iterator[tuple[str, str]]:
    """Give each column but the active days, made of what is known of each event type."""
    for column in columns():
        of_type = f"event = {_literal(column.event_type)}" if column.event_type else "true"
        match column.measure:
            case "count":
                yield column.name, f"sumIf(count_{column.window_days}, {of_type})"
            case "sum":
                yield column.name, f"sum(value_{column.window_days})"
            case "days_since_last":
                yield column.name, f"minOrNullIf(last, {of_type}) / {_DAY}"
            case "decayed_count":
                yield column.name, f"sumIf(weight, {of_type})"
            case "active_days":
                pass


def _read(path: Path) -> str:
    return f"file({_literal(str(path))}, Parquet)"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
