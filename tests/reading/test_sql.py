"""What readers share, a database in memory, and what they don't: all that one of them makes, registers or sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.sql import fetch_row, file_literal, open_reader

ONE = pa.table({"a": [1]})
MAKE: dict[str, Callable[[duckdb.DuckDBPyConnection], object]] = {
    "a frame": lambda reader: reader.register("mine", ONE),
    "a table": lambda reader: reader.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a"),
    "a view": lambda reader: reader.execute("CREATE TEMP VIEW mine AS SELECT 1 AS a"),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_no_reader_sees_what_another_has_made(make: Callable[[duckdb.DuckDBPyConnection], object]) -> None:
    with open_reader() as one, open_reader() as other:
        make(one)
        assert fetch_row(one, "SELECT a FROM mine") == (1,)
        with pytest.raises(duckdb.CatalogException):
            other.execute("FROM mine")
    with open_reader() as later, pytest.raises(duckdb.CatalogException):
        later.execute("FROM mine")


def test_the_time_zone_of_a_reader_is_its_own() -> None:
    asked = "SELECT current_setting('TimeZone')"
    with open_reader() as one, open_reader() as other:
        before = fetch_row(other, asked)
        one.execute("SET TimeZone = 'Asia/Tokyo'")
        assert fetch_row(one, asked) == ("Asia/Tokyo",)
        assert fetch_row(other, asked) == before


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for number in range(3):
        pq.write_table(pa.table({"a": [number]}), path)
        with open_reader() as reader:
            assert fetch_row(reader, f"SELECT a FROM read_parquet({file_literal(path)})") == (number,)
