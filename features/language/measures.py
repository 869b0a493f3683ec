"""The measures: every way there is to turn the events of a window into a value.

What each means to the last bit stands in ``features.engines.reference``; ``docs/features.md`` lists them for readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Setting = Literal["window", "half_life", "baseline", "of", "position", "than"]
"""What a declaration may say beside its filter."""

SESSION_SILENCE_MINUTES = 30
"""This much silence ends a session."""

Part = Literal["event_type", "channel", "campaign", "hours", "weekdays"]
TOUCHED: tuple[Part, ...] = ("event_type", "channel", "campaign")
"""What an event is told by, where a measure asks which one it was."""


@dataclass(frozen=True)
class Measure:
    """One way to turn the events of a window into a value: a number or, where ``unit`` is "category", a text."""

    name: str
    meaning: str
    unit: str
    never: float
    """Its value where no event matches; NaN is missing."""
    takes: tuple[Setting, ...] = ("window",)
    needs: tuple[Setting, ...] = ()
    """Those of ``takes`` that it can't be computed without."""

    @property
    def is_category(self) -> bool:
        """Whether its values are texts."""
        return self.unit == "category"


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("count", "how many events (the sum of their quantities)", "events", 0.0),
        Measure("sum", "the sum of the events' values, a missing value counting nothing", "the log's own", 0.0),
        Measure("mean_value", "the mean of the values that are not missing", "the log's own", np.nan),
        Measure("max_value", "the largest value", "the log's own", np.nan),
        Measure("active_days", "on how many distinct local days there was an event", "days", 0.0),
        Measure("days_since_first", "time from the first event to as_of", "days", np.nan, takes=()),
        Measure("days_since_last", "time from the last event to as_of", "days", np.nan, takes=()),
        Measure(
            "days_to_first",
            "time from the lead's creation to the first event; negative where it came before",
            "days",
            np.nan,
            takes=(),
        ),
        Measure(
            "decayed_count",
            "how many events, each halved in weight for every half-life that has passed, by whole hours",
            "events",
            0.0,
            takes=("window", "half_life"),
            needs=("half_life",),
        ),
        Measure("mean_gap", "the mean time between one event and the next", "days", np.nan),
        Measure(
            "gap_deviation",
            "the standard deviation of the times between events (of a sample: at least two gaps)",
            "days",
            np.nan,
        ),
        Measure("max_gap", "the longest time between one event and the next", "days", np.nan),
        Measure(
            "momentum",
            "the rate of events in the window over their rate in the longer baseline, which ends with it: "
            "1 is steady, more is speeding up",
            "ratio",
            np.nan,
            takes=("window", "baseline"),
            needs=("window", "baseline"),
        ),
        Measure(
            "share",
            "which share of the actors' events passes the filter; `of` names the one condition to drop for the whole, "
            "all are dropped without it",
            "share",
            np.nan,
            takes=("window", "of"),
        ),
        Measure(
            "entropy",
            "how mixed the events are by what `of` names: 0 where all are alike",
            "bits",
            np.nan,
            takes=("window", "of"),
            needs=("of",),
        ),
        Measure("sessions", f"how many sessions: {SESSION_SILENCE_MINUTES} minutes' silence ends one", "sessions", 0.0),
        Measure("session_minutes", "the mean length of a session, from its first event to its last", "minutes", np.nan),
        Measure("session_events", "the mean number of events in a session", "events", np.nan),
        Measure(
            "first_touch",
            "what `of` names, of the first event that has it (`position` 2: of the second)",
            "category",
            np.nan,
            takes=("window", "of", "position"),
            needs=("of",),
        ),
        Measure(
            "last_touch",
            "what `of` names, of the last event that has it (`position` 2: of the last but one)",
            "category",
            np.nan,
            takes=("window", "of", "position"),
            needs=("of",),
        ),
        Measure(
            "came_after",
            "1 where the last event came after the last one of the type `than`, or there was none of that; otherwise 0",
            "yes or no",
            np.nan,
            takes=("than",),
            needs=("than",),
        ),
    )
}
