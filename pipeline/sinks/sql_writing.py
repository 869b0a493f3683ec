"""The statements that write: PostgreSQL takes a batch as one JSON text, others take a row at a time.

PostgreSQL is told the types with it; SQLite converts by the column's affinity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.types import TypeEngine

from features.core.errors import DeliveryError
from pipeline.reading.database_url import refusal, tell
from pipeline.sinks.protocol import LaterError, Record
from pipeline.sinks.secrets import redact
from pipeline.sinks.sql_table import NUMBERS, SqlTable

_Expression = sa.ColumnElement[Any]


@dataclass(frozen=True)
class _Given:
    """What a statement is given: expressions for the key and each field, and the parameters that fill these."""

    key: _Expression
    values: dict[str, _Expression]
    parameters: Mapping[str, object] | list[dict[str, object]]


def update(connection: sa.Connection, table: SqlTable, fields: Sequence[str], records: Sequence[Record]) -> None:
    """Write the fields of rows that are there."""
    given = _give(table, fields, records)
    place = table.table
    statement = sa.update(place).where(place.c[table.key_field] == given.key).values(given.values)
    _execute(connection, statement, given, len(records))


def insert(connection: sa.Connection, table: SqlTable, fields: Sequence[str], records: Sequence[Record]) -> None:
    """Make rows; where somebody has just made one, SQLite and PostgreSQL write its fields instead."""
    given = _give(table, fields, records)
    columns = {table.key_field: given.key, **given.values}
    statement: Any
    if table.system == "postgresql":
        statement = postgresql.insert(table.table).from_select(list(columns), sa.select(*columns.values()))
    else:
        statement = (sqlite if table.system == "sqlite" else sa).insert(table.table).values(columns)
    if table.system in {"postgresql", "sqlite"}:
        renewed = {field: statement.excluded[field] for field in fields}
        statement = statement.on_conflict_do_update(index_elements=[table.key_field], set_=renewed)
    _execute(connection, statement, given, len(records))


def _execute(connection: sa.Connection, statement: sa.Executable, given: _Given, rows: int) -> None:
    """Write that many rows. Fewer are left where a trigger says nothing, more where 'a' and 'A' are one key."""
    written = connection.execute(statement, given.parameters).rowcount
    if written not in {rows, -1}:
        raise RefusedError(f"{written} instead of {rows} rows would have been written; nothing was")


def _give(table: SqlTable, fields: Sequence[str], records: Sequence[Record]) -> _Given:
    names = [f"given_{number}" for number in range(len(fields) + 1)]
    rows: list[dict[str, object]] = [
        dict(zip(names, [table.key(record.key), *(record.values[field] for field in fields)], strict=True))
        for record in records
    ]
    columns: Sequence[_Expression] = [sa.bindparam(name) for name in names]
    parameters: list[dict[str, object]] | dict[str, object] = rows
    if table.system == "postgresql":
        key = table.types[table.key_field]
        kinds = [sa.Text() if isinstance(key, sa.String) else key, *(_taken(table.types[field]) for field in fields)]
        typed = [sa.column(name, kind) for name, kind in zip(names, kinds, strict=True)]
        rendered = sa.func.json_to_recordset(sa.bindparam("given", type_=postgresql.JSON())).table_valued(*typed)
        columns = list(rendered.render_derived(name="given", with_types=True).c)
        parameters = {"given": rows}
    return _Given(columns[0], dict(zip(fields, columns[1:], strict=True)), parameters)


def _taken(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Say as what PostgreSQL takes a value: as varchar(3) a text would be cut, but assigned to it, it is refused."""
    if isinstance(kind, (sa.Integer, *NUMBERS)):
        return sa.Double()
    plain = isinstance(kind, sa.types.NullType) or (isinstance(kind, sa.String) and not isinstance(kind, sa.Enum))
    return sa.Text() if plain else kind


_REFUSED = ("22", "23", "44", "P0")
"""Classes of SQLSTATEs: values that do not fit, or break a constraint or a view's condition; a trigger's refusal."""
_LATER = ("08", "40", "53", "55", "57")
"""Likewise: no connection, deadlocks, too few resources, locks, and a server or person that stops what runs."""
_LATER_IN_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT")


class RefusedError(DeliveryError):
    """The values were refused, and nothing of the transaction is kept."""


@contextmanager
def connected(engine: sa.Engine, url: URL, seconds: float) -> Iterator[sa.Connection]:
    """Connect, and roll back what is not committed.

    Raises LaterError where a repetition may do, RefusedError where values are refused, and DeliveryError else.
    """
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        reason, lasts = refusal(url, str(getattr(error, "orig", "")), seconds)
        if lasts:
            raise DeliveryError(f"can't connect to the database: {reason}; check its URL") from None
        raise LaterError(reason) from None
    try:
        with connection:  # whose end, too, asks the server
            yield connection
    except DBAPIError as error:
        raise _judge(error, url) from None


def _judge(error: DBAPIError, url: URL) -> Exception:
    """Say by the driver's own class and code what is to be done."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    code = str(getattr(error.orig, "sqlite_errorname", None) or "")
    told = redact(tell(error.orig or error, url, ""))
    if isinstance(error, (IntegrityError, DataError)) or state.startswith(_REFUSED):
        return RefusedError(told)
    unnamed = not state and not code and isinstance(error, OperationalError)
    if error.connection_invalidated or state.startswith(_LATER) or code.startswith(_LATER_IN_SQLITE) or unnamed:
        return LaterError(told)
    return DeliveryError(f"the database refuses what we ask: {told}")
