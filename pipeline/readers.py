"""One table's files as raw rows for DuckDB: texts (or Parquet's own types), each with its line.

Whatever the format, a row of raw data becomes: line, reason (why it can't be read, or null), r0, r1 ... in the order of
the wanted columns. Nothing is judged here but whether it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import InputError, LeadcastError, nearest
from pipeline import delimited, json_lines
from pipeline.raw_files import RawFile, find_files, open_lines
from pipeline.source_configuration import Table
from pipeline.sql import file_literal, identifier, literal

_STREAM = "raw_stream"


@dataclass(frozen=True)
class RawColumn:
    """A raw column as SQL, and its DuckDB type."""

    sql: str
    type: str = "VARCHAR"


@dataclass(frozen=True)
class OpenFile:
    """A file whose columns are known; ``types`` are DuckDB's and empty for text formats."""

    file: RawFile
    names: tuple[str, ...]
    delimiter: str = ","
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """The files of one table, all of which have the wanted columns."""

    label: str
    files: tuple[OpenFile, ...]
    wanted: tuple[str, ...]

    def columns(self, file: OpenFile) -> dict[str, RawColumn]:
        """Give the wanted columns of a file as the raw rows hold them."""
        types = dict(zip(file.names, file.types, strict=False))
        return {name: RawColumn(f"r{n}", types.get(name, "VARCHAR")) for n, name in enumerate(self.wanted)}


def open_table(label: str, table: Table, wanted: Sequence[str], data_root: Path) -> RawTable:
    """Find the files of a table and check their columns.

    Raises InputError where a file can't be read, a wanted column is missing (all of them at once, each with the
    nearest that exists), or the files of the table differ in their columns.
    """
    wanted = tuple(dict.fromkeys(wanted))
    files = [_open_file(file, table, wanted) for file in find_files(label, table.path, data_root)]
    if any(file.file.format == "json_lines" for file in files):
        # An object may lack keys: what counts is that some object of the table has them.
        names = tuple(dict.fromkeys(name for file in files for name in file.names))
        files = [replace(file, names=names) if file.file.format == "json_lines" else file for file in files]
    missing = [f"{name!r} ({nearest(name, files[0].names)})" for name in wanted if name not in files[0].names]
    if missing:
        raise InputError(f"{label}: {files[0].file.name} has no column {', '.join(missing)}; change it under columns")
    for file in files[1:]:
        odd = set(file.names) ^ set(files[0].names)
        if odd:
            raise InputError(
                f"{label}: {file.file.name} and {files[0].file.name} differ in the columns "
                f"{', '.join(map(repr, sorted(odd)))}; "
                "files of one table must share their columns: make them two sources"
            )
    return RawTable(label, tuple(files), wanted)


def _open_file(file: RawFile, table: Table, wanted: Sequence[str]) -> OpenFile:
    if file.format == "parquet":
        try:
            with duckdb.connect() as connection:
                described = connection.execute(f"DESCRIBE SELECT * FROM {_parquet(file)}").fetchall()
        except duckdb.Error as error:
            raise _unreadable(file, error) from None
        return OpenFile(file, tuple(row[0] for row in described), types=tuple(row[1] for row in described))
    with open_lines(file) as lines:
        if file.format == "json_lines":
            return OpenFile(file, tuple(sorted(json_lines.find_keys(lines, wanted))))
        header = delimited.read_header(lines, wanted, table.delimiter)
        return OpenFile(file, header.names, header.delimiter)


def copy_rows(
    connection: duckdb.DuckDBPyConnection, table: RawTable, file: OpenFile, query: Callable[[str], str], target: Path
) -> None:
    """Run ``query`` over the raw rows of a file (as SQL: a relation) and write what it gives to a Parquet file.

    Raises InputError where the file can't be read to its end.
    """
    with _raw_rows(connection, table, file) as relation:
        connection.execute(f"COPY ({query(relation)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4)")


@contextmanager
def _raw_rows(connection: duckdb.DuckDBPyConnection, table: RawTable, file: OpenFile) -> Iterator[str]:
    if file.file.format == "parquet":
        columns = "".join(f", {identifier(name)} AS r{n}" for n, name in enumerate(table.wanted))
        try:
            yield (
                f"SELECT file_row_number + 1 AS line, NULL::VARCHAR AS reason{columns} FROM {_parquet(file.file, True)}"
            )
        except duckdb.Error as error:
            raise _unreadable(file.file, error) from None
        return
    with open_lines(file.file) as lines:
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


def _parquet(file: RawFile, row_number: bool = False) -> str:
    return (
        f"read_parquet({file_literal(file.path)}, hive_partitioning = false"
        f"{', file_row_number = true' if row_number else ''})"
    )


def _unreadable(file: RawFile, error: duckdb.Error) -> LeadcastError:
    reason = str(error).splitlines()[0]
    if "No space left" in reason or isinstance(error, duckdb.OutOfMemoryException):
        return LeadcastError(f"{file.name}: {reason}; free space on the disk, or raise ingest.memory_limit")
    return InputError(f"{file.name} can't be read: {reason}; export it again")
