"""One look at all rows of a table that mapping found usable: how many, when, and of which kinds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.core.sql import fetch_row
from pipeline.ingest.rows import Job
from pipeline.settings.ingest import Source

TEXTS = ("event_type", "channel", "campaign")
"""What has few values, as a rule."""


@dataclass(frozen=True)
class Survey:
    """How many rows are usable, before any is found to be a duplicate or of an unknown lead; of sources, when (UTC)."""

    rows: int
    first_occurred_at: datetime | None = None
    last_occurred_at: datetime | None = None
    last_known_at: datetime | None = None


def survey(connection: duckdb.DuckDBPyConnection, job: Job) -> Survey:
    """Look at a table; of a source, the table ``job.seen`` lists the values of each of ``TEXTS`` (others are null)."""
    if not isinstance(job.settings, Source):
        return Survey(fetch_row(connection, f"SELECT count(*) FROM {job.mapped} WHERE reason IS NULL")[0])
    rows = f"SELECT {', '.join(TEXTS)}, occurred_at, known_at FROM {job.mapped} WHERE reason IS NULL"
    sets = ", ".join(f"({name})" for name in TEXTS)
    connection.execute(
        f"CREATE TEMP TABLE {job.seen} AS SELECT {', '.join(TEXTS)}, count(*) AS rows, min(occurred_at) AS first, "
        f"max(occurred_at) AS last, max(known_at) AS last_known, grouping({', '.join(TEXTS)}) AS level FROM ({rows}) "
        f"GROUP BY GROUPING SETS ((), {sets})"
    )
    return Survey(
        *fetch_row(
            connection, f"SELECT rows, first, last, last_known FROM {job.seen} WHERE level = {2 ** len(TEXTS) - 1}"
        )
    )
