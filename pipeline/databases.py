"""Tables that lie in a database: asked by a query, read in chunks, written to a Parquet file as texts.

A database's URL holds a password, and a driver's message may hold the URL: no message of ours shows either.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from features.errors import InputError
from pipeline.artefacts import Progress
from pipeline.raw_files import NOT_UTF_8, advise_file
from pipeline.readers import RawTable, choose_columns, open_result
from pipeline.source_configuration import Table

Row = Sequence[object]

CHUNK_ROWS = 10_000
"""Rows that are held in memory at a time."""
_TOLD_ROWS = 200_000
"""After how many rows a line says how far the reading has come."""
_TIMEOUT_SECONDS = 10
_AS_TEXT = ("date", "interval", "json", "jsonb", "time", "timestamp", "timestamptz", "timetz")
"""PostgreSQL's types that are taken as the server writes them: Python has no infinite dates, and rounds JSON."""
_DATA_EXCEPTION = "22"
"""The class of PostgreSQL's SQLSTATEs whose messages quote a value."""
_REFUSALS = (
    (("authentication failed", "no password", "role ", "pg_hba"), "the user or the password is wrong"),
    (("database ",), "there is no database of that name, or this user may not use it"),
    (("too many", "connection slots"), "the server has no connection left"),
    (("starting up", "shutting down"), "the server is starting up or shutting down"),
)
"""What PostgreSQL refuses while connecting, by words of its message, which itself holds the user and the host."""


def fetch(
    label: str, table: Table, data_root: Path, target: Path, progress: Progress, most_rows: int | None = None
) -> RawTable:
    """Put a table's query to its database and write what it gives to the Parquet file ``target``.

    Rows keep the order in which they came; ``most_rows`` cuts them. All columns are chosen. Raises InputError where the
    database can't be reached or doesn't understand the query.
    """
    url = _find_url(label, table.database or "")
    engine = _make_engine(label, url, data_root)
    query = (table.query or "").strip().rstrip(";")
    name = label.rpartition(".")[2]
    with _explaining(label, url, query), _connection(label, url, engine) as connection:
        options = {"stream_results": True, "yield_per": CHUNK_ROWS, "no_parameters": True}
        result = connection.exec_driver_sql(query, execution_options=options)
        if not result.returns_rows or result.cursor is None:
            raise InputError(f"{label}: the query gives no rows; write a SELECT")
        names = [str(column[0]) for column in result.cursor.description]
        refuse_names(label, names)
        _write(name, result.partitions(CHUNK_ROWS), len(names), target, progress, most_rows)
    return choose_columns(label, [open_result(target, f"query of {name}", names)], names)


def database_tables(database: str, data_root: Path) -> list[tuple[str, str]]:
    """List the tables and views of a database: a name for each, and how a query writes it."""
    label = "database"
    url = _find_url(label, database)
    engine = _make_engine(label, url, data_root)
    with _explaining(label, url, ""), _connection(label, url, engine) as connection:
        inspector = sa.inspect(connection)
        own = inspector.default_schema_name
        quoting = engine.dialect.identifier_preparer
        found = []
        for schema in [None, *(name for name in inspector.get_schema_names() if name not in {own, "main"})]:
            if schema == "information_schema":
                continue
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


