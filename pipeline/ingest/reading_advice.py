"""What to set where too many values of a table could not be read: the format of its times, its words for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from pipeline.core.sql import file_literal
from pipeline.ingest.source_table import SourceTable
from pipeline.reading.moments import TOO_EARLY, ambiguous, fitting_formats, read_by_format
from pipeline.reading.nothing import in_yaml, may_be_nothing
from pipeline.reading.quarantine import SetAside
from pipeline.reading.readers import copy_rows
from pipeline.reading.texts import shape
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
    told = _advise_format(column, values - set(words), table.settings.time_format) if field in table.times else None
    if told and values != set(words):
        yield told


def _advise_format(column: str, values: Iterable[str], tried: tuple[str, ...]) -> str | None:
    """Say what to set as time_format of a column, or none where ``tried`` is the best there is.

    Only a text that is a time is shown as it is: another one may be a name.
    """
    texts = sorted(set(values))
    fits = fitting_formats(texts)
    if not fits:
        example = f" of the form {shape(texts[0])[:40]!r}" if texts else ""
        return (
            f"texts{example} in {column!r} fit no format of times that is known here; map a column of times, or state "
            "time_format in strptime's codes"
        )
    alike = ambiguous(fits) or fits[:1]
    if any(set(fit.formats) <= set(tried) for fit in alike):
        return None
    example = min(chain(*read_by_format(texts, alike[0].formats).values()))
    if len(alike) > 1:
        return (
            f"times such as {example} in {column!r} fit {' and '.join(str(fit) for fit in alike)} alike; "
            f"name one: time_format: {alike[0]}"
        )
    part = "" if fits[0].share == 1 else f" ({fits[0].share:.0%} of them)"
    return f"times such as {example} in {column!r} fit {fits[0]}{part}; set time_format: {fits[0]}"
