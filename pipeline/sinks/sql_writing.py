"""The statements that write: PostgreSQL takes a batch as one statement over arrays, others a row at a time.

PostgreSQL is told each type in a cast; SQLite converts by the column's affinity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from pipeline.sinks.protocol import Record
from pipeline.sinks.sql_errors import RefusedError
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
    columns: list[Sequence[object]] = [[table.key(record.key) for record in records]]
    columns += [[record.values[field] for record in records] for field in fields]
    if table.system != "postgresql":
        bound: list[_Expression] = [sa.bindparam(name) for name in names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        return _Given(bound[0], dict(zip(fields, bound[1:], strict=True)), rows)
    arrays = (sa.bindparam(name, type_=sa.ARRAY(sa.Text)) for name in names)
    texts = list(sa.func.unnest(*arrays).table_valued(*names).render_derived(name="given").c)
    kind = table.types[table.key_field]
    return _Given(
        key=texts[0] if isinstance(kind, sa.String) else sa.cast(texts[0], kind),
        values={field: _cast(text, table.types[field]) for field, text in zip(fields, texts[1:], strict=True)},
        parameters={
            name: [None if one is None else str(one) for one in column]
            for name, column in zip(names, columns, strict=True)
        },
    )


def _cast(text: _Expression, kind: TypeEngine[Any]) -> _Expression:
    """Make of a text what a column takes: a cast to varchar(3) would cut it silently, an assignment refuses it."""
    if isinstance(kind, (sa.Integer, *NUMBERS)):
        return sa.cast(text, sa.Double)
    free = isinstance(kind, sa.types.NullType) or (isinstance(kind, sa.String) and not isinstance(kind, sa.Enum))
    return text if free else sa.cast(text, kind)
