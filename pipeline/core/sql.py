"""What every use of DuckDB shares: quoting, and a connection that stays within its limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa


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


def named(name: str, value: str, sql: str) -> str:
    """Write SQL in which a name stands for a value: it is planned, and computed, once however often it occurs.

    >>> named("days", "day - DATE '2026-01-01'", "days * days")
    "list_transform([day - DATE '2026-01-01'], lambda days: days * days)[1]"
    """
    return f"list_transform([{value}], lambda {name}: {sql})[1]"


def connect(memory_limit: str, temporary: Path) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills to ``temporary``, in UTC; it downloads nothing.

    A long list of values is compared where it stands, and only with what gets there. DuckDB would make a join of it,
    for which whatever is compared is computed of every row.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(temporary),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "disabled_optimizers": "in_clause",
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


@contextmanager
def limited_reader(memory_limit: str) -> Iterator[None]:
    """Let what the readers of this process hold stay within a limit for a while; beyond it DuckDB spills to disk."""
    with open_reader() as connection:
        connection.execute(f"SET memory_limit = {literal(memory_limit)}")
        try:
            yield
        finally:
            connection.execute("RESET memory_limit")


@dataclass(frozen=True)
class Relation:
    """A temporary table or view of a connection; in a statement it stands as its name, quoted."""

    connection: duckdb.DuckDBPyConnection
    name: str

    def __str__(self) -> str:
        return identifier(self.name)

    def make_view(self, query: str) -> None:
        """Let it be the rows of a query, asked anew by each statement."""
        self.connection.execute(f"CREATE TEMP VIEW {self} AS {query}")

    def make_table(self, query: str) -> None:
        """Let it hold the rows of a query, in place of what it held."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {self} AS {query}")

    def insert(self, query: str) -> None:
        """Add the rows of a query to a table."""
        self.connection.execute(f"INSERT INTO {self} {query}")

    def insert_all(self, content: pa.Table) -> None:
        """Add rows that lie in memory to a table."""
        with Relation(self.connection, f"{self.name} in memory").show(content) as shown:
            self.insert(f"FROM {shown}")

    @contextmanager
    def show(self, content: pa.Table | pa.RecordBatchReader) -> Iterator[Relation]:
        """Let it be what lies in memory, for a while."""
        self.connection.register(self.name, content)
        try:
            yield self
        finally:
            self.connection.unregister(self.name)


@contextmanager
def ask_rows(rows: Path | pa.Table) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Open a reader, with what rows are called in its statements: a Parquet file's, or those of a table in memory."""
    with open_reader() as connection:
        if isinstance(rows, Path):
            yield connection, f"read_parquet({file_literal(rows)})"
        else:
            with Relation(connection, "rows in memory").show(rows) as shown:
                yield connection, str(shown)


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Give the only row of a query; all is fetched, so that the connection is free again."""
    (row,) = connection.execute(query).fetchall()
    return tuple(row)


_COLUMNS_AT_ONCE = 5


def fetch_by_column(
    connection: duckdb.DuckDBPyConnection, relation: str, aggregates: Sequence[Sequence[str]]
) -> list[tuple[Any, ...]]:
    """Give aggregates of a relation, those of each column together.

    A statement asks for few columns, and reads no other: to plan one grows with the square of what it asks for.
    """
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(aggregates), _COLUMNS_AT_ONCE):
        asked = aggregates[start : start + _COLUMNS_AT_ONCE]
        values = iter(fetch_row(connection, f"SELECT {', '.join(chain(*asked))} FROM {relation}"))
        found += [tuple(islice(values, len(own))) for own in asked]
    return found


LINE_BITS = 40
"""A row's sequence is the number of its file times 2 ** LINE_BITS, plus its line (times ``width``)."""


def line_of(width: str | int) -> str:
    """Write the SQL that takes a row's line out of its sequence, for a table whose lines are ``width`` entries each.

    >>> line_of(3)
    'CAST((sequence & 1099511627775) // 3 AS BIGINT)'
    """
    return f"CAST((sequence & {(1 << LINE_BITS) - 1}) // {width} AS BIGINT)"


def was_in_time(columns: Collection[str]) -> str:
    """Write the condition that kept scores, which have some columns, were computed within ``$within`` of their moment.

    Nobody has worked by later ones, such as those of a backfill. Where it was not kept, they are taken at their word.
    """
    return "coalesce(scored_at <= as_of + $within, true)" if "scored_at" in columns else "$within IS NOT NULL"
