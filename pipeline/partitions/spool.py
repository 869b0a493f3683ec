"""Rows dealt out to parts, on disk: written as they come, and read part by part.

One file holds all parts. What belongs to a part lies in as many places of it as it came in, so that no number of parts
opens more files, or keeps more in memory, than one does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.partitions.arrangement import numbers_of

MOST_PARTS = 1 << 12


class Spool:
    """A file of rows by parts. As a context: the file is removed at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._schema: pa.Schema | None = None
        self._places: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._rows: dict[int, int] = defaultdict(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._path.unlink()

    def deal(self, rows: pa.RecordBatch, parts: NDArray[np.uint16]) -> None:
        """Write each row to its part; within a part rows stay in the order in which they come."""
        self._schema = self._schema or rows.schema
        dealt = rows.take(pa.array(np.argsort(parts, kind="stable")))
        counts = np.bincount(parts)
        start = 0
        for part in np.flatnonzero(counts).tolist():
            count = int(counts[part])
            self._places[part].append((self._file.tell(), self._file.write(dealt.slice(start, count).serialize())))
            self._rows[part] += count
            start += count

    def in_order(self, most: int) -> Iterator[pa.Table]:
        """Give the rows by lead, and by time where one lead has many: in tables of at most so many, each unsorted.

        A part that has more is dealt out again. Rows of one lead and one time are never apart, however many they are.
        """
        for part in sorted(self._rows):
            if self._rows[part] <= most:
                yield pa.Table.from_batches(self._read(part)).combine_chunks()
            else:
                yield from self._deal_again(part, most)

    def _deal_again(self, part: int, most: int) -> Iterator[pa.Table]:
        for name in ("lead", "occurred_at"):
            low, high = self._range(part, name)
            if low < high:
                break
        else:
            yield pa.Table.from_batches(self._read(part)).combine_chunks()
            return
        pieces = min(self._rows[part] * 2 // most + 1, MOST_PARTS)
        step = (high - low) // pieces + 1
        with Spool(self._path.with_name(f"{self._path.name}-{part}")) as narrower:
            for batch in self._read(part):
                narrower.deal(batch, ((numbers_of(batch[name]) - low) // step).astype(np.uint16))
            yield from narrower.in_order(most)

    def _range(self, part: int, name: str) -> tuple[int, int]:
        bounds = [(int(values.min()), int(values.max())) for values in self._values(part, name)]
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    def _values(self, part: int, name: str) -> Iterator[NDArray[np.int64]]:
        return (numbers_of(batch[name]) for batch in self._read(part))

    def _read(self, part: int) -> Iterator[pa.RecordBatch]:
        for place, length in self._places[part]:
            self._file.seek(place)
            yield pa.ipc.read_record_batch(pa.py_buffer(self._file.read(length)), self._schema)
