"""A day whose hour stands in another column is read with it, from every kind of file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from workbook_files import workbook

from pipeline.core.sql import file_literal
from pipeline.reading.readers import copy_rows, open_table
from pipeline.settings.table import Table

ROWS = (("a", "2026-01-05", "14:30:00"), ("b", "2026-01-05", None), ("c", None, "09:15:00"))


def write_delimited(folder: Path) -> str:
    lines = [";".join(part or "" for part in row) for row in (("id", "day", "hour"), *ROWS)]
    (folder / "x.csv").write_text("\n".join(lines))
    return "x.csv"


def write_objects(folder: Path) -> str:
    objects = [json.dumps({"id": key, "day": day, "hour": hour}) for key, day, hour in ROWS]
    (folder / "x.jsonl").write_text("\n".join(objects))
    return "x.jsonl"


def write_parquet(folder: Path) -> str:
    days = [day and date.fromisoformat(day) for _, day, _ in ROWS]
    hours = [hour and time.fromisoformat(hour) for *_, hour in ROWS]
    table = pa.table({"id": [key for key, *_ in ROWS], "day": days, "hour": pa.array(hours, pa.time64("us"))})
    pq.write_table(table, folder / "x.parquet")
    return "x.parquet"


def write_workbook(folder: Path) -> str:
    cells = [[key, day and date.fromisoformat(day), hour and time.fromisoformat(hour)] for key, day, hour in ROWS]
    (folder / "x.xlsx").write_bytes(workbook([["id", "day", "hour"], *cells]))
    return "x.xlsx"


def read(folder: Path, path: str, wanted: tuple[str, ...], **settings: object) -> list[tuple[str | None, ...]]:
    table = Table.model_validate({"path": path, "time_of_day": {"day": "hour"}} | settings)
    [opened] = open_table("ingest.sources.x", table, wanted, folder)
    columns = ", ".join(opened.columns[name].sql for name in wanted)
    with duckdb.connect() as connection:
        copy_rows(connection, opened, f"SELECT {columns} FROM ({{}}) ORDER BY line".format, folder / "rows.parquet")
        rows: list[tuple[str | None, ...]] = connection.execute(
            f"FROM read_parquet({file_literal(folder / 'rows.parquet')})"
        ).fetchall()
        return rows


@pytest.mark.parametrize("write", [write_delimited, write_objects, write_parquet, write_workbook])
def test_a_day_has_its_hour_and_an_hour_alone_is_nothing(write: Callable[[Path], str], tmp_path: Path) -> None:
    expected = [("2026-01-05 14:30:00", "a"), ("2026-01-05", "b"), (None, "c")]
    assert read(tmp_path, write(tmp_path), ("day", "id")) == expected


@pytest.mark.parametrize(
    ("day", "hour", "read_as"),
    [
        ("05.01.2026 00:00:00", "30.12.1899 14:30:00", "05.01.2026 14:30:00"),
        ("2026-01-05T00:00:00.000", "1899-12-30T14:30:00", "2026-01-05 14:30:00"),
        ("1/5/2026 0:00", "2:30 PM", "1/5/2026 2:30 PM"),
        ("2026-01-05", "NULL", "2026-01-05"),
        ("2026-01-05 10:00", "14:30", "2026-01-05 10:00 14:30"),
    ],
)
def test_hours_of_no_day_and_days_at_midnight_lose_what_says_nothing(
    day: str, hour: str, read_as: str, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text(f"day;hour\n{day};{hour}\n")
    assert read(tmp_path, "x.csv", ("day",), nothing=["NULL"]) == [(read_as,)]
