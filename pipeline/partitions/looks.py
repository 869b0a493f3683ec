"""What rows look like as they pass: how many there are, and when they occurred and were known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.partitions.arrangement import numbers_of

_MINUTE = 60_000_000


class Look:
    """Counts of the rows that have passed; times are in UTC."""

    def __init__(self) -> None:
        self.rows = 0
        self.usable = 0
        self.occurred: tuple[int, int] | None = None
        """The first and the last, in microseconds since 1970."""
        self.known: int | None = None
        """The last."""
        self._first = 0
        self._minutes = np.zeros(0, np.int32)

    def take(self, rows: int, occurred_at: pa.Array, known_at: pa.Array) -> None:
        """Count rows, of which the usable ones have these times."""
        self.rows += rows
        self.usable += len(occurred_at)
        if not len(occurred_at):
            return
        occurred, known = numbers_of(occurred_at), numbers_of(known_at)
        first, last = self.occurred or (int(occurred[0]), int(occurred[0]))
        self.occurred = min(first, int(occurred.min())), max(last, int(occurred.max()))
        self.known = max(int(known.max()), self.known if self.known is not None else int(known[0]))
        minutes = known // _MINUTE
        self._make_room(int(minutes.min()), int(minutes.max()))
        np.add.at(self._minutes, minutes - self._first, np.int32(1))

    def _make_room(self, low: int, high: int) -> None:
        if not len(self._minutes):
            self._first = low
        first, past = min(low, self._first), max(high + 1, self._first + len(self._minutes))
        if past - first > len(self._minutes):
            wider = np.zeros(past - first, np.int32)
            wider[self._first - first :][: len(self._minutes)] = self._minutes
            self._first, self._minutes = first, wider

    def arrivals(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the minutes since 1970 in which rows became known, and how many did in each."""
        held = np.flatnonzero(self._minutes)
        return (held + self._first).astype(np.int64), self._minutes[held].astype(np.int64)
