"""A row of which a column says that it does not count is set aside, from every kind of file, and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.sql import file_literal
from pipeline.profiling.empty_words import find_left_out
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table

ROWS = (("a", False), ("b", True), ("c", None))


def write_delimited(folder: Path) -> str:
    lines = ["id;gone", *(f"{key};{'' if gone is None else str(gone).lower()}" for key, gone in ROWS)]
    (folder / "x.csv").write_text("\n".join(lines))
    return "x.csv"


def write_objects(folder: Path) -> str:
    (folder / "x.jsonl").write_text("\n".join(json.dumps({"id": key, "gone": gone}) for key, gone in ROWS))
    return "x.jsonl"


def write_parquet(folder: Path) -> str:
    pq.write_table(pa.table({"id": [key for key, _ in ROWS], "gone": [gone for _, gone in ROWS]}), folder / "x.parquet")
    return "x.parquet"


@pytest.mark.parametrize("write", [write_delimited, write_objects, write_parquet])
def test_a_row_that_was_deleted_is_set_aside(write: Callable[[Path], str], tmp_path: Path) -> None:
    table = Table.model_validate({"path": write(tmp_path), "left_out": {"gone": ["true"]}})
    [opened] = open_table("ingest.sources.x", table, ("id",), tmp_path)
    asked = f"SELECT {opened.columns['id'].sql}, reason FROM ({{}}) ORDER BY line"
    with duckdb.connect() as connection:
        copy_rows(connection, opened, asked.format, tmp_path / "rows.parquet")
        rows = connection.execute(f"FROM read_parquet({file_literal(tmp_path / 'rows.parquet')})").fetchall()
    assert rows == [("a", None), ("b", "left out"), ("c", None)]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"is_deleted": ("false", "true", "false")}, {"is_deleted": ("true",)}),
        ({"IsDeleted": ("0", "0", "1")}, {"IsDeleted": ("1",)}),
        ({"Supprimé": ("", "", "oui")}, {"Supprimé": ("oui",)}),
        ({"Test Lead": ("No", "Yes", "No")}, {"Test Lead": ("Yes",)}),
        ({"deleted": ("true", "true", "false")}, {}),  # most rows are: it means another thing
        ({"is_deleted": ("false", "false", "false")}, {}),
        ({"deleted": ("no", "2026-01-05", "yes")}, {}),
        ({"is_archived": ("f", "t", "f")}, {}),  # as lost leads are
        ({"test_drive": ("no", "yes", "no")}, {}),
    ],
)
def test_init_finds_which_column_says_it(
    answers: Mapping[str, tuple[str, ...]], found: Mapping[str, tuple[str, ...]]
) -> None:
    [(name, texts)] = answers.items()
    values = " UNION ALL ".join(f"SELECT '{text}' AS a" for text in texts)
    with duckdb.connect() as connection:
        left_out, told = find_left_out(connection, f"({values})", {name: "a"})
    assert left_out == found
    assert told == [
        f"{column} says {words[0]} of 1 of the 3 rows: they are left out" for column, words in found.items()
    ]
