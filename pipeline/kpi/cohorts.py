"""Leads by where they came from and the month they were created in, with what was spent in that month.

All columns are counts and sums, so that rows of several months, or channels, may be added; rates and costs follow from
sums alone. Money is in ``ingest.currency``. ``cost``, ``clicks`` and ``visits`` are
missing where nobody entered any: of a channel
without spending, and of months outside the table of spending.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from features.core.time import parse_duration
from models.core.horizons import PROBABILITY, column_of
from pipeline.core.project import Places
from pipeline.core.sql import Relation, file_literal, identifier, literal
from pipeline.kpi.leads import Clock, named_now, reached
from pipeline.settings.kpi import Kpi

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("channel", "campaign", "content", "first_touch", "last_touch")
"""What leads are parted by; channel is where they came from."""
UNKNOWN = "unknown origin"
"""Leads that nobody knows the origin of."""
UNMATCHED = "spend that matches no lead"
"""What was spent on a channel, or a campaign, that no lead came from; or on a campaign that nobody has named."""
SPENT_BY = {"channel": "channel", "campaign": "campaign", "first_touch": "channel", "last_touch": "channel"}
"""Of which column of the spending a dimension's costs are; contents cost nothing by themselves."""
PROPOSED = ("MQL", "SQL")
"""The tiers whose leads are counted as proposed."""


def make_expected(connection: duckdb.DuckDBPyConnection, recommendations: Path, farthest: str) -> Relation:
    """Make the table of the leads that are open: lead_id, expected (0 to 1), tier."""
    expected = Relation(connection, "kpi_expected")
    expected.make_table(
        f"SELECT lead_id, {identifier(farthest)} AS expected, tier FROM read_parquet({file_literal(recommendations)}) "
        f"WHERE {identifier(farthest)} IS NOT NULL"
    )
    return expected


def make_spending(connection: duckdb.DuckDBPyConnection, places: Places, kpi: Kpi, clock: Clock) -> Relation:
    """Make the table of what was spent by day, month, channel and campaign, up to the moment."""
    spending = Relation(connection, "kpi_spend")
    today = clock.local(f"TIMESTAMP '{clock.as_of:%Y-%m-%d %H:%M:%S.%f}'")
    spending.make_table(
        f"SELECT day, CAST(date_trunc('month', day) AS DATE) AS month, {named_now('channel', 'day', kpi.renamed)} AS "
        "channel, "
        f"campaign, cost, clicks, visits FROM read_parquet({file_literal(places.spend)}) "
        f"WHERE day <= CAST({today} AS DATE)"
    )
    return spending


def find_behind(leads: Relation, spending: Relation, clock: Clock) -> dict[str, date]:
    """Name the channels whose costs end long before those of others, each with its last day, though leads still come.

    Long is three days more than ever lay between two of its costs: they may be entered late, or have ended. Leads that
    came since count as free.
    """
    rows = leads.connection.execute(
        "WITH entered AS (SELECT channel, day, day - lag(day) OVER (PARTITION BY channel ORDER BY day) AS gap "
        f"FROM (SELECT DISTINCT channel, day FROM {spending} WHERE cost IS NOT NULL AND channel IS NOT NULL)), "
        "own AS (SELECT channel, max(day) AS until, max(gap) AS longest FROM entered GROUP BY channel) "
        f"SELECT channel, until FROM own WHERE until + longest::INTEGER + {ENTERED_LATE.days} "
        "< (SELECT max(until) FROM own) "
        f"AND EXISTS (FROM {leads} AS lead WHERE lead.channel = own.channel "
        f"AND {clock.day_of('lead.created_at')} > own.until) ORDER BY channel"
    ).fetchall()
    return dict(rows)


ENTERED_LATE = timedelta(days=3)
"""Costs are often entered a weekend later."""


