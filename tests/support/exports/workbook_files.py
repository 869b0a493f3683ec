"""Workbooks as people and programs write them, by a real writer."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import xlsxwriter
from xlsxwriter.worksheet import Worksheet


@dataclass(frozen=True)
class Shown:
    """A number that a cell shows in a format, as in 0.0%."""

    number: float
    form: str


@dataclass(frozen=True)
class Formula:
    """A formula, and the value that was last calculated; an error is one, too."""

    text: str
    value: str | float = ""


Cell = str | float | date | time | timedelta | Shown | Formula | None
Rows = Sequence[Sequence[Cell]]
_FORMS = {timedelta: "[h]:mm:ss", datetime: "yyyy-mm-dd hh:mm:ss", date: "dd/mm/yyyy", time: "hh:mm"}


def workbook(
    sheets: Rows | Mapping[str, Rows], change: Callable[[Worksheet], object] = lambda _: None, **options: object
) -> bytes:
    """Write a workbook of one sheet, or of several by their names; ``change`` is made to each."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, **options}) as book:
        for name, rows in (sheets if isinstance(sheets, Mapping) else {"Sheet1": sheets}).items():
            sheet = book.add_worksheet(name)
            for line, row in enumerate(rows):
                for column, cell in enumerate(row):
                    _write(book, sheet, (line, column), cell)
            change(sheet)
    return stream.getvalue()


def _write(book: xlsxwriter.Workbook, sheet: Worksheet, place: tuple[int, int], cell: Cell) -> None:
    match cell:
        case None:
            pass
        case Formula():
            sheet.write_formula(*place, cell.text, None, cell.value)
        case Shown():
            sheet.write_number(*place, cell.number, book.add_format({"num_format": cell.form}))
        case str():
            sheet.write_string(*place, cell)
        case bool():
            sheet.write_boolean(*place, cell)
        case float() | int():
            sheet.write_number(*place, cell)
        case _:
            sheet.write_datetime(*place, cell, book.add_format({"num_format": _FORMS[type(cell)]}))


def protected() -> bytes:
    """Write what a workbook under a password is from outside: a compound file with an encrypted package."""
    sector, none, end = 512, 0xFFFFFFFF, 0xFFFFFFFE
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, end, 0, end, 0) + struct.pack("<I", 0) + b"\xff" * 4 * 108
    table = struct.pack("<II", 0xFFFFFFFD, end) + b"\xff" * (sector - 8)

    def entry(name: str, kind: int, child: int = none, right: int = none) -> bytes:
        text = f"{name}\0".encode("utf-16-le")
        place = struct.pack("<HBBIII", len(text), kind, 1, none, right, child)
        return text.ljust(64, b"\0") + place + bytes(36) + struct.pack("<IQ", end, 0)

    entries = entry("Root Entry", 5, 1) + entry("EncryptedPackage", 2, right=2) + entry("EncryptionInfo", 2)
    return header + table + entries.ljust(sector, b"\0")
