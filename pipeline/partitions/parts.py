"""Sorted files in parts of whole groups, be they leads or accounts: how they are cut, and how a part is read.

A log lies sorted, so a part is a stretch of it: nothing has to be sent around and sorted anew. Where it is cut, a group
may begin in the row group before; who reads the part leaves out what is of others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
"""How rows lie in files that one process writes for another."""
_MOST_LETTERS = 200
"""Of longer texts writers may shorten the bounds, as DuckDB does those of more than 256 bytes."""
_TEXTS = frozenset({"lead_id", "event_type", "actor", "channel", "campaign", "content", "source"})


class Part(NamedTuple):
    """The groups from ``first`` on and before ``until``, in the order of their bytes, and where their rows are."""

    first: str
    until: str | None
    """None: all that comes after."""
    file: Path
    row_groups: range
    """Those that hold all rows of the part, and a few of its neighbours'."""

    def of(self, rows: pa.Table, key: str) -> pa.Table:
        """Leave out the rows of other parts; rows are sorted by group."""
        start = find(rows[key], self.first)
        end = len(rows) if self.until is None else find(rows[key], self.until, start=start)
        return rows.slice(start, end - start)


def cut_log(log: Path, key: str, events: int) -> list[Part]:
    """Cut a sorted log into parts of about so many events; the first and the last reach beyond it."""
    return [part for (part,) in cut_alike({log: 1}, key, events)]


def cut_alike(weights: Mapping[Path, int], key: str, most: int) -> list[tuple[Part, ...]]:
    """Cut files that are sorted alike at the same groups, so that rows add up to about ``most``, by their weights.

    Gives for each stretch its part of every file, in the order of the files. A cut lies where a row group begins.
    """
    begun = {path: _first_groups(path, key) for path in weights}
    weighed = sorted(
        (first, rows * weights[path])
        for path, own in begun.items()
        for first, rows in zip(own.firsts, own.rows, strict=True)
    )
    cuts, held = [""], 0
    earliest = weighed[0][0] if weighed else ""
    for first, weight in weighed:
        if held >= most and first > earliest:  # what lies before the cut is no empty stretch
            cuts.append(first)
            held, earliest = 0, first
        held += weight
    return [
        tuple(Part(first, until, path, own.between(first, until)) for path, own in begun.items())
        for first, until in zip(cuts, [*cuts[1:], None], strict=True)
    ]


class _RowGroups(NamedTuple):
    """The row groups of a file that hold any row: with which group each begins, and how many rows it has."""

    all: range
    """Those without a row, too."""
    numbers: Sequence[int]
    firsts: Sequence[str]
    rows: Sequence[int]

    def between(self, first: str, until: str | None) -> range:
        """Give the row groups that may hold rows of the groups from ``first`` on and before ``until``."""
        if not self.firsts:
            return self.all
        start = max(bisect_left(self.firsts, first) - 1, 0)
        end = len(self.firsts) if until is None else bisect_left(self.firsts, until)
        return range(self.numbers[start], self.numbers[end - 1] + 1) if start < end else range(0)


def _first_groups(path: Path, key: str) -> _RowGroups:
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.names.index(key)
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        numbers = [number for number, group in enumerate(groups) if group.num_rows]
        firsts = []
        for number in numbers:
            bounds = groups[number].column(column).statistics
            if bounds is not None and bounds.has_min_max and len(bounds.min_raw) <= _MOST_LETTERS:
                firsts.append(bounds.min)
            else:
                firsts.append(next(file.iter_batches(1, row_groups=[number], columns=[key]))[key][0].as_py())
        return _RowGroups(range(len(groups)), numbers, firsts, [groups[number].num_rows for number in numbers])


def find(column: pa.ChunkedArray, group: str, *, after: bool = False, start: int = 0) -> int:
    """Find where a group begins, or ends, in a sorted column."""
    bisected = bisect_right if after else bisect_left
    return bisected(range(len(column)), group, lo=start, key=lambda row: column[row].as_py())


def open_log(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    """Open a log; those of its columns that hold texts of few values are read as dictionaries."""
    return pq.ParquetFile(path, read_dictionary=_dictionaries(path, columns))


def read_part(part: Part, columns: Sequence[str], size: int, key: str = "lead_id") -> Iterator[pa.Table]:
    """Read the rows of a part, about ``size`` at once."""
    with open_log(part.file, columns) as file:
        for rows in read_groups(file, columns, size, part.row_groups):
            own = part.of(rows, key)
            if len(own):
                yield own


def read_groups(file: pq.ParquetFile, columns: Sequence[str], size: int, groups: range) -> Iterator[pa.Table]:
    """Read as many row groups at once as hold about ``size`` rows; of a larger one a part."""
    group = groups.start
    while group < groups.stop:
        end, rows = group, 0
        while end < groups.stop and (end == group or rows + file.metadata.row_group(end).num_rows <= size):
            rows += file.metadata.row_group(end).num_rows
            end += 1
        if rows > size:
            for batch in file.iter_batches(size, row_groups=[group], columns=list(columns)):
                yield pa.Table.from_batches([batch])
        elif rows:
            yield file.read_row_groups(range(group, end), columns=list(columns))
        group = end


def _dictionaries(path: Path, columns: Sequence[str]) -> list[str]:
    """List the columns of texts that can be read as dictionaries, without a text being made for each event.

    Where DuckDB found no dictionary worth its while it writes lengths as differences, of which Arrow makes none.
    """
    metadata = pq.read_metadata(path)
    places = {name: place for place, name in enumerate(metadata.schema.names) if name in _TEXTS and name in columns}
    return [
        name
        for name, place in places.items()
        if not any(
            encoding.startswith("DELTA")
            for group in range(metadata.num_row_groups)
            for encoding in metadata.row_group(group).column(place).encodings
        )
    ]