def count_cohorts(
    leads: Relation, expected: Relation, milestones: Sequence[str], proposed: Relation | None
) -> pd.DataFrame:
    """Count the leads of each dimension, value and month.

    Columns: dimension, value, month, then counts of leads (leads, worked, one a milestone, won, won_again, lost, open),
    revenue and the sum of its squares by lead, expected (how many of the open leads convert, summed from their
    probabilities) and the variance of that, what is proposed now (mql_now, sql_now) and, where ``proposed`` has the
    history of it (lead_id, mql_on, sql_on), ever was (mql_first, sql_first), won_before (as it was known a year
    before), cost, clicks, visits.
    """
    connection = leads.connection
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE kpi_joined AS SELECT lead.*, expected.expected, expected.tier, "
        + ("proposed.mql_on, proposed.sql_on" if proposed else "NULL::TIMESTAMP AS mql_on, NULL::TIMESTAMP AS sql_on")
        + f" FROM {leads} AS lead LEFT JOIN {expected} AS expected USING (lead_id)"
        + (f" LEFT JOIN {proposed} AS proposed USING (lead_id)" if proposed else "")
    )
    parts = [_count(dimension, milestones) for dimension in DIMENSIONS]
    counted = " UNION ALL BY NAME ".join(parts)
    costs = " UNION ALL ".join(_costs(dimension, column) for dimension, column in SPENT_BY.items())
    columns = "counted.* EXCLUDE (dimension, value, month" + (")" if proposed else ", mql_first, sql_first)")
    frame: pd.DataFrame = connection.execute(
        f"WITH counted AS ({counted}), cost AS ({costs}), "
        "known AS (SELECT DISTINCT dimension, value FROM counted), "
        # What was spent on what no lead came from is a line of its own.
        f"matched AS (SELECT cost.dimension, CASE WHEN known.value IS NULL THEN {literal(UNMATCHED)} ELSE "
        "cost.value END "
        "AS value, month, sum(cost) AS cost, sum(clicks) AS clicks, sum(visits) AS visits "
        "FROM cost LEFT JOIN known USING (dimension, value) "
        "GROUP BY ALL), "
        "spent AS (SELECT DISTINCT dimension, value FROM matched WHERE cost IS NOT NULL), "
        "span AS (SELECT min(month) AS first, max(month) AS last FROM cost WHERE cost IS NOT NULL) "
        f"SELECT dimension, value, month, {columns}, "
        "CASE WHEN matched.cost IS NOT NULL THEN matched.cost WHEN spent.value IS NOT NULL AND month BETWEEN "
        "span.first "
        "AND span.last THEN 0.0 END AS cost, matched.clicks, matched.visits "
        "FROM counted FULL JOIN matched USING (dimension, value, "
        "month) "
        "LEFT JOIN spent USING (dimension, value) CROSS JOIN span ORDER BY dimension, value, month"
    ).df()
    connection.execute("DROP TABLE kpi_joined")
    summed = [name for name in frame.columns if name not in {"dimension", "value", "month", "cost", "clicks", "visits"}]
    return frame.fillna(dict.fromkeys(summed, 0))


def _count(dimension: str, milestones: Sequence[str]) -> str:
    steps = "".join(
        f"count(*) FILTER ({identifier(reached(name))} IS NOT NULL) AS {identifier(reached(name))}, "
        for name in milestones
    )
    now = ", ".join(f"count(*) FILTER (tier = {literal(tier)}) AS {tier.lower()}_now" for tier in PROPOSED)
    return (
        f"SELECT {literal(dimension)} AS dimension, coalesce({identifier(dimension)}, {literal(UNKNOWN)}) AS value, "
        "month, "
        f"count(*) AS leads, count(*) FILTER (worked) AS worked, {steps}count(won_at) AS won, "
        "count(*) FILTER (conversions > 1) AS won_again, count(*) FILTER (won_at IS NULL AND expected IS NULL AND "
        "lost_at "
        "IS NOT NULL) AS lost, count(expected) AS open, sum(revenue) AS revenue, sum(revenue * revenue) AS "
        "revenue_squares, coalesce(sum(expected), 0.0) AS expected, coalesce(sum(expected * (1 - expected)), 0.0) AS "
        f"expected_variance, {now}, count(mql_on) AS mql_first, count(sql_on) AS sql_first, "
        "count(*) FILTER (won_before) AS won_before FROM kpi_joined GROUP BY ALL"
    )


def _costs(dimension: str, column: str) -> str:
    return (
        f"SELECT {literal(dimension)} AS dimension, coalesce({column}, 'no {column}') AS value, month, cost, "
        "clicks, visits FROM kpi_spend"
    )


def farthest_of(recommendations: Path, main: timedelta) -> tuple[str, timedelta]:
    """Name the column of the recommendations that looks farthest ahead, and how far; the first column does ``main``."""
    prefix = column_of("")
    further = [name for name in pq.read_schema(recommendations).names if name.startswith(prefix)]
    horizons = {PROBABILITY: main} | {name: parse_duration(name.removeprefix(prefix)) for name in further}
    return max(horizons.items(), key=lambda horizon: horizon[1])
