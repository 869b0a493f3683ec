"""Long texts cut where lines end, so that several tasks read one file, each row with its number in the whole file.

First the lines of each stretch of bytes are counted. A text is cut only where no record can go on over the end of a
line: JSON lines always, delimited text where every line closes the quotes that it opens, and every quote encloses a
field. In any other, and in what is compressed or not UTF-8, only who has read all that is above knows what a line is.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from pipeline.reading.delimited import encloses_fields
from pipeline.reading.raw_files import LONGEST_RECORD_BYTES, Lines
from pipeline.reading.readers import OpenFile
from pipeline.sorting.files import FileToMap
from pipeline.spark.jobs import SeenFile

TASK_BYTES = 1 << 27
"""Of a file that is longer each task reads so much."""
_AT_ONCE = 4 << 20
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Counted(NamedTuple):
    """The lines that begin in a stretch of bytes: where they begin and end, how many they are."""

    start: int
    end: int
    lines: int
    apart: bool
    """Whether none of them can be a part of the same record as another one."""


@dataclass(frozen=True)
class CountLines:
    """Count the lines of a text that begin from one byte on, and before another one."""

    opened: OpenFile
    start: int
    stop: int
    reads: Sequence[SeenFile]

    def __call__(self) -> dict[str, Any]:
        """Do it; tells ``Counted``."""
        with self.opened.file.path.open("rb") as stream:
            start, end = (_line_from(stream, place) for place in (self.start, self.stop))
            stream.seek(start)
            lines = 0
            for block in _blocks(stream, end - start):
                if block is None or not self._apart(block):
                    return Counted(start, end, 0, apart=False)._asdict()
                lines += block.count(b"\n")
            return Counted(start, end, lines, apart=True)._asdict()

    def _apart(self, block: bytes) -> bool:
        if self.opened.file.format == "json_lines" or b'"' not in block:
            return True
        return encloses_fields(block, self.opened.delimiter)


def lines_to_count(file: FileToMap, seen: Sequence[SeenFile]) -> list[CountLines]:
    """Give the jobs that count the lines of a file; none where it is short, or can't be cut."""
    opened, size = file.opened, file.opened.file.path.stat().st_size
    raw = opened.file
    in_utf_8 = raw.is_text and raw.compression is None and opened.encoding in {None, "utf-8", "utf-8-sig"}
    if not in_utf_8 or size <= TASK_BYTES or opened.extent.footer_lines or _has_other_mark(raw.path):
        return []
    return [CountLines(opened, start, start + TASK_BYTES, seen) for start in range(0, size, TASK_BYTES)]


def cut_text(file: FileToMap, counts: Sequence[Counted]) -> Iterator[FileToMap]:
    """Cut a file whose lines were counted, if it can be, into files of some of its lines, in their order."""
    header = (file.opened.extent.header_line or 1) + 1  # where the first line names the delimiter, the second one is it
    if not counts or not all(one.apart for one in counts) or counts[0].lines < header:
        yield file
        return
    first = 1
    for number, one in enumerate(counts):
        if one.end > one.start:
            target = file.target.with_name(f"{file.target.stem}-{number:06}.parquet")
            yield file.of(replace(file.opened.file, lines=Lines(one.start, one.end, first)), target)
        first += one.lines


def _has_other_mark(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) in _OTHER_MARKS


def _line_from(stream: IO[bytes], place: int) -> int:
    """Find where the first line begins from a place on, or the end of the stream."""
    if place == 0:
        return 0
    stream.seek(place - 1)
    while chunk := stream.read(_AT_ONCE):
        end = chunk.find(b"\n")
        if end >= 0:
            return stream.tell() - len(chunk) + end + 1
    return stream.tell()


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes | None]:
    """Read so many bytes as blocks of whole lines; None where one is longer than any record."""
    pending = b""
    while size and (chunk := stream.read(min(_AT_ONCE, size))):
        size -= len(chunk)
        pending += chunk
        whole = pending.rfind(b"\n") + 1
        if whole:
            yield pending[:whole]
            pending = pending[whole:]
        if len(pending) > LONGEST_RECORD_BYTES:
            yield None
            return
    if pending:
        yield pending
