"""By what people know the leads that a page shows (``leads.shown``): read of the raw table when the page is made.

Nothing of it is kept but on the page: it is in no file of data/, no feature, no log, and not in MLflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from features.core.errors import SettingsError, nearest
from pipeline.core.project import Project
from pipeline.core.sql import Relation, file_literal, open_reader
from pipeline.reading.databases import fetch
from pipeline.reading.nested import find_column
from pipeline.reading.readers import OpenFile, choose_columns, copy_rows, open_table, table_columns
from pipeline.reading.texts import names, text
from pipeline.report.lines import Sections
from pipeline.report.looked_up import ids_of
from pipeline.settings.ingest import Leads
from pipeline.settings.leads import Shown

_LABEL = "leads.shown"


def people_of(project: Project[Sections], leads: Sequence[str]) -> dict[str, dict[str, str]]:
    """Tell by what people know leads, by their ids and the names of what is shown; what a lead lacks is not there.

    Of a lead that has several rows, and of those merged into it, its own first row that holds a field says it. Raises
    SettingsError where the table has no such column, InputError where it can't be read.
    """
    shown, table = project.parameters.leads.shown, project.parameters.ingest.leads
    if not shown.columns or table is None:
        return {}
    with TemporaryDirectory() as scratch, open_reader() as connection:
        files = _open(project, table, shown, Path(scratch))
        with Relation(connection, "shown leads").show(ids_of(leads)) as asked:
            for number, file in enumerate(files):
                query = partial(_query, file, table, shown, number, asked, project.aliases)
                copy_rows(connection, file, query, Path(scratch) / f"shown-{number:06}.parquet")
        columns = ", ".join(f"arg_min({name}, (is_alias, file, line)) AS {name}" for name in shown.columns)
        rows = f"read_parquet({file_literal(Path(scratch))[:-1]}/shown-*.parquet')"
        found = connection.sql(f"SELECT lead, {columns} FROM {rows} GROUP BY lead").to_arrow_table().to_pylist()
    return {row.pop("lead"): {name: value for name, value in row.items() if value is not None} for row in found}


def _open(project: Project[Sections], table: Leads, shown: Shown, scratch: Path) -> Sequence[OpenFile]:
    """Open the table by the columns that are wanted of it."""
    data_root = project.root / project.parameters.data_root
    wanted = [*names(table.columns.lead_id), *(one for column in shown.columns.values() for one in names(column))]
    if table.path is None:
        asked = fetch(_LABEL, table, data_root, scratch / "asked.parquet", lambda _: None)
        _refuse_missing(shown, asked.names)
        return choose_columns(_LABEL, [asked], wanted)
    _refuse_missing(shown, table_columns(_LABEL, table, data_root))
    return open_table(_LABEL, table, wanted, data_root)


def _refuse_missing(shown: Shown, held: Sequence[str]) -> None:
    """Raise SettingsError where the table lacks a column; one inside of another is looked for when it is read."""
    for field, column in shown.columns.items():
        for name in names(column):
            if find_column(name, held) is None:
                raise SettingsError(
                    f"{_LABEL}.{field}: the table of leads has no column {name!r}; {nearest(name, held)}"
                )


def _query(
    file: OpenFile, table: Leads, shown: Shown, number: int, asked: Relation, aliases: Path, relation: str
) -> str:
    """Write the SQL that takes the shown leads' own rows, and those of their aliases, out of the raw rows of a file."""
    fields = "".join(f", {text(column, file.columns)} AS {name}" for name, column in shown.columns.items())
    return (
        f"SELECT coalesce(alias.lead_id, raw.id) AS lead, alias.lead_id IS NOT NULL AS is_alias, "
        f"{number} AS file, raw.* "
        f"FROM (SELECT line, {text(table.columns.lead_id, file.columns)} AS id{fields} FROM ({relation}) "
        f"WHERE reason IS NULL) AS raw LEFT JOIN (FROM read_parquet({file_literal(aliases)}) "
        "WHERE contested_at IS NULL) AS alias ON alias.alias_id = raw.id "
        f"WHERE coalesce(alias.lead_id, raw.id) IN (SELECT lead_id FROM {asked})"
    )
