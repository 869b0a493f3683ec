"""Settings of a table that would have no effect on it: refused, for who wrote them expects one.

time_zone: Europe/Paris    beside times that are counted from 1970, or carry an offset
time_format: '%d/%m/%Y'    beside times that Parquet or a database holds as such
decimal: ','               where no number is text
delimiter: ';'             of a file that has none, as header_line and footer_lines
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import duckdb

from features.core.errors import SettingsError
from pipeline.core.sql import fetch_row, file_literal
from pipeline.ingest.rows import Job
from pipeline.reading.moments import EPOCHS, parses_offset
from pipeline.reading.readers import OpenFile, RawColumn, copy_rows
from pipeline.reading.texts import is_text
from pipeline.settings.ingest import Rates, Source, Spend, Table

_LOOKED_AT = 10_000
"""Times of a column."""
_OFFSET = r"(?i).*\d(\.\d+)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)"


def refuse_idle(jobs: Mapping[str, Job], read: Mapping[str, Job]) -> None:
    """Raise SettingsError where a setting of a table has no effect, of all tables at once.

    ``read`` are the ``ingest.tables`` that queries have read, by their names.
    """
    found = [
        f"  {_label(name, job.settings)}: {told}"
        for name, job in jobs.items()
        for told in [*_of_files(job.settings, job.opened), *_of_times(job), *_of_numbers(job)]
    ]
    found += [
        f"  ingest.tables.{name}: {told}"
        for name, job in read.items()
        for told in [*_of_files(job.settings, job.opened), *_of_texts(job.settings)]
    ]
    if found:
        raise SettingsError("settings that have no effect, and may hide a mistake:\n" + "\n".join(found))


def _label(name: str, table: Table) -> str:
    return f"ingest.sources.{name}" if isinstance(table, Source) else f"ingest.{name}"


def _is_given(table: Table, key: str) -> bool:
    return bool(getattr(table, key) != type(table).model_fields[key].default)


def _of_files(table: Table, files: Iterable[OpenFile]) -> Iterator[str]:
    formats = {opened.file.format for opened in files}
    what = "the rows of a query have none" if table.query else f"{table.path} has none"
    for key in ("delimiter", "header_line", "footer_lines"):
        if _is_given(table, key) and "delimited" not in formats:
            yield f"{key} has no effect, for {what}; leave it out"
    if table.encoding and formats == {"parquet"}:
        yield f"encoding has no effect, for {what} of its own; leave it out"


def _of_texts(table: Table) -> Iterator[str]:
    for key in ("time_zone", "time_format", "decimal", "thousands"):
        if _is_given(table, key):
            yield f"{key} has no effect, for queries read its texts as they are; write it into the query"


def _of_times(job: Job) -> Iterator[str]:
    held = list(_held(job.opened, job.times.values()))
    named = ", ".join(dict.fromkeys(job.times.values()))
    if _is_given(job.settings, "time_format") and held and all(_is_time(column) for column in held):
        yield f"time_format has no effect, for the times ({named}) are held as such; leave it out"
    # A day of spending is a day of that zone, whatever its time is written in.
    if job.settings.time_zone == "UTC" or isinstance(job.settings, Spend | Rates):
        return
    if held and not any(_may_be_local(column, job.settings.time_format) for column in held):
        counted = set(job.settings.time_format) & set(EPOCHS)
        why = "are counted from 1970 in UTC" if counted else "carry an offset"
        advice = "; if they are local times all the same, turn them into texts in a query" if counted else ""
        yield f"time_zone has no effect, for the times ({named}) {why}; leave it out{advice}"


def _is_time(column: RawColumn) -> bool:
    return column.type.startswith("TIMESTAMP") or column.type == "DATE"


def _may_be_local(column: RawColumn, formats: Iterable[str]) -> bool:
    if _is_time(column):
        return column.type != "TIMESTAMP WITH TIME ZONE"
    written = [name for name in formats if name not in EPOCHS and (is_text(column) or name != "iso")]
    return any(name == "iso" or not parses_offset(name) for name in written)


def _of_numbers(job: Job) -> Iterator[str]:
    named = list(job.numbers.values())
    if any(is_text(column) for column in _held(job.opened, named)):
        return
    for key in ("decimal", "thousands"):
        if _is_given(job.settings, key):
            why = f"no number ({', '.join(named)}) is text" if named else "no column of numbers is mapped"
            yield f"{key} has no effect, for {why}; leave it out"


def _held(files: Iterable[OpenFile], names: Iterable[str]) -> Iterator[RawColumn]:
    wanted = list(names)
    for opened in files:
        columns = opened.columns
        yield from (columns[name] for name in wanted)


def idle_zones(connection: duckdb.DuckDBPyConnection, jobs: Mapping[str, Job], folder: Path) -> Iterator[str]:
    """Tell of tables with a zone all of whose times, as far as looked at, carry an offset."""
    for name, job in jobs.items():
        if job.settings.time_zone == "UTC" or isinstance(job.settings, Spend | Rates):
            continue
        texts = [(opened, opened.columns[time]) for opened in job.opened for time in job.times.values()]
        if not texts or not all(is_text(column) for _, column in texts):
            continue
        times = with_offset = 0
        for opened, column in texts:
            target = folder / "times.parquet"
            query = f"SELECT {column.sql} AS text FROM ({{}}) WHERE reason IS NULL AND {column.sql} <> ''"
            copy_rows(connection, opened, partial((query + f" LIMIT {_LOOKED_AT}").format), target)
            looked = f"SELECT count(*), count(*) FILTER (regexp_full_match(trim(text), '{_OFFSET}')) "
            counts = fetch_row(connection, f"{looked} FROM read_parquet({file_literal(target)})")
            times, with_offset = times + counts[0], with_offset + counts[1]
            if with_offset < times:
                break
        if times and with_offset == times:
            yield (
                f"{name}: time_zone is {job.settings.time_zone}, but all {times:,} times that were looked at carry an "
                "offset, and obey it; leave time_zone out"
            )
