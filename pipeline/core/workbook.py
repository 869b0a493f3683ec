"""A neat workbook (.xlsx) of tables for people: they open it, filter it, and trust that a text is a text."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from features.core.errors import LeadcastError
from features.core.schema import Language

MOST_ROWS = 1_048_575
"""Rows that a sheet holds below its header."""
_MADE_AT = datetime(1980, 1, 1)
"""What every workbook says of when it was made: the same content is the same bytes."""
_LONGEST_TEXT = 32_767
_LONGEST_NAME = 31
_NARROWEST, _WIDEST = 8, 60
"""Widths of a column, in letters; longer texts are wrapped."""
_LOOKED_AT = 1_000
"""Rows whose cells decide about the width."""
_LARGEST_WHOLE = 2**53
_FIRST_DAY = date(1900, 3, 1)
"""Earlier days are others in each program, as 1900 was no leap year."""


@dataclass(frozen=True)
class Sheet:
    """A table to be written: ``headings`` name its columns for people, in their order; others are left out."""

    table: pa.Table
    headings: Mapping[str, str]
    shares: Collection[str] = ()
    """The columns that hold shares or probabilities, 0 to 1: they are shown as percent."""


@dataclass(frozen=True)
class _Forms:
    """How a language shows days, times, shares and amounts; the signs of numbers are those of who opens the file."""

    day: str
    time: str
    share: str
    amount: str = "#,##0.00"
    whole: str = "0"


_FORMS: Mapping[Language, _Forms] = {
    "en": _Forms("yyyy-mm-dd", "yyyy-mm-dd hh:mm", "0.0%"),
    "fr": _Forms("dd/mm/yyyy", "dd/mm/yyyy hh:mm", "0.0\u00a0%"),
}


def make_workbook(sheets: Mapping[str, Sheet], language: Language) -> bytes:
    """Make a workbook of sheets, by their names: a bold header that stays in sight, a filter, and cells of their kinds.

    Texts are never formulas, links or numbers; times are shown as they stand, those with a zone in UTC; a list is a
    text with semicolons; what is missing is empty. The same content gives the same bytes. Raises LeadcastError where
    there are more rows than a sheet holds.
    """
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        book.set_properties({"created": _MADE_AT})
        forms = _FORMS[language]
        for name, sheet in zip(_names(sheets), sheets.values(), strict=True):
            _write(book, book.add_worksheet(name), sheet, forms)
    return stream.getvalue()


def _write(book: xlsxwriter.Workbook, page: Worksheet, sheet: Sheet, forms: _Forms) -> None:
    rows = sheet.table.num_rows
    if rows > MOST_ROWS:
        raise LeadcastError(f"a sheet holds {MOST_ROWS:,} rows, and there are {rows:,}; take the CSV, or fewer")
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    for position, (column, heading) in enumerate(sheet.headings.items()):
        cells = [_cell(value) for value in sheet.table[column].to_pylist()]
        kind = _kind(sheet.table.schema.field(column).type, is_share=column in sheet.shares)
        shown = getattr(forms, kind, None)
        lengths = (_length(cell, shown) for cell in cells[:_LOOKED_AT] if cell is not None)
        longest = max(lengths, default=0)
        form = book.add_format({"valign": "top"} | ({"num_format": shown} if shown else {}))
        form.set_text_wrap(longest > _WIDEST)
        page.set_column(position, position, min(max(longest + 1, len(heading) + 3, _NARROWEST), _WIDEST))
        page.write_string(0, position, heading, head)
        for line, cell in enumerate(cells, 1):
            match cell:
                case None:
                    pass
                case str():
                    page.write_string(line, position, cell, form)
                case bool():
                    page.write_boolean(line, position, cell, form)
                case date():
                    page.write_datetime(line, position, cell, form)
                case _:
                    page.write_number(line, position, cell, form)
    last = max(len(sheet.headings) - 1, 0)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, rows, last)
    page.ignore_errors({"number_stored_as_text": f"A1:{xl_rowcol_to_cell(rows, last)}"})
    page.repeat_rows(0)
    page.set_landscape()
    page.fit_to_pages(1, 0)


def _kind(kind: pa.DataType, *, is_share: bool) -> str:
    """Name the form of a column's cells; a text has none."""
    if is_share:
        return "share"
    if pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_date(kind):
        return "day"
    if pa.types.is_integer(kind):
        return "whole"
    return "amount" if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else "text"


def _cell(value: object) -> str | bool | float | date | None:
    """Give what a cell holds: what no number or date of a spreadsheet can be becomes a text, or nothing."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        day = value.date() if isinstance(value, datetime) else value
        return value if day >= _FIRST_DAY else value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else f"{value[: _LONGEST_TEXT - 1]}\u2026"
    if isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        return str(value)
    number = float(value)  # type: ignore[arg-type] # what is left of Arrow's types are numbers
    return number if math.isfinite(number) else None


def _length(cell: str | bool | float | date, shown: str | None) -> int:
    """Give how many letters a cell takes that is shown in a form."""
    if isinstance(cell, str):
        return max(map(len, cell.split("\n")))
    return len(shown or "") if isinstance(cell, date) else len(f"{cell:,.2f}")


def _names(names: Iterable[str]) -> list[str]:
    """Make names that a sheet may have: short, without some signs, distinct.

    >>> _names(["Paris/Lyon", "paris-lyon", "'"])
    ['Paris-Lyon', 'paris-lyon (2)', 'Sheet']
    """
    given: list[str] = []
    for name in names:
        plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "-", name).strip("' ")[:_LONGEST_NAME].strip("' ") or "Sheet"
        count, chosen = 1, plain
        while chosen.casefold() in {other.casefold() for other in given}:
            count += 1
            mark = f" ({count})"
            chosen = plain[: _LONGEST_NAME - len(mark)] + mark
        given.append(chosen)
    return given
