"""Rows dealt out to parts, on disk: written as they come, and read part by part.

One file holds all parts, and several that were written side by side are read as one. What belongs to a part lies in
as many places of a file as it came in, so that no number of parts opens more files, or keeps more in memory, than one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.partitions.arrangement import numbers_of

MOST_PARTS = 1 << 12
_INDEX = ["part", "start", "length", "rows"]
Numbers = NDArray[np.uint16]


class Place(NamedTuple):
    """Where some rows of a part lie in a file: first byte and length; and how many they are."""

    start: int
    length: int
    rows: int


@dataclass(frozen=True)
class Dealt:
    """A file of rows by parts, as it was written."""

    path: Path
    schema: pa.Schema
    """Of what it holds; of no columns where it has no rows."""
    places: Mapping[int, Sequence[Place]]
    """By parts."""
    renumbered: Mapping[str, Numbers] = field(default_factory=dict)
    """By columns of numbers, what they are to be read as."""

    @property
    def rows(self) -> dict[int, int]:
        """How many rows each part has."""
        return {part: sum(place.rows for place in places) for part, places in self.places.items()}

    def write_index(self, path: Path) -> None:
        """Write where which rows are, for another process."""
        columns = zip(*((part, *place) for part, places in self.places.items() for place in places), strict=True)
        table = pa.table([pa.array(one, pa.int64()) for one in columns] or [[]] * len(_INDEX), _INDEX)
        table = table.replace_schema_metadata({"path": str(self.path), "schema": self.schema.serialize().to_pybytes()})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def open(cls, index: Path, parts: range = range(MOST_PARTS)) -> Self:
        """Read where the rows of some parts are in a file that another process has written."""
        with pa.OSFile(str(index)) as stream, pa.ipc.open_stream(stream) as reader:
            table = reader.read_all()
        told = table.schema.metadata
        asked = pc.and_(pc.greater_equal(table["part"], parts.start), pc.less(table["part"], parts.stop))
        places: dict[int, list[Place]] = defaultdict(list)
        for part, *place in zip(*(column.to_pylist() for column in table.filter(asked).columns), strict=True):
            places[part].append(Place(*place))
        return cls(Path(told[b"path"].decode()), pa.ipc.read_schema(pa.py_buffer(told[b"schema"])), dict(places))

    def read(self, part: int) -> Iterator[pa.RecordBatch]:
        """Read the rows of a part in the order in which they came."""
        if part not in self.places:
            return
        with self.path.open("rb") as file:
            for start, length, _ in self.places[part]:
                file.seek(start)
                batch = pa.ipc.read_record_batch(pa.py_buffer(file.read(length)), self.schema)
                for name, numbers in self.renumbered.items():
                    column = pa.array(numbers[np.asarray(batch[name])])
                    batch = batch.set_column(batch.schema.get_field_index(name), name, column)
                yield batch


class Spool:
    """A file of rows by parts that is being written. As a context: the file is removed at its end, unless kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._end = 0  # of what is written; to ask the file takes half as long as to write
        self._schema = pa.schema([])
        self._places: dict[int, list[Place]] = defaultdict(list)
        self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if not self._is_kept:
            self._path.unlink()

    def deal(self, rows: pa.RecordBatch, parts: Numbers) -> None:
        """Write each row to its part; within a part rows stay in the order in which they come."""
        self._schema = rows.schema
        dealt = pc.take(rows, pa.array(np.argsort(parts, kind="stable")), boundscheck=False)
        counts = np.bincount(parts)
        start = 0
        for part in np.flatnonzero(counts).tolist():
            count = int(counts[part])
            length = self._file.write(dealt.slice(start, count).serialize())
            self._places[part].append(Place(self._end, length, count))
            self._end += length
            start += count

    def keep(self) -> Dealt:
        """Give what has been written, which stays when the context ends."""
        self._is_kept = True
        return self.dealt()

    def dealt(self) -> Dealt:
        """Give what has been written, as long as it is there."""
        self._file.flush()
        return Dealt(self._path, self._schema, dict(self._places))


def in_order(dealt: Sequence[Dealt], most: int, scratch: Path) -> Iterator[pa.Table]:
    """Give the rows of files by lead, and by time where one lead has many: in tables of at most so many, each unsorted.

    A part that has more is dealt out again, into files that are called like ``scratch``. Rows of one lead and one time
    are never apart, however many they are.
    """
    rows: dict[int, int] = defaultdict(int)
    for one in dealt:
        for part, count in one.rows.items():
            rows[part] += count
    for part in sorted(rows):
        if rows[part] <= most:
            yield _whole(dealt, part)
        else:
            yield from _deal_again(dealt, part, rows[part], most, scratch)


def _deal_again(dealt: Sequence[Dealt], part: int, rows: int, most: int, scratch: Path) -> Iterator[pa.Table]:
    for name in ("lead", "occurred_at"):
        bounds = [(int(values.min()), int(values.max())) for values in _values(dealt, part, name)]
        low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
        if low < high:
            break
    else:
        yield _whole(dealt, part)
        return
    pieces = min(rows * 2 // most + 1, MOST_PARTS)
    step = (high - low) // pieces + 1
    narrow = scratch.with_name(f"{scratch.name}-{part}")
    with Spool(narrow) as narrower:
        for batch in _read(dealt, part):
            narrower.deal(batch, ((numbers_of(batch[name]) - low) // step).astype(np.uint16))
        yield from in_order([narrower.dealt()], most, narrow)


def _whole(dealt: Sequence[Dealt], part: int) -> pa.Table:
    return pa.Table.from_batches(_read(dealt, part)).combine_chunks()


def _values(dealt: Sequence[Dealt], part: int, name: str) -> Iterator[NDArray[np.int64]]:
    return (numbers_of(batch[name]) for batch in _read(dealt, part))


def _read(dealt: Sequence[Dealt], part: int) -> Iterator[pa.RecordBatch]:
    return (batch for one in dealt for batch in one.read(part))
