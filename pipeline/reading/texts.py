"""Raw values as texts, in SQL: as they are given, but an empty one is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.core.sql import literal
from pipeline.reading.readers import RawColumn
from pipeline.settings.types import Column, Constant

LARGEST_WHOLE = 2**53
"""Beyond it a DOUBLE skips whole numbers."""

Columns = Mapping[str, RawColumn]


def names(column: Column | None) -> list[str]:
    """List the raw columns that a field is made of."""
    if column is None or isinstance(column, Constant):
        return []
    return column if isinstance(column, list) else [column]


def text(column: Column | None, raw: Columns) -> str:
    """Give the text of a field; several columns are joined, skipping missing ones."""
    if column is None:
        return "NULL::VARCHAR"
    if isinstance(column, Constant):
        return literal(column.constant)
    parts = [as_text(raw[name]) for name in names(column)]
    return parts[0] if len(parts) == 1 else f"nullif(concat_ws(' ', {', '.join(parts)}), '')"


def is_text(column: RawColumn) -> bool:
    """Whether the column holds texts, or bytes that are texts."""
    return column.type in ("VARCHAR", "BLOB")


def trimmed(column: RawColumn) -> str:
    """Give a text without the spaces around it; those that don't break a line count, too."""
    return f"trim({as_text(column)}, ' \t\u00a0\u202f')"


def as_text(column: RawColumn) -> str:
    """Whole numbers are written without a fraction, however they are stored: pandas turns ids into 17.0."""
    sql = column.sql
    if column.type == "VARCHAR":
        return f"nullif({sql}, '')"
    if column.type == "BLOB":
        return f"nullif(TRY(decode({sql})), '')"
    if column.type in ("FLOAT", "DOUBLE"):
        whole = f"{sql} = trunc({sql}) AND abs({sql}) <= {LARGEST_WHOLE}"
        as_number = f"CASE WHEN {whole} THEN CAST(CAST({sql} AS BIGINT) AS VARCHAR) ELSE CAST({sql} AS VARCHAR) END"
        return f"CASE WHEN NOT isnan({sql}) THEN {as_number} END"
    if column.type.startswith("DECIMAL"):
        whole = f"CAST(CAST({sql} AS HUGEINT) AS VARCHAR)"
        return f"CASE WHEN {sql} = trunc({sql}) THEN {whole} ELSE CAST({sql} AS VARCHAR) END"
    return f"CAST({sql} AS VARCHAR)"


def shape(text: str) -> str:
    """Give the form of a text without what it says.

    >>> shape("3-Apr-2026 at 10")
    '9-aaa-9999 aa 99'
    """
    return text.translate(_FORMS)


class _Forms(dict[int, str]):
    """What stands for each letter and each digit, by its code; all else stands for itself."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = "9" if letter.isdecimal() else "a" if re.match(r"[^\W\d_]", letter) else letter
        return self[code]


_FORMS = _Forms()
