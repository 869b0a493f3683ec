"""The tables of a folder or a database: found, opened the way they are written, and ready for questions in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq

from features.core.errors import InputError
from pipeline.core.project import Progress
from pipeline.core.sql import connect, fetch_row, file_literal, identifier, literal
from pipeline.profiling.empty_words import find_empty_words, find_left_out
from pipeline.profiling.families import Part, is_empty_part, join_families
from pipeline.profiling.hours import find_hours, local_twins
from pipeline.profiling.words import plain
from pipeline.reading import workbooks
from pipeline.reading.databases import database_tables, fetch
from pipeline.reading.extent import read_layout
from pipeline.reading.moments import macro
from pipeline.reading.nested import parse, pointer
from pipeline.reading.nothing import without_words
from pipeline.reading.raw_files import (
    FOOTER_LINE,
    OPEN_ELSEWHERE,
    TITLE_LINE,
    RawFile,
    find_files,
    open_lines,
    readable_endings,
)
from pipeline.reading.readers import OpenFile, choose_columns, copy_rows, open_table, table_columns
from pipeline.reading.texts import says_left_out, with_hour
from pipeline.settings.ingest import OWN_TABLES
from pipeline.settings.table import Table

MOST_ROWS = 2_000_000
"""Rows of a table that are looked at."""
_LOOKED_AT_BYTES = 64 << 20
_HEAD_ROWS = 5_000
_HEADS = 20
"""Files of a table whose first rows are looked at for what lies inside of their columns."""
_MOST_KEYS = 40
_DEEPEST = 3
"""Objects within objects whose keys are named."""
HAPPENED = "happened"
_TEXTS: tuple[list[tuple[str]], ...] = ([("VARCHAR",)], [])
_UNDEFINED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


@dataclass(frozen=True)
class Spelled:
    """What the rows of a table say happened, where no column of it alone does: the column ``HAPPENED`` of a query."""

    sql: str
    """Over the row, ``event``."""
    reads: tuple[str, ...] = ()
    """The other tables that it reads."""
    fields: tuple[str, ...] = ()
    """Where a row says what a field of something was changed to: the fields."""
    is_sale: bool = False
    """Whether a row is a sale, or was meant to be one."""
    acted: bool = False
    """Whether the event type says who acted: ``inbound`` or ``outbound``, or ``by`` whom."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundTable:
    """A table as the settings would name it: ``settings`` say how to read it, ``columns`` what it holds."""

    name: str
    settings: Table
    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's; all text but for Parquet."""
    rows: int
    nested: frozenset[str] = frozenset()
    """The columns that lie inside of others: settings may name them, a query may not."""
    cut: bool = False
    """Whether it has more rows than were looked at."""
    notes: tuple[str, ...] = ()
    empty_words: str = ""
    """What is told of its words for nothing."""
    spelled: Spelled | None = None

    @property
    def relation(self) -> str:
        """The table as SQL, as the queries of the settings name it."""
        return identifier(in_settings(self.name))


def in_settings(name: str) -> str:
    """Name a table as ``ingest.tables`` may: some names are the settings' own."""
    return f"{name}_table" if name in OWN_TABLES else name


@dataclass
class Tables:
    """All tables that were found, in one DuckDB connection, and the files that were not read, each with the reason."""

    connection: duckdb.DuckDBPyConnection
    found: dict[str, FoundTable] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Put a query to the tables."""
        rows: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return rows

    def ask_row(self, query: str) -> tuple[Any, ...]:
        """Put a query to the tables that has one row."""
        return fetch_row(self.connection, query)


@contextmanager
def opened(folder: Path, database: str | None, leave_out: Sequence[str], progress: Progress) -> Iterator[Tables]:
    """Open all tables of a folder, and of a database where one is named.

    Raises InputError where there is nothing to read.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise InputError(f"the folder {folder} {what}; name the one that holds your exports")
    with TemporaryDirectory(prefix="leadcast-") as temporary:
        scratch = Path(temporary)
        with connect("2GB", scratch / "spill") as connection:
            connection.execute(macro())
            tables = Tables(connection)
            wanted = _tables_of_files(folder, leave_out, tables.unread)
            if database:
                wanted |= {name: Table(database=database, query=f"SELECT * FROM {quoted}")
                           for name, quoted in database_tables(database, folder)}  # fmt: skip
            for name, settings in wanted.items():
                if name in leave_out or settings.path in leave_out:
                    continue
                try:
                    found = _open(connection, name, settings, folder, scratch / name)
                except InputError as error:
                    raise InputError(f"{error}\nor leave it out: --without {settings.path or name}") from None
                tables.found[name] = found
                _refuse_lone_object(tables, found, settings)
                only = f", of which the first {MOST_ROWS:,} are looked at" if found.cut else ""
                notes = "".join(f"; {note}" for note in found.notes)
                progress(f"{name}: {found.rows:,} rows{only}, {len(found.columns)} columns{notes}")
            if not tables.found:
                reasons = "".join(f"\n  {name}: {reason}" for name, reason in tables.unread)
                raise InputError(
                    f"no table in {folder} that can be read; put CSV, JSON lines, Parquet or .xlsx there{reasons}"
                )
            if not any(table.rows for table in tables.found.values()):
                raise InputError(f"the tables in {folder} hold no rows, only names of columns; export them again")
            yield tables


