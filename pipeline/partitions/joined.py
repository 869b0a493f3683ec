"""Parquet files put together into one: their row groups as they are, in their order, under one list of what there is.

Nothing is decoded. The result has the bytes of a file that was written at once, row group by row group.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pipeline.partitions.compact import Struct, read_struct, write_struct

_MARK = b"PAR1"
_AT_ONCE = 4 << 20
# The numbers of fields, as Parquet's own definition has them.
_ROWS, _GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK = 2, 3
_PAGE_OFFSETS = {9, 10, 11}
_ELSEWHERE = {1, 4, 6}
"""Fields of a column chunk that say what lies in another file, or behind all row groups; those of the log have none."""
_HALF = 1 << 15


def join_files(paths: Sequence[Path], target: Path) -> None:
    """Put together files of one schema, of which there is at least one."""
    joined: Struct | None = None
    with target.open("wb") as written:
        written.write(_MARK)
        for path in paths:
            with path.open("rb") as read:
                footer, end = _read_footer(read)
                moved = written.tell() - len(_MARK)
                read.seek(len(_MARK))
                _copy(read, written, end - len(_MARK))
            first = len(joined[_GROUPS].content) if joined else 0
            for number, group in enumerate(footer[_GROUPS].content, first):
                _move(group, moved, number)
            if joined is None:
                joined = footer
            else:
                joined[_GROUPS].content += footer[_GROUPS].content
                joined[_ROWS].content += footer[_ROWS].content
        assert joined is not None  # there is a file  # noqa: S101 - narrows the type
        content = write_struct(joined)
        written.write(content + len(content).to_bytes(4, "little") + _MARK)


def _read_footer(read: IO[bytes]) -> tuple[Struct, int]:
    """Read what a file holds, and where that begins."""
    read.seek(-8, io.SEEK_END)
    length = int.from_bytes(read.read(4), "little")
    end = read.seek(-8 - length, io.SEEK_END)
    return read_struct(io.BytesIO(read.read(length))), end


def _copy(read: IO[bytes], written: IO[bytes], size: int) -> None:
    while size and (chunk := read.read(min(size, _AT_ONCE))):
        written.write(chunk)
        size -= len(chunk)


def _move(group: Struct, by: int, number: int) -> None:
    """Tell of a row group that its bytes have moved, and which one it is now."""
    if _GROUP_OFFSET in group:
        group[_GROUP_OFFSET].content += by
    if _ORDINAL in group:
        group[_ORDINAL].content = (number + _HALF) % (2 * _HALF) - _HALF  # 16 bits; beyond them nobody counts
    for chunk in group[_COLUMNS].content:
        if chunk.keys() & _ELSEWHERE:
            raise ValueError("a column lies in another file, or has an index")
        if chunk[_CHUNK_OFFSET].content:
            chunk[_CHUNK_OFFSET].content += by
        column = chunk[_CHUNK].content
        for offset in _PAGE_OFFSETS & column.keys():
            column[offset].content += by
