"""The counts of the stage ``ingest``: what became of every row of every table, and what is odd about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from features.core.errors import InputError, LeadcastError
from pipeline.core.project import Places
from pipeline.core.sql import LINE_BITS, fetch_row, file_literal, line_of
from pipeline.ingest.id_checks import Ids, id_warnings
from pipeline.ingest.idle_settings import zone_warnings
from pipeline.ingest.machines import count_machines
from pipeline.ingest.relations import Relations
from pipeline.ingest.rhythms import judge_sources
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.ingest.summary import (
    IngestSummary,
    LeadsSummary,
    SourceSummary,
    SpendSummary,
    TableSummary,
    UnmappedChannels,
)
from pipeline.ingest.warnings import (
    ahead_warnings,
    lead_warnings,
    people_warnings,
    revised_warnings,
    row_warnings,
    source_warnings,
    stretch_warnings,
)
from pipeline.reading.channels import UNMAPPED
from pipeline.reading.raw_files import fingerprint
from pipeline.reading.totals import total_warnings
from pipeline.settings.ingest import Ingest, Source, Spend

_FREQUENT = 10


def summarise(relations: Relations, settings: Ingest, tables: Tables, made: Places, ids: list[Ids]) -> IngestSummary:
    """Count what was read and what came out, once the log and what is beside it are ``made``.

    Raises InputError where the log is empty, and LeadcastError where a row has been lost or doubled.
    """
    connection, log = relations.connection, _written(made.interactions)
    _count_by_lead(relations, log)
    used = {
        name: (int(count), first, last)
        for name, count, first, last in connection.execute(
            f"SELECT source, sum(rows), min(first), max(last) FROM {relations.counts} GROUP BY source"
        ).fetchall()
    }
    if not used:
        reasons = sorted(f"{part.rows:,} {part.reason}" for table in tables.values() for part in table.set_aside)
        raise InputError(
            "ingest: no row could be used, so the log is empty; "
            f"check the mapping and the ids of the leads ({', '.join(reasons) or 'the files hold no rows'})"
        )
    rhythms, silences = judge_sources(tables)
    sources = {}
    for name, source in settings.sources.items():
        count, first, last = used.get(name, (0, None, None))
        table = tables[name]
        account = _count(table, count)
        sources[name] = SourceSummary(
            **account,
            lines=_count_lines(table) if table.width > 1 else account["rows"],
            unmapped_channels=_count_unmapped(table, count),
            observed_from=source.observed_from,
            observed_until=source.observed_until or table.last_known_at,
            first_occurred_at=first,
            last_occurred_at=last,
            rhythm=rhythms[name],
            machines=count_machines(table),
        )
    leads = _count_leads(relations, tables["leads"]) if "leads" in tables else None
    spend = _count_spend(tables["spend"], made) if "spend" in tables else None
    beside = {
        name: TableSummary(**_count_judged(table))
        for name, table in tables.items()
        if name in settings.tables or name in ("identities", "decisions", "consents", "rates", "owners")
    }
    summary = IngestSummary(
        interactions=sum(source.used for source in sources.values()),
        lead_count=fetch_row(connection, f"SELECT count(*) FROM {_written(made.leads)}")[0],
        sources=sources,
        tables={name: summary for name, summary in beside.items() if name in settings.tables},
        leads=leads,
        identities=beside.get("identities"),
        decisions=beside.get("decisions"),
        consents=beside.get("consents"),
        spend=spend,
        rates=beside.get("rates"),
        owners=beside.get("owners"),
        silences=silences,
        warnings=[
            *source_warnings(relations, settings, sources, spend, log),
            *ahead_warnings(connection, settings, sources, log),
            *revised_warnings(tables),
            *lead_warnings(relations, leads, log),
            *people_warnings({name: beside.get(name) for name in ("consents", "decisions")}),
            *(
                told
                for table in tables.values()
                if table.may_hold_totals
                for told in total_warnings(table.name, table.set_aside, table.unsure, table.place)
            ),
        ],
    )
    of_tables = [
        *row_warnings(summary.all_tables()),
        *stretch_warnings(tables),
        *zone_warnings(tables, made.root),
        *id_warnings(relations, tables, ids),
    ]
    return replace(summary, warnings=[*of_tables, *summary.warnings])


def _count_by_lead(relations: Relations, log: str) -> None:
    """Make ``counts``: most of what is asked of the log follows from them, and it is read once."""
    relations.counts.make_table(
        "SELECT source, lead_id, count(*) AS rows, min(occurred_at) AS first, max(occurred_at) AS last "
        f"FROM {log} GROUP BY source, lead_id"
    )


def _written(path: Path) -> str:
    return f"read_parquet({file_literal(path)})"


def _count(table: SourceTable, used: int) -> dict[str, Any]:
    """Count the rows of a table; raises LeadcastError where one has been lost or doubled."""
    rows = table.rows
    counts = {part.reason: part.rows for part in table.set_aside}
    if rows != used + sum(counts.values()):
        raise LeadcastError(
            f"{table.name}: {rows} rows were read, but {used} are used and {sum(counts.values())} set aside; "
            "this is a mistake in leadcast itself: please report it"
        )
    digest = fingerprint([opened.file for opened in table.files])
    return {"rows": rows, "used": used, "set_aside": counts, "fingerprint": digest}


def _count_lines(table: SourceTable) -> int:
    line = f"sequence >> {LINE_BITS} AS file, {line_of(table.width)} AS line"
    count: int = fetch_row(table.connection, f"SELECT count(*) FROM (SELECT DISTINCT {line} FROM {table.mapped})")[0]
    return count


def _count_unmapped(table: SourceTable, used: int) -> UnmappedChannels | None:
    if not isinstance(table.settings, Source | Spend) or not table.settings.columns.traffic():
        return None
    unmapped = f"FROM {table.judged} WHERE reason IS NULL AND channel = '{UNMAPPED}'"
    rows: int = fetch_row(table.connection, f"SELECT count(*) {unmapped}")[0]
    frequent = table.connection.execute(
        f"SELECT traffic_source, traffic_medium, count(*) {unmapped} "
        f"GROUP BY ALL ORDER BY 3 DESC, 1, 2 LIMIT {_FREQUENT}"
    ).fetchall()
    return UnmappedChannels(rows, rows / used if used else 0.0, [list(row) for row in frequent])


def _count_judged(table: SourceTable) -> dict[str, Any]:
    return _count(table, fetch_row(table.connection, f"SELECT count(*) FROM {table.judged} WHERE reason IS NULL")[0])


def _count_spend(table: SourceTable, made: Places) -> SpendSummary:
    # Sums of decimals are the same in any order.
    used, total, days, first, last = fetch_row(
        table.connection,
        "SELECT count(*), coalesce(sum(CAST(cost AS DECIMAL(38, 6))), 0), count(DISTINCT day), min(day), max(day) "
        f"FROM {_written(made.spend)}",
    )
    return SpendSummary(
        **_count(table, used),
        total_cost=float(total),
        days=days,
        first_day=first,
        last_day=last,
        unmapped_channels=_count_unmapped(table, used),
    )


def _count_leads(relations: Relations, table: SourceTable) -> LeadsSummary:
    counts = "".join(f", count(*) FILTER (unreadable_{number})" for number in range(len(table.attributes)))
    used, without, unknown, *unreadable = fetch_row(
        relations.connection,
        "SELECT count(*), count(*) FILTER (without_zone), count(*) FILTER (time_zone IS NULL AND NOT without_zone)"
        f"{counts} FROM {relations.leads}",
    )
    return LeadsSummary(
        **_count(table, used),
        without_time_zone=without,
        unknown_time_zone=unknown,
        unreadable_attributes=dict(zip(table.attributes, unreadable, strict=True)),
    )
