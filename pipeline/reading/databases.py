"""Tables that lie in a database: asked by a query, read in chunks, written to a Parquet file as texts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from features.core.errors import InputError
from pipeline.core.project import Progress
from pipeline.reading.database_url import decode, find_url, make_engine, refusal, tell
from pipeline.reading.raw_files import NOT_UTF_8
from pipeline.reading.readers import OpenFile, choose_columns, open_result
from pipeline.settings.table import Table

Row = Sequence[object]

CHUNK_ROWS = 10_000
"""Rows that are held in memory at a time."""
_TOLD_ROWS = 200_000
"""After how many rows a line says how far the reading has come."""
_TIMEOUT_SECONDS = 10


def fetch(
    label: str, table: Table, data_root: Path, target: Path, progress: Progress, most_rows: int | None = None
) -> OpenFile:
    """Put a table's query to its database and write what it gives to the Parquet file ``target``.

    Rows keep the order in which they came; ``most_rows`` cuts them. All columns are chosen. Raises InputError where the
    database can't be reached or doesn't understand the query.
    """
    query = (table.query or "").strip().rstrip(";")
    name = label.rpartition(".")[2]
    with _connected(label, table.database or "", data_root, query) as connection:
        options = {"stream_results": True, "yield_per": CHUNK_ROWS, "no_parameters": True}
        result = connection.exec_driver_sql(query, execution_options=options)
        if not result.returns_rows or result.cursor is None:
            raise InputError(f"{label}: the query gives no rows; write a SELECT")
        names = [str(column[0]) for column in result.cursor.description]
        refuse_names(label, names)
        _write(name, result.partitions(CHUNK_ROWS), len(names), target, progress, most_rows)
    [opened] = choose_columns(label, [open_result(target, f"query of {name}", names)], names)
    return opened


def database_tables(database: str, data_root: Path) -> list[tuple[str, str]]:
    """List the tables and views of a database: a name for each, and how a query writes it."""
    with _connected("database", database, data_root, query="") as connection:
        inspector = sa.inspect(connection)
        left_out = {inspector.default_schema_name, "main", "information_schema"}
        quoting = connection.dialect.identifier_preparer
        found = []
        for schema in [None, *(name for name in inspector.get_schema_names() if name not in left_out)]:
            for name in sorted([*inspector.get_table_names(schema), *inspector.get_view_names(schema)]):
                quoted = quoting.quote_identifier(name)
                place = quoted if schema is None else f"{quoting.quote_identifier(schema)}.{quoted}"
                found.append((name if schema is None else f"{schema}_{name}", place))
    return found


def refuse_names(label: str, names: Sequence[str]) -> None:
    """Raise InputError where columns of a query lack a name or share one."""
    if not all(names):
        raise InputError(f"{label}: a column of the query has no name; name it, as in count(*) AS visits")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{label}: the query names {', '.join(map(repr, twice))} twice; rename one of them with AS")


@contextmanager
def _connected(label: str, database: str, data_root: Path, query: str) -> Iterator[sa.Connection]:
    """Connect, say why the database can't answer the query where it can't, and roll back whatever happens."""
    url = find_url(label, database)
    engine = make_engine(label, url, data_root, seconds=_TIMEOUT_SECONDS)
    try:
        connection = engine.connect()
    except (SQLAlchemyError, OSError, ValueError) as error:
        reason, _ = refusal(url, str(getattr(error, "orig", "")), _TIMEOUT_SECONDS)
        raise InputError(f"{label}: can't connect to the database: {reason}; check its URL") from None
    try:
        with closing(connection):
            yield connection
    except UnicodeDecodeError:
        raise InputError(f"{label}: a text of the database can't be decoded; convert it in the query") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = tell(getattr(error, "orig", None) or error, url, query)
        raise InputError(f"{label}: the database can't answer the query: {reason}; mend the query") from None
    finally:
        engine.dispose()


def _write(
    name: str, chunks: Iterable[Sequence[Row]], width: int, target: Path, progress: Progress, most_rows: int | None
) -> None:
    schema = pa.schema([("reason", pa.string()), *((f"r{number}", pa.string()) for number in range(width))])
    count = 0
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        for whole in chunks:
            chunk = whole if most_rows is None else whole[: most_rows - count]
            if chunk:
                writer.write_batch(_batch(chunk, schema))
            told, count = count // _TOLD_ROWS, count + len(chunk)
            if count // _TOLD_ROWS > told:
                progress(f"{name}: {count:,} rows read")
            if count == most_rows:
                break


def _batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = [[as_text(value) for value in column] for column in zip(*rows, strict=True)]
    broken = {number for column in columns for number, value in enumerate(column) if value is _NO_TEXT}
    reasons = [NOT_UTF_8 if number in broken else None for number in range(len(rows))]
    if broken:
        columns = [[None if n in broken else value for n, value in enumerate(column)] for column in columns]
    return pa.RecordBatch.from_arrays([pa.array(part, pa.string()) for part in (reasons, *columns)], schema=schema)


_NO_TEXT = "\udcff"
"""Stands for bytes that are no text; it can't be one."""


def as_text(value: object) -> str | None:
    r"""Write a value of a database as text, exactly.

    >>> [as_text(value) for value in (None, True, 7, 0.1, Decimal("1E+3"), b"caf\xc3\xa9", {"a": [1]})]
    [None, 'true', '7', '0.1', '1000', 'café', '{"a": [1]}']
    """
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case date() | datetime() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            text = decode(bytes(value))
            return text if isinstance(text, str) else _NO_TEXT
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=as_text)
        case _:
            return str(value)
