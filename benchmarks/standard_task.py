"""The standard task: which columns every engine computes, and of what log.

Counts per event type and in total, sums of value and distinct days in four windows, recency and decayed count per type:
84 columns. Only Python's own modules are imported: peers with an environment of their own read it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EVENT_TYPES = (
    "page_view",
    "email_open",
    "email_click",
    "search",
    "form_start",
    "form_submit",
    "pricing_view",
    "download",
    "webinar",
    "chat",
    "quote",
    "purchase",
)
"""The most frequent first: the k-th is drawn with a weight of 1 / (k + 2)."""
VALUED = ("quote", "purchase")
"""The types that carry a value; a quarter of their events lack it all the same."""
CHANNELS = ("direct", "email", "organic", "paid", "referral", "social")
WINDOW_DAYS = (1, 7, 30, 90)
HALF_LIFE_DAYS = 14

Measure = Literal["count", "sum", "active_days", "days_since_last", "decayed_count"]
EXACT = ("count", "active_days")
"""Measures of whole numbers, in which engines may not differ at all."""


@dataclass(frozen=True)
class Column:
    """One column of the matrix; ``event_type`` None is all types, ``window_days`` None the whole past."""

    measure: Measure
    event_type: str | None = None
    window_days: int | None = None

    @property
    def name(self) -> str:
        """The name that the project derives from such a declaration."""
        half_life = f"__half_{HALF_LIFE_DAYS}d" if self.measure == "decayed_count" else ""
        window = "" if self.window_days is None else f"__{self.window_days}d"
        return f"{self.measure}__{self.event_type or 'all'}{half_life}{window}"


def columns() -> list[Column]:
    """List the columns of the standard task, in the order of the matrix."""
    return [
        *(Column("count", event_type, days) for event_type in (*EVENT_TYPES, None) for days in WINDOW_DAYS),
        *(Column("sum", None, days) for days in WINDOW_DAYS),
        *(Column("active_days", None, days) for days in WINDOW_DAYS),
        *(Column("days_since_last", event_type) for event_type in EVENT_TYPES),
        *(Column("decayed_count", event_type) for event_type in EVENT_TYPES),
    ]
