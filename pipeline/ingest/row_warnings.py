"""What is told of rows that were set aside for a reason that says something of the whole file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.ingest.summary import TableSummary
from pipeline.reading.delimited import SWALLOWS
from pipeline.reading.quarantine import WORD

_WORDS = (WORD.format("lead_id"), WORD.format("alias_id"))


def row_warnings(tables: Mapping[str, TableSummary]) -> Iterator[str]:
    """Look at what was set aside, whatever the table."""
    for name, table in tables.items():
        swallowing = table.set_aside.get(SWALLOWS, 0)
        if swallowing:
            rows = "1 row opens a quote" if swallowing == 1 else f"{swallowing:,} rows open a quote"
            yield (
                f"{name}: {rows} that is closed only rows below; what lies between was read as rows of its own, and "
                f"these were set aside: see data/quarantine/{name}.parquet, and export with quotes doubled in texts"
            )
        words = sum(rows for reason, rows in table.set_aside.items() if reason in _WORDS)
        if words:
            yield (
                f"{name}: {words:,} of {table.rows:,} rows ({words / table.rows:.1%}) name nobody but a word, such as "
                "null or undefined, and were set aside; mend the tracking, or the query that exports them"
            )
