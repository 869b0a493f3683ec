"""What to set where too many values of a table could not be read: the format of its times, its words for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from pipeline.core.sql import file_literal
from pipeline.ingest.rows import Job
from pipeline.reading.moments import TOO_EARLY, advise_format
from pipeline.reading.nothing import in_yaml, may_be_nothing
from pipeline.reading.quarantine import SetAside
from pipeline.reading.readers import copy_rows

_VALUES = 10_000
"""How many values of a column of a file are looked at."""
_SHOWN = 5


def advise(
    connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], refused: Sequence[Sequence[SetAside]], folder: Path
) -> list[str]:
    """Say which settings would read what could not be read; looks into the files once more."""
    advice = [
        f"  {part.table}: {told}"
        for parts in refused
        for part in parts
        for field, column in (jobs[part.table].times | jobs[part.table].numbers).items()
        if part.reason in _reasons(field)
        for told in _advise_column(connection, jobs[part.table], field, column, folder)
    ]
    return list(dict.fromkeys(advice))


def _reasons(field: str) -> set[str]:
    """List why a row is set aside whose time, or number, may be a word for nothing or another format."""
    return {f"unreadable {field}", f"{field} after 2100", *(f"{field} {what}" for _, what in TOO_EARLY)}


def _advise_column(
    connection: duckdb.DuckDBPyConnection, job: Job, field: str, column: str, folder: Path
) -> Iterator[str]:
    values: set[str] = set()
    for opened in job.opened:
        raw = f"trim(CAST({opened.columns[column].sql} AS VARCHAR))"
        found = folder / "values.parquet"
        query = f"SELECT DISTINCT {raw} AS text FROM ({{}}) WHERE reason IS NULL AND {raw} <> '' LIMIT {_VALUES}"
        copy_rows(connection, opened, query.format, found)
        rows = connection.execute(f"SELECT text FROM read_parquet({file_literal(found)})").fetchall()
        values.update(text for (text,) in rows)
    words = sorted(filter(may_be_nothing, values))[:_SHOWN]
    if words:
        listed = in_yaml(words)
        yield f"{listed} in {column!r} may stand for nothing; if so, set nothing: [{listed}]"
    told = advise_format(column, values - set(words), job.settings.time_format) if field in job.times else None
    if told and values != set(words):
        yield told
