"""A table as its database has it: how its values become ours, and ours its own.

Columns carry no types in our statements, so that drivers give and take what lies there. PostgreSQL is told each type in
a cast, since one statement writes a whole batch there; SQLite converts by the column's affinity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from pipeline.sinks.protocol import Record, Value

DATES = (sa.Date, sa.DateTime)
NUMBERS = (sa.Numeric, sa.Float)
_MIDNIGHT = re.compile(r"[ T]00:00:00(\.0+)?(\+00(:00)?)?$")
_WHOLE = 2**63
"""The first number that no database keeps as a whole one."""
Parameters = dict[str, object]


class SqlTable:
    """A table that is there; ``key`` is the column that names its rows."""

    def __init__(self, connection: sa.Connection, schema: str | None, name: str, key: str) -> None:
        inspector = sa.inspect(connection)
        self.types: dict[str, TypeEngine[Any]] = {
            column["name"]: column["type"] for column in inspector.get_columns(name, schema)
        }
        self.table = sa.table(name, *map(sa.column, self.types), schema=schema)
        self.unique = [key] in _unique(inspector, schema, name)
        """Whether the database allows each key once."""
        self._key = key
        self._system = connection.dialect.name

    def key(self, text: str) -> int | str | None:
        """Give a key as the column has it; None where the column can't hold it."""
        kind = self.types[self._key]
        with suppress(ValueError):
            if isinstance(kind, (sa.Integer, *NUMBERS)):
                return int(text) if str(int(text)) == text and abs(int(text)) < _WHOLE else None
            if isinstance(kind, sa.Uuid):
                return text if str(UUID(text)) == text else None
            return text if "\0" not in text else None
        return None

    def rows(
        self, connection: sa.Connection, keys: Iterable[str], fields: Iterable[str], *, lock: bool = False
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Give the key, as a text, and the fields of all rows that have one of the keys; ``lock`` keeps others away."""
        column = self.table.c[self._key]
        wanted = [found for found in map(self.key, keys) if found is not None]
        chosen = sa.select(column.label(None), *(self.table.c[field] for field in dict.fromkeys(fields)))
        if self._system == "postgresql":
            chosen = chosen.where(column == sa.any_(sa.bindparam("keys", wanted, type_=sa.types.NullType())))
        else:
            chosen = chosen.where(column.in_(wanted))
        if lock:  # in one order, so that two writers wait for each other instead of blocking each other
            chosen = chosen.order_by(column).with_for_update(key_share=True)
        for row in connection.execute(chosen):
            yield self._text(row[0]), dict(zip(dict.fromkeys(fields), row[1:], strict=True))

    def _text(self, key: object) -> str:
        text = format(key, "f") if isinstance(key, Decimal) else str(key)
        return text.rstrip(" ") if isinstance(self.types[self._key], sa.CHAR) else text

    def value(self, field: str, raw: object) -> Value:
        """Make our value of what a column holds; an empty text is nothing."""
        if isinstance(raw, (int, float, Decimal)) and not isinstance(raw, bool):
            return float(raw)
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else "" if raw is None else str(raw)
        return (_MIDNIGHT.sub("", text) if isinstance(self.types[field], DATES) else text) or None

    def update(self, connection: sa.Connection, fields: Sequence[str], records: Sequence[Record]) -> None:
        """Write the fields of rows that are there."""
        key, values, parameters = self._given(fields, records)
        statement = sa.update(self.table).where(self.table.c[self._key] == key).values(values)
        connection.execute(statement, parameters)

    def insert(self, connection: sa.Connection, fields: Sequence[str], records: Sequence[Record]) -> None:
        """Make rows; where somebody has just made one, its fields are written instead."""
        key, values, parameters = self._given(fields, records)
        columns = {self._key: key, **values}
        statement: Any
        if self._system == "postgresql":
            statement = postgresql.insert(self.table).from_select(list(columns), sa.select(*columns.values()))
        elif self._system == "sqlite":
            statement = sqlite.insert(self.table).values(columns)
        else:
            connection.execute(sa.insert(self.table).values(columns), parameters)
            return
        renewed = {field: statement.excluded[field] for field in fields}
        connection.execute(statement.on_conflict_do_update(index_elements=[self._key], set_=renewed), parameters)

    def _given(
        self, fields: Sequence[str], records: Sequence[Record]
    ) -> tuple[sa.ColumnElement[Any], dict[str, sa.ColumnElement[Any]], Parameters | list[Parameters]]:
        """Give the key and the values of a statement, and its parameters: PostgreSQL takes one array a column."""
        names = [f"given_{number}" for number in range(len(fields) + 1)]
        if self._system != "postgresql":
            rows = [[self.key(record.key), *(record.values[field] for field in fields)] for record in records]
            bound: list[sa.ColumnElement[Any]] = [sa.bindparam(name) for name in names]
            return (
                bound[0],
                dict(zip(fields, bound[1:], strict=True)),
                [dict(zip(names, row, strict=True)) for row in rows],
            )
        texts = sa.ARRAY(sa.Text)
        given = sa.func.unnest(*(sa.bindparam(name, type_=texts) for name in names)).table_valued(*names)
        columns = given.render_derived(name="given").c
        values = {
            field: self._cast(column, self.types[field])
            for field, column in zip(fields, list(columns)[1:], strict=True)
        }
        parameters: Parameters = {names[0]: [record.key for record in records]}
        for name, field in zip(names[1:], fields, strict=True):
            values_of_field = (record.values[field] for record in records)
            parameters[name] = [None if value is None else str(value) for value in values_of_field]
        kind, key = self.types[self._key], columns[names[0]]
        return key if isinstance(kind, sa.String) else sa.cast(key, kind), values, parameters

    @staticmethod
    def _cast(text: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
        """Make of a text what a column takes: a cast to varchar(3) would cut it silently, an assignment refuses it."""
        if isinstance(kind, (sa.Integer, *NUMBERS)):
            return sa.cast(text, sa.Double)
        free = isinstance(kind, sa.types.NullType) or (isinstance(kind, sa.String) and not isinstance(kind, sa.Enum))
        return text if free else sa.cast(text, kind)


def _unique(inspector: sa.Inspector, schema: str | None, name: str) -> list[list[str | None]]:
    """List the columns that the database keeps unique together."""
    found: list[list[str | None]] = [list(inspector.get_pk_constraint(name, schema)["constrained_columns"])]
    with suppress(NotImplementedError):  # such systems list their constraints as indexes
        found += [list(one["column_names"]) for one in inspector.get_unique_constraints(name, schema)]
    for index in inspector.get_indexes(name, schema):
        partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        if index["unique"] and not partial:
            found.append(list(index["column_names"]))
    return found
