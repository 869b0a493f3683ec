"""Columns of the raw table of leads: read for one page or file as it is made, and kept nowhere else.

Who asks names them by their places in the settings, as in ``leads.shown.name``: errors say which place is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb
import pyarrow as pa

from features.core.errors import SettingsError, nearest
from pipeline.core.project import Project
from pipeline.core.sql import Relation, fetch_row, file_literal, literal, open_reader
from pipeline.reading.databases import fetch
from pipeline.reading.nested import find_column
from pipeline.reading.readers import (
    OpenFile,
    choose_columns,
    copy_rows,
    open_table,
    read_as,
    read_beside,
    table_columns,
)
from pipeline.reading.texts import names, text
from pipeline.settings.ingest import Ingest
from pipeline.settings.types import Column

Wanted = Mapping[str, Column]
"""Columns by their places in the settings."""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    data_root: str
    ingest: Ingest


def read_of_leads(
    project: Project[Sections], wanted: Wanted, as_of: datetime, leads: Sequence[str] | None = None
) -> dict[str, dict[str, str]]:
    """Give the texts of columns by lead_id and by their places; what is empty is not there, spaces around it go.

    Of a lead that has several rows, its own first row that holds a text says it, and else one of an alias that was
    known as its own before ``as_of`` (UTC). ``leads`` are whom to read of; all, without. Raises SettingsError where the
    table has no such column, or is a query over others, InputError where it can't be read.
    """
    fields = _fields(wanted)
    with _opened(project, wanted) as (connection, files, scratch), ExitStack() as stack:
        of_whom = "lead IS NOT NULL"
        if leads is not None:
            asked = Relation(connection, "asked leads")
            stack.enter_context(asked.show(pa.table({"lead_id": pa.array(leads, pa.string())})))
            of_whom = f"lead IN (SELECT lead_id FROM {asked})"
        moment = f"{literal(as_of.isoformat(sep=' '))}::TIMESTAMP"
        rows = _copy(
            (connection, files, scratch),
            wanted,
            _key(project),
            lambda number, raw: (
                f"SELECT coalesce(alias.lead_id, raw.id) AS lead, alias.lead_id IS NOT NULL AS is_alias, "
                f"{number} AS file, raw.* FROM ({raw}) AS raw LEFT JOIN "
                f"(FROM read_parquet({file_literal(project.aliases)}) WHERE linked_at < {moment} "
                f"AND coalesce(contested_at >= {moment}, true)) AS alias ON alias.alias_id = raw.id WHERE {of_whom}"
            ),
        )
        first = ", ".join(f"arg_min({field}, (is_alias, file, line)) AS {field}" for field in fields)
        found = connection.sql(f"SELECT lead, {first} FROM {rows} GROUP BY lead").fetchall()
    texts = {lead: dict(zip(wanted, of_lead, strict=True)) for lead, *of_lead in found}
    return {
        lead: {place: value for place, value in of_lead.items() if value is not None}
        for lead, of_lead in texts.items()
        if any(of_lead.values())
    }


def find_empty(project: Project[Sections], wanted: Wanted) -> list[str]:
    """Name the places of columns that hold nothing in any row; raises as ``read_of_leads`` does."""
    fields = _fields(wanted)
    with _opened(project, wanted) as opened:
        counted = ", ".join(f"count({field}) AS {field}" for field in fields)
        rows = _copy(opened, wanted, _key(project), lambda _, raw: f"SELECT {counted} FROM ({raw})")
        sums = fetch_row(opened[0], f"SELECT {', '.join(f'sum({field})' for field in fields)} FROM {rows}")
    return [place for place, number in zip(wanted, sums, strict=True) if not number]


def _fields(wanted: Wanted) -> list[str]:
    return [f"c{number}" for number in range(len(wanted))]


def _key(project: Project[Sections]) -> Column:
    assert project.parameters.ingest.leads is not None  # noqa: S101 - it was opened
    return project.parameters.ingest.leads.columns.lead_id


_Opened = tuple[duckdb.DuckDBPyConnection, Sequence[OpenFile], Path]
"""A connection, the files of the table, and a folder that goes with all that is in it."""


@contextmanager
def _opened(project: Project[Sections], wanted: Wanted) -> Iterator[_Opened]:
    """Open the table by the columns that are wanted of it; what is copied lies in a folder of the system's."""
    table, data_root = project.parameters.ingest.leads, project.root / project.parameters.data_root
    label = next(iter(wanted))
    if table is None or (table.path is None and table.database is None):
        raise SettingsError(
            f"{label} is read from the files of ingest.leads, or its database, and there are none; give ingest.leads a "
            "path or a database"
        )
    columns = [*names(table.columns.lead_id), *(one for column in wanted.values() for one in names(column))]
    with TemporaryDirectory() as folder, open_reader() as connection:
        if table.path is None:
            asked = fetch(label, table, data_root, Path(folder) / "asked.parquet", lambda _: None)
            _refuse_missing(wanted, asked.names)
            yield connection, read_as(table, choose_columns(label, [asked], read_beside(table, columns))), Path(folder)
            return
        _refuse_missing(wanted, table_columns(label, table, data_root))
        yield connection, open_table(label, table, columns, data_root), Path(folder)


def _refuse_missing(wanted: Wanted, held: Sequence[str]) -> None:
    """Raise SettingsError where the table lacks a column; one inside of another is looked for when it is read."""
    for place, column in wanted.items():
        for name in names(column):
            if find_column(name, held) is None:
                raise SettingsError(f"{place}: the table of leads has no column {name!r}; {nearest(name, held)}")


def _copy(opened: _Opened, wanted: Wanted, key: Column, query: Callable[[int, str], str]) -> str:
    """Copy what a query makes of the raw rows (line, id, and a field each) of all files; gives it as a relation."""
    connection, files, scratch = opened
    for number, file in enumerate(files):
        fields = "".join(
            f", nullif(trim({text(column, file.columns)}, ' \t\u00a0\u202f'), '') AS {field}"
            for column, field in zip(wanted.values(), _fields(wanted), strict=True)
        )
        chosen = f"SELECT line, {text(key, file.columns)} AS id{fields}"

        def of_file(relation: str, number: int = number, chosen: str = chosen) -> str:
            return query(number, f"{chosen} FROM ({relation}) WHERE reason IS NULL")

        copy_rows(connection, file, of_file, scratch / f"rows-{number:06}.parquet")
    return f"read_parquet({file_literal(scratch)[:-1]}/rows-*.parquet')"
