"""Which snapshots meet their events in which part of the log, and where they wait for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from features.engines.compiled import Key
from pipeline.partitions.parts import COMPRESSED, Part


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
