"""Texts in cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TextIO

FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet runs."""
_FORMULA = re.compile(FORMULA)
DIGITS = 4
"""Of a number, behind the decimal sign, for people; Parquet files have all."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def defuse(text: str) -> str:
    """Make a formula a text again, by an apostrophe before it; a number, as of a telephone, is none.

    >>> defuse("=1+1"), defuse("+3112345678"), defuse("call today")
    ("'=1+1", '+3112345678', 'call today')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restore(text: str) -> str:
    """Take away the apostrophe that ``defuse`` has put there.

    >>> restore("'=1+1"), restore("'s Gravenhage")
    ('=1+1', "'s Gravenhage")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def write_csv(stream: TextIO, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV: no text is a formula, a number has four decimals at most, and what is missing is empty."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows([_cell(cell) for cell in row] for row in rows)


def _cell(value: object) -> object:
    """Give what a cell holds.

    >>> _cell(1 / 3), _cell(18637.0), _cell(float("nan")), _cell(datetime(2026, 5, 1)), _cell("=1+1")
    ('0.3333', '18637', '', '2026-05-01T00:00:00', "'=1+1")
    """
    match value:
        case str():
            return defuse(value)
        case float():
            written = f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")
            return "" if value != value else "0" if written == "-0" else written  # noqa: PLR0124 - NaN is no number
        case datetime():
            return value.isoformat()
        case _:
            return value
