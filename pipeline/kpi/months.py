"""What happened in each month, whenever the leads were created: steps taken, sales, money; beside what was spent in it.

The cohorts of ``cohorts`` say what became of the leads of a month. This says what the month itself held, as a book of
accounts does: a refund is negative revenue on its day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.core.schema import MACHINE
from pipeline.core.project import Places
from pipeline.core.sql import Relation, identifier, literal
from pipeline.kpi.cohorts import UNKNOWN, UNMATCHED
from pipeline.kpi.leads import Clock, Sections, event_types, log_of, reached, revenue_of

if TYPE_CHECKING:
    import pandas as pd


def count_months(
    places: Places, parameters: Sections, leads: Relation, spending: Relation, clock: Clock
) -> pd.DataFrame:
    """Count by channel and month: created, one column a milestone, won (leads); conversions, revenue, refunded, cost.

    A lead counts once a month and step. ``refunded`` is the part of ``revenue`` that is below 0; ``cost``, ``clicks``
    and ``visits`` are missing where none were entered.
    """
    episodes, kpi = parameters.episodes, parameters.kpi
    named = {reached(name): event_types(types) for name, types in episodes.milestones.items()}
    named["won"] = event_types(episodes.conversion)
    wanted = [*episodes.conversion, *kpi.revenue, *(kind for types in episodes.milestones.values() for kind in types)]
    steps = ", ".join(
        f"count(DISTINCT lead_id) FILTER ({condition}) AS {identifier(name)}" for name, condition in named.items()
    )
    zeros = ", ".join(f"coalesce(happened.{identifier(name)}, 0) AS {identifier(name)}" for name in named)
    origin = f"coalesce(lead.channel, {literal(UNKNOWN)}) AS channel"
    frame: pd.DataFrame = leads.connection.execute(
        f"WITH event AS (SELECT {origin}, {clock.month_of('occurred_at')} AS month, lead_id, event_type, "
        f"{revenue_of(kpi)} AS revenue FROM {log_of(places)} JOIN {leads} AS lead USING (lead_id) "
        f"WHERE {clock.known} AND actor <> '{MACHINE}' AND {event_types(wanted)}), "
        f"happened AS (SELECT channel, month, {steps}, count(*) FILTER ({named['won']}) AS conversions, "
        "sum(revenue) AS revenue, coalesce(sum(revenue) FILTER (revenue < 0), 0.0) AS refunded FROM event GROUP BY "
        "ALL), "
        f"created AS (SELECT {origin}, month, count(*) AS created FROM {leads} AS lead GROUP BY ALL), "
        "channels AS (SELECT DISTINCT channel FROM created), "
        f"spent AS (SELECT CASE WHEN channels.channel IS NULL THEN {literal(UNMATCHED)} ELSE spend.channel END AS "
        "channel, "
        f"month, sum(cost) AS cost, sum(clicks) AS clicks, sum(visits) AS visits "
        f"FROM {spending} AS spend LEFT JOIN channels USING (channel) "
        "GROUP BY ALL) "
        f"SELECT channel, month, coalesce(created.created, 0) AS created, {zeros}, "
        "coalesce(happened.conversions, 0) AS conversions, coalesce(happened.revenue, 0.0) AS revenue, "
        "coalesce(happened.refunded, 0.0) AS refunded, spent.cost, spent.clicks, spent.visits "
        "FROM created FULL JOIN happened "
        "USING (channel, month) FULL JOIN spent USING (channel, month) ORDER BY channel, month"
    ).df()
    return frame
