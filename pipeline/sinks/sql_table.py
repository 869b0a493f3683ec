"""A table as its database has it: its columns, its keys, and how its values become ours.

Columns carry no types in our statements, so that drivers give and take what lies there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeEngine

from pipeline.sinks.protocol import Value

DATES = (sa.Date, sa.DateTime)
NUMBERS = (sa.Numeric, sa.Float)
KEYS = (sa.String, sa.Integer, *NUMBERS, sa.Uuid)
_MIDNIGHT = re.compile(r"[ T]00:00:00(\.0+)?(\+00(:00)?)?$")
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
        wanted = [found for found in map(self.key, keys) if found is not None]
        chosen = sa.select(column.label(None), *(self.table.c[name] for name in names))
        if self.system == "postgresql":
            chosen = chosen.where(column == sa.any_(sa.bindparam("keys", wanted, type_=sa.types.NullType())))
        else:
            chosen = chosen.where(column.in_(wanted))
        if lock:  # in one order, so that two writers wait for each other instead of blocking each other
            chosen = chosen.order_by(column).with_for_update(key_share=True)
        for row in connection.execute(chosen).all():
            yield self._text(row[0]), dict(zip(names, row[1:], strict=True))

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
