"""The rows of a source's files: how a file is mapped, and where its mapped rows lie, to be read stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from pipeline.core.sql import file_literal, literal
from pipeline.reading.mapped_table import MappedTable
from pipeline.reading.raw_files import RawFile
from pipeline.reading.readers import OpenFile, copy_rows, parquet_rows, reading_of


@dataclass(frozen=True)
class FileToMap:
    """A file of a table, what its rows become, and the Parquet file to write them to."""

    opened: OpenFile
    mapped: MappedTable
    number: int
    """Its place among the files of its table."""
    time_zone: str
    """Of times that carry no offset."""
    target: Path

    @property
    def copy(self) -> MappedCopy:
        """Where its mapped rows lie once they are written."""
        return MappedCopy(self.target, self.number)

    def of(self, raw: RawFile, target: Path) -> FileToMap:
        """Name the same file, or some of its lines, in another way, and write to another target."""
        return replace(self, opened=replace(self.opened, file=raw), target=target)

    def write(self, connection: duckdb.DuckDBPyConnection, *alike: FileToMap) -> None:
        """Read and map the file, and others that are ``alike``; rows come in any order, for ``sequence`` holds it.

        Raises InputError where a file can't be read to its end.
        """
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET TimeZone = {literal(self.time_zone)}")
        if alike:
            files = {file.number: file.opened for file in (self, *alike)}
            copy_rows(connection, files, partial(self.mapped.query, file_number=0), self.target)
        else:
            copy_rows(connection, self.opened, partial(self.mapped.query, file_number=self.number), self.target)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = true")

    def is_like(self, other: FileToMap) -> bool:
        """Tell whether one statement can read and map both; it takes longer to plan than a small file to read."""
        reading = reading_of(self.opened)
        return reading is not None and self.mapped is other.mapped and reading == reading_of(other.opened)


@dataclass(frozen=True)
class MappedCopy:
    """Mapped rows of a file, as they were written."""

    path: Path
    number: int

    def absolute(self) -> MappedCopy:
        """Name its place for other processes."""
        return replace(self, path=self.path.absolute())

    def query(self, rows: range) -> str:
        """Write the SQL of a stretch of them."""
        return (
            "SELECT * EXCLUDE (file_row_number) FROM "
            f"read_parquet({file_literal(self.path)}, hive_partitioning = false, file_row_number = true) "
            f"WHERE file_row_number >= {rows.start} AND file_row_number < {rows.stop}"
        )


@dataclass(frozen=True)
class RawParquet:
    """A raw Parquet file that is mapped as often as its rows are needed."""

    opened: OpenFile
    mapped: MappedTable
    number: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.opened.file.path

    def absolute(self) -> RawParquet:
        """Name its place for other processes."""
        file = replace(self.opened.file, path=self.path.absolute())
        return replace(self, opened=replace(self.opened, file=file))

    def query(self, rows: range | None = None) -> str:
        """Write the SQL of a stretch of its mapped rows, or of all of them."""
        return self.mapped.query(parquet_rows(self.opened, rows), self.number)


Mapped = MappedCopy | RawParquet


def cut(mapped: Mapped, rows: int) -> Iterator[range]:
    """Cut a file into stretches of whole row groups, of about so many rows each."""
    metadata = pq.read_metadata(mapped.path)
    start = end = 0
    for number in range(metadata.num_row_groups):
        end += metadata.row_group(number).num_rows
        if end - start >= rows:
            yield range(start, end)
            start = end
    if end > start:
        yield range(start, end)


@dataclass(frozen=True)
class Beside:
    """A relation that judging asks beside the rows themselves.

    ``few`` says which of its rows some mapped rows need, as SQL in which ``{mapped}`` stands for these, and
    ``{number}`` for that of their file; all, where it is empty.
    """

    name: str
    rows: str
    few: str = ""


@dataclass(frozen=True)
class SourceRows:
    """The rows of a source: where they lie, mapped, and what is asked of them."""

    number: int
    name: str
    mapped: str
    """The name of the relation of mapped rows, in ``judged`` and in relations ``beside``."""
    judged: str
    """The name of the relation of its rows, of which the reason says whether each is used."""
    judging: str
    """The SQL of that."""
    query: str
    """What travels of them, as SQL."""
    files: Sequence[Mapped]
    beside: Sequence[Beside]
    looked_at: bool
    """Whether they are counted as they pass, for nobody has looked at them before."""
