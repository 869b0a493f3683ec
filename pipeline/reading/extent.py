"""Where the table of a delimited file, or of a sheet, begins and ends: titles above its header, remarks below its rows.

    Campaign report                                   a title has fewer cells than the table's rows, or only one
    "1 January 2026 - 31 January 2026"
    Day,Campaign,Cost                                 the header: names in every cell, none of them twice ...
    2026-01-01,Brand,88.10                            ... above rows that hold numbers or times where it has names
    Exported by Ann                                   a footer has one cell

A first line that fits the rows is the header, whatever it says: the rest is for lines that can't be one.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.reading import nested, workbooks
from pipeline.reading.delimited import DELIMITERS, SEPARATOR
from pipeline.reading.raw_files import LONGEST_RECORD_BYTES, Block, RawFile, open_lines

_LOOKED_AT = 200
"""Lines at the beginning and at the end of a file that are looked at."""
_MOST_FOOTER_LINES = 20
_HALF = 0.5
_VALUE = re.compile(r"[-+(]?\s?[$€£]?\s?[0-9].*")
_TOTAL = re.compile(r"(grand |sub)?total|gesamt|summe|insgesamt|end of|report|export|generated|source", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How a delimited file or a sheet is laid out."""

    delimiter: str
    header_line: int = 1
    footer_lines: int = 0
    agreeing: float = 0.0
    """The share of the lines that have as many cells as the header."""
    width: int = 0


@dataclass(frozen=True)
class _Record:
    line: int
    cells: tuple[str, ...]

    @property
    def filled(self) -> int:
        return sum(bool(cell.strip()) for cell in self.cells)

    @property
    def is_comment(self) -> bool:
        return self.cells[0].lstrip().startswith("#")


def find_header(file: RawFile, encoding: str | None, wanted: Sequence[str]) -> tuple[int, int] | None:
    """Find the line that names most of the wanted columns or, where none are, that looks like a header.

    Gives its number, and how many of the wanted columns it names.
    """
    if file.format == "workbook":
        read = [_read_records(file)[:_LOOKED_AT]]
        layout = None if wanted else _sheet_layout(read[0])
    else:
        head = _read_head(file, encoding)
        read = [list(_records(head, delimiter)) for delimiter in DELIMITERS]
        layout = None if wanted else find_layout(head)
    if layout:
        return layout.header_line, layout.width
    found = [
        (record.line, len([name for name in wanted if nested.find_column(name, record.cells)]))
        for records in read
        for record in records
    ]
    number, held = max(found, key=lambda line: (line[1], -line[0]), default=(0, 0))
    return (number, held) if number and held >= _HALF * len(set(wanted)) else None


def read_layout(file: RawFile, encoding: str | None) -> Layout:
    """Tell how a file is laid out; raises InputError where it can't be read."""
    if file.format == "workbook":
        return _sheet_layout(_read_records(file))
    return find_layout(_read_head(file, encoding), _read_tail(file, encoding))


def _read_records(file: RawFile) -> list[_Record]:
    """Read the rows of a sheet; one of a single filled cell is a title or a remark, however wide the sheet is."""
    found = []
    for line, row in workbooks.read_sheet(file).lines():
        filled = [cell for cell in row if cell.strip()]
        found.append(_Record(line, tuple(row if len(filled) > 1 else filled)))
    return found


def _sheet_layout(records: Sequence[_Record]) -> Layout:
    """Find header and footer of a sheet."""
    layout = _find_header(records[:_LOOKED_AT], "")
    if layout is None or layout.width < 2:  # noqa: PLR2004 - of one cell a row, nothing tells
        return Layout("", records[0].line if records else 1)
    return replace(layout, footer_lines=_footer(records[-_LOOKED_AT:], True, layout))


def _read_head(file: RawFile, encoding: str | None) -> list[str]:
    with open_lines(file, encoding) as lines:
        read = [lines.read_line().decode("utf-8", "replace") for _ in range(_LOOKED_AT)]
    return [line.removeprefix("\ufeff").removesuffix("\r") for line in read]


def _read_tail(file: RawFile, encoding: str | None) -> tuple[list[str], bool]:
    """Read the last lines of a file, and whether the last of them ends."""
    last: deque[bytes] = deque(maxlen=_LOOKED_AT)
    ends = True
    with open_lines(file, encoding) as lines:
        while (block := lines.read()) is not None:
            if isinstance(block, Block) and block.data:
                ends = block.data.endswith(b"\n")
                last.extend(block.data.removesuffix(b"\n").split(b"\n")[-_LOOKED_AT:])
    return [line.decode("utf-8", "replace").removesuffix("\r") for line in last], ends


