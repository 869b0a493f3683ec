"""What the log says of the rows that were foretold: whether one of us had acted, and where the lead's last act is from.

Both are as they were known at each row's ``as_of``: what became known at it or after it plays no part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.sql import open_reader

NO_ACT = "no act of its own"
_LATEST = """
WITH known AS (
    SELECT lead_id, greatest(known_at, occurred_at) AS since, max((occurred_at, source, sequence)) OVER (
        PARTITION BY lead_id ORDER BY greatest(known_at, occurred_at)  -- of equal times all are seen
    ) AS latest
    FROM read_parquet(?) WHERE actor = 'lead' AND lead_id IN (SELECT lead_id FROM foretold)
)
SELECT latest[2] AS source
FROM foretold ASOF LEFT JOIN known ON foretold.lead_id = known.lead_id AND foretold.as_of > known.since
ORDER BY place
"""
"""The last act of each row's lead in the order of the log, among those that had occurred and were known by then."""


def touched(interactions: Path, leads: NDArray[Any], as_of: NDArray[np.datetime64]) -> NDArray[np.bool_] | None:
    """Tell of each row whether one of us had acted on its lead by its ``as_of`` (UTC): all of shape (n,).

    None where the log holds no act of ours at all: then nothing can be told apart.
    """
    with open_reader() as reader:
        first = reader.sql(
            "SELECT lead_id, min(known_at) AS first FROM read_parquet(?) WHERE actor = 'us' GROUP BY lead_id",
            params=[str(interactions)],
        ).df()
    if first.empty:
        return None
    known = first.set_index("lead_id")["first"].reindex(leads).to_numpy("datetime64[us]")
    return np.asarray(known < as_of)  # what was never done has no time, and is not before any


def latest_sources(interactions: Path, leads: NDArray[Any], as_of: NDArray[np.datetime64]) -> NDArray[Any] | None:
    """Name the source of the last act of each row's lead itself, or NO_ACT: texts of shape (n,).

    What we do, and what systems do, is no sign of where a lead is heard of. None where all acts come from one source:
    then nothing can be told apart.
    """
    foretold = pd.DataFrame({"place": np.arange(len(leads)), "lead_id": leads.astype(str), "as_of": as_of})
    with open_reader() as reader:
        reader.register("foretold", foretold)
        found = reader.execute(_LATEST, [str(interactions)]).df()["source"]
    if found.nunique() < 2:  # noqa: PLR2004 - one is no choice
        return None
    return np.asarray(found.fillna(NO_ACT), dtype=str)
