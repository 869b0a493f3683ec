"""Scoring at a moment up to which outcomes are not known: since when they are not, and how many leads that concerns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.core.time import DAY
from features.timeline.history import History
from features.timeline.unknown_ends import share_ended
from pipeline.log.reach import Reach


@dataclass(frozen=True)
class UnknownOutcomes:
    """Since when no outcomes are known, and what follows for the leads that are scored."""

    since: datetime
    days: float
    """From then to the moment of the scores."""
    leads_ended: float | None
    """Of the leads scored, those that are expected to have ended since; None where nothing tells."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {"since": self.since.isoformat(), "days": self.days, "leads_ended": self.leads_ended}

    def told(self, leads: int) -> str:
        """Say it of so many leads that were scored."""
        share = "" if self.leads_ended is None else f"about {self.leads_ended:,.0f} of "
        days = f"{self.days:.1f}".removesuffix(".0")
        return (
            f"outcomes are known up to {self.since:%Y-%m-%d %H:%M} UTC, {days} days before this moment: {share}"
            f"these {leads:,} leads {'have' if share else 'may have'} ended since, and are counted as open, so that "
            "fewer will convert than is expected"
        )


def unknown_outcomes(
    reach: Reach, history: History, as_of: datetime, leads: int, recorded_since: datetime | None
) -> UnknownOutcomes | None:
    """Tell of which time before ``as_of`` no outcomes are known, if of more than a day; ``leads`` are scored."""
    since = reach.outcomes_until
    lag = as_of - since
    if lag <= DAY:
        return None
    share = share_ended(history, since, lag, recorded_since)
    return UnknownOutcomes(since, round(lag / DAY, 2), None if share is None else round(share * leads, 1))
