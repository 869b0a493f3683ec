"""One table's files as raw rows for DuckDB: texts (or Parquet's own types), each with its line.

Whatever the format, a row of raw data becomes: line, reason (why it can't be read, or null), r0, r1 ... in the order of
the wanted columns. Nothing is judged here but whether it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.errors import InputError, LeadcastError, nearest
from pipeline import delimited, json_lines, nested
from pipeline.raw_files import RawFile, find_files, open_lines
from pipeline.source_configuration import Table
from pipeline.sql import file_literal, identifier, literal

_STREAM = "raw_stream"
_COARSE = {"TIMESTAMP_NS": "TIMESTAMP", "TIMESTAMPTZ_NS": "TIMESTAMP WITH TIME ZONE"}
"""What pandas writes: times in nanoseconds, of which those with a zone have hardly any functions in DuckDB."""


@dataclass(frozen=True)
class RawColumn:
    """A raw column as SQL, and its DuckDB type."""

    sql: str
    type: str = "VARCHAR"


@dataclass(frozen=True)
class OpenFile:
    """A file whose columns are known.

    A Parquet file holds its ``fields`` (columns, and members of nested ones as ``user.id``) as they are, in DuckDB's
    types; all others are texts. Where it is the result of a query, it says in a column itself why a row can't be read.
    """

    file: RawFile
    names: tuple[str, ...]
    delimiter: str = ","
    encoding: str | None = None
    fields: Mapping[str, RawColumn] = field(default_factory=dict)
    reason: str = "NULL::VARCHAR"

    def find(self, name: str) -> RawColumn | None:
        """Find a column, or what lies inside of one; None where there is no such column."""
        if self.file.format != "parquet":
            return RawColumn(name) if name in self.names else None
        if name in self.fields:
            return self.fields[name]
        for column, steps in nested.cuts(name):
            held = self.fields.get(column)
            if held and (held.type in {"VARCHAR", "JSON"} or held.type.endswith("]") or "(" in held.type):
                text = held.sql if held.type in {"VARCHAR", "JSON"} else f"to_json({held.sql})"
                return RawColumn(nested.value_at(text, steps))
        return None


@dataclass(frozen=True)
class RawTable:
    """The files of one table, all of which have the wanted columns."""

    label: str
    files: tuple[OpenFile, ...]
    wanted: tuple[str, ...]

    def columns(self, file: OpenFile) -> dict[str, RawColumn]:
        """Give the wanted columns of a file as the raw rows hold them."""
        found = {name: file.find(name) for name in self.wanted}
        return {name: RawColumn(f"r{n}", column.type if column else "VARCHAR")
                for n, (name, column) in enumerate(found.items())}  # fmt: skip


def open_table(label: str, table: Table, wanted: Sequence[str], data_root: Path) -> RawTable:
    """Find the files of a table and check their columns.

    Raises InputError where a file can't be read, a wanted column is missing (all of them at once, each with the
    nearest that exists), or the files of the table differ in their columns.
    """
    return choose_columns(label, _open_files(label, table, wanted, data_root), wanted)


def table_columns(label: str, table: Table, data_root: Path) -> tuple[str, ...]:
    """List the columns of the files of a table; of objects, all keys that any line has.

    Raises InputError where a file can't be read, or the files differ in their columns.
    """
    files = _open_files(label, table, None, data_root)
    _refuse_difference(label, files)
    return tuple(name for name in files[0].names if name)


def open_result(path: Path, name: str, names: Sequence[str]) -> OpenFile:
    """Open a Parquet file that holds a query's rows: reason, then r0, r1 ..., which are the columns ``names``."""
    columns, types = _describe(f"read_parquet({file_literal(path)})")
    fields = _fields((shown, identifier(held), types[held]) for shown, held in zip(names, columns[1:], strict=True))
    return OpenFile(RawFile(name, path, "parquet"), tuple(names), fields=fields, reason="reason")


