"""What every use of DuckDB shares: quoting, and a connection that stays within its limits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import duckdb


def identifier(name: str) -> str:
    """Quote the name of a table or a column.

    >>> identifier('the "owner"s')
    '"the ""owner""s"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text value, where it can't be bound.

    >>> literal("l'heure")
    "'l''heure'"
    """
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Quote the path of one file to read: what DuckDB would take for a glob is escaped. To write, ``literal`` does.

    >>> file_literal(Path("a[1].parquet"))
    "'a[[]1].parquet'"
    """
    return literal("".join(f"[{letter}]" if letter in "[*?" else letter for letter in str(path)))


def connect(memory_limit: str, temporary: Path) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills to ``temporary``, in UTC; it downloads nothing."""
    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(temporary),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def open_reader() -> duckdb.DuckDBPyConnection:
    """Open a connection that asks files and frames, within DuckDB's own limits; all that it makes is temporary.

    Those of a process share one database in memory: to open one takes longer than most questions to be answered.
    """
    return _shared().cursor()


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Give the only row of a query; all is fetched, so that the connection is free again."""
    (row,) = connection.execute(query).fetchall()
    return tuple(row)


LINE_BITS = 40
"""A row's sequence is the number of its file times 2 ** LINE_BITS, plus its line (times ``width``)."""


def line_of(width: str | int) -> str:
    """Write the SQL that takes a row's line out of its sequence, for a table whose lines are ``width`` entries each.

    >>> line_of(3)
    'CAST((sequence & 1099511627775) // 3 AS BIGINT)'
    """
    return f"CAST((sequence & {(1 << LINE_BITS) - 1}) // {width} AS BIGINT)"
