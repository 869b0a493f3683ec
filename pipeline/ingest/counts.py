"""The accounts of the stage ``ingest``: what became of every row of every table, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from features.core.errors import InputError, LeadcastError
from pipeline.core.project import INTERACTIONS, LEADS, SPEND
from pipeline.core.sql import LINE_BITS, fetch_row, file_literal, line_of
from pipeline.ingest.id_checks import Ids, id_warnings
from pipeline.ingest.idle_settings import idle_zones
from pipeline.ingest.rhythms import judge_sources
from pipeline.ingest.row_warnings import row_warnings
from pipeline.ingest.rows import Job, may_hold_totals
from pipeline.ingest.summary import (
    IngestSummary,
    LeadsSummary,
    SourceSummary,
    SpendSummary,
    TableSummary,
    UnmappedChannels,
)
from pipeline.ingest.survey import Survey
from pipeline.ingest.typed_ahead import ahead_warnings
from pipeline.ingest.warnings import lead_warnings, source_warnings
from pipeline.reading.channels import UNMAPPED
from pipeline.reading.quarantine import SetAside
from pipeline.reading.raw_files import fingerprint
from pipeline.reading.totals import total_warnings
from pipeline.settings.ingest import Ingest, Leads, Spend

_FREQUENT = 10

Reasons = Mapping[str, list[SetAside]]


def summarise(
    connection: duckdb.DuckDBPyConnection,
    settings: Ingest,
    jobs: Mapping[str, Job],
    surveys: Mapping[str, Survey],
    set_aside: Reasons,
    folder: Path,
    ids: list[Ids],
) -> IngestSummary:
    """Count what was read and what came out, once the log and what is beside it lie in ``folder``.

    Raises InputError where the log is empty, and LeadcastError where a row has been lost or doubled.
    """
    log = _written(folder, INTERACTIONS)
    used = {
        name: (count, first, last)
        for name, count, first, last in connection.execute(
            f"SELECT source, count(*), min(occurred_at), max(occurred_at) FROM {log} GROUP BY source"
        ).fetchall()
    }
    if not used:
        reasons = sorted(f"{part.rows:,} {part.reason}" for parts in set_aside.values() for part in parts)
        raise InputError(
            "ingest: no row could be used, so the log is empty; "
            f"check the mapping and the ids of the leads ({', '.join(reasons) or 'the files hold no rows'})"
        )
    rhythms, silences = judge_sources(connection, jobs, surveys)
    sources = {}
    for name, source in settings.sources.items():
        count, first, last = used.get(name, (0, None, None))
        job = jobs[name]
        account = _count(connection, job, count, set_aside[name])
        sources[name] = SourceSummary(
            **account,
            lines=_count_lines(connection, job) if job.width > 1 else account["rows"],
            unmapped_channels=_count_unmapped(connection, job, count) if source.columns.traffic() else None,
            observed_from=source.observed_from,
            observed_until=source.observed_until or surveys[name].last_known_at,
            first_occurred_at=first,
            last_occurred_at=last,
            rhythm=rhythms[name],
        )
    leads = _count_leads(connection, jobs["leads"], set_aside["leads"]) if "leads" in jobs else None
    spend = _count_spend(connection, jobs["spend"], set_aside["spend"], folder) if "spend" in jobs else None
    beside = {
        name: TableSummary(**_count_judged(connection, job, set_aside[name]))
        for name, job in jobs.items()
        if name in settings.tables or name in ("identities", "rates")
    }
    summary = IngestSummary(
        interactions=sum(source.used for source in sources.values()),
        lead_count=fetch_row(connection, f"SELECT count(*) FROM {_written(folder, LEADS)}")[0],
        sources=sources,
        tables={name: summary for name, summary in beside.items() if name in settings.tables},
        leads=leads,
        identities=beside.get("identities"),
        spend=spend,
        rates=beside.get("rates"),
        silences=silences,
        warnings=[
            *source_warnings(connection, settings, sources, spend, log),
            *ahead_warnings(connection, settings, sources, log),
            *lead_warnings(connection, leads, log),
            *(
                told
                for name, job in jobs.items()
                if may_hold_totals(job)
                for told in total_warnings(connection, name, set_aside[name], job.unsure, job.place)
            ),
        ],
    )
    of_tables = [
        *row_warnings(summary.all_tables()),
        *idle_zones(connection, jobs, folder),
        *id_warnings(connection, jobs, ids, log),
    ]
    return replace(summary, warnings=[*of_tables, *summary.warnings])


def _written(folder: Path, path: Path) -> str:
    return f"read_parquet({file_literal(folder / path.name)})"


def _count(connection: duckdb.DuckDBPyConnection, job: Job, used: int, set_aside: list[SetAside]) -> dict[str, Any]:
    """Count the rows of a table; raises LeadcastError where one has been lost or doubled."""
    rows = fetch_row(connection, f"SELECT count(*) FROM {job.mapped}")[0]
    counts = {part.reason: part.rows for part in set_aside}
    if rows != used + sum(counts.values()):
        raise LeadcastError(
            f"{job.name}: {rows} rows were read, but {used} are used and {sum(counts.values())} set aside; "
            "this is a mistake in leadcast itself: please report it"
        )
    digest = fingerprint([opened.file for opened in job.opened])
    return {"rows": rows, "used": used, "set_aside": counts, "fingerprint": digest}


def _count_lines(connection: duckdb.DuckDBPyConnection, job: Job) -> int:
    line = f"sequence >> {LINE_BITS} AS file, {line_of(job.width)} AS line"
    count: int = fetch_row(connection, f"SELECT count(*) FROM (SELECT DISTINCT {line} FROM {job.mapped})")[0]
    return count


def _count_unmapped(connection: duckdb.DuckDBPyConnection, job: Job, used: int) -> UnmappedChannels:
    unmapped = f"FROM {job.judged} WHERE reason IS NULL AND channel = '{UNMAPPED}'"
    rows: int = fetch_row(connection, f"SELECT count(*) {unmapped}")[0]
    frequent = connection.execute(
        f"SELECT traffic_source, traffic_medium, count(*) {unmapped} "
        f"GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT {_FREQUENT}"
    ).fetchall()
    return UnmappedChannels(rows, rows / used if used else 0.0, [list(row) for row in frequent])


def _count_judged(connection: duckdb.DuckDBPyConnection, job: Job, set_aside: list[SetAside]) -> dict[str, Any]:
    used = fetch_row(connection, f"SELECT count(*) FROM {job.judged} WHERE reason IS NULL")[0]
    return _count(connection, job, used, set_aside)


def _count_spend(
    connection: duckdb.DuckDBPyConnection, job: Job, set_aside: list[SetAside], folder: Path
) -> SpendSummary:
    # Sums of decimals are the same in any order.
    used, total, days, first, last = fetch_row(
        connection,
        "SELECT count(*), coalesce(sum(CAST(cost AS DECIMAL(38, 6))), 0), count(DISTINCT day), min(day), max(day) "
        f"FROM {_written(folder, SPEND)}",
    )
    return SpendSummary(
        **_count(connection, job, used, set_aside),
        total_cost=float(total),
        days=days,
        first_day=first,
        last_day=last,
        unmapped_channels=_count_unmapped(connection, job, used)
        if isinstance(job.settings, Spend) and job.settings.columns.traffic()
        else None,
    )


def _count_leads(connection: duckdb.DuckDBPyConnection, job: Job, set_aside: list[SetAside]) -> LeadsSummary:
    attributes = list(job.settings.attributes) if isinstance(job.settings, Leads) else []
    counts = "".join(f", count(*) FILTER (unreadable_{number})" for number in range(len(attributes)))
    used, without, unknown, *unreadable = fetch_row(
        connection,
        "SELECT count(*), count(*) FILTER (without_zone), count(*) FILTER (time_zone IS NULL AND NOT without_zone)"
        f"{counts} FROM lead",
    )
    return LeadsSummary(
        **_count(connection, job, used, set_aside),
        without_time_zone=without,
        unknown_time_zone=unknown,
        unreadable_attributes=dict(zip(attributes, unreadable, strict=True)),
    )
