"""The tiers that people gave to leads that were open, and what came of them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.timeline.labels import what_is_held
from features.timeline.policies import EventPolicy
from features.timeline.snapshots import take_snapshots
from pipeline.core.project import Places
from pipeline.log.history import read_history
from pipeline.settings.timeline import Episodes

_WORD = "word"
_STEP = pd.Timedelta(microseconds=1)


def read_words(
    places: Places,
    settings: Episodes,
    horizon: timedelta,
    outcome_delay: timedelta,
    observed_until: datetime,
    observed_from: datetime | None,
) -> pd.DataFrame:
    """Read the words that give a tier to a lead that was open, as it was known then, in the order of time (UTC).

    Columns: lead_id, decided_at, known_at, tier, started_at of its episode, outcome and outcome_at (as they truly
    came), converts (within the horizon from decided_at on), unobserved and immature: why that cannot be said.
    """
    columns = ["lead_id", "decided_at", "known_at", "tier", "sequence"]
    said = pq.read_table(places.decisions, columns=columns, filters=pc.field("tier").is_valid()).to_pandas()
    said = said.sort_values(["decided_at", "lead_id", "sequence"], ignore_index=True).drop(columns="sequence")
    # A moment after the word, as after an event: who was lost with it was not open any more.
    looked = said.assign(as_of=said["decided_at"] + _STEP)
    triggers = pd.DataFrame({"lead_id": said["lead_id"], "known_at": said["decided_at"], "event_type": _WORD})
    last = observed_until if said.empty else looked["as_of"].max().to_pydatetime()
    history = read_history(places, settings)
    found = take_snapshots(history, triggers, [EventPolicy(event=_WORD)], last, None)
    taken = found[["lead_id", "as_of", "started_at", "outcome", "outcome_at"]]
    words = looked.merge(taken, on=["lead_id", "as_of"], how="inner")
    words["as_of"] = words["decided_at"]
    held = what_is_held(words, horizon, outcome_delay, observed_until, observed_from)
    return words.drop(columns="as_of").assign(
        converts=held.converts, unobserved=held.unobserved, immature=held.immature
    )
