"""Money: what is in which currency, what it is worth in ours, and what was spent.

Values are turned into ``ingest.currency`` with the last rate on or before their day (UTC). A currency without such a
rate stops the run: a sum over mixed currencies would be a wrong number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from features.core.errors import InputError
from pipeline.core.sql import Relation, literal
from pipeline.reading import channels, totals
from pipeline.reading.mapped_table import MappedTable, Problem, problem
from pipeline.reading.moments import day_of, moment, moment_problems, timestamp
from pipeline.reading.texts import LARGEST_WHOLE, Columns, number, text
from pipeline.settings.ingest import Rates, Spend
from pipeline.settings.types import Column, Constant

_LARGEST_COST = 10**15
"""Above it no cost is one; below it costs add up exactly."""


def constant(currency: Column | None) -> str | None:
    """Give the code of the one currency that a table is in, if there is one."""
    return currency.constant if isinstance(currency, Constant) else None


def expressions(currency: Column | None, raw: Columns) -> dict[str, str]:
    """Give the currency as written, in capitals."""
    return {"currency": f"upper(trim({text(currency, raw)}))"} if currency else {}


def problems(currency: Column | None, amount: str) -> list[Problem]:
    """List what may be wrong with the currency of an amount that is there."""
    if not currency:
        return []
    return [
        problem(f"{amount} IS NOT NULL AND coalesce(currency, '') = ''", "missing currency"),
        problem(f"{amount} IS NOT NULL AND NOT regexp_full_match(currency, '[A-Z]{{3}}')", "unreadable currency"),
    ]


def fields(currency: Column | None) -> dict[str, str]:
    """Keep the currency where it may differ from row to row, or from ours."""
    return {"currency": "currency"} if currency else {}


def map_spend(spend: Spend, rules: channels.Rules, raw: Columns, now: datetime) -> MappedTable:
    """Map what was spent: day, channel, campaign, cost, clicks, visits."""
    columns = spend.columns
    parts = {
        "campaign": text(columns.campaign, raw),
        **moment("day", columns.day, raw, spend),
        **channels.expressions(columns, columns.channel, raw),
        **number("cost", columns.cost, raw, spend, constant(columns.currency)),
        **number("clicks", columns.clicks, raw, spend),
        **number("visits", columns.visits, raw, spend),
        **expressions(columns.currency, raw),
        **totals.labels(columns, columns.day, raw),
    }
    found = (
        *moment_problems("day"),
        problem(f"day > {timestamp(now + timedelta(days=1))}", "day in the future"),
        problem("NOT cost_given AND NOT visits_given", "missing cost"),
        problem("cost_given AND cost IS NULL", "unreadable cost"),
        problem(f"NOT isfinite(cost) OR abs(cost) > {_LARGEST_COST}", "cost is not finite"),
        *problems(columns.currency, "cost"),
        *_counts("clicks"),
        *_counts("visits"),
    )
    kept = {
        "day": day_of("day", spend.time_zone),
        "campaign": "campaign",
        "cost": "cost",
        "clicks": "TRY_CAST(clicks AS BIGINT)",
        "visits": "TRY_CAST(visits AS BIGINT)",
        **channels.fields(columns, rules),
        **fields(columns.currency),
        **totals.LABELS,
    }
    return MappedTable(parts, found, kept)


def _counts(name: str) -> list[Problem]:
    """List what may be wrong with a number of things."""
    return [
        problem(f"{name}_given AND {name} IS NULL", f"unreadable {name}"),
        problem(f"NOT isfinite({name}) OR abs({name}) > {LARGEST_WHOLE}", f"{name} is not finite"),
        problem(f"{name} <> trunc({name})", f"{name} is not a whole number"),
        problem(f"{name} < 0", f"{name} below 0"),
    ]


def map_rates(rates: Rates, raw: Columns, now: datetime) -> MappedTable:
    """Map the exchange rates: day, currency, rate."""
    columns = rates.columns
    parts = {
        **moment("day", columns.day, raw, rates),
        **expressions(columns.currency, raw),
        **number("rate", columns.rate, raw, rates),
    }
    found = (
        *moment_problems("day"),
        problem(f"day > {timestamp(now + timedelta(days=1))}", "day in the future"),
        problem("coalesce(currency, '') = ''", "missing currency"),
        problem("NOT regexp_full_match(currency, '[A-Z]{3}')", "unreadable currency"),
        problem("NOT rate_given", "missing rate"),
        problem("rate IS NULL", "unreadable rate"),
        problem("NOT isfinite(rate) OR rate <= 0", "rate is not above 0"),
    )
    return MappedTable(parts, found, {"day": day_of("day", rates.time_zone), "currency": "currency", "rate": "rate"})


def collect_rates(rates: Relation, usable: str | None) -> None:
    """Make the table of ``rates`` (day, currency, rate) of the relation of usable ones.

    Raises InputError where a day has two rates that differ.
    """
    rates.make_table("SELECT NULL::DATE AS day, NULL::VARCHAR AS currency, NULL::DOUBLE AS rate WHERE false")
    if usable is None:
        return
    rates.insert(f"SELECT DISTINCT day, currency, rate FROM {usable}")
    row = rates.connection.execute(
        f"SELECT count(*) OVER (), day, currency FROM {rates} GROUP BY day, currency HAVING count(*) > 1 "
        "ORDER BY day, currency LIMIT 1"
    ).fetchone()
    if row:
        raise InputError(
            f"ingest.rates: {row[0]} days have rates that differ, the first of them {row[1]} for {row[2]}; "
            "keep one rate for a day and a currency"
        )


def in_our_currency(rates: Relation, query: str, amount: str, day: str, own: str) -> str:
    """Write the query that turns an amount into our currency with the rate of its day, and says where there is none.

    Amounts that are in our currency stay as they are, to the last bit.
    """
    foreign = f"{amount} IS NOT NULL AND amounts.currency <> {literal(own)}"
    return (
        f"SELECT amounts.* REPLACE (CASE WHEN {foreign} THEN {amount} * rate.rate ELSE {amount} END AS {amount}), "
        f"{foreign} AND rate.rate IS NULL AS without_rate "
        f"FROM (SELECT *, {day} AS rate_day FROM ({query})) AS amounts "
        f"ASOF LEFT JOIN {rates} AS rate ON amounts.currency = rate.currency AND amounts.rate_day >= rate.day"
    )


def refuse_without_rate(own: str, converted: Mapping[str, Relation]) -> None:
    """Raise InputError where amounts of usable rows can't be turned into our currency.

    ``converted`` are tables with the relations that ``in_our_currency`` gives.
    """
    lines = []
    for table, relation in converted.items():
        found = relation.connection.execute(
            f"SELECT currency, count(*), min(rate_day) FROM {relation} "
            "WHERE reason IS NULL AND without_rate GROUP BY currency ORDER BY currency"
        ).fetchall()
        lines += [f"  {table}: {count:,} rows in {currency}, the first on {first}" for currency, count, first in found]
    if lines:
        raise InputError(
            f"ingest.currency is {own}, and there is no rate on or before the day of:\n"
            + "\n".join(lines)
            + "\ngive ingest.rates (day, currency, rate: what one unit is worth) from the first of these days on"
        )