def choose_columns(label: str, files: Sequence[OpenFile], wanted: Sequence[str]) -> RawTable:
    """Choose columns of the files of a table; raises InputError where one is missing or the files differ."""
    wanted = tuple(dict.fromkeys(wanted))
    missing = [f"{name!r} ({_advise(name, files[0])})" for name in wanted if files[0].find(name) is None]
    if missing:
        raise InputError(f"{label}: {files[0].file.name} has no column {', '.join(missing)}; change it under columns")
    _refuse_difference(label, files)
    if files[0].file.format == "parquet":
        absent = [f"{name!r} ({_advise_key(name, files)})" for name in wanted if _never_occurs(name, files)]
        if absent:
            raise InputError(f"{label}: no row holds {', '.join(absent)}; change it under columns")
    return RawTable(label, tuple(files), wanted)


def _open_files(label: str, table: Table, wanted: Sequence[str] | None, data_root: Path) -> list[OpenFile]:
    """Open the files of a table, by the columns that are wanted of them or, without, by all."""
    if table.path is None:
        raise LeadcastError(f"{label} has no path; this is a mistake in leadcast itself: please report it")
    files = [_open_file(file, table, wanted) for file in find_files(label, table.path, data_root)]
    if any(file.file.format == "json_lines" for file in files):
        # An object may lack keys: what counts is that some object of the table has them.
        names = tuple(dict.fromkeys(name for file in files for name in file.names))
        files = [replace(file, names=names) if file.file.format == "json_lines" else file for file in files]
    return files


def _refuse_difference(label: str, files: Sequence[OpenFile]) -> None:
    for file in files[1:]:
        odd = set(file.names) ^ set(files[0].names)
        if odd:
            raise InputError(
                f"{label}: {file.file.name} and {files[0].file.name} differ in the columns "
                f"{', '.join(map(repr, sorted(odd)))}; "
                "files of one table must share their columns: make them two sources"
            )


def _advise(name: str, file: OpenFile) -> str:
    """Name the nearest column or, where the column is there, the nearest thing inside of it."""
    known = list(dict.fromkeys([*file.names, *file.fields]))
    column = nested.split_path(name)[0].key if "." in name or "[" in name else name
    if column in known:
        return nearest(name, [other for other in known if other.startswith(column)])
    if "[" in name:
        return nearest(column, file.names)
    return nearest(name, known)


def _never_occurs(name: str, files: Sequence[OpenFile]) -> bool:
    """Tell whether a key inside of a Parquet column is in no row of any file."""
    if name in files[0].fields:
        return False
    with duckdb.connect() as connection:
        for file in files:
            column = file.find(name)
            condition = f"{column.sql} IS NOT NULL" if column else "false"
            if connection.execute(f"SELECT 1 FROM {_parquet(file.file)} WHERE {condition} LIMIT 1").fetchall():
                return False
    return any(_rows(file) for file in files)


def _rows(file: OpenFile) -> int:
    with duckdb.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {_parquet(file.file)}").fetchone()
    return int(row[0]) if row else 0


def _advise_key(name: str, files: Sequence[OpenFile]) -> str:
    """Name the nearest of the keys that the first rows hold."""
    known: dict[str, None] = {}
    columns = [column for column, _ in nested.cuts(name) if column in files[0].fields]
    with duckdb.connect() as connection:
        for file in files[:10]:
            text = f"CAST(to_json({file.fields[columns[0]].sql}) AS VARCHAR)"
            if file.fields[columns[0]].type in {"VARCHAR", "JSON"}:
                text = f"CAST({file.fields[columns[0]].sql} AS VARCHAR)"
            for (held,) in connection.execute(f"SELECT {text} FROM {_parquet(file.file)} LIMIT 1000").fetchall():
                value = json_lines.parse(held or "null")
                known.update(dict.fromkeys(nested.paths_of(value, columns[0], entries="[" in name)))
    return nearest(name, known)


def _open_file(file: RawFile, table: Table, wanted: Sequence[str] | None) -> OpenFile:
    if file.format == "parquet":
        try:
            columns, types = _describe(_parquet(file))
        except duckdb.Error as error:
            raise _unreadable(file, error) from None
        return OpenFile(file, columns, fields=_fields((name, identifier(name), types[name]) for name in columns))
    with open_lines(file, table.encoding) as lines:
        if file.format == "json_lines":
            return OpenFile(file, tuple(sorted(json_lines.find_keys(lines, wanted))), encoding=table.encoding)
        header = delimited.read_header(lines, wanted, table.delimiter)
        return OpenFile(file, header.names, header.delimiter, table.encoding)


