"""What tasks of Spark do for ``ingest``: map a file, deal a stretch of rows out, sort some parts, write row groups.

Each is done by the functions that do all of it in one process, in a database of its own. Nothing here knows Spark.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import LeadcastError
from pipeline.core.sql import connect, file_literal, identifier
from pipeline.partitions.arrangement import arrange
from pipeline.partitions.log_file import write_parts
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Dealt, Spool, in_order
from pipeline.partitions.texts import TooManyTextsError
from pipeline.reading.readers import check_readable
from pipeline.settings.types import halve
from pipeline.sorting.dealing import Aside, deal
from pipeline.sorting.files import Beside, FileToMap, Mapped, RawParquet, SourceRows
from pipeline.sorting.form import Form
from pipeline.sorting.travel import Travel
from pipeline.spark.jobs import SeenFile

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class MapFile:
    """Map a file of a table; tells which Parquet file was written beside its target."""

    file: FileToMap
    memory_limit: str
    reads: Sequence[SeenFile]

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        target = self.file.target.with_name(_own_name(f"{self.file.number:06}"))
        with _database(self.memory_limit) as connection:
            replace(self.file, target=target).write(connection)
        return {"name": target.name}


class DealtOut(NamedTuple):
    """What became of a stretch of rows; files lie in the folder of the job."""

    known: str
    """The index of a file by parts (``Dealt``), as the next one."""
    strangers: str
    aside: str
    look: str | None
    added: dict[str, list[str]]
    """By columns, the texts that were numbered beyond those known to all."""
    too_many: str | None = None
    """The column of more texts than numbers stand for, because of which nothing became of the rows."""


@dataclass(frozen=True)
class DealStretch:
    """Judge a stretch of the mapped rows of a source and deal it out, into files in a folder."""

    source: SourceRows
    file: Mapped
    rows: range
    travel: Travel
    beside: Sequence[tuple[Beside, Path]]
    """The relations that judging asks, with the Parquet file of each."""
    folder: Path
    memory_limit: str
    reads: Sequence[SeenFile]

    def __call__(self) -> dict[str, Any]:
        """Do it; tells ``DealtOut``. Raises InputError where a raw file can't be read."""
        place = self.folder / _own_name("dealt")
        look = Look() if self.source.looked_at else None
        with ExitStack() as stack:
            connection = stack.enter_context(_database(self.memory_limit))
            known = stack.enter_context(Spool(place.with_suffix(".known")))
            strangers = stack.enter_context(Spool(place.with_suffix(".others")))
            aside = stack.enter_context(Aside(place.with_suffix(".aside")))
            try:
                self._lay_out(connection)
                deal(connection, self.source.query, self.source.number, self.travel, known, strangers, aside, look)
            except TooManyTextsError as error:
                return DealtOut("", "", "", None, {}, error.name)._asdict()
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error:
                if isinstance(self.file, RawParquet):
                    check_readable(connection, self.file.opened)
                raise
            indices = [place.with_suffix(suffix) for suffix in (".known-index", ".others-index")]
            for spool, index in zip((known, strangers), indices, strict=True):
                spool.keep().write_index(index)
            looked = place.with_suffix(".look") if look else None
            if look and looked:
                look.write(looked)
            added = {name: more for name, texts in self.travel.texts.items() if (more := texts.added())}
        of_known, of_strangers = (path.name for path in indices)
        return DealtOut(of_known, of_strangers, aside.path.name, looked.name if looked else None, added)._asdict()

    def _lay_out(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the relations that the query asks, of the others only what these rows need."""
        mapped = identifier(self.source.mapped)
        connection.execute(f"CREATE TEMP VIEW {mapped} AS {self.file.query(self.rows)}")
        for beside, path in self.beside:
            few = beside.few.format(mapped=mapped, number=self.file.number)
            rows = f"FROM read_parquet({file_literal(path)}) {few}"
            connection.execute(f"CREATE TEMP TABLE {identifier(beside.name)} AS {rows}")
        connection.execute(f"CREATE TEMP VIEW {identifier(self.source.judged)} AS {self.source.judging}")
        self.travel.make_types(connection)


class SortedParts(NamedTuple):
    """Where the rows of some parts lie, each part a batch in order, and what repeats others."""

    rows: str
    repeats: str
    size: int
    """How many rows there are, but for those that repeat others."""


@dataclass(frozen=True)
class SortParts:
    """Sort some of the parts, one after the other, into files in a folder."""

    parts: range
    indices: Sequence[Path]
    """Of all files that hold rows of these parts."""
    renumbered: Mapping[Path, Path]
    """Of some indices, the file that tells what numbers are to be read as; see ``write_numbers``."""
    whole_row: Sequence[str]
    by_parts: Sequence[int]
    most: int
    """How many rows are sorted at once."""
    folder: Path
    reads: Sequence[SeenFile]

    def __call__(self) -> dict[str, Any]:
        """Do it; tells ``SortedParts``."""
        place = self.folder / _own_name("sorted")
        paths = (place.with_suffix(".arrows"), place.with_suffix(".repeats"))
        dealt = [Dealt.open(index, self.parts) for index in self.indices]
        dealt = [
            replace(one, renumbered=_read_numbers(self.renumbered[index])) if index in self.renumbered else one
            for index, one in zip(self.indices, dealt, strict=True)
        ]
        with tempfile.TemporaryDirectory(prefix="leadcast-") as scratch, ExitStack() as stack:
            writers: list[pa.ipc.RecordBatchStreamWriter] = []
            count = 0
            for rows in in_order(dealt, self.most, Path(scratch, "dealt")):
                arranged = arrange(rows, self.whole_row, self.by_parts)
                count += len(arranged.rows)
                if not writers:
                    for path, table in zip(paths, arranged, strict=True):
                        sink = stack.enter_context(pa.OSFile(str(path), "wb"))
                        stream = pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED)
                        writers.append(stack.enter_context(stream))
                for writer, table in zip(writers, arranged, strict=True):
                    if len(table):
                        writer.write_table(table.combine_chunks())
        return SortedParts(paths[0].name, paths[1].name, count)._asdict()


class Stretch(NamedTuple):
    """Rows of a file of sorted parts, from one on and before another one."""

    path: Path
    start: int
    stop: int

    def read(self) -> Iterator[pa.Table]:
        """Read them, batch by batch."""
        passed = 0
        for batch in read_batches(self.path):
            own = batch.slice(max(self.start - passed, 0), self.stop - max(self.start, passed))
            passed += len(batch)
            if passed > self.start and len(own):
                yield own
            if passed >= self.stop:
                return


@dataclass(frozen=True)
class WriteGroups:
    """Write row groups of the log that follow one another, into a file of their own in a folder; tells its name."""

    stretches: Sequence[Stretch]
    """Their rows, in order: whole row groups, but for the last one of the log."""
    form: Form
    travel: Travel
    leads: Path
    """A Parquet file of all leads by their rank."""
    folder: Path
    reads: Sequence[SeenFile]

    def __call__(self) -> dict[str, Any]:
        """Do it."""
        target = self.folder / _own_name("groups")
        write_parts(self._finished(), target)
        return {"name": target.name}

    def _finished(self) -> Iterator[pa.Table]:
        yield self.form.nothing(self.travel)
        for stretch in self.stretches:
            for rows in stretch.read():
                bounds = pc.min_max(rows["lead"])
                ranks = [("rank", ">=", bounds["min"].as_py()), ("rank", "<=", bounds["max"].as_py())]
                leads = pq.read_table(self.leads, columns=["lead_id", "rank"], filters=ranks).sort_by("rank")
                yield self.form.finish(rows, leads["lead_id"].combine_chunks(), self.travel)


def write_numbers(numbers: Mapping[str, NDArray[np.uint16]], path: Path) -> None:
    """Write, by columns, what each number is to be read as."""
    table = pa.table({name: pa.array([told], pa.list_(pa.uint16())) for name, told in numbers.items()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _read_numbers(path: Path) -> dict[str, NDArray[np.uint16]]:
    [table] = read_batches(path)
    return {name: np.asarray(table[name].combine_chunks().flatten()) for name in table.column_names}


def read_batches(path: Path) -> Iterator[pa.Table]:
    """Read what a job has written, batch by batch."""
    with pa.OSFile(str(path)) as stream, pa.ipc.open_stream(stream) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _own_name(name: str) -> str:
    """Name a file that only this try of a job knows."""
    return f"{name}-{uuid.uuid4().hex}"


@contextmanager
def _database(memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of one core and half of the memory, the rest is for what becomes of its rows."""
    with tempfile.TemporaryDirectory(prefix="leadcast-") as scratch:
        try:
            with connect(halve(memory_limit)[0], Path(scratch)) as connection:
                connection.execute("SET threads = 1")
                yield connection
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise LeadcastError(
                f"ingest on Spark: {str(error).splitlines()[0]}; free space on the executors' disks, or raise "
                "run.memory_limit"
            ) from None
