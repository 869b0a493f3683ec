"""One table's files as raw rows for DuckDB: texts (or Parquet's own types), each with its line.

Whatever the format, a row of raw data becomes: line, reason (why it can't be read, or null), r0, r1 ... in the order of
the wanted columns. Nothing is judged here but whether it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa

from features.core.errors import InputError, LeadcastError, nearest
from pipeline.core.sql import LINE_BITS, Relation, fetch_row, file_literal, identifier, literal, open_reader
from pipeline.reading import delimited, json_lines, nested, workbooks
from pipeline.reading.extent import find_header
from pipeline.reading.nested import RawColumn, fields_of
from pipeline.reading.nothing import without_words
from pipeline.reading.quarantine import LEFT_OUT
from pipeline.reading.raw_files import RawFile, find_files, open_lines
from pipeline.reading.texts import says_left_out, with_hour
from pipeline.settings.table import Extent, Table

Required = Mapping[str, Sequence[str]]
"""The fields without which no row can be used, each with the columns that it may be made of."""

_SHARED = 0.5
_STREAM = "raw stream"


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
    extent: Extent = field(default_factory=Extent)
    decimal: str = "."
    """Of a workbook: what the numbers of its cells have before their decimals, as those that are texts do."""
    texts: frozenset[str] = frozenset()
    """Of JSON lines: where texts lie that hold JSON themselves."""
    chosen: Mapping[str, RawColumn] = field(default_factory=dict)
    """The columns that are wanted of all files of its table: what this one lacks is missing in its rows."""
    nothing: tuple[str, ...] = ()
    """The words that stand for a missing text."""
    time_of_day: Mapping[str, str] = field(default_factory=dict)
    """By a column of days, the one that says at which hour."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By a column, the words by which it says that a row does not count."""

    @property
    def columns(self) -> dict[str, RawColumn]:
        """The chosen columns as the raw rows hold them."""
        return {
            name: RawColumn(f"r{n}", "VARCHAR" if name in self.time_of_day else column.type)
            for n, (name, column) in enumerate(self.chosen.items())
        }

    def find(self, name: str) -> RawColumn | None:
        """Find a column, or what lies inside of one; None where there is no such column."""
        if self.file.format == "json_lines":
            return RawColumn(name) if name in self.names else None
        if self.file.has_header:
            return RawColumn(name) if nested.find_column(name, self.names) else None
        if name in self.fields:
            return self.fields[name]
        for column, steps in nested.cuts(name):
            held = self.fields.get(column)
            if held and (held.type in {"VARCHAR", "JSON"} or held.type.endswith("]") or "(" in held.type):
                text = held.sql if held.type in {"VARCHAR", "JSON"} else f"to_json({held.sql})"
                return RawColumn(nested.value_at(text, steps))
        return None


Files = OpenFile | Mapping[int, OpenFile]
"""A file, or several that are read alike (``reading_of``), by their numbers, with which those of their lines begin."""


def open_table(
    label: str, table: Table, wanted: Sequence[str], data_root: Path, required: Required = MappingProxyType({})
) -> tuple[OpenFile, ...]:
    """Find the files of a table and choose their columns.

    Raises InputError where a file can't be read, no file has a wanted column (all of them at once, each with the
    nearest that exists), or a file is of another kind than the others.
    """
    files = _open_files(label, table, read_beside(table, wanted), data_root)
    return read_as(table, choose_columns(label, files, read_beside(table, wanted), required))


def read_beside(table: Table, wanted: Sequence[str]) -> tuple[str, ...]:
    """Add to the columns that are wanted of a table those that say at which hour of a day, and which rows count."""
    hours = (table.time_of_day[name] for name in wanted if name in table.time_of_day)
    return *wanted, *hours, *(name for name in table.left_out if name not in wanted)


def read_as(table: Table, files: Sequence[OpenFile]) -> tuple[OpenFile, ...]:
    """Let files whose columns are chosen be read as the settings of their table say."""
    return tuple(
        replace(file, nothing=table.nothing, time_of_day=table.time_of_day, left_out=table.left_out) for file in files
    )


def table_columns(label: str, table: Table, data_root: Path) -> tuple[str, ...]:
    """List the columns that any file of a table has; of objects, all keys that any line has.

    Raises InputError where a file can't be read, or is of another kind than the others.
    """
    files = _open_files(label, table, None, data_root)
    _refuse_strangers(label, files)
    return tuple(dict.fromkeys(name for file in files for name in file.names if name))


