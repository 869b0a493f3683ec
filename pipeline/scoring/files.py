"""Recommendations as files: Parquet for programs, CSV for a spreadsheet, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.core.schema import HISTORY, OTHER_HORIZON, RECOMMENDATION
from models.decision.kpis import sums
from pipeline.core.project import write_json, written_whole
from pipeline.core.spreadsheets import FORMULA

ROWS = 65_536
"""Recommendations that are written at once."""


def write_recommendations(path: Path, recommendations: pa.Table) -> None:
    """Write recommendations as Parquet, whole or not at all."""
    types = {field.name: field.arrow for field in (*RECOMMENDATION, *HISTORY)}
    # What else there is are probabilities of other horizons.
    schema = pa.schema([(name, types.get(name, OTHER_HORIZON.arrow)) for name in recommendations.column_names])
    with written_whole(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for first in range(0, len(recommendations), ROWS):
            writer.write_table(recommendations.slice(first, ROWS).cast(schema))


def write_csv(path: Path, recommendations: pa.Table) -> None:
    """Write recommendations for a spreadsheet, all texts in quotes, whole or not at all."""
    with written_whole(path) as temporary:
        schema = _readable(recommendations.slice(0, 0)).schema
        with pa_csv.CSVWriter(temporary, schema) as writer:
            for first in range(0, len(recommendations), ROWS):
                writer.write_table(_readable(recommendations.slice(first, ROWS)))


def write_sums(path: Path, recommendations: pa.Table, told: Mapping[str, object]) -> None:
    """Write what recommendations add up to, beside what is ``told`` of them, whole or not at all."""
    write_json(path, {**told, **sums(recommendations)})


def _readable(recommendations: pa.Table) -> pa.Table:
    texts = {
        "lead_id": _as_cells(recommendations["lead_id"]),
        "as_of": pc.strftime(recommendations["as_of"], "%Y-%m-%dT%H:%M:%SZ"),
        "facts": _as_cells(pc.binary_join(recommendations["facts"], "; ")),
        "reasons": _as_cells(pc.binary_join(recommendations["reasons"], "; ")),
        "model_version": recommendations["model_version"].cast(pa.string()),
    }
    return pa.table({name: texts.get(name, recommendations[name]) for name in recommendations.column_names})


def _as_cells(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Keep a spreadsheet from running a text that begins as a formula does: an apostrophe makes it text again."""
    formula = pc.match_substring_regex(texts, FORMULA)
    return pc.if_else(formula, pc.binary_join_element_wise("'", texts, ""), texts)
