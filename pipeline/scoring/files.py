"""Recommendations as files: Parquet for programs, CSV for a spreadsheet, whole or not at all."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.core.recommendation import HISTORY, OTHER_HORIZON, RECOMMENDATION
from features.core.schema import WORDING, Language
from models.decision.kpis import sums
from pipeline.core.project import write_json, written_whole
from pipeline.core.spreadsheets import DIGITS, FORMULA

ROWS = 65_536
"""Recommendations that are written at once."""
NOT_FOR_PEOPLE = ("model_version", "change_data", "change_time", "change_behaviour", "change_model")
"""The same hash in each row, which ``scoring.json`` has once; and log-odds, whose words stand beside them."""


@dataclass(frozen=True)
class Dialect:
    """How a spreadsheet of a language reads a CSV file without being asked anything."""

    separator: str
    decimal_sign: str


DIALECTS: Mapping[Language, Dialect] = {"en": Dialect(",", "."), "fr": Dialect(";", ",")}


def write_recommendations(path: Path, recommendations: pa.Table, wording: str | None = None) -> None:
    """Write recommendations as Parquet, whole or not at all; ``wording`` says how reasons are worded."""
    types = {field.name: field.arrow for field in (*RECOMMENDATION, *HISTORY)}
    # What else there is are probabilities of other horizons.
    columns = [(name, types.get(name, OTHER_HORIZON.arrow)) for name in recommendations.column_names]
    schema = pa.schema(columns, metadata=None if wording is None else {WORDING: wording})
    with written_whole(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for first in range(0, len(recommendations), ROWS):
            writer.write_table(recommendations.slice(first, ROWS).cast(schema))


def write_csv(path: Path, recommendations: pa.Table, language: Language = "en") -> None:
    """Write recommendations for a spreadsheet of a language, all texts in quotes, whole or not at all.

    The byte order mark tells Excel, in either language, that the letters are UTF-8.
    """
    dialect = DIALECTS[language]
    with written_whole(path) as temporary, temporary.open("wb") as stream:
        stream.write(BOM_UTF8)
        schema = _readable(recommendations.slice(0, 0), dialect).schema
        with pa_csv.CSVWriter(stream, schema, write_options=pa_csv.WriteOptions(delimiter=dialect.separator)) as writer:
            for first in range(0, len(recommendations), ROWS):
                writer.write_table(_readable(recommendations.slice(first, ROWS), dialect))


def write_sums(path: Path, recommendations: pa.Table, told: Mapping[str, object]) -> None:
    """Write what recommendations add up to, beside what is ``told`` of them, whole or not at all."""
    write_json(path, {**told, **sums(recommendations)})


def _readable(recommendations: pa.Table, dialect: Dialect) -> pa.Table:
    cells = {}
    for name, column in zip(recommendations.column_names, recommendations.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            cells[name] = pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_list(column.type):
            cells[name] = pc.binary_join(column, "; ")
    shown = {name: cells.get(name, recommendations[name]) for name in recommendations.column_names}
    return pa.table({name: _as_cells(column, dialect) for name, column in shown.items() if name not in NOT_FOR_PEOPLE})


def _as_cells(column: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    """Round numbers, and keep a spreadsheet from running a text that begins as a formula does.

    An apostrophe makes it text again.
    """
    if pa.types.is_floating(column.type):
        rounded = pc.round(column, DIGITS)
        if dialect.decimal_sign == ".":
            return rounded
        return pc.replace_substring(rounded.cast(pa.string()), ".", dialect.decimal_sign)
    if pa.types.is_string(column.type):
        formula = pc.match_substring_regex(column, FORMULA)
        return pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)
    return column
