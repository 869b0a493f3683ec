"""What shows only across rows: duplicates, ids that are one lead, and ids that are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.core.sql import LINE_BITS, file_literal, identifier, literal
from pipeline.ingest import identities
from pipeline.ingest.duplicates import find_duplicates
from pipeline.ingest.mapping import Map, adds_up
from pipeline.reading import money
from pipeline.reading.quarantine import DUPLICATE, MERGED, TOTAL, UNKNOWN_LEAD
from pipeline.reading.readers import OpenFile
from pipeline.reading.texts import is_text
from pipeline.reading.totals import Sum, find_totals
from pipeline.settings.ingest import Leads, Rates, Source, Spend, Table

_FEW = 16
"""More files would make the statements that read them too long."""
_WHOLE_ROW = ("lead_id", "occurred_at", "known_at", "event_type", "channel", "campaign", "value", "quantity")
_IS_ALIAS = (
    "alias.alias_id = mapped.lead_id AND "
    "(contested_at IS NULL OR greatest(mapped.known_at, alias.linked_at) < contested_at)"
)
"""Of what becomes known of an alias after two leads have claimed it, nobody knows whose it is."""
_UTC_DAY = "CAST(occurred_at AS DATE)"
_RANK = "CAST(row_number() OVER (ORDER BY lead_id) AS UINTEGER) AS rank"


@dataclass(frozen=True)
class Job:
    """One table on its way through the stage."""

    name: str
    settings: Table
    opened: tuple[OpenFile, ...]
    map: Map
    folder: Path
    times: dict[str, str] = field(default_factory=dict)
    """The raw columns that hold times, by the name in reasons."""

    @property
    def numbers(self) -> dict[str, str]:
        """The raw columns that are read as numbers, by the name in reasons."""
        settings = self.settings
        if isinstance(settings, Source):
            own = {"value": settings.columns.value, "quantity": settings.columns.quantity}
            return {field: name for field, name in own.items() if name} | {
                name: name for name in settings.columns.counts
            }
        if isinstance(settings, Leads):
            return {name: name for name, kind in settings.attributes.items() if kind == "number"}
        if isinstance(settings, Spend):
            own = {"cost": settings.columns.cost, "clicks": settings.columns.clicks}
            return {field: name for field, name in own.items() if name}
        return {"rate": settings.columns.rate} if isinstance(settings, Rates) else {}

    @property
    def width(self) -> int:
        """The number of entries that one of its rows may become."""
        return self.settings.columns.width if isinstance(self.settings, Source) else 1

    def reads_again(self, opened: OpenFile) -> bool:
        """Whether a file is cheaper to read and map as often as its rows are needed than to copy once.

        So it is where Parquet holds times and numbers as such, and where no rules make the channel. A copy costs as
        much as five readings of such a file.
        """
        if not isinstance(self.settings, Source) or opened.file.format != "parquet" or self.width > 1:
            return False
        columns = self.settings.columns
        held = opened.columns
        typed = [name for name in (columns.value, columns.quantity, *self.times.values()) if name]
        plain = not any(is_text(held[name]) for name in typed)
        return plain and not columns.traffic() and self.settings.time_zone == "UTC" and len(self.opened) <= _FEW

    @property
    def files(self) -> str:
        """The relation of those of its mapped rows that were copied."""
        return f"read_parquet({file_literal(self.folder)[:-1]}/*.parquet')"

    @property
    def mapped(self) -> str:
        """The relation of its mapped rows: sequence, reason and the fields."""
        return identifier(f"mapped {self.name}")

    @property
    def seen(self) -> str:
        """The table of what its usable rows hold."""
        return identifier(f"seen {self.name}")

    @property
    def unsure(self) -> str:
        """The table of its rows that may be totals of others."""
        return identifier(f"unsure {self.name}")

    def place(self, sequence: int) -> tuple[str, int]:
        """Give the file and the line of a row."""
        line = (sequence & ((1 << LINE_BITS) - 1)) // self.width
        return self.opened[sequence >> LINE_BITS].file.name, line

    @property
    def judged(self) -> str:
        """The relation that says of every row, by its reason, whether it is used."""
        return identifier(f"judged {self.name}")


def judge(connection: duckdb.DuckDBPyConnection, jobs: dict[str, Job], currency: str | None) -> None:
    """Judge what shows only across rows; makes the views ``judged ...`` and the tables ``alias``, ``lead``, ``rate``.

    The leads are ranked in the order of their ids, which the log is sorted by: whole numbers sort faster than texts.
    Amounts are turned into ``currency``; raises InputError where one can't be.
    """
    leads, links = jobs.get("leads"), jobs.get("identities")
    if leads:
        find_duplicates(connection, leads.mapped, ["lead_id"], "sequence", _duplicates(leads))
    if links:
        known = f"SELECT lead_id, created_at FROM {_usable(leads)}" if leads else None
        identities.unite(connection, links.mapped, known)
        connection.execute(
            f"CREATE TEMP VIEW {links.judged} AS SELECT sequence, coalesce(mapped.reason, refused.reason) AS reason "
            f"FROM {links.mapped} AS mapped LEFT JOIN refused_link AS refused USING (sequence)"
        )
    else:
        connection.execute(f"CREATE TEMP TABLE alias ({identities.ALIAS})")
    if leads:
        connection.execute(
            f"CREATE TEMP VIEW {leads.judged} AS SELECT mapped.* REPLACE (coalesce(reason, "
            f"CASE WHEN sequence IN (FROM {_duplicates(leads)}) THEN '{DUPLICATE}' "
            f"WHEN mapped.lead_id IN (SELECT alias_id FROM alias WHERE contested_at IS NULL) THEN '{MERGED}' END) "
            "AS reason) "
            f"FROM {leads.mapped} AS mapped"
        )
        connection.execute(
            f"CREATE TEMP TABLE lead AS SELECT judged.* EXCLUDE (sequence, reason, time_zone), {_RANK}, "
            f"zone.name AS time_zone, time_zone IS NULL AS without_zone, "
            f"coalesce(greatest(created_at, contested_at), created_at) AS known_at FROM {leads.judged} AS judged "
            "LEFT JOIN (SELECT DISTINCT name FROM pg_timezone_names()) AS zone ON zone.name = time_zone "
            "LEFT JOIN (SELECT alias_id, contested_at FROM alias) ON alias_id = judged.lead_id WHERE reason IS NULL"
        )
    else:
        named = [job.mapped for job in jobs.values() if isinstance(job.settings, Source)]
        ids = " UNION ALL ".join(f"SELECT lead_id FROM {mapped} WHERE reason IS NULL" for mapped in named)
        connection.execute(
            f"CREATE TEMP TABLE lead AS SELECT lead_id, {_RANK}, NULL::VARCHAR AS time_zone "
            f"FROM (SELECT DISTINCT lead_id FROM ({'FROM alias' if links else ids}))"
        )
    _judge_rates(connection, jobs.get("rates"))
    converted: dict[str, str] = {}
    for job in jobs.values():
        if isinstance(job.settings, Source):
            _find_totals(connection, job)
            query = _judge_source(connection, job, links=bool(links), strangers=not leads and not links)
            amount, day = "value", _UTC_DAY
        elif isinstance(job.settings, Spend):
            _find_totals(connection, job)
            total = f"CASE WHEN sequence IN (FROM {_totals(job)}) THEN '{TOTAL}' ELSE reason END AS reason"
            query, amount, day = f"SELECT * REPLACE ({total}) FROM {job.mapped}", "cost", "day"
        else:
            continue
        own = job.settings.columns.currency
        if currency and own and money.constant(own) != currency:
            query = money.in_our_currency(f"({query})", amount, day, currency)
            converted[job.name] = job.judged
        connection.execute(f"CREATE TEMP VIEW {job.judged} AS {query}")
    money.refuse_without_rate(connection, currency or "", converted)


def _usable(leads: Job) -> str:
    return f"{leads.mapped} WHERE reason IS NULL AND sequence NOT IN (FROM {_duplicates(leads)})"


def _judge_rates(connection: duckdb.DuckDBPyConnection, job: Job | None) -> None:
    if not job:
        money.collect_rates(connection, None)
        return
    find_duplicates(connection, job.mapped, ["day", "currency", "rate"], "sequence", _duplicates(job))
    connection.execute(
        f"CREATE TEMP VIEW {job.judged} AS SELECT * REPLACE (coalesce(reason, "
        f"CASE WHEN sequence IN (FROM {_duplicates(job)}) THEN '{DUPLICATE}' END) AS reason) FROM {job.mapped}"
    )
    money.collect_rates(connection, f"{job.judged} WHERE reason IS NULL")


def _judge_source(connection: duckdb.DuckDBPyConnection, job: Job, *, links: bool, strangers: bool) -> str:
    """Unite aliases with their leads, and judge duplicates and, unless ``strangers`` are welcome, unknown leads.

    Gives the query. The events of one row share its id.
    """
    currency = isinstance(job.settings, Source) and job.settings.columns.currency
    columns = (*_WHOLE_ROW, "currency") if currency else _WHOLE_ROW
    whole_row = [f"CASE WHEN event_id IS NULL THEN {column} END" for column in columns]
    own_id = ["event_id"] if job.width == 1 else ["event_id", "event_type"]
    find_duplicates(connection, job.mapped, [*own_id, *whole_row], "known_at, sequence", _duplicates(job))
    unknown = "" if strangers else f"WHEN lead.lead_id IS NULL THEN '{UNKNOWN_LEAD}'"
    total = f"WHEN sequence IN (FROM {_totals(job)}) THEN '{TOTAL}'" if may_hold_totals(job) else "WHEN false THEN ''"
    lead_id = "coalesce(alias.lead_id, mapped.lead_id)" if links else "mapped.lead_id"
    united = f"{lead_id} AS lead_id, greatest(mapped.known_at, alias.linked_at) AS known_at, " if links else ""
    return (
        f"SELECT mapped.* REPLACE ({united}CASE {total} ELSE coalesce(reason, "
        f"CASE WHEN sequence IN (FROM {_duplicates(job)}) THEN '{DUPLICATE}' {unknown} END) END AS reason), "
        f"{literal(job.name)} AS source, lead.rank, lead.time_zone FROM {job.mapped} AS mapped "
        f"{f'LEFT JOIN alias ON {_IS_ALIAS} ' if links else ''}"
        f"LEFT JOIN lead ON lead.lead_id = {lead_id}"
    )


def may_hold_totals(job: Job) -> bool:
    """Tell whether some rows of a table may be sums of others."""
    return isinstance(job.settings, Spend) or (isinstance(job.settings, Source) and adds_up(job.settings.columns))


def _find_totals(connection: duckdb.DuckDBPyConnection, job: Job) -> None:
    """Make the table of the rows that are sums of others, where a table may hold such rows."""
    if isinstance(job.settings, Spend):
        part = Sum(job.mapped, "cost", "clicks", "true", "day", is_count=False)
        find_totals(connection, part, _totals(job), job.unsure)
    elif may_hold_totals(job):
        part = Sum(job.mapped, "quantity", "NULL::DOUBLE", "event_type", _UTC_DAY, is_count=True)
        find_totals(connection, part, _totals(job), job.unsure)


def _totals(job: Job) -> str:
    return identifier(f"total {job.name}")


def _duplicates(job: Job) -> str:
    return identifier(f"duplicate {job.name}")
