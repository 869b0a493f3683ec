"""Sheets of workbooks (.xlsx), read whole: a cell becomes the text that a CSV of the sheet would hold.

    12.0, 12.0 €         12                        2 January 2026         2026-01-02
    12.5 %               0.125                     2 January 2026 09:30   2026-01-02 09:30:00
    TRUE                 TRUE                      30 hours, 9:30         30:00:00, 09:30:00
    1234567890123456789  1.23456789012346E+18      a spreadsheet holds 15 digits: an id of more is rounded, and shows it
    #REF!, #N/A          the row is set aside, unless ``nothing`` names the word

The line of a row is its number in the sheet. A sheet holds at most 1,048,576 rows, some hundred bytes each in memory.
"""

from __future__ import annotations

import posixpath
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from features.core.errors import InputError, nearest
from pipeline.core.sql import literal
from pipeline.reading.delimited import Header, make_batch, refuse_repeated
from pipeline.reading.nothing import SPACES
from pipeline.reading.raw_files import FOOTER_LINE, TITLE_LINE, RawFile, refuse_bomb
from pipeline.settings.table import Extent

FLAWED = "{} in a cell"
"""Why a row is set aside one of whose cells holds no value but an error."""
UNCALCULATED = "formula without its value"
"""What stands in a cell that some program has written and no spreadsheet has calculated."""
_DAMAGES = (
    CalamineError, BadZipFile, zlib.error, ET.ParseError, LookupError, ValueError, RuntimeError, ArithmeticError,
    EOFError,
)  # fmt: skip
"""What a broken archive, or broken XML in it, makes of reading."""
_ROWS = 10_000
"""Rows of a batch."""
_DIGITS = 15
"""Of a number, as spreadsheets keep it."""
_LARGEST_EXACT = 10**_DIGITS
_LINE_BREAK = re.compile(r"\s*[\r\n]+\s*")
_ERROR = re.compile(rb"<(?:\w+:)?c\s([^>]*?\bt=[\"']e[\"'][^>]*)(?<!/)>.*?<(?:\w+:)?v>([^<]*)<", re.DOTALL)
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\s([^>]*)(?<!/)>\s*<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
"""A formula without a value; of type str it is one that gives an empty text."""
_PLACE = re.compile(rb"\br=[\"']([A-Z]{1,3})([0-9]+)[\"']")
Cell = int | float | str | bool | time | date | datetime | timedelta


