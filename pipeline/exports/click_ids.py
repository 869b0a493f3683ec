"""The click ids of leads, from their raw table: read for one file, and kept nowhere."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import duckdb

from features.core.errors import SettingsError
from pipeline.core.project import Project
from pipeline.core.sql import file_literal
from pipeline.reading.readers import copy_rows, open_table
from pipeline.reading.texts import names, text, trimmed
from pipeline.settings.ingest import Ingest
from pipeline.settings.leads import Exports

_SCRATCH = "data/.tmp"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    data_root: str
    exports: Exports | None
    ingest: Ingest


def is_click_id(text: str) -> bool:
    """Tell whether a text can be a click id: no platform's has other signs, and no formula is made of these.

    >>> is_click_id("Cj0KCQ-x_1"), is_click_id("=HYPERLINK(1)"), is_click_id("gclid=Cj0")
    (True, False, False)
    """
    return _WELL_FORMED.fullmatch(text) is not None


def read_click_ids(
    project: Project[Sections], connection: duckdb.DuckDBPyConnection, as_of: datetime
) -> dict[str, str]:
    """Give the click id of each lead that has one, by lead_id; of several, that of its own first row.

    What stands at an alias is its lead's once both are known as one before ``as_of`` (UTC). Raises SettingsError where
    nobody says which column it is, InputError where the table can't be read.
    """
    exports, leads = project.parameters.exports, project.parameters.ingest.leads
    if exports is None or exports.click_id is None:
        raise SettingsError(
            "nobody says which column holds the click id; name the column of the table of ingest.leads: "
            "exports: {click_id: gclid}"
        )
    if leads is None or leads.path is None:
        raise SettingsError(
            "exports.click_id is read from the files of ingest.leads, and there are none; give ingest.leads a path"
        )
    key, column = leads.columns.lead_id, exports.click_id
    files = open_table("exports.click_id", leads, [*names(key), column], project.root / project.parameters.data_root)
    scratch = project.root / _SCRATCH
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch) as folder:
        for number, file in enumerate(files):
            query = (
                f"SELECT {number} AS file, line, {text(key, file.columns)} AS id, "
                f"nullif({trimmed(file.columns[column])}, '') AS click_id FROM ({{}}) WHERE reason IS NULL"
            )
            copy_rows(connection, file, query.format, Path(folder) / f"{number:06}.parquet")
        rows = connection.execute(
            "SELECT coalesce(alias.lead_id, id), arg_min(click_id, (alias.lead_id IS NOT NULL, file, line)) "
            f"FROM read_parquet('{Path(folder).as_posix()}/*.parquet') "
            f"LEFT JOIN read_parquet({file_literal(project.aliases)}) AS alias ON alias_id = id "
            "AND linked_at < $as_of AND coalesce(contested_at >= $as_of, true) "
            "WHERE id IS NOT NULL AND click_id IS NOT NULL GROUP BY 1",
            {"as_of": as_of},
        ).fetchall()
    return dict(rows)