def _find_url(label: str, database: str) -> URL:
    """Take the URL from the settings, or from the environment variable that they name."""
    variable = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", database)
    name = variable and (variable[1] or variable[2])
    text = os.environ.get(name, "") if name else database
    if not text:
        raise InputError(
            f"{label}: the environment variable {name} is not set; put the database's URL into it, "
            "as in postgresql://user:password@host/name"
        )
    where = f"the environment variable {name}" if name else "database"
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise InputError(
            f"{label}: {where} holds no URL of a database; write it as in postgresql://user:password@host/name, "
            "with % and two hexadecimal digits for signs such as @ or / in the password"
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername.startswith("postgres") else url


def _make_engine(label: str, url: URL, data_root: Path) -> sa.Engine:
    system = url.drivername.partition("+")[0]
    try:
        if system == "sqlite":
            return sa.create_engine("sqlite://", creator=_sqlite(label, url, data_root), poolclass=NullPool)
        if system == "postgresql":
            options = "-c default_transaction_read_only=on -c datestyle=ISO -c timezone=UTC"
            given = url.query.get("options", "")
            arguments = {
                "connect_timeout": _TIMEOUT_SECONDS,
                "options": f"{given if isinstance(given, str) else ' '.join(given)} {options}".strip(),
            }
            engine = sa.create_engine(
                url.difference_update_query(["options", "connect_timeout"]), connect_args=arguments, poolclass=NullPool
            )
            sa.event.listen(engine, "connect", _take_as_text)
            return engine.execution_options(postgresql_readonly=True)
        return sa.create_engine(url, poolclass=NullPool)
    except ModuleNotFoundError as error:
        remedy = "pip install -e '.[postgresql]'" if system == "postgresql" else f"pip install {error.name}"
        raise InputError(f"{label}: the driver {error.name} is not installed; install it: {remedy}") from None
    except NoSuchModuleError:
        raise InputError(
            f"{label}: the URL names the system {url.drivername!r}, which is not known; use postgresql or sqlite"
        ) from None
    except (ArgumentError, ValueError, TypeError):
        raise InputError(f"{label}: the URL can't be used; check its port and its options") from None


def _sqlite(label: str, url: URL, data_root: Path) -> Callable[[], sqlite3.Connection]:
    """Give what opens a SQLite file for reading: SQLite itself would make the file that is not there."""
    name = url.database or ""
    path = data_root / name
    if not name or name == ":memory:":
        raise InputError(f"{label}: the URL names no file; write it as in sqlite:///crm.sqlite")
    if not path.is_file():
        raise InputError(f"{label}: no database {name!r} in {data_root}; {advise_file(name, data_root)}")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=_TIMEOUT_SECONDS)
        connection.execute("PRAGMA query_only = on")
        # What is not UTF-8 stays bytes, and costs its row alone.
        connection.text_factory = _decode
        return connection

    return connect


def _take_as_text(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver that may not be installed
    from psycopg.types.string import TextLoader  # noqa: PLC0415 - likewise

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)


@contextmanager
def _connection(label: str, url: URL, engine: sa.Engine) -> Iterator[sa.Connection]:
    """Connect, and roll back whatever happens."""
    try:
        connection = engine.connect()
    except (SQLAlchemyError, OSError, ValueError) as error:
        reason = _refusal(url, str(getattr(error, "orig", "")))
        raise InputError(f"{label}: can't connect to the database: {reason}; check its URL") from None
    try:
        yield connection
    finally:
        connection.close()
        engine.dispose()


def _refusal(url: URL, message: str) -> str:
    """Tell in our own words why there is no connection."""
    if url.get_backend_name() == "sqlite":
        return "the file can't be opened"
    _, fatal, told = message.partition("FATAL:")
    if not fatal and "no password" not in message:
        return f"no server answers there within {_TIMEOUT_SECONDS} seconds"
    found = [reason for words, reason in _REFUSALS if any(word in (told or message) for word in words)]
    return found[0] if found else "the server refuses"


@contextmanager
def _explaining(label: str, url: URL, query: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise InputError(f"{label}: a text of the database can't be decoded; convert it in the query") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = _tell(getattr(error, "orig", None) or error, url, query)
        raise InputError(f"{label}: the database can't answer the query: {reason}; mend the query") from None


def _tell(error: BaseException, url: URL, query: str) -> str:
    """Give the first line of a driver's message without what is secret, or what may be a row's."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    reason = str(diagnosis or error).strip().partition("\n")[0]
    if str(getattr(error, "sqlstate", None) or "").startswith(_DATA_EXCEPTION):
        reason = re.sub(r'"[^"]*"', '"***"', reason)
    values = [text for value in url.query.values() for text in ([value] if isinstance(value, str) else value)]
    for secret in filter(None, [str(url.password or ""), url.username, url.host, *values]):
        if secret not in query:  # what the settings show is no secret
            reason = reason.replace(secret, "***")
    return reason


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
            text = _decode(bytes(value))
            return text if isinstance(text, str) else _NO_TEXT
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=as_text)
        case _:
            return str(value)


def _decode(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data