@dataclass(frozen=True)
class Sheet:
    """A sheet as texts: ``rows`` from the first on, all as wide, without the empty columns and rows at the end."""

    name: str
    """The file, and which sheet of it."""
    rows: Sequence[Sequence[str]]
    flaws: Mapping[int, Mapping[int, str]]
    """The cells that hold no value but an error, by row and column, from 0: what stands there, as in #REF!."""
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]
    """The corners of merged cells: rows and columns, from 0."""

    def lines(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Give the rows that are not blank, each with its number."""
        return ((number, row) for number, row in enumerate(self.rows, 1) if any(cell.strip() for cell in row))


def sheet_names(file: RawFile) -> list[str]:
    """List the sheets that people see; raises InputError where the file can't be read."""
    with _opened(file) as workbook:
        return _visible(file, workbook)


def read_sheet(file: RawFile, decimal: str = ".") -> Sheet:
    """Read the sheet that the file names, or the first that people see; numbers have their decimals behind ``decimal``.

    Raises InputError where the workbook is protected, damaged or empty, or has no such sheet.
    """
    with _opened(file) as workbook:
        visible = _visible(file, workbook)
        chosen = file.sheet or visible[0]
        kinds = {sheet.name: sheet.typ for sheet in workbook.sheets_metadata}
        if kinds.get(chosen) != SheetTypeEnum.WorkSheet:
            raise InputError(
                f"{file.name} has no sheet {chosen!r} ({nearest(chosen, visible)}); it has {', '.join(visible)}"
            )
        name = f"sheet {chosen!r} of {file.name}" if len(visible) > 1 or file.sheet else file.name
        try:
            sheet = workbook.get_sheet_by_name(chosen)
            flaws = _find_flaws(file, workbook.sheet_names.index(chosen))
            rows = [[_as_text(cell, decimal) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
        except _DAMAGES as error:
            raise _unreadable(file, error) from None
    return _trimmed(name, sheet, rows, flaws)


def read_header(sheet: Sheet, header_line: int | None = None) -> Header:
    """Read the row that names the columns: the given one, or the first.

    Raises InputError where the sheet is empty, or the row is no header: blank, with merged cells, or a name twice.
    """
    if not sheet.rows:
        raise InputError(f"{sheet.name} is empty; export it again, or take it away")
    line = header_line or 1
    if line > len(sheet.rows) or not any(cell.strip() for cell in sheet.rows[line - 1]):
        raise InputError(f"{sheet.name}: row {line} is empty; it must name the columns")
    for (top, left), (bottom, right) in sheet.merged:
        if top <= line - 1 <= bottom and left < len(sheet.rows[0]):
            cells = f"{_column(left)}{top + 1}:{_column(right)}{bottom + 1}"
            raise InputError(
                f"{sheet.name}: the header in row {line} has merged cells ({cells}), so its columns have no names of "
                "their own; unmerge them and give each column a name"
            )
    names = tuple(_LINE_BREAK.sub(" ", cell) for cell in sheet.rows[line - 1])
    header = Header("", names, tuple(number for number, _ in sheet.lines() if number < line))
    refuse_repeated(sheet.name, header)
    return header


def read_rows(
    sheet: Sheet, wanted: Sequence[str], extent: Extent, nothing: Collection[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Read the rows below the header: line, reason (why the row can't be used, or null), r0, r1 ... as text.

    Blank rows are none. A row keeps its values where a wanted cell of it holds an error that is no word for
    ``nothing``; those above the header, and as many at the end as are said to be no rows, have none.
    """
    header = read_header(sheet, extent.header_line)
    positions = [header.names.index(name) for name in wanted]
    words = {word.strip(SPACES) for word in nothing}
    below = [(number, row) for number, row in sheet.lines() if number > (extent.header_line or 1)]
    end = max(len(below) - extent.footer_lines, 0)
    rows, footer = below[:end], below[end:]
    for numbers, reason in ((header.above, TITLE_LINE), ([number for number, _ in footer], FOOTER_LINE)):
        yield make_batch(numbers, [reason] * len(numbers), [[None] * len(numbers) for _ in positions])

    def judge(number: int) -> str | None:
        flaws = sheet.flaws.get(number - 1, {})
        found = (flaws[position] for position in positions if position in flaws)
        return next((FLAWED.format(word) for word in found if word not in words), None)

    for first in range(0, len(rows), _ROWS):
        some = rows[first : first + _ROWS]
        numbers = [number for number, _ in some]
        columns = [[row[position] for _, row in some] for position in positions]
        yield make_batch(numbers, list(map(judge, numbers)), columns)


def is_flawed(reason: str) -> str:
    """Write the condition that a row was set aside for what a cell of it holds."""
    return f"ends_with({reason}, {literal(FLAWED.format(''))})"


def _opened(file: RawFile) -> CalamineWorkbook:
    if not file.path.stat().st_size:
        raise InputError(f"{file.name} is empty; export it again, or take it away")
    try:
        with suppress(BadZipFile), ZipFile(file.path) as archive:  # a protected one is none
            refuse_bomb(file.name, sum(part.file_size for part in archive.infolist()), file.path.stat().st_size)
        return CalamineWorkbook.from_path(file.path)
    except PasswordError:
        raise InputError(f"{file.name} is protected by a password; save it without one") from None
    except _DAMAGES as error:
        raise _unreadable(file, error) from None


def _visible(file: RawFile, workbook: CalamineWorkbook) -> list[str]:
    shown = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if not shown:
        raise InputError(f"{file.name} shows no sheet that holds cells; export it again, or take it away")
    return shown


def _find_flaws(file: RawFile, position: int) -> dict[int, dict[int, str]]:
    """Find the cells that hold an error, or a formula that nobody has calculated: the library takes both for empty."""
    with ZipFile(file.path) as archive:
        content = _read_part(archive, _part_of(archive, position))
    found = [(cell, word.decode("utf-8", "replace")) for cell, word in _ERROR.findall(content)]
    if b"<f" in content or b":f" in content:
        found += [(cell, UNCALCULATED) for cell in _FORMULA.findall(content) if b"str" not in cell]
    flaws: dict[int, dict[int, str]] = {}
    for cell, word in found:
        place = _PLACE.search(cell)
        if place is None:
            raise InputError(f"{file.name} holds errors ({word}) in cells without a place; open it and save it again")
        flaws.setdefault(int(place[2]) - 1, {})[_position(place[1])] = word
    return flaws


def _part_of(archive: ZipFile, position: int) -> str:
    """Find the part of the archive that holds the sheet at a position."""
    book, ways = (_read_xml(archive, f"xl/{part}") for part in ("workbook.xml", "_rels/workbook.xml.rels"))
    sheet = [one for one in book.iter() if one.tag.endswith("}sheet")][position]
    [key] = [value for name, value in sheet.items() if name.endswith("}id")]
    [target] = [one.get("Target", "") for one in ways if one.get("Id") == key]
    return posixpath.normpath(posixpath.join("/xl", target))[1:]


def _read_xml(archive: ZipFile, part: str) -> ET.Element:
    return ET.fromstring(_read_part(archive, part))  # noqa: S314 - its parser refuses what grows beyond measure


def _read_part(archive: ZipFile, name: str) -> bytes:
    """Read a part of the archive; some programs write its name with other slashes, or in other letters."""
    named = {part.replace("\\", "/").casefold(): part for part in archive.namelist()}
    return archive.read(named[name.casefold()])


def _trimmed(name: str, sheet: CalamineSheet, rows: list[list[str]], flaws: Mapping[int, Mapping[int, str]]) -> Sheet:
    for number, cells in flaws.items():
        for position, word in cells.items():
            rows += [[] for _ in range(len(rows), number + 1)]
            rows[number] += [""] * (position + 1 - len(rows[number]))
            rows[number][position] = word
    filled = [next((count for count in range(len(row), 0, -1) if row[count - 1].strip()), 0) for row in rows]
    width = max(filled, default=0)
    last = max((number for number, count in enumerate(filled, 1) if count), default=0)
    even = [row if len(row) == width else (row + [""] * (width - len(row)))[:width] for row in rows[:last]]
    return Sheet(name, even, flaws, sheet.merged_cell_ranges or ())


def _as_text(cell: Cell, decimal: str) -> str:
    """Write a cell as a CSV would.

    >>> [_as_text(cell, ",") for cell in (12.0, 0.1 + 0.2, True, datetime(2026, 1, 2, 9, 30), 1234567890123456789)]
    ['12', '0,3', 'TRUE', '2026-01-02 09:30:00', '1,23456789012346E+18']
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, timedelta):
        hours, rest = divmod(round(cell.total_seconds()), 3600)
        return f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    if isinstance(cell, date | time):
        return cell.isoformat()
    if cell == int(cell) and abs(cell) < _LARGEST_EXACT:
        return str(int(cell))
    if abs(cell) >= _LARGEST_EXACT:
        return f"{cell:.{_DIGITS - 1}E}".replace(".", decimal)
    return f"{cell:.{_DIGITS}g}".replace(".", decimal)


def _position(letters: bytes) -> int:
    """Give the position of a column, from 0.

    >>> _position(b"A"), _position(b"AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number - 1


def _column(position: int) -> str:
    """Give the letters of a column.

    >>> _column(0), _column(27)
    ('A', 'AB')
    """
    letters = ""
    while position >= 0:
        position, letter = divmod(position, 26)
        letters = chr(ord("A") + letter) + letters
        position -= 1
    return letters


def _unreadable(file: RawFile, error: Exception) -> InputError:
    return InputError(
        f"{file.name} is no workbook, or a damaged one ({error}); open it in a spreadsheet and save it again as .xlsx, "
        "or export it as CSV"
    )
