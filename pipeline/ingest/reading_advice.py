"""What to set where too many values of a table could not be read: the format of its times, its words for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.core.sql import file_literal
from pipeline.ingest.source_table import SourceTable
from pipeline.reading.moments import TOO_EARLY, advise_format
from pipeline.reading.nothing import in_yaml, may_be_nothing
from pipeline.reading.quarantine import SetAside
from pipeline.reading.readers import copy_rows
from pipeline.reading.workbooks import FLAWED, UNCALCULATED

_VALUES = 10_000
"""How many values of a column of a file are looked at."""
_SHOWN = 5


def advise(refused: Sequence[SourceTable], folder: Path) -> list[str]:
    """Say which settings would read what could not be read; looks into the files once more."""
    advice = [
        f"  {table.name}: {told}"
        for table in refused
        for part in table.set_aside
        for field, column in (table.times | table.numbers).items()
        if part.reason in _reasons(field)
        for told in _advise_column(table, field, column, folder)
    ]
    advice += [f"  {table.name}: {told}" for table in refused for told in map(_advise_cell, table.set_aside) if told]
    return list(dict.fromkeys(advice))


def _advise_cell(part: SetAside) -> str | None:
    """Say what to do about cells of a workbook that hold an error."""
    word, flawed, rest = part.reason.partition(FLAWED.format(""))
    if not flawed or rest:
        return None
    if word == UNCALCULATED:
        return "its formulas were never calculated; open the workbook in a spreadsheet and save it"
    return f"if {word} stands for nothing, set nothing: [{in_yaml([word])}]"


def _reasons(field: str) -> set[str]:
    """List why a row is set aside whose time, or number, may be a word for nothing or another format."""
    return {f"unreadable {field}", f"{field} after 2100", *(f"{field} {what}" for _, what in TOO_EARLY)}


def _advise_column(table: SourceTable, field: str, column: str, folder: Path) -> Iterator[str]:
    values: set[str] = set()
    for opened in table.files:
        raw = f"trim(CAST({opened.columns[column].sql} AS VARCHAR))"
        found = folder / "values.parquet"
        query = f"SELECT DISTINCT {raw} AS text FROM ({{}}) WHERE reason IS NULL AND {raw} <> '' LIMIT {_VALUES}"
        copy_rows(table.connection, opened, query.format, found)
        rows = table.connection.execute(f"SELECT text FROM read_parquet({file_literal(found)})").fetchall()
        values.update(text for (text,) in rows)
    words = sorted(filter(may_be_nothing, values))[:_SHOWN]
    if words:
        listed = in_yaml(words)
        yield f"{listed} in {column!r} may stand for nothing; if so, set nothing: [{listed}]"
    told = advise_format(column, values - set(words), table.settings.time_format) if field in table.times else None
    if told and values != set(words):
        yield told
