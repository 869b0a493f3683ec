"""The KPIs as a workbook for people: what was asked for on its first sheet, all tables behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.core.workbook import Sheet, make_workbook
from pipeline.kpi.compute import Kpis
from pipeline.settings.words import Words
from pipeline.wording.headings import heading

if TYPE_CHECKING:
    import pandas as pd

_FOR_INTERVALS = ("revenue_squares", "expected_variance")
"""Sums that only intervals are made of; the Parquet files have them."""
_WHOLE = ("clicks", "visits", "days", "within", "median_days", "typical_days")
"""Columns of whole numbers that may be missing."""
_SHARES = (
    "objective conversion_rate",
    "objective roi",
    "objective roas",
    "share",
    "conversion_rate",
    "visit_rate",
    "rate ",
    "roi",
    "roas",
)
"""How the columns begin that are shown as percent."""


def kpi_workbook(table: pd.DataFrame, told: Kpis, by: str, words: Words, months: Sequence[date] | None = None) -> bytes:
    """Give an .xlsx file of ``table``, as ``table_by`` has it by and of some months, and behind it of all tables.

    It is in the language of the words; the same figures give the same bytes. Raises LeadcastError where there are more
    rows than a sheet holds.
    """
    asked = table.drop(columns=[name for name in table.columns if name.startswith("costed ")])
    if by not in ("month", "maturity"):
        of = sorted(told.cohorts["month"].dt.date.unique()) if months is None else sorted(set(months))
        span = [of[0], of[-1]] if months is None and len(of) > 1 else of
        written = (" ... " if months is None else "; ").join(f"{month:%Y-%m}" for month in span)
        asked = asked.rename(columns={"value": by})
        asked.insert(1, "months", written)
    sheets = {"kpi": _sheet(asked, words)}
    objectives = told.objectives
    named = [heading(name, words.language, words.labels) for name in objectives["kpi"]]
    tables = told.tables() | {"objectives": objectives.assign(kpi=named)}
    sheets |= {name: _sheet(content, words) for name, content in tables.items()}
    return make_workbook(sheets, words.language)


def _sheet(table: pd.DataFrame, words: Words) -> Sheet:
    shown = [name for name in table.columns if not name.removeprefix("costed ").startswith(_FOR_INTERVALS)]
    return Sheet(
        pa.table({name: _column(table[name]) for name in shown}),
        {name: heading(name, words.language, words.labels) for name in shown},
        shares=[name for name in shown if name.startswith(_SHARES)],
    )


def _column(column: pd.Series) -> pa.Array:
    """Make a column of cells: times are days, and counts that may be missing are whole."""
    cells = pa.array(column, from_pandas=True)
    if pa.types.is_timestamp(cells.type):
        return cells.cast(pa.date32())
    if pa.types.is_floating(cells.type) and column.name in _WHOLE:
        return cells.cast(pa.int64())
    return cells
