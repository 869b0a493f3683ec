"""A table as its database has it: its columns, its keys, and how its values become ours.

Columns carry no types in our statements, so that drivers give and take what lies there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from features.core.errors import DeliveryError, nearest
from pipeline.settings.push import Sql
from pipeline.sinks.closed import DATED, NUMERIC, too_short
from pipeline.sinks.protocol import LaterError, Value

DATES = (sa.Date, sa.DateTime)
NUMBERS = (sa.Numeric, sa.Float)
KEYS = (sa.String, sa.Integer, *NUMBERS, sa.Uuid)
_MIDNIGHT = re.compile(r"[ T]00:00:00(\.0+)?(\+00(:00)?)?$")
_MOST_VALUES = 900
"""How many values of a list every system takes."""
_WHOLE = 2**63
"""The first number that no database keeps as a whole one."""


class SqlTable:
    """A table that is there; ``key`` is the column that names its rows, and ``unique`` whether each names one."""

    def __init__(self, connection: sa.Connection, schema: str | None, name: str, key: str) -> None:
        inspector = sa.inspect(connection)
        with warnings.catch_warnings(action="ignore", category=SAWarning):  # of others' columns and indexes
            described = inspector.get_columns(name, schema)
            self.unique = [key] in _unique(inspector, schema, name)
        self.types: dict[str, TypeEngine[Any]] = {column["name"]: column["type"] for column in described}
        self.table = sa.table(name, *map(sa.column, self.types), schema=schema)
        self.key_field = key
        self._texts = isinstance(self.types.get(key), sa.String)
        self.system = connection.dialect.name

    def key(self, text: str) -> int | str | None:
        """Give a key as the column has it; None where the column can't hold it."""
        if self._texts:
            return text if "\0" not in text else None
        with suppress(ValueError):
            if isinstance(self.types[self.key_field], sa.Uuid):
                return text if str(UUID(text)) == text else None
            return int(text) if str(int(text)) == text and abs(int(text)) < _WHOLE else None
        return None

    def rows(
        self, connection: sa.Connection, keys: Iterable[str], fields: Iterable[str], *, lock: bool = False
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Give the key, as a text, and the fields of all rows that have one of the keys; ``lock`` keeps others away."""
        column, names = self.table.c[self.key_field], list(dict.fromkeys(fields))
        wanted = list(dict.fromkeys(found for found in map(self.key, keys) if found is not None))
        chosen = sa.select(column.label(None), *(self.table.c[name] for name in names))
        if lock:  # in one order, so that two writers wait for each other instead of blocking each other
            chosen = chosen.order_by(column).with_for_update(key_share=True)
            wanted = sorted(wanted, key=lambda key: (isinstance(key, str), key))
        most = max(len(wanted), 1) if self.system == "postgresql" else _MOST_VALUES
        for first in range(0, len(wanted), most):
            part = wanted[first : first + most]
            asked = set(map(str, part))
            for row in connection.execute(chosen.where(self._is_one_of(column, part))).all():
                # Where 'a' and 'A' are one key to the system, a row comes with each part that has either.
                if (text := self._text(row[0])) in asked:
                    yield text, dict(zip(names, row[1:], strict=True))

    def _is_one_of(self, column: sa.ColumnElement[Any], keys: Sequence[int | str]) -> sa.ColumnElement[bool]:
        if self.system == "postgresql":
            return column == sa.any_(sa.bindparam("keys", keys, type_=sa.types.NullType()))
        return column.in_(keys)

    def _text(self, key: object) -> str:
        text = format(key, "f") if isinstance(key, Decimal) else str(key)
        return text.rstrip(" ") if isinstance(self.types[self.key_field], sa.CHAR) else text

    def value(self, field: str, raw: object) -> Value:
        """Make our value of what a column holds; an empty text is nothing."""
        if raw is None:
            return None
        if isinstance(raw, str):
            kind = self.types[field]
            padded = raw.rstrip(" ") if isinstance(kind, sa.CHAR) else raw
            return (_MIDNIGHT.sub("", padded) if isinstance(kind, DATES) else padded) or None
        if isinstance(raw, (int, float, Decimal)) and not isinstance(raw, bool):
            return float(raw)
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else self.value(field, str(raw))


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


_TYPES: dict[str, Callable[[], TypeEngine[Any]]] = {
    **dict.fromkeys(NUMERIC, sa.Double),
    **dict.fromkeys(DATED, sa.Date),
}
"""What a column of ours is, where it is no text."""
Connected = Callable[[], AbstractContextManager[sa.Connection]]


def find(connection: sa.Connection, settings: Sql) -> SqlTable | None:
    """Look at the table, if it is there."""
    schema, name = _place(settings)
    there = sa.inspect(connection).has_table(name, schema)
    return SqlTable(connection, schema, name, settings.key_field) if there else None


def _place(settings: Sql) -> tuple[str | None, str]:
    """Part the schema from the name of the table, as in crm.leads."""
    schema, _, name = settings.table.rpartition(".")
    return schema or None, name


def required(table: SqlTable | None, settings: Sql, mapping: Mapping[str, str]) -> SqlTable:
    """Give a table that has all columns that the settings name; raises DeliveryError, a line for each that it lacks."""
    if table is None:
        raise DeliveryError(_no_table(settings))
    problems = []
    for field in dict.fromkeys([settings.key_field, *mapping.values(), *settings.closed]):
        if field not in table.types:
            ours = field in mapping.values()
            remedy = "leadcast crm setup makes it" if ours else nearest(field, table.types)
            problems.append(f"{settings.table} has no column {field}; {remedy}")
    if problems:
        raise DeliveryError("\n".join(problems))
    return table


def _no_table(settings: Sql) -> str:
    remedy = "leadcast crm setup makes it" if settings.create else "name another, or set create: true to have it made"
    return f"there is no table {settings.table}, or this user may not see it; {remedy}"


def unfit(table: SqlTable, settings: Sql, mapping: Mapping[str, str]) -> Iterator[str]:
    """Name what keys and fields can't be held by their columns."""
    if not table.unique:
        yield (
            f"nothing keeps {settings.table}.{settings.key_field} unique; give it a unique index, "
            "or set another key_field"
        )
    kind = table.types[settings.key_field]
    if not isinstance(kind, KEYS):
        yield f"{settings.table}.{settings.key_field} is {kind!r} and names no leads; set another key_field"
    for ours, field in mapping.items():
        kind = table.types[field]
        if not _fits(ours, kind):
            wanted = "fractions" if ours in NUMERIC else "dates" if ours in DATED else "texts"
            yield f"{settings.table}.{field} is {kind!r} and takes no {wanted}; give {ours} another column"
    for field, told in too_short(lengths(table, mapping), mapping):
        yield f"{settings.table}.{field} {told}"


def lengths(table: SqlTable, mapping: Mapping[str, str]) -> dict[str, int | None]:
    """Give the lengths of the columns of texts, as of varchar(40); None where a column takes any text."""
    kinds = {field: table.types[field] for field in mapping.values()}
    return {
        field: kind.length
        for field, kind in kinds.items()
        if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)
    }


