"""Settings of a table that would have no effect on it: refused, for who wrote them expects one.

time_zone: Europe/Paris    beside times that are counted from 1970, or carry an offset
time_format: '%d/%m/%Y'    beside times that Parquet or a database holds as such
decimal: ','               where no number is text
delimiter: ';'             of a file that has none, as sheet, header_line and footer_lines

What files give away of a zone is told only, for some of their times are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from features.core.errors import SettingsError
from pipeline.core.sql import fetch_row, file_literal
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.reading.moments import EPOCHS, parses_offset
from pipeline.reading.nested import RawColumn
from pipeline.reading.raw_files import Format
from pipeline.reading.readers import OpenFile, copy_rows
from pipeline.reading.texts import is_text
from pipeline.settings.ingest import Owners, Rates, Spend

_OF_FORMATS: Mapping[str, set[Format]] = {
    "delimiter": {"delimited"},
    "sheet": {"workbook"},
    "header_line": {"delimited", "workbook"},
    "footer_lines": {"delimited", "workbook"},
}
_LOOKED_AT = 10_000
"""Times of a column."""
_OFFSET = r"(?i).*\d(\.\d+)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)"


def refuse_idle(tables: Tables, read: Tables) -> None:
    """Raise SettingsError where a setting of a table has no effect, of all tables at once.

    ``read`` are the ``ingest.tables`` that queries have read, by their names.
    """
    found = [
        f"  {table.label}: {told}"
        for table in tables.values()
        for told in [*_of_files(table), *_of_times(table), *_of_numbers(table)]
    ]
    found += [f"  {table.label}: {told}" for table in read.values() for told in [*_of_files(table), *_of_texts(table)]]
    if found:
        raise SettingsError("settings that have no effect, and may hide a mistake:\n" + "\n".join(found))


def _is_given(table: SourceTable, key: str) -> bool:
    return bool(getattr(table.settings, key) != type(table.settings).model_fields[key].default)


def _of_files(table: SourceTable) -> Iterator[str]:
    formats = {opened.file.format for opened in table.files}
    what = "the rows of a query have none" if table.settings.query else f"{table.settings.path} has none"
    for key, kinds in _OF_FORMATS.items():
        if _is_given(table, key) and not formats & kinds:
            yield f"{key} has no effect, for {what}; leave it out"
    if table.settings.encoding and not any(opened.file.is_text for opened in table.files):
        yield f"encoding has no effect, for {what} of its own; leave it out"


def _of_texts(table: SourceTable) -> Iterator[str]:
    for key in ("time_zone", "time_format", "decimal", "thousands"):
        if _is_given(table, key):
            yield f"{key} has no effect, for queries read its texts as they are; write it into the query"


def _of_times(table: SourceTable) -> Iterator[str]:
    held = list(_held(table.files, table.times.values()))
    named, settings = ", ".join(dict.fromkeys(table.times.values())), table.settings
    if _is_given(table, "time_format") and held and all(_is_time(column) for column in held):
        yield f"time_format has no effect, for the times ({named}) are held as such; leave it out"
    # A day of spending, or of an owner, is a day of that zone, whatever its time is written in.
    if settings.time_zone == "UTC" or isinstance(settings, Spend | Rates | Owners):
        return
    if held and not any(_may_be_local(column, settings.time_format) for column in held):
        counted = set(settings.time_format) & set(EPOCHS)
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


def _of_numbers(table: SourceTable) -> Iterator[str]:
    named = list(table.numbers.values())
    if any(is_text(column) for column in _held(table.files, named)):
        return
    for key in ("decimal", "thousands"):
        if _is_given(table, key):
            why = f"no number ({', '.join(named)}) is text" if named else "no column of numbers is mapped"
            yield f"{key} has no effect, for {why}; leave it out"


def _held(files: Iterable[OpenFile], names: Iterable[str]) -> Iterator[RawColumn]:
    wanted = list(names)
    for opened in files:
        columns = opened.columns
        yield from (columns[name] for name in wanted)


def zone_warnings(tables: Tables, folder: Path) -> Iterator[str]:
    """Tell of tables with a zone all of whose times carry an offset, and of times that begin to carry one, or cease to.

    Some times of the first file are looked at, and some of the last.
    """
    for name, table in tables.items():
        zone = table.settings.time_zone
        looked_at = [*table.files[:1], *table.files[1:][-1:]]
        columns = list(table.times.values())
        if isinstance(table.settings, Spend | Rates | Owners) or (zone == "UTC" and len(looked_at) == 1):
            continue
        if not columns or not all(is_text(opened.columns[time]) for opened in looked_at for time in columns):
            continue
        times = with_offset = 0
        for time in columns:
            counts = [_count_offsets(table, opened, opened.columns[time], folder) for opened in looked_at]
            times, with_offset = times + sum(of for of, _ in counts), with_offset + sum(own for _, own in counts)
            if all(of for of, _ in counts) and {own / of for of, own in counts} == {0.0, 1.0}:
                has, lacks = sorted(zip(counts, looked_at, strict=True), key=lambda one: -one[0][1])
                yield (
                    f"{name}: times ({time}) of {has[1].file.name} carry an offset, those of {lacks[1].file.name} "
                    f"none, and count as {zone}; if they are of another zone, state it as time_zone"
                )
        if times and with_offset == times and zone != "UTC":
            yield (
                f"{name}: time_zone is {zone}, but all {times:,} times that were looked at carry an "
                "offset, and obey it; leave time_zone out"
            )


def _count_offsets(table: SourceTable, opened: OpenFile, column: RawColumn, folder: Path) -> tuple[int, int]:
    """Count times of a column, and those of them that carry an offset."""
    target = folder / "times.parquet"
    chosen = f"reason IS NULL AND {column.sql} <> '' LIMIT {_LOOKED_AT}"
    copy_rows(table.connection, opened, f"SELECT {column.sql} AS text FROM ({{}}) WHERE {chosen}".format, target)
    looked = f"SELECT count(*), count(*) FILTER (regexp_full_match(trim(text), '{_OFFSET}')) "
    times, with_offset = fetch_row(table.connection, f"{looked} FROM read_parquet({file_literal(target)})")
    return times, with_offset
