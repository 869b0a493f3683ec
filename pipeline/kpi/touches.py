"""What led to a conversion: the touches of its lead before it, in the order in which they came.

A touch is a day on which the lead itself came through a channel: a visit of ten pages is one. Each conversion, and what
was earned or given back until the next one, is shared among the touches before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from features.core.schema import MACHINE
from pipeline.core.project import Places
from pipeline.kpi.leads import Clock, Sections, event_types, log_of, named_now, revenue_of

if TYPE_CHECKING:
    import pandas as pd


def read_conversions(
    places: Places, parameters: Sections, connection: duckdb.DuckDBPyConnection, clock: Clock
) -> pd.DataFrame:
    """List the conversions in the order of the log: month (a date), revenue, and ``converts``, 1 or 0.

    Revenue that no conversion came before stands as a row of its own that is no conversion: ``converts`` is 0. Rows
    that neither convert nor bring anything are left out.
    """
    won, paid = event_types(parameters.episodes.conversion), event_types(parameters.kpi.revenue)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE kpi_paid AS "
        f"SELECT lead_id, file_row_number AS place, occurred_at, {won} AS is_won, {revenue_of(parameters.kpi)} AS "
        "revenue, "
        f"sum(CAST({won} AS INTEGER)) OVER (PARTITION BY lead_id ORDER BY file_row_number) AS number "
        f"FROM {log_of(places, ordered=True)} WHERE {clock.known} AND actor <> '{MACHINE}' AND ({won} OR {paid})"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE kpi_conversion AS SELECT row_number() OVER (ORDER BY min(place)) - 1 AS "
        "conversion, "
        "lead_id, number, min(place) AS place, min(occurred_at) AS occurred_at, "
        "CAST(bool_or(is_won) AS INTEGER) AS converts, sum(revenue) AS revenue "
        "FROM kpi_paid GROUP BY lead_id, number"
    )
    frame: pd.DataFrame = connection.execute(
        f"SELECT {clock.month_of('occurred_at')} AS month, converts, revenue FROM kpi_conversion ORDER BY conversion"
    ).df()
    return frame


def read_touches(
    places: Places, parameters: Sections, connection: duckdb.DuckDBPyConnection, clock: Clock
) -> pd.DataFrame:
    """List the touches before each conversion of ``read_conversions``: conversion (its row), channel, days before it.

    They come by conversion, the oldest first.
    """
    day = f"CAST({clock.local('touch.occurred_at')} AS DATE)"
    frame: pd.DataFrame = connection.execute(
        f"SELECT conversion, {named_now('channel', 'day', parameters.kpi.renamed)} AS channel, "
        "max(days) AS days FROM ("
        f"SELECT conversion, touch.channel, {day} AS day, touch.file_row_number AS place, "
        "date_diff('microsecond', touch.occurred_at, kpi_conversion.occurred_at) / 86400e6 AS days "
        f"FROM {log_of(places, ordered=True)} AS touch JOIN kpi_conversion USING (lead_id) WHERE "
        f"{clock.known.replace('known_at', 'touch.known_at').replace('occurred_at', 'touch.occurred_at')} "
        "AND touch.actor = 'lead' AND touch.channel IS NOT NULL AND touch.occurred_at < kpi_conversion.occurred_at"
        ") GROUP BY conversion, day, channel ORDER BY conversion, min(place)"
    ).df()
    return frame
