"""What shows only across rows: duplicates, ids that are one lead, ids that are none, and what machines did."""

from __future__ import annotations

from pipeline.core.sql import literal
from pipeline.ingest.duplicates import find_duplicates
from pipeline.ingest.identities import unite
from pipeline.ingest.machines import mark_machines
from pipeline.ingest.relations import NO_ALIAS, Relations
from pipeline.ingest.source_table import SourceTable, Tables
from pipeline.reading import money
from pipeline.reading.owners import KEY
from pipeline.reading.quarantine import DUPLICATE, MERGED, TOTAL, UNKNOWN_LEAD
from pipeline.reading.totals import Sum, find_totals
from pipeline.settings.ingest import Leads, Source, Spend

_WHOLE_ROW = ("lead_id", "occurred_at", "known_at", "event_type", "channel", "campaign", "content", "value", "quantity")
IS_ALIAS = (
    "alias.alias_id = mapped.lead_id AND "
    "(contested_at IS NULL OR greatest(mapped.known_at, alias.linked_at) < contested_at)"
)
"""Of what becomes known of an alias after two leads have claimed it, nobody knows whose it is."""
_UTC_DAY = "CAST(occurred_at AS DATE)"
_RANK = "CAST(row_number() OVER (ORDER BY lead_id) AS UINTEGER) AS rank"


def judge(relations: Relations, tables: Tables, currency: str | None) -> None:
    """Judge what shows only across rows; makes ``judged`` of each table, and ``aliases``, ``leads`` and ``rates``.

    The leads are ranked in the order of their ids, which the log is sorted by: whole numbers sort faster than texts.
    Amounts are turned into ``currency``; raises InputError where one can't be.
    """
    leads, links, rates, owners = (tables.get(name) for name in ("leads", "identities", "rates", "owners"))
    if leads:
        find_duplicates(leads.mapped, ["lead_id"], "sequence", leads.duplicates)
    if links:
        usable = leads and f"{leads.mapped} WHERE reason IS NULL AND sequence NOT IN (FROM {leads.duplicates})"
        unite(relations, links.mapped, f"SELECT lead_id, created_at FROM {usable}" if usable else None)
        links.judged.make_view(
            f"SELECT sequence, coalesce(mapped.reason, refused.reason) AS reason FROM {links.mapped} AS mapped "
            f"LEFT JOIN {relations.refused_links} AS refused USING (sequence)"
        )
    else:
        relations.aliases.make_table(NO_ALIAS)
    if leads:
        leads.judged.make_view(
            "SELECT mapped.* REPLACE (coalesce(reason, "
            f"CASE WHEN sequence IN (FROM {leads.duplicates}) THEN '{DUPLICATE}' WHEN mapped.lead_id IN "
            f"(SELECT alias_id FROM {relations.aliases} WHERE contested_at IS NULL) THEN '{MERGED}' END) AS reason) "
            f"FROM {leads.mapped} AS mapped"
        )
        relations.leads.make_table(
            f"SELECT judged.* EXCLUDE (sequence, reason, time_zone), {_RANK}, "
            f"zone.name AS time_zone, time_zone IS NULL AS without_zone, "
            f"coalesce(greatest(created_at, contested_at), created_at) AS known_at FROM {leads.judged} AS judged "
            "LEFT JOIN (SELECT DISTINCT name FROM pg_timezone_names()) AS zone ON zone.name = time_zone "
            f"LEFT JOIN (SELECT alias_id, contested_at FROM {relations.aliases}) ON alias_id = judged.lead_id "
            "WHERE reason IS NULL"
        )
    else:
        sources = [table.mapped for table in tables.values() if isinstance(table.settings, Source)]
        ids = " UNION ALL ".join(f"SELECT lead_id FROM {mapped} WHERE reason IS NULL" for mapped in sources)
        relations.leads.make_table(
            f"SELECT lead_id, {_RANK}, NULL::VARCHAR AS time_zone "
            f"FROM (SELECT DISTINCT lead_id FROM ({f'FROM {relations.aliases}' if links else ids}))"
        )
    if rates:
        find_duplicates(rates.mapped, ["day", "currency", "rate"], "sequence", rates.duplicates)
        rates.judged.make_view(_without_duplicates(rates))
    if owners:
        find_duplicates(owners.mapped, KEY, "sequence", owners.duplicates)
        owners.judged.make_view(_without_duplicates(owners))
    money.collect_rates(relations.rates, f"{rates.judged} WHERE reason IS NULL" if rates else None)
    converted = {}
    for table in tables.values():
        if isinstance(table.settings, Source):
            query = _judge_source(relations, table, links=bool(links), strangers=not leads and not links)
            query = mark_machines(table, query)
            amount, day = "value", _UTC_DAY
        elif isinstance(table.settings, Spend):
            find_totals(Sum(table.mapped, "cost", "clicks", "true", "day", is_count=False), table.totals, table.unsure)
            total = f"CASE WHEN sequence IN (FROM {table.totals}) THEN '{TOTAL}' ELSE reason END AS reason"
            query, amount, day = f"SELECT * REPLACE ({total}) FROM {table.mapped}", "cost", "day"
        else:
            continue
        own = table.settings.columns.currency
        if currency and own and money.constant(own) != currency:
            query = money.in_our_currency(relations.rates, f"({query})", amount, day, currency)
            converted[table.name] = table.judged
        table.judging = query
        table.judged.make_view(query)
    money.refuse_without_rate(currency or "", converted)


