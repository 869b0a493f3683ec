"""Scores written to a table of a database: SQLite, PostgreSQL, and what else SQLAlchemy reaches.

A batch is one transaction. It locks its rows, leaves out those that have vanished or were closed meanwhile, and writes
the rest, so nobody's change is lost between our looking and our writing.
"""

from __future__ import annotations

import weakref
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.core.errors import DeliveryError, InputError, SettingsError
from pipeline.reading.database_url import find_url, make_engine
from pipeline.settings.push import Sql
from pipeline.sinks.calls import Calls
from pipeline.sinks.closed import is_closed
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, WholeBatchError
from pipeline.sinks.secrets import conceal
from pipeline.sinks.sql_table import SqlTable, find, forbidden, lengths, make_missing, required, unfit
from pipeline.sinks.sql_writing import RefusedError, connected, insert, update

_CONNECTIONS = 2
"""More gain nothing: a batch keeps the server busy for longer than it keeps us."""


class SqlSink(Sink):
    """A table of a database."""

    reads = True
    leads_a_call = 0

    def __init__(self, settings: Sql, mapping: Mapping[str, str], root: Path) -> None:
        try:
            self._url = find_url("push.sink", settings.database)
        except InputError as error:
            raise SettingsError(str(error)) from None
        conceal(str(self._url.password or ""))
        place = f"{self._url.host or ''}{f':{self._url.port}' if self._url.port else ''}/{self._url.database}"
        lite = self._url.get_backend_name() == "sqlite"
        self.name = f"sql {self._url.database if lite else place} {settings.table}"
        self.batches_at_once = 1 if lite else _CONNECTIONS  # SQLite lets one write at a time
        self.creates, self.calls_a_day, self.batch_size = settings.create, settings.calls_a_day, settings.batch_size
        self._settings, self._mapping, self._fields = settings, mapping, list(mapping.values())
        self._calls = Calls()
        seconds, most = settings.timeout_seconds, self.batches_at_once
        self._engine = make_engine("push.sink", self._url, root, seconds=seconds, writes=True, connections=most)
        weakref.finalize(self, self._engine.dispose)

    @property
    def calls(self) -> int:
        """How many transactions there have been so far."""
        return self._calls.count

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the rows of the keys; a key that several rows have names none of them."""
        found: dict[str, Remote] = {}
        rows: Counter[str] = Counter()
        table = self._table
        with self._connected() as connection:
            for key, row in table.rows(connection, keys, [*self._fields, *self._settings.closed]):
                values = {field: table.value(field, row[field]) for field in self._fields}
                rows[key] += 1
                refused = self._several(rows[key]) if rows[key] > 1 else None
                found[key] = Remote(key, values, not refused and is_closed(row, self._settings.closed), refused)
        return {key: found[key] for key in keys if key in found}

    def _several(self, rows: int) -> str:
        return f"{rows} rows of {self._settings.table} have this {self._settings.key_field}"

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Write a batch as a whole, or not at all."""
        try:
            with self._connected() as connection:
                outcomes = self._write(connection, batch)
                connection.commit()
        except RefusedError as error:
            if len(batch) > 1:
                raise WholeBatchError(str(error)) from None
            outcomes = [Outcome(batch[0].key, "rejected", str(error), batch[0].remote_id)]
        yield from outcomes

    def _write(self, connection: sa.Connection, batch: Sequence[Record]) -> list[Outcome]:
        table = self._table
        if connection.dialect.name == "sqlite":  # a lock that is taken before anything is read never meets another
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for key, row in table.rows(connection, [record.key for record in batch], self._settings.closed, lock=True):
            rows[key].append(row)
        outcomes, chosen = [], defaultdict(list)
        for record in batch:
            found = rows[record.key]
            outcomes.append(self._judge(record, found, takes_key=table.key(record.key) is not None))
            if outcomes[-1].status == "written":
                chosen[bool(found), tuple(record.values)].append(record)
        for (there, fields), records in chosen.items():
            (update if there else insert)(connection, table, fields, records)
        return outcomes

    def _judge(self, record: Record, found: Sequence[Mapping[str, Any]], *, takes_key: bool) -> Outcome:
        """Say what becomes of a record, by the rows that have its key now."""
        if len(found) > 1:
            return Outcome(record.key, "rejected", self._several(len(found)), record.key)
        if found and is_closed(found[0], self._settings.closed):
            return Outcome(record.key, "skipped", "closed", record.key)
        if not found and (record.remote_id is not None or not self.creates):
            return Outcome(record.key, "skipped", f"{self._settings.table} has no such row", record.remote_id)
        if not found and not takes_key:
            return Outcome(record.key, "rejected", f"no value of the column {self._settings.key_field}")
        return Outcome(record.key, "written", remote_id=record.key)

    def check(self) -> list[str]:
        """Look for the table, its key, its columns and our rights."""
        settings, mapping = self._settings, self._mapping
        try:
            table = required(self._find(), settings, mapping)
        except (DeliveryError, LaterError) as error:
            return str(error).split("\n")
        return [*unfit(table, settings, mapping), *forbidden(self._connected, table, settings, mapping)]

    def sizes(self) -> Mapping[str, int | None]:
        """Tell how long the columns of texts are, where they say so."""
        return lengths(self._table, self._mapping)

    def missing(self) -> list[str]:
        """List the columns that are not there."""
        table = self._find()
        return [field for field in self._fields if table is None or field not in table.types]

    def setup(self) -> list[str]:
        """Make the columns that are missing; the table, too, where leads may be created."""
        table = self._find()
        with self._connected() as connection:
            made = make_missing(connection, table, self._settings, self._mapping)
            connection.commit()
        return made

    def _find(self) -> SqlTable | None:
        with self._connected() as connection:
            return find(connection, self._settings)

    @cached_property
    def _table(self) -> SqlTable:
        """The table with all that the settings name; it is looked at once."""
        return required(self._find(), self._settings, self._mapping)

    def _connected(self) -> AbstractContextManager[sa.Connection]:
        self._calls.add()
        return connected(self._engine, self._url, self._settings.timeout_seconds)
