"""Rows of a source dealt out: to the parts of their leads, to those of unknown ones, or aside; and then sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.partitions.arrangement import numbers_of
from pipeline.partitions.looks import Look
from pipeline.partitions.spool import Spool
from pipeline.reading.quarantine import UNKNOWN_LEAD
from pipeline.sorting.travel import STRANGERS, Travel

AT_ONCE = 1 << 19
"""How many rows come at once, and the most that are sorted at once."""
ROW_BYTES = 256
"""What a row takes while it is sorted."""
FEWEST = 1 << 16
"""Parts of fewer rows are not worth their while."""
_ASIDE = pa.schema([("sequence", pa.int64()), ("reason", pa.string())])


def most_at_once(memory_limit: int, workers: int) -> int:
    """Tell how many rows are sorted at once, by as many workers within so many bytes."""
    return min(max(memory_limit // workers // ROW_BYTES, FEWEST), AT_ONCE)


class Aside:
    """A Parquet file of what is set aside of a source: sequence and reason, in any order. As a context."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = pq.ParquetWriter(path, _ASIDE, compression="lz4")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()

    def add(self, sequences: pa.Array, reasons: pa.Array | str) -> None:
        """Set rows aside."""
        if len(sequences):
            told = pa.repeat(reasons, len(sequences)) if isinstance(reasons, str) else reasons
            self._writer.write_batch(pa.RecordBatch.from_arrays([sequences, told], schema=_ASIDE))

    def add_all(self, path: Path) -> None:
        """Set all rows of another such file aside."""
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(AT_ONCE):
                self._writer.write_batch(batch.cast(_ASIDE))


def set_aside(asides: Sequence[Aside], rows: pa.Table, reason: str) -> None:
    """Set rows of several sources aside, each to that of its source."""
    for number in pc.unique(rows["source"]).to_pylist():
        own = rows.filter(pc.equal(rows["source"], number))
        asides[number].add(own["sequence"].combine_chunks(), reason)


@dataclass(frozen=True)
class SortedRows:
    """The rows of all sources, dealt out; what was set aside by then has been."""

    looks: Sequence[Look | None]
    """What the rows of each source look like, where it was to be looked at."""
    write: Callable[[Path], None]
    """Writes the log, once, and sets aside what repeats others, or is of unknown leads."""


def deal(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    number: int,
    travel: Travel,
    known: Spool,
    strangers: Spool,
    aside: Aside,
    look: Look | None,
) -> None:
    """Deal out the rows of a source, as ``travel.query`` asks for them, and count them where a ``look`` is wanted."""
    connection.execute("SET preserve_insertion_order = false")
    with _as_of_duckdb():
        for whole in connection.sql(query).to_arrow_reader(AT_ONCE):
            batch, reasons = whole, whole["reason"]
            if look:
                mapped = _mapped(whole)
                look.take(len(whole), mapped["occurred_at"], mapped[travel.known_at])
            if reasons.null_count < len(batch):
                others = reasons.is_valid()
                if number in travel.by_parts:
                    unknown = pc.equal(reasons, UNKNOWN_LEAD).fill_null(False)
                    others = pc.and_not(others, unknown)
                    stranger = travel.pack(batch.filter(unknown), number, "stranger")
                    strangers.deal(stranger, (numbers_of(stranger["lead"]) // (STRANGERS >> 8)).astype(np.uint16))
                broken = batch.filter(others)
                aside.add(broken["sequence"], broken["reason"])
                batch = batch.filter(reasons.is_null())
            row = travel.pack(batch, number)
            known.deal(row, ((numbers_of(row["lead"]) - 1) // travel.width).astype(np.uint16))
    connection.execute("SET preserve_insertion_order = true")


def _mapped(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Leave out the rows that mapping found unusable."""
    reasons = rows["reason"]
    if reasons.null_count == len(rows):
        return rows
    return rows.filter(pc.or_kleene(reasons.is_null(), pc.equal(reasons, UNKNOWN_LEAD)))


@contextmanager
def _as_of_duckdb() -> Iterator[None]:
    """Tell what DuckDB fails with while rows come from it as DuckDB does elsewhere."""
    try:
        yield
    except pa.ArrowException as error:
        kind = duckdb.OutOfMemoryException if "Out of Memory" in str(error) else duckdb.Error
        raise kind(str(error)) from None
