"""What people said, beside what was promised of the same leads before they said it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.time import parse_duration
from models.evaluation.people import Right, first_of_repeated, judge_words
from pipeline.core.project import Places, read_json

_STALE = pd.Timedelta(days=7)
"""What was foretold longer before a word says nothing of what we would have said then."""


def without_repeated(words: pd.DataFrame, horizon: timedelta) -> pd.DataFrame:
    """Keep the first of each lead and tier within the horizon, of words in the order of time."""
    tiers, leads = words["tier"].to_numpy(object), words["lead_id"].to_numpy(object)
    return words[first_of_repeated(tiers, leads, words["decided_at"].to_numpy("datetime64[us]"), horizon)]


def judge_people(places: Places, words: pd.DataFrame, horizon: timedelta) -> list[Right]:
    """Judge words whose outcome is known, in the order of time: columns as ``pipeline.log.words`` gives them."""
    tiers, leads = words["tier"].to_numpy(object), words["lead_id"].to_numpy(object)
    return judge_words(tiers, leads, words["converts"].to_numpy(bool), _foretold(places, words, horizon))


def _foretold(places: Places, words: pd.DataFrame, horizon: timedelta) -> NDArray[np.float64]:
    """Give what was last foretold of each word's lead by then, in the same episode, from an earlier origin: NaN if not.

    Models that look elsewhere than over the horizon have promised another thing.
    """
    nothing = np.full(len(words), np.nan)
    manifest = places.model / "manifest.json"
    if not (places.foretold.exists() and manifest.exists()):
        return nothing
    of_model = read_json(manifest).get("horizon")
    if of_model is None or parse_duration(of_model) != horizon:
        return nothing
    asked = pa.array(words["lead_id"].unique(), pa.string())
    told = pq.read_table(
        places.foretold,
        columns=["lead_id", "as_of", "probability"],
        filters=pc.field("lead_id").isin(asked) & pc.field("origin").is_valid(),
    ).to_pandas()
    if told.empty:
        return nothing
    # An as_of at the moment of the word knows nothing of it: what is known at as_of reaches no feature.
    found = pd.merge_asof(
        words,
        told.sort_values("as_of"),
        left_on="decided_at",
        right_on="as_of",
        by="lead_id",
        tolerance=_STALE,
        direction="backward",
    )
    promised: NDArray[np.float64] = (
        found["probability"].where(found["as_of"] > found["started_at"]).to_numpy(np.float64)
    )
    return promised
