"""How far off what was expected has been: of what was foretold at the origins, where it is known what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from features.core.schema import CONVERTED
from models.evaluation.money import relative_error
from pipeline.core.project import Places, read_json
from pipeline.core.sql import Relation, file_literal, identifier, literal
from pipeline.kpi.cohorts import UNKNOWN
from pipeline.kpi.leads import Clock

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("channel", "origin", "expected", "variance", "happened")


def measure_error(places: Places, leads: Relation, clock: Clock, column: str, horizon: timedelta) -> float | None:
    """Say by which part of itself a channel's expected number has been off beyond chance (``relative_error``).

    ``column`` holds the probabilities of the ``horizon``. None where too little was foretold, or is known of it.
    """
    return relative_error(read_kept(places, leads, clock, column, horizon))


def read_kept(places: Places, leads: Relation, clock: Clock, column: str, horizon: timedelta) -> pd.DataFrame:
    """Count what was expected of each channel's leads at each origin, and what happened, where it is known by now.

    A lead counts once an origin, by the first look at it. Columns: channel, origin, expected, variance (by chance),
    happened.
    """
    import pandas as pd  # noqa: PLC0415 - it takes time to load

    files = (places.foretold, places.snapshots, places.snapshot_counts)
    if not all(path.exists() for path in files) or column not in pq.read_schema(places.foretold).names:
        return pd.DataFrame(columns=list(_COLUMNS))
    counts = read_json(places.snapshot_counts)
    delay = timedelta(hours=counts["outcome_delay_hours"])
    until = min(datetime.fromisoformat(counts["observed_until"]), clock.as_of) - horizon - delay
    told, within = identifier(column), f"INTERVAL {round(horizon.total_seconds())} SECOND"
    frame: pd.DataFrame = leads.connection.execute(
        "WITH foretold AS (SELECT lead_id, origin, min(as_of) AS as_of, arg_min(probability, as_of) AS probability "
        f"FROM (SELECT lead_id, origin, as_of, {told} AS probability "
        f"FROM read_parquet({file_literal(places.foretold)}) "
        f"WHERE origin IS NOT NULL AND {told} IS NOT NULL) GROUP BY lead_id, origin), "
        f"known AS (SELECT foretold.*, outcome = {literal(CONVERTED)} AND outcome_at >= as_of AND outcome_at < as_of + "
        f"{within} AS converts FROM foretold JOIN read_parquet({file_literal(places.snapshots)}) "
        f"USING (lead_id, as_of) WHERE label IS NOT NULL AND as_of <= TIMESTAMP '{until}') "
        f"SELECT coalesce(channel, {literal(UNKNOWN)}) AS channel, origin, sum(probability) AS expected, "
        "sum(probability * (1 - probability)) AS variance, CAST(count(*) FILTER (converts) AS DOUBLE) AS happened "
        f"FROM known JOIN {leads} USING (lead_id) GROUP BY ALL ORDER BY ALL"
    ).df()
    return frame
