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

from pipeline.partitions.arrangement import Arranged, numbers_of
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


@dataclass(frozen=True)
class SortedRows:
    """The rows of all sources, dealt out and to be read in the order of the log, part by part, and once."""

    travel: Travel
    """How they have travelled, with all texts that they hold."""
    looks: Sequence[Look | None]
    """What the rows of each source look like, where it was to be looked at."""
    set_aside: Sequence[Sequence[Path]]
    """By source, files of what was set aside, beside those that were handed in."""
    parts: Iterator[pa.Table]
    """The rows that can be used, but for those that repeat others in their part."""
    arrange: Callable[[pa.Table], Arranged]
    """Puts one of the parts in order, in any thread."""
    repeats: Iterator[pa.Table]
    """What repeats others beyond what ``arrange`` finds: source and sequence."""
    strangers: Iterator[Arranged]
    """The rows of unknown leads, and of those what repeats others."""


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