def _refuse_lone_object(tables: Tables, table: FoundTable, settings: Table) -> None:
    """Raise InputError where a file is one JSON object that lists the rows, as an interface answers."""
    if table.rows != 1 or "json" not in (settings.path or "").lower():
        return
    for column in table.columns:
        (text,) = tables.ask_row(f"SELECT CAST({identifier(column)} AS VARCHAR) FROM {table.relation}")
        listed = parse(text or "")
        if isinstance(listed, list) and len(listed) > 1 and all(isinstance(one, dict) for one in listed):
            raise InputError(
                f"{settings.path} is one JSON object, whose {column!r} lists {len(listed):,} others; write one object "
                f"a line, as with: jq -c '.{column}[]'"
            )


def _tables_of_files(folder: Path, leave_out: Sequence[str], unread: list[tuple[str, str]]) -> dict[str, Table]:
    """Find the files, and join those that are parts of one table.

    Raises InputError where a file should be readable and is not: without it the rest may tell something else.
    """
    parts: list[Part] = []
    broken: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or any(part.startswith((".", "_", OPEN_ELSEWHERE)) for part in Path(name).parts):
            continue
        if name in leave_out or _table_name(name, {}) in leave_out:
            continue
        if not readable_endings(name):
            unread.append((name, "not a CSV, JSON lines, Parquet or .xlsx file"))
            continue
        try:
            (file,) = find_files(name, name, folder)
            parts += [_read_part(one, folder) for one in _sheets(file, leave_out, unread)]
        except InputError as error:
            broken[name] = str(error)
    for name in [name for name in broken if is_empty_part(name, parts, folder)]:
        del broken[name]
        unread.append((name, "empty"))
    if broken:
        told = "".join(f"\n  {reason}" for reason in broken.values())
        raise InputError(f"files that can't be read:{told}\nmend them, or leave them out: --without FILE")
    tables: dict[str, Table] = {}
    for settings in join_families(parts, folder):
        tables[_table_name(settings.path or "", tables, settings.sheet)] = settings
    return tables


def _sheets(file: RawFile, leave_out: Sequence[str], unread: list[tuple[str, str]]) -> list[RawFile]:
    """List the sheets of a workbook that has several, but for those that hold nothing; all else is one table."""
    if file.format != "workbook" or len(names := workbooks.sheet_names(file)) == 1:
        return [file]
    sheets = [replace(file, sheet=name) for name in names if _table_name(file.name, {}, name) not in leave_out]
    empty = [sheet for sheet in sheets if not workbooks.read_sheet(sheet).rows]
    unread += [(f"{file.name}, sheet {sheet.sheet!r}", "empty") for sheet in empty]
    return [sheet for sheet in sheets if sheet not in empty]


def _read_part(file: RawFile, folder: Path) -> Part:
    try:
        settings = _dialect(file)
        columns = table_columns(file.name, settings, folder)
    except InputError as error:
        alone = f"; or leave this sheet out: --without {_table_name(file.name, {}, file.sheet)}" if file.sheet else ""
        raise InputError(f"{error}{alone}") from None
    return Part(file.name, settings, columns, settings.encoding is None and _is_ascii(file))


def _table_name(path: str, taken: dict[str, Table], sheet: str | None = None) -> str:
    """Name a table after its file, and its sheet where it has several: letters, digits and underscores, distinct."""
    stem = re.sub(r"\[0-9\]|[*]", "", Path(path).name.split(".")[0])
    name = plain(f"{stem} {sheet or ''}").replace(" ", "_") or "table"
    count = sum(other == name or re.fullmatch(rf"{name}_\d+", other) is not None for other in taken)
    return f"{name}_{count + 1}" if count else name


