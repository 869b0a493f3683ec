"""What rows look like as they pass: how many there are, and when they occurred and were known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

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

    def take_in(self, other: Look) -> None:
        """Count what another one has counted."""
        self.rows += other.rows
        self.usable += other.usable
        if other.occurred is None or other.known is None:
            return
        first, last = self.occurred or other.occurred
        self.occurred = min(first, other.occurred[0]), max(last, other.occurred[1])
        self.known = max(other.known, self.known if self.known is not None else other.known)
        minutes, counts = other.arrivals()
        self._make_room(int(minutes[0]), int(minutes[-1]))
        self._minutes[minutes - self._first] += counts.astype(np.int32)

    def write(self, path: Path) -> None:
        """Write the counts to a file, for another process."""
        minutes, rows = self.arrivals()
        told = json.dumps([self.rows, self.usable, self.occurred, self.known])
        table = pa.table({"minute": minutes, "rows": rows}).replace_schema_metadata({"counts": told})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what another process has written."""
        with pa.OSFile(str(path)) as stream, pa.ipc.open_stream(stream) as reader:
            table = reader.read_all()
        look = cls()
        look.rows, look.usable, occurred, look.known = json.loads(table.schema.metadata[b"counts"])
        look.occurred = tuple(occurred) if occurred else None
        if len(table):
            look._make_room(table["minute"][0].as_py(), table["minute"][-1].as_py())
            look._minutes[np.asarray(table["minute"]) - look._first] = np.asarray(table["rows"])
        return look

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