def _fits(ours: str, kind: TypeEngine[object]) -> bool:
    texts = (sa.String, sa.types.NullType)  # SQLite's columns without a type take anything
    if ours in NUMERIC:
        return isinstance(kind, (*NUMBERS, *texts))
    return isinstance(kind, (*DATES, *texts) if ours in DATED else texts)


def forbidden(connected: Connected, table: SqlTable, settings: Sql, mapping: Mapping[str, str]) -> Iterator[str]:
    """Name what the user may not do: each statement is tried, on no row."""
    place, columns = table.table, table.table.c
    ours = [columns[field] for field in mapping.values()]
    key, nowhere = columns[settings.key_field], sa.false()
    read = sa.select(key, *ours, *(columns[field] for field in settings.closed)).where(nowhere)
    attempts: dict[str, sa.Executable] = {"SELECT": read}
    attempts |= {f"UPDATE ({one.name})": sa.update(place).where(nowhere).values({one: one}) for one in ours}
    if settings.create:
        attempts["INSERT"] = sa.insert(place).from_select([key, *ours], sa.select(key, *ours).where(nowhere))
    refused: dict[str, list[str]] = {}
    for right, statement in attempts.items():
        try:
            with connected() as connection:
                connection.execute(statement)
        except (DeliveryError, LaterError) as error:
            refused.setdefault(str(error), []).append(right)
    for reason, rights in refused.items():
        yield f"{settings.table}: the user lacks {', '.join(rights)} ({reason}); grant it"


def make_missing(
    connection: sa.Connection, table: SqlTable | None, settings: Sql, mapping: Mapping[str, str]
) -> list[str]:
    """Add the columns that are missing; where leads may be created, make the table itself, too. Says what was made."""
    fields = {field: sa.Column(field, _TYPES.get(ours, sa.Text)()) for ours, field in mapping.items()}
    if table is None:
        if not settings.create:
            raise DeliveryError(_no_table(settings))
        columns = [sa.Column(settings.key_field, sa.Text, primary_key=True), *fields.values()]
        schema, name = _place(settings)
        sa.Table(name, sa.MetaData(), *columns, schema=schema).create(connection)
        return [f"table {settings.table} with the columns {', '.join(column.name for column in columns)}"]
    place = connection.dialect.identifier_preparer.format_table(table.table)
    absent = [column for field, column in fields.items() if field not in table.types]
    for column in absent:
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {place} ADD COLUMN {definition}")
    return [f"column {settings.table}.{column.name}" for column in absent]
