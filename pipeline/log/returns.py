"""Leads that were lost, or fell silent, and whether they came back: as the log told it at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pandas as pd

from features.core.schema import CONVERTED, LOST, MACHINE
from features.timeline.history import History
from features.timeline.snapshots import find_episodes
from pipeline.core.project import Places
from pipeline.core.sql import file_literal

_SILENCES = """
SELECT lead_id, occurred_at AS since, next AS returned FROM (
    SELECT lead_id, occurred_at, lead(occurred_at) OVER (PARTITION BY lead_id ORDER BY occurred_at) AS next
    FROM read_parquet({log}) WHERE actor = 'lead' AND known_at < $now AND occurred_at < $now
) WHERE coalesce(next, $now) - occurred_at > $silence ORDER BY ALL
"""


def losses_known(
    places: Places, connection: duckdb.DuckDBPyConnection, lost: Sequence[str], history: History, as_of: datetime
) -> pd.DataFrame:
    """List the losses that were known at ``as_of`` (UTC): lead_id, since, reason, returned, converted, is_last.

    ``returned`` is when the next episode began, ``converted`` when that one did; both are missing where that was not,
    and ``is_last`` tells whether the lead is still lost. The reason is the content of the event that says the loss,
    empty where it has none.
    """
    episodes = find_episodes(history.as_known(as_of))
    following = episodes.shift(-1)
    is_last = following["lead_id"] != episodes["lead_id"]
    found = pd.DataFrame(
        {
            "lead_id": episodes["lead_id"],
            "since": episodes["outcome_at"],
            "returned": following["started_at"].mask(is_last),
            "converted": following["outcome_at"].mask(is_last | (following["outcome"] != CONVERTED)),
            "is_last": is_last,
        }
    )[episodes["outcome"] == LOST]
    reasons: pd.DataFrame = connection.execute(
        f"SELECT lead_id, occurred_at AS since, min(content) AS reason "
        f"FROM read_parquet({file_literal(places.interactions)}) WHERE list_contains($lost, event_type) "
        f"AND known_at < $now AND actor <> '{MACHINE}' GROUP BY ALL",
        {"lost": list(lost), "now": as_of},
    ).df()
    told = found.merge(
        reasons.astype({"lead_id": "str", "since": "datetime64[us]"}), how="left", on=["lead_id", "since"]
    )
    return told.assign(reason=told["reason"].fillna("").astype(object))


def silences_known(
    places: Places, connection: duckdb.DuckDBPyConnection, history: History, as_of: datetime, silence: timedelta
) -> pd.DataFrame:
    """List for how long open leads did nothing themselves, where it was for longer than ``silence``, as then known.

    Gives lead_id, since (their last act), until, returned (their next one) and converted. A conversion without an act
    of the lead's ends a silence, too; a loss ends it without a return.
    """
    query = _SILENCES.format(log=file_literal(places.interactions))
    found: pd.DataFrame = connection.execute(query, {"now": as_of, "silence": silence}).df()
    found = found.astype({"lead_id": "str", "since": "datetime64[us]", "returned": "datetime64[us]"})
    episodes = find_episodes(history.as_known(as_of)).drop(columns="episode")
    told = pd.merge_asof(
        found.sort_values("since", kind="stable"),
        episodes.sort_values("started_at", kind="stable"),
        by="lead_id",
        left_on="since",
        right_on="started_at",
    )
    now = np.datetime64(as_of, "us")
    # A lead whose episode ended before it had been silent for so long was no quiet one.
    was_quiet = told["outcome_at"].isna() | (told["outcome_at"] - told["since"] > silence)
    told = told[told["started_at"].notna() & was_quiet]
    ended = told["outcome_at"] < told["returned"].fillna(now)
    converted = told["outcome_at"].where(told["outcome"] == CONVERTED)
    return pd.DataFrame(
        {
            "lead_id": told["lead_id"],
            "since": told["since"],
            "until": told["outcome_at"].where(ended & (told["outcome"] == LOST), now),
            "returned": told["returned"].mask(ended, converted),
            "converted": converted,
        }
    ).sort_values(["lead_id", "since"], ignore_index=True)