def find_repeats_by_parts(tables: Tables, currency: str | None) -> None:
    """Tell of each source whether its rows can only repeat one of the same lead, and nothing waits for which do.

    An event's own id may stand in rows of two leads; amounts that are converted, and ids that are united, may become
    the same only then; machines and totals are told among the rows that are left; local days are made before.
    """
    leads = tables.get("leads")
    zoned = leads is not None and isinstance(leads.settings, Leads) and leads.settings.columns.time_zone
    for table in tables.values():
        if isinstance(table.settings, Source) and not zoned and "identities" not in tables:
            columns, own = table.settings.columns, money.constant(table.settings.columns.currency)
            converted = columns.currency and (own is None or (currency is not None and own != currency))
            waits = columns.event_id or table.may_hold_totals or table.settings.machines
            table.repeats_by_parts = not (converted or waits)


def _without_duplicates(table: SourceTable) -> str:
    """Write the query that sets the duplicates of a table aside that is no source."""
    return (
        f"SELECT * REPLACE (coalesce(reason, CASE WHEN sequence IN (FROM {table.duplicates}) "
        f"THEN '{DUPLICATE}' END) AS reason) FROM {table.mapped}"
    )


def _judge_source(relations: Relations, table: SourceTable, *, links: bool, strangers: bool) -> str:
    """Unite aliases with their leads; judge totals, duplicates and, unless ``strangers`` are welcome, unknown leads.

    Gives the query. The events of one row share its id.
    """
    total = "WHEN false THEN ''"
    if table.may_hold_totals:
        part = Sum(table.mapped, "quantity", "NULL::DOUBLE", "event_type", _UTC_DAY, is_count=True)
        find_totals(part, table.totals, table.unsure)
        total = f"WHEN sequence IN (FROM {table.totals}) THEN '{TOTAL}'"
    currency = isinstance(table.settings, Source) and table.settings.columns.currency
    columns = (*_WHOLE_ROW, "currency") if currency else _WHOLE_ROW
    whole_row = [f"CASE WHEN event_id IS NULL THEN {column} END" for column in columns]
    own_id = ["event_id"] if table.width == 1 else ["event_id", "event_type"]
    if table.repeats_by_parts:
        table.duplicates.make_table("SELECT 0::BIGINT AS sequence WHERE false")
    else:
        find_duplicates(table.mapped, [*own_id, *whole_row], "known_at, sequence", table.duplicates)
    unknown = "" if strangers else f"WHEN lead.lead_id IS NULL THEN '{UNKNOWN_LEAD}'"
    lead_id = "coalesce(alias.lead_id, mapped.lead_id)" if links else "mapped.lead_id"
    united = f"{lead_id} AS lead_id, greatest(mapped.known_at, alias.linked_at) AS known_at, " if links else ""
    return (
        f"SELECT mapped.* REPLACE ({united}CASE {total} ELSE coalesce(reason, "
        f"CASE WHEN sequence IN (FROM {table.duplicates}) THEN '{DUPLICATE}' {unknown} END) END AS reason), "
        f"{literal(table.name)} AS source, lead.rank, lead.time_zone FROM {table.mapped} AS mapped "
        f"{f'LEFT JOIN {relations.aliases} AS alias ON {IS_ALIAS} ' if links else ''}"
        f"LEFT JOIN {relations.leads} AS lead ON lead.lead_id = {lead_id}"
    )