def open_result(path: Path, name: str, names: Sequence[str]) -> OpenFile:
    """Open a Parquet file that holds a query's rows: reason, then r0, r1 ..., which are the columns ``names``."""
    columns, types = _describe(f"read_parquet({file_literal(path)})")
    fields = fields_of((shown, identifier(held), types[held]) for shown, held in zip(names, columns[1:], strict=True))
    return OpenFile(RawFile(name, path, "parquet"), tuple(names), fields=fields, reason="reason")


def choose_columns(
    label: str, files: Sequence[OpenFile], wanted: Sequence[str], required: Required = MappingProxyType({})
) -> tuple[OpenFile, ...]:
    """Choose columns of the files of a table; raises InputError where none has one, or a file is of another kind."""
    wanted = tuple(dict.fromkeys(wanted))
    missing = [name for name in wanted if all(file.find(name) is None for file in files)]
    if missing:
        told = ", ".join(f"{name!r} ({_advise(name, files[0])})" for name in missing)
        which = f"{files[0].file.name} has no" if len(files) == 1 else f"none of its {len(files)} files has a"
        raise InputError(f"{label}: {which} column {told}; {_advise_header(files[0], wanted)}change it under columns")
    if files[0].file.format != "json_lines":  # which has been read for all that is wanted
        _refuse_strangers(label, files)
    _refuse_without(label, files, required)
    nowhere = {name: _nothing_of(name, files) for name in wanted}
    chosen = [
        replace(file, chosen={name: file.find(name) or nothing for name, nothing in nowhere.items()}) for file in files
    ]
    absent = [f"{name!r} ({_advise_key(name, files)})" for name in wanted if _never_occurs(name, chosen)]
    if absent:
        raise InputError(f"{label}: no row holds {', '.join(absent)}; change it under columns")
    return tuple(chosen)


def _nothing_of(name: str, files: Sequence[OpenFile]) -> RawColumn:
    """Give what stands for a column in a file that lacks it: nothing, of the type that it has in another one."""
    kind = next((column.type for file in files if (column := file.find(name))), "VARCHAR")
    return RawColumn(f"CAST(NULL AS {kind})", kind)


def _advise_header(file: OpenFile, wanted: Sequence[str]) -> str:
    """Say which other line looks like the header, if one does."""
    found = find_header(file.file, file.encoding, wanted) if file.file.has_header else None
    known = len([name for name in wanted if file.find(name)])
    if found is None or found[1] <= known:
        return ""
    return f"line {found[0]} of {file.file.name} looks like the header: set header_line: {found[0]}; or "


def _open_files(label: str, table: Table, wanted: Sequence[str] | None, data_root: Path) -> list[OpenFile]:
    """Open the files of a table, by the columns that are wanted of them or, without, by all."""
    if table.path is None:
        raise LeadcastError(f"{label} has no path; this is a mistake in leadcast itself: please report it")
    files = find_files(label, table.path, data_root)
    return [_open_file(replace(file, sheet=table.sheet), table, wanted) for file in files]


def alike(names: Collection[str], others: Collection[str]) -> bool:
    """Tell whether files with these columns are parts of one table: they share most of what the narrower one has."""
    narrower = min(len(set(names)), len(set(others)))
    return len(set(names) & set(others)) >= _SHARED * narrower


def _refuse_strangers(label: str, files: Sequence[OpenFile]) -> None:
    """Refuse a file that shares too little with the one that has the most columns."""
    widest = max(files, key=lambda file: len(file.names))
    for file in files:
        if not alike(file.names, widest.names):
            odd = [name for name in file.names if name not in widest.names]
            raise InputError(
                f"{label}: {file.file.name} and {widest.file.name} share less than half of their columns (only the "
                f"first has {', '.join(map(repr, odd[:5]))}); they are no parts of one table: make them two sources"
            )