def _describe(relation: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    with duckdb.connect() as connection:
        described = connection.sql(f"SELECT * FROM {relation}")
        return tuple(described.columns), dict(zip(described.columns, described.types, strict=True))


def _fields(columns: Iterable[tuple[str, str, Any]]) -> dict[str, RawColumn]:
    """Give Parquet columns and, where they are STRUCTs, their members, as SQL over the file; columns come first."""
    fields: dict[str, RawColumn] = {}
    members: list[tuple[str, str, Any]] = []
    for name, sql, kind in columns:
        fields[name] = _field(sql, str(kind))
        if kind.id == "struct":
            members += [
                (f"{name}.{member}", f"struct_extract({sql}, {literal(member)})", inner)
                for member, inner in kind.children
            ]
    return {**_fields(members), **fields} if members else fields


def _field(sql: str, kind: str) -> RawColumn:
    """Give a Parquet column as what the rest knows: JSON is text, and no time is finer than a microsecond."""
    if kind == "JSON":
        return RawColumn(f"json_extract_string({sql}, '$')")
    coarse = _COARSE.get(kind)
    return RawColumn(f"CAST({sql} AS {coarse})", coarse) if coarse else RawColumn(sql, kind)


def copy_rows(
    connection: duckdb.DuckDBPyConnection, table: RawTable, file: OpenFile, query: Callable[[str], str], target: Path
) -> None:
    """Run ``query`` over the raw rows of a file (as SQL: a relation) and write what it gives to a Parquet file.

    Raises InputError where the file can't be read to its end.
    """
    with _raw_rows(connection, table, file) as relation:
        connection.execute(f"COPY ({query(relation)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4)")


def parquet_rows(table: RawTable, file: OpenFile) -> str:
    """Give the raw rows of a Parquet file as SQL that may be used more than once."""
    found = [file.find(name) for name in table.wanted]
    columns = "".join(f", {column.sql if column else 'NULL'} AS r{n}" for n, column in enumerate(found))
    return (
        f"SELECT file_row_number + 1 AS line, {file.reason} AS reason{columns} "
        f"FROM {_parquet(file.file, row_number=True)}"
    )


def check_readable(connection: duckdb.DuckDBPyConnection, table: RawTable, file: OpenFile) -> None:
    """Read a file to its end; raises InputError where it can't be."""
    with _raw_rows(connection, table, file) as relation:
        connection.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM ({relation})").fetchall()


@contextmanager
def _raw_rows(connection: duckdb.DuckDBPyConnection, table: RawTable, file: OpenFile) -> Iterator[str]:
    if file.file.format == "parquet":
        try:
            yield parquet_rows(table, file)
        except duckdb.Error as error:
            raise _unreadable(file.file, error) from None
        return
    with open_lines(file.file, file.encoding) as lines:
        if file.file.format == "json_lines":
            batches, width = json_lines.read_objects(lines), 1
            relation = json_lines.relation(_STREAM, table.wanted)
        else:
            header = delimited.read_header(lines, table.wanted, file.delimiter)
            batches, width = delimited.read_rows(lines, header, table.wanted), len(table.wanted)
            relation = f"SELECT * FROM {_STREAM}"
        failures: list[LeadcastError] = []
        stream = pa.RecordBatchReader.from_batches(delimited.batch_schema(width), _remember_failure(batches, failures))
        connection.register(_STREAM, stream)
        try:
            yield relation
        except duckdb.Error as error:
            # DuckDB wraps what the stream raises into an error of its own.
            raise (failures[0] if failures else _unreadable(file.file, error)) from None
        finally:
            connection.unregister(_STREAM)


def _remember_failure(batches: Iterator[pa.RecordBatch], failures: list[LeadcastError]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except LeadcastError as error:
        failures.append(error)
        raise


def _parquet(file: RawFile, *, row_number: bool = False) -> str:
    return (
        f"read_parquet({file_literal(file.path)}, hive_partitioning = false"
        f"{', file_row_number = true' if row_number else ''})"
    )


def _unreadable(file: RawFile, error: duckdb.Error) -> LeadcastError:
    reason = str(error).splitlines()[0]
    if "No space left" in reason or "write" in reason or isinstance(error, duckdb.OutOfMemoryException):
        return LeadcastError(f"{file.name}: {reason}; free space on the disk, or raise ingest.memory_limit")
    return InputError(f"{file.name} can't be read: {reason}; export it again")