def _dialect(file: RawFile) -> Table:
    """Tell how a file is written: its letters, what separates the columns of a CSV, and where its table lies."""
    encoding = _encoding(file) if file.is_text else None
    if not file.has_header:
        return Table(path=file.name, encoding=encoding)
    layout = read_layout(file, encoding)
    return Table(
        path=file.name,
        sheet=file.sheet,
        encoding=encoding,
        delimiter=layout.delimiter or None,
        header_line=layout.header_line if layout.header_line > 1 else None,
        footer_lines=layout.footer_lines,
    )


def _encoding(file: RawFile) -> str | None:
    """UTF-8, or UTF-16 that says so, needs no word; other files are taken for what Western Windows programs write."""
    with open_lines(file) as lines:
        head = lines.read_bytes(_LOOKED_AT_BYTES)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    if b"\x00" in head[:1000]:
        return "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    try:
        # What is cut in the middle of a letter is no mistake.
        head.decode("utf-8") if len(head) < _LOOKED_AT_BYTES else head[: head.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return "iso8859-1" if _UNDEFINED_IN_CP1252.search(head) else "cp1252"
    return None


def _is_ascii(file: RawFile) -> bool:
    if not file.is_text:
        return False
    with open_lines(file) as lines:
        return lines.read_bytes(_LOOKED_AT_BYTES).isascii()


def _open(connection: duckdb.DuckDBPyConnection, name: str, settings: Table, folder: Path, scratch: Path) -> FoundTable:
    """Copy the rows of a table that can be read, as text or in Parquet's own types, and make a view of its columns."""
    scratch.mkdir()
    if settings.path is None:
        fetched = fetch(name, settings, folder, scratch / "rows.parquet", lambda _: None, most_rows=MOST_ROWS)
        plain_names = fetched.names
        opened = choose_columns(name, [fetched], flat_columns(connection, [fetched], scratch))
    else:
        plain_names = table_columns(name, settings, folder)
        opened = open_table(name, settings, plain_names, folder)
        wanted = flat_columns(connection, opened, scratch)
        if wanted != plain_names:
            opened = open_table(name, settings, wanted, folder)
    names = tuple(opened[0].chosen)
    files, rows = [], 0
    for number, file in enumerate(opened):
        target = scratch / f"{number}.parquet"
        copy_rows(connection, file, lambda relation: f"SELECT * FROM ({relation}) LIMIT {MOST_ROWS}", target)
        files.append(file_literal(target))
        rows += pq.read_metadata(target).num_rows
        if rows >= MOST_ROWS:
            break
    return replace(_view(connection, name, settings, names, files), nested=frozenset(names) - frozenset(plain_names))


def flat_columns(connection: duckdb.DuckDBPyConnection, files: Sequence[OpenFile], scratch: Path) -> tuple[str, ...]:
    """Name what lies inside of nested columns by its path, as settings do: ``geo.country``, ``event_params[page]``."""
    # Some files may lack what others hold: the first, the last and some between them tell more than the first alone.
    step = max(1, len(files) // _HEADS)
    heads = [file for number, file in enumerate(files) if not number % step or file is files[-1]]
    rows = max(_HEAD_ROWS // len(heads), 200)
    targets = [scratch / f"head-{number}.parquet" for number in range(len(heads))]
    for file, target in zip(heads, targets, strict=True):
        copy_rows(connection, file, lambda relation: f"SELECT * FROM ({relation}) LIMIT {rows}", target)
    listed = f"[{', '.join(map(file_literal, targets))}], union_by_name = true"
    found = (_paths(connection, listed, f"r{number}", name) for number, name in enumerate(files[0].chosen))
    return tuple(dict.fromkeys(path for paths in found for path in paths))


def _paths(connection: duckdb.DuckDBPyConnection, file: str, column: str, name: str) -> list[str]:
    """List the paths to the values inside of a column of JSON or of a nested type; itself, where it is plain."""
    nested = f"SELECT to_json({column}) AS value FROM read_parquet({file})"
    if connection.execute(f"SELECT typeof({column}) FROM read_parquet({file}) LIMIT 1").fetchall() in _TEXTS:
        begun = f"left({column}, 1) IN ('{{', '[')"
        nested = f"SELECT TRY_CAST({column} AS JSON) AS value FROM read_parquet({file}) WHERE {begun}"
    return _paths_in(connection, nested, name, _DEEPEST)


def _paths_in(connection: duckdb.DuckDBPyConnection, values: str, name: str, depth: int) -> list[str]:
    kinds = {row[0] for row in connection.execute(f"SELECT DISTINCT json_type(value) FROM ({values})").fetchall()}
    if "OBJECT" in kinds and depth:
        objects = f"({values}) WHERE json_type(value) = 'OBJECT'"
        query = f"SELECT DISTINCT unnest(json_keys(value)) AS key FROM {objects} ORDER BY key"
        keys = [key for (key,) in connection.execute(query).fetchall()[:_MOST_KEYS]]
        held = {key: f"SELECT json_extract(value, {literal(pointer([key]))}) AS value FROM {objects}" for key in keys}
        return [path for key in keys for path in _paths_in(connection, held[key], f"{name}.{key}", depth - 1)]
    if "ARRAY" in kinds:
        query = (
            "SELECT key, count(*) FROM (SELECT unnest(json_extract_string(value, '$[*].key')) AS key "
            f"FROM ({values}) WHERE json_type(value) = 'ARRAY') WHERE key IS NOT NULL GROUP BY key ORDER BY ALL"
        )
        return [f"{name}[{key}]" for key, _ in connection.execute(query).fetchall()[:_MOST_KEYS]] or [name]
    return [name]


def _view(
    connection: duckdb.DuckDBPyConnection, name: str, settings: Table, names: Sequence[str], files: Sequence[str]
) -> FoundTable:
    relation = f"read_parquet([{', '.join(files)}])"
    held = {column: f"r{number}" for number, column in enumerate(names)}
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {relation}").fetchall()}
    texts = {column: sql for column, sql in held.items() if types[sql] == "VARCHAR"}
    # What is wrong with a cell that the settings will not use is no reason to leave out its row.
    is_flawed = f"coalesce({workbooks.is_flawed('reason')}, false)"
    readable = f"{relation} WHERE reason IS NULL OR {is_flawed}"
    words, told_of_words = find_empty_words(connection, f"(FROM {readable})", texts)
    if words:
        settings = settings.model_copy(update={"nothing": words})
        held |= {column: without_words(sql, words) for column, sql in texts.items()}
    hours, told_of_hours = find_hours(connection, f"(FROM {readable})", held)
    if hours:
        settings = settings.model_copy(update={"time_of_day": hours})
        joined = {day: with_hour(held[day], held[hour]) for day, hour in hours.items()}
        held = {column: joined.get(column, sql) for column, sql in held.items() if column not in hours.values()}
    local = local_twins(held)
    held = {column: sql for column, sql in held.items() if column not in local}
    left_out, told_of_left_out = find_left_out(connection, f"(FROM {readable})", held)
    does_count = "true"
    if left_out:
        settings = settings.model_copy(update={"left_out": left_out})
        does_count = f"NOT coalesce({says_left_out(left_out, held)}, false)"
    columns = ", ".join(f"{sql} AS {identifier(column)}" for column, sql in held.items())
    view = identifier(in_settings(name))
    connection.execute(f"CREATE VIEW {view} AS SELECT {columns} FROM (FROM {readable}) WHERE {does_count}")
    described = connection.execute(f"DESCRIBE {view}").fetchall()
    (counting,) = fetch_row(connection, f"SELECT count(*) FROM {view}")
    above_and_below = (f"count(*) FILTER (reason = '{reason}')" for reason in (TITLE_LINE, FOOTER_LINE))
    counts = f"count(*), count(reason) FILTER (NOT {is_flawed}), {', '.join(above_and_below)}"
    counts += f", count(*) FILTER ({is_flawed})"
    total, unreadable, above, below, flawed = fetch_row(connection, f"SELECT {counts} FROM {relation}")
    told = ((above, "above its header"), (below, "below its rows"))
    notes = tuple(f"{count:,} line{'s' if count > 1 else ''} {where}" for count, where in told if count)
    notes += (f"{unreadable - above - below:,} rows can't be read",) if unreadable > above + below else ()
    if flawed:
        rows = f"{flawed:,} row{'s' if flawed > 1 else ''}"
        notes += (f"{rows} with errors in cells, set aside where such a cell is read",)
    notes += (f"words for nothing: {told_of_words}",) if words else ()
    notes += tuple(f"{hour} is taken for the hour of {day}" for day, hour in hours.items())
    notes += tuple(f"{twin} says when {column} is in UTC, and is read" for column, twin in local.items())
    notes += tuple(filter(None, (told_of_hours, *told_of_left_out)))
    return FoundTable(
        name=name,
        settings=settings,
        columns=tuple(row[0] for row in described),
        types=tuple(row[1] for row in described),
        rows=counting,
        cut=total >= MOST_ROWS,
        notes=notes,
        empty_words=told_of_words,
    )
