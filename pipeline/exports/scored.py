"""The leads of the newest scores, and who of them is no open lead any more by what is known today."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import duckdb

from features.core.schema import CHANNELS, EVERYTHING, Channel
from pipeline.core.project import Places
from pipeline.core.sql import file_literal, literal
from pipeline.kpi.history import Scored
from pipeline.kpi.leads import event_types, log_of
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

if TYPE_CHECKING:
    import pandas as pd

CLOSED = "closed, or not wanted"


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes


def read_scored(
    places: Places, parameters: Sections, connection: duckdb.DuckDBPyConnection, scored: Scored, now: datetime
) -> pd.DataFrame:
    """Give the leads of the scores: lead_id, created_at, tier, maturity, expected_value, by lead_id.

    ``why`` says why a lead is not open, missing where it is: by the scores, or by what became known since, before
    ``now`` (both UTC). Who was united with another lead since is nobody of whom consent is known.
    """
    ends = event_types([*parameters.episodes.conversion, *parameters.episodes.lost])
    frame: pd.DataFrame = connection.execute(
        "SELECT score.lead_id, lead.created_at, score.tier, score.maturity, score.expected_value, CASE "
        "WHEN score.tier = 'customer' THEN 'customer' WHEN score.probability IS NULL THEN 'lost' "
        "WHEN lead.lead_id IS NULL THEN 'united with another lead since, or gone' "
        "WHEN ended.lead_id IS NOT NULL THEN 'converted or lost since' "
        f"WHEN score.tier = 'disqualified' THEN {literal(CLOSED)} END AS why "
        f"FROM read_parquet({file_literal(scored.recommendations)}) AS score "
        f"LEFT JOIN read_parquet({file_literal(places.leads)}) AS lead USING (lead_id) "
        f"LEFT JOIN (SELECT DISTINCT lead_id FROM {log_of(places)} WHERE {ends} AND known_at >= $scored "
        "AND known_at < $now AND occurred_at < $now) AS ended USING (lead_id) ORDER BY score.lead_id",
        {"scored": scored.as_of, "now": now},
    ).df()
    return frame


def is_unknown(places: Places, connection: duckdb.DuckDBPyConnection, channel: Channel, now: datetime) -> bool:
    """Tell whether no lead at all has said, as known before ``now`` (UTC), that it agrees to a purpose or not."""
    assert channel in CHANNELS  # noqa: S101 - it stands in the statement
    row = connection.execute(
        f"SELECT count(*) FROM read_parquet({file_literal(places.consents)}) "
        f"WHERE purpose IN ('{channel}', '{EVERYTHING}') AND known_at < $now AND changed_at < $now",
        {"now": now},
    ).fetchone()
    return not row or not row[0]


def known_until(places: Places, connection: duckdb.DuckDBPyConnection, now: datetime) -> str:
    """Say where knowledge ends, as of ``now`` (UTC): nobody who took consent back after it can be left out."""
    last = f"SELECT max(known_at) FROM {log_of(places)} WHERE known_at < $now"
    row = connection.execute(last, {"now": now}).fetchone()
    until = f"{row[0]:%Y-%m-%d %H:%M} UTC" if row and row[0] else "never"
    return f"the log is known until {until}: who took consent back since is not known to have"


NO_CONSENT_KNOWN = "no consent for advertising is known (ingest.consents): nothing is exported"
