"""Scores written to a table of leads, against pandas: the table read, a staging table by ``to_sql``, an UPDATE from it.

Both find out which leads are open and have changed. Ours locks and commits batch by batch and has an outcome for each
lead; pandas' is one transaction. PostgreSQL is measured where CRM_DATABASE holds the URL of an empty database.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from benchmarks.comparison import DifferenceError
from benchmarks.measurement import Measurement, measure
from benchmarks.results import Result, skipped, within
from pipeline.reading.database_url import find_url
from pipeline.settings.push import Sql
from pipeline.sinks.protocol import Record
from pipeline.sinks.sql import SqlSink

_LEADS = 50_000
_GOAL = 4.0
_SQLITE, _POSTGRESQL = "sqlite:///crm.sqlite", "$CRM_DATABASE"
_FIELDS = ("tier", "probability", "reason_1", "reason_2", "action", "date")


def push(database: str, folder: Path, leads: int) -> float:
    """Push through the sink, in as many threads as it takes; gives the seconds."""
    frame = _scores(leads, 0.25).astype(object)
    wanted = {row["lead_id"]: row for row in frame.assign(date=str(frame["date"][0])).to_dict("records")}
    settings = {"kind": "sql", "database": database, "table": "leads", "closed": {"stage": ["won"]}}
    sink = SqlSink(Sql.model_validate(settings), {name: name for name in _FIELDS}, folder)
    keys = list(wanted)

    def push_batch(first: int) -> None:
        batch = keys[first : first + sink.batch_size]
        records = []
        for key, remote in sink.read(batch).items():
            has, wants = dict(remote.values), wanted[key]
            changed = {field: wants[field] for field in _FIELDS if has[field] != wants[field]}
            records.append(Record(key, changed, remote.remote_id))
        assert all(outcome.status == "written" for outcome in sink.write(records))

    start = time.perf_counter()
    with ThreadPoolExecutor(sink.batches_at_once) as threads:
        list(threads.map(push_batch, range(0, len(keys), sink.batch_size)))
    return time.perf_counter() - start


def push_by_pandas(database: str, folder: Path, leads: int) -> float:
    """Push by a staging table; gives the seconds."""
    frame, engine = _scores(leads, 0.25), _engine(database, folder)
    copying: Any = _copy if engine.dialect.name == "postgresql" else None
    start = time.perf_counter()
    with engine.begin() as connection:
        there = pd.read_sql("SELECT * FROM leads WHERE stage <> 'won'", connection)
        both = frame.merge(there, on="lead_id", suffixes=("", "_there"))
        changed = both[(both["tier"] != both["tier_there"]) | (both["probability"] != both["probability_there"])]
        staged = changed[frame.columns]
        staged.to_sql("staging", connection, if_exists="replace", index=False, method=copying)
        values = ", ".join(f"{name} = staging.{name}" for name in _FIELDS)
        connection.execute(sa.text(f"UPDATE leads SET {values} FROM staging WHERE leads.lead_id = staging.lead_id"))
        connection.execute(sa.text("DROP TABLE staging"))
    return time.perf_counter() - start


def _copy(table: Any, connection: sa.Connection, names: list[str], rows: Iterator[tuple[object, ...]]) -> None:  # noqa: ANN401 - pandas's own
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copying:
        for row in rows:
            copying.write_row(row)


def against_pandas(folder: Path, progress: Callable[[str], None], leads: int = _LEADS) -> Iterator[Result]:
    """Measure both on both systems, and compare what they have written."""
    for system, database in (("SQLite", _SQLITE), ("PostgreSQL", _POSTGRESQL)):
        task, peer = f"push of {leads:,} changed leads to {system}", "pandas' read_sql, to_sql and UPDATE FROM"
        if system == "PostgreSQL" and not os.environ.get("CRM_DATABASE"):
            yield skipped(task, peer, "CRM_DATABASE is not set", _GOAL)
            continue
        progress(task)
        measured: list[Measurement] = []
        written: list[Sequence[object]] = []
        for way in (push, push_by_pandas):
            _make_table(database, folder, leads)
            measured.append(measure(way, database, folder, leads, repeats=1))
            with _engine(database, folder).connect() as connection:
                written.append(connection.execute(sa.text("SELECT * FROM leads ORDER BY lead_id")).fetchall())
        if written[0] != written[1]:
            raise DifferenceError(f"{task}: the two have written something else")
        yield within(task, peer, measured[0], measured[1], _GOAL)


def _make_table(database: str, folder: Path, leads: int) -> None:
    if database == _SQLITE:
        (folder / "crm.sqlite").touch()
    columns = "tier text, probability double precision, reason_1 text, reason_2 text, action text, date date"
    with _engine(database, folder).begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS leads"))
        connection.execute(sa.text(f"CREATE TABLE leads (lead_id text PRIMARY KEY, stage text, {columns})"))
        _scores(leads, 0.5).assign(stage="new").to_sql("leads", connection, if_exists="append", index=False)


def _engine(database: str, folder: Path) -> sa.Engine:
    url = find_url("database", database)
    return sa.create_engine(f"sqlite:///{folder / 'crm.sqlite'}" if database == _SQLITE else url)


def _scores(leads: int, probability: float) -> pd.DataFrame:
    """Make scores that differ in each field where the probability does."""
    numbers = pd.Series(range(leads))
    return pd.DataFrame(
        {
            "lead_id": "L" + numbers.astype(str).str.zfill(8),
            "tier": "SQL" if probability < 0.5 else "IQL",
            "probability": probability + numbers / leads / 10,
            "reason_1": f"{int(100 * probability)} visits of the prices within 7 days",
            "reason_2": f"{int(100 * probability)} days since the last mail",
            "action": "call today" if probability < 0.5 else "nurture",
            "date": date(2026, 6, 30) if probability < 0.5 else date(2026, 6, 29),
        }
    )
