"""Where the rows of tables come from: files, a database, or a query over other tables.

A query is run by DuckDB in a connection of its own, which sees the tables that the query names and nothing else: it
can't read other files, write, attach a database or load an extension. Tables are put before it as they are, all their
columns as text or in Parquet's own types; rows that can't be read are set aside and counted. The rows that it gives are
sorted by all their columns and it runs on one thread, so that sums of decimals come out the same each time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from features.core.errors import InputError, LeadcastError, nearest
from pipeline.core.project import Progress
from pipeline.core.sql import Relation, connect, file_literal, identifier, literal, open_reader
from pipeline.ingest.source_table import SourceTable, Tables, label_of
from pipeline.reading import moments
from pipeline.reading.databases import fetch, refuse_names
from pipeline.reading.mapped_table import MappedTable
from pipeline.reading.quarantine import count_rows, say_rows
from pipeline.reading.readers import (
    OpenFile,
    choose_columns,
    copy_rows,
    open_result,
    open_table,
    read_as,
    read_beside,
    table_columns,
)
from pipeline.reading.texts import Columns
from pipeline.settings.ingest import Ingest
from pipeline.settings.run import Run
from pipeline.settings.table import Table

_PARQUET = "(FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE 122880)"
_WIDE_TYPES = {"HUGEINT": "DECIMAL(38, 0)", "UHUGEINT": "VARCHAR"}
"""Parquet would round these."""

_CLOCK = frozenset({
    "current_date", "current_localtime", "current_localtimestamp", "current_time", "current_timestamp",
    "get_current_time", "get_current_timestamp", "localtime", "localtimestamp", "now", "today", "transaction_timestamp",
    "uuidv7", "query", "query_table",
})  # fmt: skip
"""What no two runs give alike, and what could hide it in a text. Random numbers are: they have a seed."""


@dataclass
class Origins:
    """Gives the rows of tables, wherever they come from; asks each database and runs each query once."""

    settings: Ingest
    work: Run
    data_root: Path
    folder: Path
    connection: duckdb.DuckDBPyConnection
    progress: Progress
    _read: dict[str, SourceTable] = field(default_factory=dict)
    _results: dict[str, OpenFile] = field(default_factory=dict)

    def open(self, table: SourceTable) -> None:
        """Open the files of a table by the columns that are wanted; raises InputError where one is missing."""
        if table.settings.path:
            table.files = open_table(table.label, table.settings, table.wanted, self.data_root, table.required)
        else:
            wanted = read_beside(table.settings, table.wanted)
            table.files = read_as(table.settings, choose_columns(table.label, [self._results[table.name]], wanted))

    def prepare(self) -> None:
        """Ask the databases and run the queries of all sources, and read what these stand on.

        Raises InputError, for all queries at once where one can't be understood.
        """
        inputs = self._find_inputs()
        needed = {name for names in inputs.values() for name in names}
        for name in self.settings.tables:
            if name not in needed:
                self.progress(f"{name}: not read, for no query names it")
        try:
            order = list(TopologicalSorter({name: inputs[name] for name in sorted(inputs)}).static_order())
        except CycleError as error:
            circle = error.args[1]
            raise InputError(
                f"{self._label(circle[0])}: the queries read each other in a circle, {' <- '.join(circle)}; break it"
            ) from None
        for name in order:
            table = self._tables[name]
            if table.database:
                self._results[name] = self._ask_database(name, table)
            elif table.query:
                self._results[name] = self._run(name, table.query, inputs[name])
            if name in needed:
                self._read_whole(name, table)

    @property
    def read(self) -> Tables:
        """The tables of ``ingest.tables`` that queries have read; judged says which of their rows could be."""
        return {name: table for name, table in self._read.items() if name in self.settings.tables}

    @property
    def _tables(self) -> dict[str, Table]:
        return {**self.settings.tables, **self.settings.sources, **self.settings.own_tables}

    def _label(self, name: str) -> str:
        return label_of(name, self._tables[name])

    def _find_inputs(self) -> dict[str, list[str]]:
        """Give what each table reads that has to be there, from the sources down to what their queries name."""
        tables = self._tables
        inputs: dict[str, list[str]] = {}
        failures: list[str] = []
        waiting = [name for name in tables if name not in self.settings.tables]
        while waiting:
            name = waiting.pop()
            if name in inputs:
                continue
            table, inputs[name] = tables[name], []
            if table.query and not table.database:
                try:
                    inputs[name] = tables_read(self._label(name), table.query, tables)
                except InputError as error:
                    failures.append(str(error))
            waiting += inputs[name]
        if failures:
            raise InputError("\n".join(sorted(failures)))
        return inputs

    def _ask_database(self, name: str, table: Table) -> OpenFile:
        asked, result = self.folder / f"asked-{name}.parquet", self._result_path(name)
        opened = fetch(self._label(name), table, self.data_root, asked, self.progress)
        rows = f"SELECT * FROM read_parquet({file_literal(asked)}) ORDER BY ALL"
        self.connection.execute(f"COPY ({rows}) TO {literal(str(result))} {_PARQUET}")
        asked.unlink()
        return open_result(result, opened.file.name, opened.names)

    def _run(self, name: str, query: str, inputs: list[str]) -> OpenFile:
        label, result = self._label(name), self._result_path(name)
        with _sandbox(self.work.memory_limit, self.folder) as sandbox, _explaining(label):
            for table in inputs:
                Relation(sandbox, table).make_view(self._whole(table))
            sandbox.execute("SET lock_configuration = true")
            described = sandbox.sql(query)
            names, types = list(described.columns), [str(kind) for kind in described.types]
            refuse_names(label, names)
            asked = Relation(sandbox, "the query")  # no table's name holds a space
            asked.make_view(query)
            columns = "".join(
                f", CAST(r{n} AS {_WIDE_TYPES[kind]}) AS r{n}" if kind in _WIDE_TYPES else f", r{n}"
                for n, kind in enumerate(types)
            )
            held = ", ".join(f"r{n}" for n in range(len(names)))
            sandbox.execute(
                f"COPY (SELECT NULL::VARCHAR AS reason{columns} FROM {asked} AS result({held}) ORDER BY ALL) "
                f"TO {literal(str(result))} {_PARQUET}"
            )
        opened = open_result(result, f"query of {name}", names)
        self.progress(f"{name}: the query over {', '.join(inputs) or 'no table'} has run")
        return opened

    def _result_path(self, name: str) -> Path:
        return self.folder / f"result-{name}.parquet"

    def _read_whole(self, name: str, settings: Table) -> None:
        """Copy all rows and columns of a table that queries read, in the order in which they stand."""
        label = self._label(name)
        names = table_columns(label, settings, self.data_root) if settings.path else self._results[name].names
        table = SourceTable(self.connection, self.folder / "read", name, settings, keep_all, names)
        self.open(table)
        folded = [column.casefold() for column in names]
        alike = sorted(column for column in names if folded.count(column.casefold()) > 1)
        if alike:
            raise InputError(
                f"{label}: the columns {', '.join(map(repr, alike))} differ only in case, which SQL can't tell apart; "
                "rename one of them"
            )
        table.folder.mkdir(parents=True)
        for number, opened in enumerate(table.files):
            mapped = table.map(opened.columns, datetime.max)  # noqa: DTZ901 - no time is judged
            target = table.folder / f"{number:06}.parquet"
            copy_rows(self.connection, opened, partial(mapped.query, file_number=number), target)
        self._read[name] = table
        if name in self.settings.tables:
            table.mapped.make_view(f"SELECT sequence, reason FROM {table.copies}")
            table.judged.make_view(f"FROM {table.mapped}")
        counts = count_rows(self.connection, table.copies)
        table.rows = counts[0]
        self.progress(f"{name}: {say_rows(*counts, 'read for queries')}")

    def _whole(self, name: str) -> str:
        """Give the rows of a table that can be used, by the names of its columns."""
        table = self._read[name]
        columns = ", ".join(f"r{number} AS {identifier(column)}" for number, column in enumerate(table.wanted))
        files = f"{file_literal(table.folder)[:-1]}/*.parquet'"
        return f"SELECT {columns} FROM read_parquet({files}, union_by_name = true) WHERE reason IS NULL"


def keep_all(raw: Columns, _now: datetime) -> MappedTable:
    """Map a table that queries read: its columns are kept as they are, and nothing is judged."""
    columns = {column.sql: column.sql for column in raw.values()}
    return MappedTable(columns, (), columns)


def tables_read(label: str, query: str, known: Collection[str]) -> list[str]:
    """List the known tables that a query reads, sorted.

    Raises InputError unless the query is one SELECT, over known tables alone.
    """
    with open_reader() as connection, _explaining(label):
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InputError(f"{label}: the query must be one SELECT, and nothing else")
        [(serialised,)] = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    tree = json.loads(serialised)
    if tree.get("error", True):
        raise InputError(f"{label}: the query can't be understood: {tree.get('error_message')}; mend the query")
    moments = sorted(set(_clock_in(tree["statements"])))
    if moments:
        raise InputError(
            f"{label}: the query asks the clock ({', '.join(moments)}), so no two runs would agree; "
            "write the time out, as in TIMESTAMP '2026-01-31 00:00:00'"
        )
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(name.casefold(), []).append(name)
    named = sorted(set(_names_in(tree["statements"], frozenset())))
    unknown = [f"{name!r} ({nearest(name, known)})" for name in named if name.casefold() not in folded]
    if unknown:
        raise InputError(f"{label}: the query reads {', '.join(unknown)}, but there is no such table or source")
    for name in named:
        if len(folded[name.casefold()]) > 1:
            alike = ", ".join(folded[name.casefold()])
            raise InputError(f"{label}: {alike} differ only in case, which SQL can't tell apart; rename one of them")
    return sorted({folded[name.casefold()][0] for name in named})


def _names_in(tree: Any, own: frozenset[str]) -> Iterator[str]:  # noqa: ANN401 - DuckDB's tree of a statement
    """List the names of the tables in a statement, but for those that it defines itself (WITH), where they are seen."""
    if isinstance(tree, list):
        for branch in tree:
            yield from _names_in(branch, own)
    elif isinstance(tree, dict):
        for entry in tree.get("cte_map", {}).get("map", []):
            name, body = entry["key"].casefold(), entry["value"]
            recursive = "RECURSIVE" in body.get("query_node", {}).get("type", "")
            yield from _names_in(body, own | {name} if recursive else own)
            own |= {name}
        if tree.get("type") == "BASE_TABLE" and tree["table_name"].casefold() not in own:
            yield tree["table_name"]
        for key, branch in tree.items():
            if key != "cte_map":
                yield from _names_in(branch, own)


def _clock_in(tree: Any) -> Iterator[str]:  # noqa: ANN401 - DuckDB's tree of a statement
    """List the ways in which a statement asks for the time."""
    if isinstance(tree, list):
        for branch in tree:
            yield from _clock_in(branch)
    elif isinstance(tree, dict):
        name = tree.get("function_name") or next(iter(tree.get("column_names", [])), "")
        if name.casefold() in _CLOCK or (name.casefold() == "age" and len(tree.get("arguments", [])) == 1):
            yield name
        for branch in tree.values():
            yield from _clock_in(branch)


@contextmanager
def _sandbox(memory_limit: str, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that reads and writes below the folder alone."""
    with connect(memory_limit, folder / "spill-queries") as connection:
        connection.execute(f"SET allowed_directories = [{literal(str(folder))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET threads = 1")
        connection.execute(moments.macro())
        connection.execute("SELECT setseed(0.5)")
        yield connection


@contextmanager
def _explaining(label: str) -> Iterator[None]:
    try:
        yield
    except duckdb.PermissionException:
        raise InputError(
            f"{label}: a query reads tables and no files; name the file under ingest.tables, and the query by its name"
        ) from None
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in reason:
            raise LeadcastError(f"{label}: {reason}; free space on the disk, or raise run.memory_limit") from None
        if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException | duckdb.OutOfRangeException):
            reason = re.sub(r"'[^']*'|\"[^\"]*\"", "'***'", reason)  # a row's own
        raise InputError(f"{label}: the query can't be answered: {reason}; mend the query") from None
