"""The log in parts of whole leads, or accounts: how it is cut, and which snapshots meet their events in each.

A log lies sorted, so a part is a stretch of it: nothing has to be sent around and sorted anew. Where it is cut, a group
may begin in the row group before; who reads the part leaves out what is of others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from features.engines.compiled import Key
from pipeline.matrix.batches import find

COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
"""How rows lie in files that one process writes for another."""


class Part(NamedTuple):
    """The groups from ``first`` on and before ``until``, in the order of their bytes, and where their events are."""

    first: str
    until: str | None
    """None: all that comes after."""
    log: Path
    row_groups: range
    """Those that hold all events of the part, and a few of its neighbours'."""

    def of(self, rows: pa.Table, key: Key) -> pa.Table:
        """Leave out the rows of other parts; rows are sorted by group."""
        start = find(rows[key], self.first)
        end = len(rows) if self.until is None else find(rows[key], self.until, start=start)
        return rows.slice(start, end - start)


def cut_log(log: Path, key: Key, events: int) -> list[Part]:
    """Cut a sorted log into parts of about so many events; the first and the last reach beyond it."""
    with pq.ParquetFile(log) as file:
        firsts: dict[int, str] = {}

        def first_of(row_group: int) -> str:
            """Read which group a row group begins with."""
            if row_group not in firsts:
                rows = next(file.iter_batches(1, row_groups=[row_group], columns=[key]))
                firsts[row_group] = rows[key][0].as_py()
            return firsts[row_group]

        cuts, held = [("", 0)], 0
        for row_group in range(file.num_row_groups):
            if held >= events and first_of(row_group) > cuts[-1][0]:
                cuts.append((first_of(row_group), row_group))
                held = 0
            held += file.metadata.row_group(row_group).num_rows
        parts = []
        ends = [*cuts[1:], (None, file.num_row_groups)]
        for (first, begin), (until, end) in zip(cuts, ends, strict=True):
            start = begin
            while start and first_of(start) >= first:
                start -= 1
            parts.append(Part(first, until, log, range(start, end)))
        return parts


class Asked(NamedTuple):
    """A part and the snapshots that are asked of it, which lie in a file of their own, in their order."""

    part: Part
    rows: Path
    start: int
    end: int
    """The numbers of the snapshots in the matrix: from start on, before end."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the snapshots."""
        with pa.OSFile(str(self.rows)) as stream, pa.ipc.open_stream(stream) as reader:
            yield from reader


def deal_snapshots(rows: pa.RecordBatchReader, parts: Sequence[Part], key: Key, folder: Path) -> list[Asked]:
    """Write snapshots, sorted by group, into a file for each part, and give the parts of which some are asked."""
    asked: list[Asked] = []
    done = 0
    for part, pieces in groupby(_split(rows, parts, key), lambda pair: pair[0]):
        path, start = folder / f"asked-{len(asked):06}.arrows", done
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, rows.schema, options=COMPRESSED) as writer:
            for _, piece in pieces:
                writer.write_table(piece)
                done += len(piece)
        asked.append(Asked(part, path, start, done))
    return asked


def _split(rows: pa.RecordBatchReader, parts: Sequence[Part], key: Key) -> Iterator[tuple[Part, pa.Table]]:
    firsts = [part.first for part in parts]
    for batch in rows:
        waiting = pa.Table.from_batches([batch])
        while len(waiting):
            part = parts[bisect_right(firsts, waiting[key][0].as_py()) - 1]
            here = part.of(waiting, key)
            yield part, here
            waiting = waiting.slice(len(here))
