"""What readers share, a database in memory, and what they don't: all that one of them makes, registers or sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.sql import ask_rows, fetch_row, file_literal, limited_reader, open_reader

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


def test_rows_in_memory_are_asked_as_those_of_a_file_are(tmp_path: Path) -> None:
    path = tmp_path / "a[1].parquet"
    pq.write_table(ONE, path)
    for rows in (ONE, path):
        with ask_rows(rows) as (reader, name):
            assert fetch_row(reader, f"SELECT a + 1 FROM {name}") == (2,)


def test_what_readers_hold_is_limited_for_a_while() -> None:
    asked = "SELECT current_setting('memory_limit')"
    with open_reader() as reader:
        before = fetch_row(reader, asked)
        with limited_reader("64MB"):
            assert fetch_row(reader, asked) == ("61.0 MiB",)
        assert fetch_row(reader, asked) == before