def find_layout(head: Sequence[str], tail: tuple[Sequence[str], bool] = ((), True)) -> Layout:
    """Find delimiter, header and footer; of two delimiters the one that gives more rows of more cells."""
    said = SEPARATOR.fullmatch(head[0]) if head else None
    choices = [said["sign"]] if said else DELIMITERS
    layouts = [layout for delimiter in choices if (layout := _by_delimiter(head, delimiter, 2 if said else 1))]
    best = max(layouts, key=lambda one: (one.width > 1, round(one.agreeing, 1), one.width), default=Layout(choices[0]))
    if best.width < 2:  # noqa: PLR2004 - of one cell a line, nothing tells
        first = next((number for number, line in enumerate(head, 1) if line.strip()), 1)
        return Layout(choices[0], 2 if said else first)
    lines, ends = tail
    return replace(best, footer_lines=_footer(list(_records(lines, best.delimiter)), ends, best))


def _records(lines: Sequence[str], delimiter: str) -> Iterator[_Record]:
    """Cut lines into cells; a record may take several lines. Blank ones are none."""
    csv.field_size_limit(LONGEST_RECORD_BYTES)
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter)
    begun = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = []
        if any(cell.strip() for cell in row):
            yield _Record(begun + 1, tuple(row))
        begun = reader.line_num


def _by_delimiter(head: Sequence[str], delimiter: str, first_line: int) -> Layout | None:
    records = islice(_records(head, delimiter), _LOOKED_AT)
    return _find_header([record for record in records if record.line >= first_line], delimiter)


def _find_header(records: Sequence[_Record], delimiter: str) -> Layout | None:
    if not records:
        return None
    width = _table_width(records)
    start = _header_position(records, width)
    below = records[start:]
    own = len(below[0].cells)
    agreeing = sum(len(record.cells) == own for record in below) / len(below)
    return Layout(delimiter, below[0].line, 0, agreeing, own)


def _table_width(records: Sequence[_Record]) -> int:
    """Give the number of cells that most lines of more than one cell have."""
    widths = Counter(len(record.cells) for record in records if len(record.cells) > 1)
    return max(widths, key=lambda width: (widths[width], width), default=1)


def _header_position(records: Sequence[_Record], width: int) -> int:
    """Find the header among the records: the first, unless it and what follows can only be titles."""
    for position, record in enumerate(records):
        if not _is_title(record, width):
            sound = position == 0 or (len(record.cells) == width and _names_columns(record, records[position + 1 :]))
            return position if sound else 0
    return 0


def _is_title(record: _Record, width: int) -> bool:
    if record.is_comment and (record.filled <= 1 or len(record.cells) < width):
        return True
    if record.filled < width and any(_VALUE.fullmatch(cell.strip()) for cell in record.cells):
        return True  # neither are all columns named, nor are all cells names
    return len(record.cells) < width or record.filled < _HALF * width


def _names_columns(record: _Record, below: Sequence[_Record]) -> bool:
    """Tell whether each cell is a name of its own, and some column has numbers or times below its name."""
    names = [cell.strip().casefold() for cell in record.cells if cell.strip()]
    if len(set(names)) < len(names) or len(names) < _HALF * len(record.cells) or any(map(_VALUE.fullmatch, names)):
        return False
    rows = [other.cells for other in below if len(other.cells) == len(record.cells)]
    columns = [[cell.strip() for cell in column if cell.strip()] for column in zip(*rows, strict=True)]
    return not rows or any(
        sum(_VALUE.fullmatch(cell) is not None for cell in column) > _HALF * len(column) for column in columns if column
    )


def _footer(records: Sequence[_Record], ends: bool, layout: Layout) -> int:
    """Count the lines at the end that are no rows: of one cell, or comments.

    A last line that does not end is taken for a row that was cut off, unless it says that it is none.
    """
    count = 0
    for position in range(len(records) - 1, -1, -1):
        record = records[position]
        alone = record.filled <= 1 and layout.width > 2 and len(record.cells) != layout.width  # noqa: PLR2004 - as above
        if not (alone or (record.is_comment and len(record.cells) < layout.width)):
            break
        apart = position == 0 or records[position - 1].line < record.line - 1
        if not ends and not count and not (apart or record.is_comment or _TOTAL.match(record.cells[0].strip())):
            break
        count += 1
    return count if count <= _MOST_FOOTER_LINES and count < len(records) - 1 else 0
