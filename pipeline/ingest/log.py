"""Writing the log: the usable rows of all sources, sorted by lead and time, in a layout that is cheap to read.

The sort moves as few bytes as it can. It goes by the rank of the lead, a whole number; texts of few values travel as
numbers (ENUM); and what is the same in every row, or follows from what is there, is added behind the sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from features.core.schema import INTERACTION
from pipeline.core.sql import fetch_row, file_literal, literal
from pipeline.ingest.local_days import LOCAL_TIME, join_local_days, tabulate_local_days
from pipeline.ingest.relations import Relations
from pipeline.ingest.source_table import TEXTS, SourceTable, Tables
from pipeline.settings.ingest import Source

LAYOUT = "(FORMAT parquet, COMPRESSION lz4_raw, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880)"
"""Of the layouts tried, the one that is read fastest, in a third of the time of zstd, and hardly any larger: version 2
holds the differences of times and of sequences, which saves more than the better compression does."""

_MOST_VALUES = 4096
"""A text of more values stays one: each row group would hold all of them."""


def write_log(relations: Relations, tables: Tables, target: Path) -> None:
    """Write the usable rows of the sources to a Parquet file, sorted as the schema says."""
    connection = relations.connection
    sources = [table for _, table in sorted(tables.items()) if isinstance(table.settings, Source)]
    names = [source.name for source in sources]
    allowed = {field.name: _enumeration(field.allowed) for field in INTERACTION if field.allowed}
    types = _enumerate(connection, sources) | allowed | {"source": _enumeration(names)}
    zoned = tabulate_local_days(relations, sources)
    made = _made(sources, linked="identities" in tables) | ({} if zoned else _local("occurred_at"))
    expressions = _local(LOCAL_TIME) if zoned else {}
    kept = [field for field in INTERACTION if field.name not in made]
    columns = ", ".join(
        f"{_cast(expressions.get(field.name, field.name), types.get(field.name, field.duckdb))} AS {field.name}"
        for field in kept
    )
    parts = [
        f"SELECT rank, {columns} FROM {join_local_days(relations, source.judged) if zoned else source.judged} "
        "WHERE reason IS NULL"
        for source in sources
    ]
    rows = parts[0]
    if len(sources) > 1 or "identities" in tables:
        files = _put_aside(connection, parts, target.parent)
        # As texts they came out of the files.
        numbered = ", ".join(
            f"{_cast(field.name, types[field.name])} AS {field.name}" if field.name in types else field.name
            for field in kept
        )
        rows = f"SELECT rank, {numbered} FROM {files}"
    # An enumerated column would be written with the dictionary of all its values, "" for each that the row group lacks;
    # readers who take the dictionary as it is (Arrow) drop the doubles, and give every event another text.
    whole = ", ".join(
        f"{_cast(made.get(field.name, field.name), field.duckdb)} AS {field.name}"
        if field.name in made or field.name in types
        else field.name
        for field in INTERACTION
    )
    # Enumerated names are in the order of their bytes. Where there is one it sorts nothing, but makes the key longer.
    order = "rank, occurred_at, source, sequence" if len(sources) > 1 else "rank, occurred_at, sequence"
    # The inner query sorts; in the outer one, DuckDB would compute what is added before it sorts.
    sorted_rows = f"SELECT * FROM ({rows}) ORDER BY {order}"
    connection.execute(f"COPY (SELECT {whole} FROM ({sorted_rows})) TO {literal(str(target))} {LAYOUT}")


def _put_aside(connection: duckdb.DuckDBPyConnection, parts: Sequence[str], folder: Path) -> str:
    """Write the rows of the sources to files, in any order, and give the one relation that reads them.

    Joins, a union and a sort in one statement run out of memory: each of the union's parts keeps its own share of it.
    Joined first, and read as one, any log is sorted within any limit.
    """
    targets = [folder / f"joined-{number}.parquet" for number in range(len(parts))]
    connection.execute("SET preserve_insertion_order = false")
    for part, target in zip(parts, targets, strict=True):
        connection.execute(f"COPY ({part}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4)")
    connection.execute("SET preserve_insertion_order = true")
    return f"read_parquet([{', '.join(map(file_literal, targets))}])"


def _cast(expression: str, kind: str) -> str:
    """Write a cast that never fails, for no value is one that it could fail on.

    DuckDB makes one that may fail row by row, and this one once for each entry of a column's dictionary.
    """
    return f"TRY_CAST({expression} AS {kind})"


def _local(time: str) -> dict[str, str]:
    return {"local_day": time, "local_hour": f"hour({time})"}


def _made(sources: Sequence[SourceTable], *, linked: bool) -> dict[str, str]:
    """Give the fields that need no sorting: every row holds the same, or they repeat another one."""
    made = {"source": literal(sources[0].name)} if len(sources) == 1 else {}
    settings = [table.settings for table in sources if isinstance(table.settings, Source)]
    if not linked and all(source.known_at == "as_it_occurred" for source in settings):
        made["known_at"] = "occurred_at"
    columns = [source.columns for source in settings]
    if not any(own.quantity or own.counts for own in columns):
        made["quantity"] = "1"
    for name in ("channel", "campaign", "content", "value", "event_id"):
        if not any(getattr(own, name) or (name == "channel" and own.traffic()) for own in columns):
            made[name] = "NULL"
    return made


def _enumeration(values: Sequence[str]) -> str:
    return f"ENUM ({', '.join(map(literal, values))})"


def _enumerate(connection: duckdb.DuckDBPyConnection, sources: Sequence[SourceTable]) -> dict[str, str]:
    """Make types of the texts that have few values, as the sources were seen to hold them."""
    types = {}
    for name in TEXTS:
        held = " UNION ".join(f"SELECT {name} FROM {source.seen} WHERE {name} IS NOT NULL" for source in sources)
        if 0 < fetch_row(connection, f"SELECT count(*) FROM ({held})")[0] <= _MOST_VALUES:
            connection.execute(f"CREATE TYPE {name} AS ENUM (SELECT {name} FROM ({held}) ORDER BY {name})")
            types[name] = name
    return types