def _refuse_without(label: str, files: Sequence[OpenFile], required: Required) -> None:
    """Refuse a file that lacks a field without which none of its rows can be used.

    Objects may lack the key of the lead: on a quiet day nobody may have been known by it.
    """
    for file in files:
        lacking = {name: columns for name, columns in required.items() if not any(map(file.find, columns))}
        if file.file.format == "json_lines" and set(lacking) == {"lead_id"}:
            continue
        for name, columns in lacking.items():
            raise InputError(
                f"{label}: {file.file.name} has no {' or '.join(map(repr, columns))}, which says {name} in the other "
                "files, so none of its rows could be used; take it out of the path, or make it a source of its own"
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
    """Tell whether a key inside of a column is in no row of any file."""
    if any(name in file.names or name in file.fields for file in files):
        return False
    rows = 0
    with open_reader() as connection:
        for file in files:
            with _raw_rows(connection, replace(file, chosen={name: file.chosen[name]})) as relation:
                found = f"SELECT count(*), count(r0) FROM (SELECT * FROM ({relation}) WHERE reason IS NULL)"
                count, held = fetch_row(connection, found)
            if held:
                return False
            rows += count
    return rows > 0


def _advise_key(name: str, files: Sequence[OpenFile]) -> str:
    """Name the nearest of the keys that the first rows hold."""
    known: dict[str, None] = {}
    with open_reader() as connection:
        for file in files[:10]:
            held = file.fields if file.file.format == "parquet" else file.names
            column = next((column for column, _ in nested.cuts(name) if column in held), "")
            found = file.find(column)
            if found is None:
                continue
            with _raw_rows(connection, replace(file, chosen={column: found})) as relation:
                text = "r0" if found.type in {"VARCHAR", "JSON"} else "to_json(r0)"
                query = f"SELECT CAST({text} AS VARCHAR) FROM ({relation}) LIMIT 1000"
                texts = connection.execute(query).fetchall()
            for (text,) in texts:
                value = nested.parse(text or "null")
                known.update(dict.fromkeys(nested.paths_of(value, column, entries="[" in name)))
    return nearest(name, known)


def _open_file(file: RawFile, table: Table, wanted: Sequence[str] | None) -> OpenFile:
    if file.format == "parquet":
        try:
            columns, types = _describe(_parquet(file))
        except duckdb.Error as error:
            raise _unreadable([file], error) from None
        return OpenFile(file, columns, fields=fields_of((name, identifier(name), types[name]) for name in columns))
    if file.format == "json_lines":
        with open_lines(file, table.encoding) as lines:
            keys, texts = json_lines.find_keys(lines, wanted)
        return OpenFile(file, tuple(sorted(keys)), encoding=table.encoding, texts=texts)
    sheet = workbooks.read_sheet(file) if file.format == "workbook" else None
    try:
        if sheet:
            header = workbooks.read_header(sheet, table.header_line)
        else:
            with open_lines(file, table.encoding) as lines:
                header = delimited.read_header(lines, wanted, table.delimiter, table.header_line)
    except InputError as error:
        found = find_header(file, table.encoding, wanted or ()) if table.header_line is None else None
        if found is None or found[0] == 1:
            raise
        told = f"{error}; line {found[0]} looks like the header: set header_line: {found[0]}"
        raise InputError(told) from None
    return OpenFile(file, header.names, header.delimiter, table.encoding, extent=table, decimal=table.decimal)


def _describe(relation: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    with open_reader() as connection:
        described = connection.sql(f"SELECT * FROM {relation}")
        return tuple(described.columns), dict(zip(described.columns, described.types, strict=True))


def copy_rows(connection: duckdb.DuckDBPyConnection, files: Files, query: Callable[[str], str], target: Path) -> None:
    """Run ``query`` over the raw rows of a file (as SQL: a relation) and write what it gives to a Parquet file.

    Raises InputError where the file can't be read to its end.
    """
    with _raw_rows(connection, files) as relation:
        connection.execute(f"COPY ({query(relation)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION lz4)")


def reading_of(file: OpenFile) -> tuple[str, tuple[str, ...]] | None:
    """Say how a file that is no Parquet is read: the SQL over a stream of batches, and which columns these have."""
    if file.file.format == "parquet":
        return None
    stream = identifier(_STREAM)
    if file.file.format == "json_lines":
        return _as_set(file, json_lines.relation(stream, list(file.chosen), file.texts)), ("object",)
    ways = [nested.find_column(name, file.names) for name in file.chosen]
    held = tuple(dict.fromkeys(way[0] for way in ways if way))
    values = "".join(map(nested.select, count(), ways, repeat(held)))
    return _as_set(file, f"SELECT line, reason{values} FROM {stream}"), held


def parquet_rows(file: OpenFile, stretch: range | None = None) -> str:
    """Give the raw rows of a Parquet file, or a stretch of them, as SQL that may be used more than once."""
    columns = "".join(f", {column.sql} AS r{n}" for n, column in enumerate(file.chosen.values()))
    rows = (
        f"SELECT file_row_number + 1 AS line, {file.reason} AS reason{columns} "
        f"FROM {_parquet(file.file, row_number=True)}"
    )
    if stretch:
        rows += f" WHERE file_row_number >= {stretch.start} AND file_row_number < {stretch.stop}"
    return _as_set(file, rows)


def _as_set(file: OpenFile, rows: str) -> str:
    """Let the words for nothing be missing in the raw rows, days have their hours, and set aside what does not count.

    Numbers and times of Parquet are no words.
    """
    held = {name: f"r{number}" for number, name in enumerate(file.chosen)}
    texts = held
    if file.nothing:
        texts = {
            name: without_words(sql, file.nothing) if file.chosen[name].type == "VARCHAR" else sql
            for name, sql in held.items()
        }
    hours = {day: hour for day, hour in file.time_of_day.items() if {day, hour} <= held.keys()}
    made = texts | {day: with_hour(texts[day], texts[hour]) for day, hour in hours.items()}
    replaced = [f"{sql} AS {held[name]}" for name, sql in made.items() if sql != held[name]]
    if left_out := says_left_out({name: words for name, words in file.left_out.items() if name in held}, held):
        replaced.append(f"coalesce(reason, CASE WHEN {left_out} THEN {literal(LEFT_OUT)} END) AS reason")
    return f"SELECT * REPLACE ({', '.join(replaced)}) FROM ({rows})" if replaced else rows


def check_readable(connection: duckdb.DuckDBPyConnection, file: OpenFile) -> None:
    """Read a file to its end; raises InputError where it can't be."""
    with _raw_rows(connection, file) as relation:
        connection.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM ({relation})").fetchall()


@contextmanager
def _raw_rows(connection: duckdb.DuckDBPyConnection, files: Files) -> Iterator[str]:
    numbered = {0: files} if isinstance(files, OpenFile) else files
    file = next(iter(numbered.values()))
    reading = reading_of(file)
    if reading is None:
        try:
            yield parquet_rows(file)
        except duckdb.Error as error:
            raise _unreadable([file.file], error) from None
        return
    relation, held = reading
    failures: list[LeadcastError] = []
    read = {number << LINE_BITS: _batches(one, held) for number, one in numbered.items()}
    content = pa.RecordBatchReader.from_batches(delimited.batch_schema(len(held)), delimited.chain(read, failures))
    try:
        with Relation(connection, _STREAM).show(content):
            yield relation
    except duckdb.Error as error:
        # DuckDB wraps what the stream raises into an error of its own, and doesn't say in which file it failed itself.
        raise (failures[0] if failures else _unreadable([one.file for one in numbered.values()], error)) from None


def _batches(file: OpenFile, held: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if file.file.format == "json_lines":
        with open_lines(file.file, file.encoding) as lines:
            yield from json_lines.read_objects(lines)
    elif file.file.format == "workbook":
        yield from workbooks.read_rows(workbooks.read_sheet(file.file, file.decimal), held, file.extent, file.nothing)
    else:
        with delimited.open_rows(file.file, file.encoding, held, file.delimiter, file.extent) as batches:
            yield from batches


def _parquet(file: RawFile, *, row_number: bool = False) -> str:
    number = ", file_row_number = true" if row_number else ""
    return f"read_parquet({file_literal(file.path)}, hive_partitioning = false{number})"


def _unreadable(files: Sequence[RawFile], error: duckdb.Error) -> LeadcastError:
    first, last, reason = files[0].name, files[-1].name, str(error).splitlines()[0]
    name = first if len(files) == 1 else f"one of the {len(files)} files from {first} to {last}"
    if "No space left" in reason or "write" in reason or isinstance(error, duckdb.OutOfMemoryException):
        return LeadcastError(f"{name}: {reason}; free space on the disk, or raise run.memory_limit")
    return InputError(f"{name} can't be read: {reason}; export it again")
