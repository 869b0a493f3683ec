"""The shape a table needs to take scores: what it lacks, each with its remedy, and what can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from features.errors import DeliveryError, nearest
from pipeline.push_configuration import Sql
from pipeline.sinks.protocol import LaterError
from pipeline.sinks.sql_table import DATES, KEYS, NUMBERS, SqlTable

_NUMBERS = ("probability", "score")
_TYPES: dict[str, Callable[[], TypeEngine[Any]]] = {"probability": sa.Double, "score": sa.Double, "date": sa.Date}
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
            wanted = "fractions" if ours in _NUMBERS else "dates" if ours == "date" else "texts"
            yield f"{settings.table}.{field} is {kind!r} and takes no {wanted}; give {ours} another column"


def _fits(ours: str, kind: TypeEngine[object]) -> bool:
    texts = (sa.String, sa.types.NullType)  # SQLite's columns without a type take anything
    if ours in _NUMBERS:
        return isinstance(kind, (*NUMBERS, *texts))
    return isinstance(kind, (*DATES, *texts) if ours == "date" else texts)


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
