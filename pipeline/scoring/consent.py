"""What leads have agreed to at a moment, as it was known then.

Of one id the later change counts, of the same moment what closes. Where ids turn out to be one lead, a withdrawal wins:

    2 March   cookie-1  mail withdrawn
    5 March   lead-A    mail given         nobody knows yet that both are one
    9 March   (cookie-1 is lead-A)         mail is closed: the withdrawal wins
    12 March  lead-A    mail given         open again: who says so is known as one now
"""

from __future__ import annotations

from datetime import datetime

import duckdb
import numpy as np
from numpy.typing import NDArray

from features.core.schema import CHANNELS, EVERYTHING
from models.decision.consent import Consent
from pipeline.core.project import Places
from pipeline.core.sql import file_literal, literal

_LIFTED = (
    "EXISTS (FROM said AS given WHERE given.status = 'given' AND given.lead_id = said.lead_id "
    "AND given.purpose = said.purpose AND given.changed_at > said.changed_at "
    "AND (given.own_id = said.own_id OR given.changed_at >= greatest(said.linked_at, given.linked_at)))"
)


def read_consent(places: Places, connection: duckdb.DuckDBPyConnection, as_of: datetime) -> Consent:
    """Tell what the leads in the relation ``asked`` (lead_id, place) agree to, known before ``as_of`` (UTC)."""
    everything = ", ".join(map(literal, CHANNELS))
    columns = []
    for channel in CHANNELS:
        closes = f"FILTER (purpose = '{channel}' AND closes)"
        columns += [
            f"max(changed_at) {closes} AS closed_{channel}",
            f"arg_max(status, changed_at) {closes} AS by_{channel}",
            f"max(changed_at) FILTER (purpose = '{channel}' AND status = 'given') AS given_{channel}",
        ]
    found = connection.sql(
        f"WITH known AS (SELECT consent.* FROM read_parquet({file_literal(places.consents)}) AS consent "
        "SEMI JOIN asked USING (lead_id) WHERE known_at < $as_of AND changed_at < $as_of), "
        f"said AS (SELECT * REPLACE (unnest(CASE purpose WHEN '{EVERYTHING}' THEN [{everything}] ELSE [purpose] END) "
        "AS purpose) FROM known), "
        f"judged AS (SELECT *, status <> 'given' AND NOT {_LIFTED} AS closes FROM said), "
        f"each AS (SELECT lead_id, {', '.join(columns)} FROM judged GROUP BY lead_id), "
        f"objections AS (SELECT lead_id, min(changed_at) AS objected FROM known WHERE purpose = '{EVERYTHING}' "
        "AND status = 'objected' GROUP BY lead_id) "
        "FROM asked LEFT JOIN each USING (lead_id) LEFT JOIN objections USING (lead_id) ORDER BY place",
        params={"as_of": as_of},
    ).to_arrow_table()

    def moments(name: str) -> NDArray[np.datetime64]:
        times: NDArray[np.datetime64] = found[name].to_numpy().astype("datetime64[us]")
        return times

    return Consent(
        closed={channel: moments(f"closed_{channel}") for channel in CHANNELS},
        by={channel: found[f"by_{channel}"].to_pandas().to_numpy(object) for channel in CHANNELS},
        given={channel: moments(f"given_{channel}") for channel in CHANNELS},
        objected=moments("objected"),
    )
