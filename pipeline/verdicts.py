"""What shows only across rows: duplicates, ids that are one lead, and ids that are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline import identities, money
from pipeline.mapping import Map, width_of
from pipeline.quarantine import DUPLICATE, MERGED, UNKNOWN_LEAD
from pipeline.readers import RawTable
from pipeline.source_configuration import Source, Spend, Table
from pipeline.sql import file_literal, identifier, literal

_WHOLE_ROW = ("lead_id", "occurred_at", "known_at", "event_type", "channel", "campaign", "value", "quantity")
_UTC_DAY = "CAST(occurred_at AS DATE)"


@dataclass(frozen=True)
class Job:
    """One table on its way through the stage."""

    name: str
    settings: Table
    raw: RawTable
    map: Map
    folder: Path
    times: dict[str, str] = field(default_factory=dict)
    """The raw columns that hold times, by the name in reasons."""

    @property
    def width(self) -> int:
        """The number of entries that one of its rows may become."""
        return width_of(self.settings.columns) if isinstance(self.settings, Source) else 1

    @property
    def mapped(self) -> str:
        """The relation of its mapped rows."""
        return f"read_parquet({file_literal(self.folder)[:-1]}/*.parquet')"

    @property
    def judged(self) -> str:
        """The relation that says of every row, by its reason, whether it is used."""
        return identifier(f"judged {self.name}")


def judge(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], currency: str | None) -> None:
    """Judge what shows only across rows; makes the views ``judged ...`` and the tables ``alias``, ``lead``, ``rate``.

    Amounts are turned into ``currency``; raises InputError where one can't be.
    """
    leads, links = jobs.get("leads"), jobs.get("identities")
    if leads:
        _find_duplicates(connection, leads, ["lead_id"])
    if links:
        known = f"SELECT lead_id FROM {leads.mapped} WHERE reason IS NULL" if leads else None
        identities.unite(connection, links.mapped, known)
        connection.execute(
            f"CREATE TEMP VIEW {links.judged} AS SELECT sequence, coalesce(mapped.reason, refused.reason) AS reason "
            f"FROM {links.mapped} AS mapped LEFT JOIN refused_link AS refused USING (sequence)"
        )
    else:
        connection.execute("CREATE TEMP TABLE alias (alias_id VARCHAR, lead_id VARCHAR, linked_at TIMESTAMP)")
    if leads:
        connection.execute(
            f"CREATE TEMP VIEW {leads.judged} AS SELECT mapped.* REPLACE (coalesce(reason, "
            f"CASE WHEN sequence IN (FROM {_duplicates(leads)}) THEN '{DUPLICATE}' "
            f"WHEN mapped.lead_id IN (SELECT alias_id FROM alias) THEN '{MERGED}' END) AS reason) "
            f"FROM {leads.mapped} AS mapped"
        )
        connection.execute(
            "CREATE TEMP TABLE lead AS SELECT judged.* EXCLUDE (sequence, reason, time_zone), zone.name AS time_zone, "
            f"time_zone IS NULL AS without_zone FROM {leads.judged} AS judged "
            "LEFT JOIN (SELECT DISTINCT name FROM pg_timezone_names()) AS zone ON zone.name = time_zone "
            "WHERE reason IS NULL"
        )
    else:
        connection.execute("CREATE TEMP TABLE lead AS SELECT DISTINCT lead_id, NULL::VARCHAR AS time_zone FROM alias")
    _judge_rates(connection, jobs.get("rates"))
    converted: dict[str, str] = {}
    for job in jobs.values():
        if isinstance(job.settings, Source):
            query, amount, day = _judge_source(connection, job, strangers=not leads and not links), "value", _UTC_DAY
        elif isinstance(job.settings, Spend):
            query, amount, day = f"SELECT * FROM {job.mapped}", "cost", "day"
        else:
            continue
        own = job.settings.columns.currency
        if currency and own and money.constant(own) != currency:
            query = money.in_our_currency(f"({query})", amount, day, currency)
            converted[job.name] = job.judged
        connection.execute(f"CREATE TEMP VIEW {job.judged} AS {query}")
    money.refuse_without_rate(connection, currency or "", converted)


def _judge_rates(connection: duckdb.DuckDBPyConnection, job: Job | None) -> None:
    if not job:
        money.collect_rates(connection, None)
        return
    _find_duplicates(connection, job, ["day", "currency", "rate"])
    connection.execute(
        f"CREATE TEMP VIEW {job.judged} AS SELECT * REPLACE (coalesce(reason, "
        f"CASE WHEN sequence IN (FROM {_duplicates(job)}) THEN '{DUPLICATE}' END) AS reason) FROM {job.mapped}"
    )
    money.collect_rates(connection, f"{job.judged} WHERE reason IS NULL")


def _judge_source(connection: duckdb.DuckDBPyConnection, job: Job, *, strangers: bool) -> str:
    """Unite aliases with their leads, and judge duplicates and, unless ``strangers`` are welcome, unknown leads.

    Gives the query. The events of one row share its id.
    """
    currency = isinstance(job.settings, Source) and job.settings.columns.currency
    columns = (*_WHOLE_ROW, "currency") if currency else _WHOLE_ROW
    whole_row = [f"CASE WHEN event_id IS NULL THEN {column} END" for column in columns]
    own_id = ["event_id"] if job.width == 1 else ["event_id", "event_type"]
    _find_duplicates(connection, job, [*own_id, *whole_row], first="known_at, sequence")
    unknown = "" if strangers else f"WHEN lead.lead_id IS NULL THEN '{UNKNOWN_LEAD}'"
    return (
        "SELECT mapped.* REPLACE ("
        "coalesce(alias.lead_id, mapped.lead_id) AS lead_id, "
        "greatest(mapped.known_at, alias.linked_at) AS known_at, "
        f"coalesce(reason, CASE WHEN sequence IN (FROM {_duplicates(job)}) THEN '{DUPLICATE}' {unknown} END) AS reason"
        f"), {literal(job.name)} AS source, CASE WHEN time_zone IS NULL THEN occurred_at "
        "ELSE timezone(time_zone, timezone('UTC', occurred_at)) END AS local_time "
        f"FROM {job.mapped} AS mapped LEFT JOIN alias ON alias.alias_id = mapped.lead_id "
        "LEFT JOIN lead ON lead.lead_id = coalesce(alias.lead_id, mapped.lead_id)"
    )


def _find_duplicates(connection: duckdb.DuckDBPyConnection, job: Job, key: list[str], first: str = "sequence") -> None:
    """List the sequences of all usable rows that repeat the key of another one, which comes ``first``.

    Hashes find the few candidates cheaply; only these are compared in full.
    """
    keys = ", ".join(key)
    usable = f"FROM {job.mapped} WHERE reason IS NULL"
    connection.execute(
        f"CREATE TEMP TABLE {_duplicates(job)} AS SELECT sequence {usable} AND hash({keys}) IN "
        f"(SELECT hash({keys}) {usable} GROUP BY ALL HAVING count(*) > 1) "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {first}) > 1"
    )


def _duplicates(job: Job) -> str:
    return identifier(f"duplicate {job.name}")
