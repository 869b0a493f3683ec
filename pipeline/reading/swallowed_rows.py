"""Rows inside of a row: a stray quote that another one, lines below, happens to close.

    line    text                                   reads as
    7       A,2026-01-02 10:00,visit,"hello        one row of four columns, whose note is three lines long ...
    8       B,2026-01-03 11:30,visit,fine
    9       C,2026-01-04 08:15,visit,bye"          ... though line 8 alone is a row like all others

A note may hold lines, but hardly ever one that reads like a row of its table: as many columns, and in each that has a
form (a time, a number, an id with digits) that form. Where a table writes a column in quotes throughout, a line without
them is no row of it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

_LEARNED_RECORDS = 1000
"""The first of a block, from which its form is learned."""
_CLOSED = re.compile('"(?:[^"]|"")*"')
_MOSTLY = 0.9
_MOST_SHAPES = 3
"""A time may be written with and without its seconds."""
_ALIKE = 0.75
"""Share of the columns with a form that a line must have in that form to read like a row."""
_FEW_COLUMNS = 3
"""A sentence with a comma has two."""


class Form:
    """How the rows of a block of lines look."""

    def __init__(self, lines: Sequence[str], delimiter: str, width: int) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        sign = re.escape(delimiter)
        self._field = re.compile(rf'(?:^|{sign})("(?:[^"]|"")*"(?={sign}|$)|[^{sign}]*)')

    def swallows(self, offset: int, taken: int) -> bool:
        """Tell whether a record of several lines holds one that reads like a row of its own."""
        # A line that ends one field in quotes and begins another is no row inside of a field.
        between = range(offset + 1, offset + taken - 1)
        inside = [line for line in between if '"' not in self._lines[line].replace('""', "")]
        if not self._shapes:
            # Nothing has a form: it takes many columns, and the same number in all lines.
            every = range(offset, offset + taken)
            return bool(inside) and self._width >= _FEW_COLUMNS and all(map(self._has_width, every))
        if any(map(self._reads_like_a_row, inside)):
            return True
        # What follows the quote on the last line belongs to the record in any case: it must be a row from its start to
        # its end, and so must the first line.
        return self._has_width(offset) and self._reads_like_a_row(offset + taken - 1)

    def _has_width(self, offset: int) -> bool:
        return len(self._split(offset)) == self._width

    def _reads_like_a_row(self, offset: int) -> bool:
        fields = self._split(offset)
        if len(fields) != self._width:
            return False
        if any(_holds(fields[column]) and not fields[column].startswith('"') for column in self._quoted):
            return False
        held = [column for column in self._shapes if _holds(fields[column])]
        fitting = sum(_shape(fields[column]) in self._shapes[column] for column in held)
        return fitting > 0 and fitting >= _ALIKE * len(held)

    def _split(self, offset: int) -> list[str]:
        """Split a line alone; a quote that it does not close is a letter, as is one that is no field's first."""
        fields: list[str] = self._field.findall(self._lines[offset].rstrip("\r\n"))
        return fields

    @cached_property
    def _columns(self) -> list[list[str]]:
        """The fields of each column, as they are written, of the first records; only of lines that begin one."""
        columns: list[list[str]] = [[] for _ in range(self._width)]
        offset = records = 0
        while offset < len(self._lines) and records < _LEARNED_RECORDS:
            reader = csv.reader(islice(self._lines, offset, None), delimiter=self._delimiter, strict=True)
            begun = offset
            try:
                for row in reader:
                    if len(row) == self._width:
                        for column, field in enumerate(self._split(begun)[: self._width]):
                            if field.startswith('"') and not _CLOSED.fullmatch(field):
                                break  # it goes on below, and those after it stand there
                            columns[column].append(field)
                    records += 1
                    begun = offset + reader.line_num
                    if records == _LEARNED_RECORDS:
                        break
                offset = len(self._lines)
            except csv.Error:
                records += 1
                offset = begun + 1
        return columns

    @cached_property
    def _shapes(self) -> dict[int, set[str]]:
        """The columns that have a form, with their shapes: those that hold digits in nearly all rows."""
        found = {}
        for column, fields in enumerate(self._columns):
            held = [_shape(field) for field in filter(_holds, fields)]
            shapes = {shape: count for shape, count in Counter(held).most_common(_MOST_SHAPES) if "9" in shape}
            if held and sum(shapes.values()) >= _MOSTLY * len(held):
                found[column] = set(shapes)
        return found

    @cached_property
    def _quoted(self) -> list[int]:
        """The columns that are written in quotes, wherever they hold something."""
        found = []
        for column, fields in enumerate(self._columns):
            held = [field.startswith('"') for field in filter(_holds, fields)]
            if held and sum(held) >= _MOSTLY * len(held):
                found.append(column)
        return found


def _holds(field: str) -> bool:
    return bool(field.strip(' "'))


def _shape(field: str) -> str:
    """Give the form of a field: what holds digits, what holds letters alone, and the signs between.

    >>> _shape('"2026-01-02T10:00"'), _shape("L017"), _shape("3 Apr 2026")
    ('9-9-9:9', '9', '9 a 9')
    """
    words = re.sub(r"[^\W_]+", lambda word: "9" if any(map(str.isdigit, word[0])) else "a", field.strip().strip('"'))
    return words.strip()
