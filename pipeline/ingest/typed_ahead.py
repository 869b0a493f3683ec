"""Rows of a source that are dated beyond the end of all others, as a close date is that people type: they are told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import duckdb

from pipeline.core.sql import fetch_row, literal
from pipeline.ingest.summary import SourceSummary
from pipeline.settings.events import KnownDelay
from pipeline.settings.ingest import Ingest, Source

_GAP = timedelta(days=7)
_FEW = 0.05
"""Of a source's rows: where more lie beyond the others' end, it rather is the others that stopped."""


def ahead_warnings(
    connection: duckdb.DuckDBPyConnection, settings: Ingest, sources: Mapping[str, SourceSummary], log: str
) -> list[str]:
    """Name the sources of which a few rows lie far beyond the end of every other, and move the end of the log."""
    warnings = []
    for name, source in sources.items():
        others = [end for key, other in sources.items() if key != name and (end := _end(settings.sources[key], other))]
        if not others or source.last_occurred_at is None or settings.sources[name].observed_until is not None:
            continue
        end = max(others)
        if source.last_occurred_at <= end + _GAP:
            continue
        (rows,) = fetch_row(
            connection,
            f"SELECT count(*) FROM {log} WHERE source = {literal(name)} "
            f"AND occurred_at > TIMESTAMP '{end:%Y-%m-%d %H:%M:%S}'",
        )
        if rows <= _FEW * source.used:
            warnings.append(
                f"{name}: {rows:,} rows lie up to {source.last_occurred_at:%Y-%m-%d}, every other source ends on "
                f"{end:%Y-%m-%d}; if people typed these dates, state observed_until, the day of the export"
            )
    return warnings


def _end(source: Source, summary: SourceSummary) -> datetime | None:
    """Tell when a source ends: with what it told last, which may have occurred long before."""
    is_assumed = isinstance(source.known_at, KnownDelay) and source.observed_until is None
    return summary.last_occurred_at if is_assumed else summary.observed_until
