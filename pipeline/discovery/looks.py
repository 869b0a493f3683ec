"""When to look at leads: so that those that will be scored are of ages that were learned from, and no more than helps.

At a few early ages, where a lead tells most; and by the calendar, as they are scored, where leads stay open for longer.
Leads that never close and never act say the same at each look: of them, a few looks at growing ages are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from features.duration import DAY, HOUR, format_duration
from pipeline.sql import open_reader

_EARLY = tuple(hours * HOUR for hours in (1, 6, 24, 48, 72, 120, 168, 336, 720))
_GROWING = tuple(days * DAY for days in (1, 3, 7, 14, 30, 60, 90, 180, 365, 730))
_MOST = 3_000_000
_MOST_IDLE = 200_000
_OLDER = 0.05
"""Share of the open leads that may be older than the last of the ages: with more, the calendar must show them."""
_HALF = 0.5
_HARDLY_ACT = 0.99
"""Share of their days that leads stay open after the last thing they did, where looking again tells nothing."""
_SHORT = 56 * DAY
"""A log in which Mondays are too few."""


@dataclass(frozen=True)
class Looks:
    """The proposed policies, why they are so, and how many of the leads that are scored they can't cover."""

    policies: list[dict[str, Any]]
    why: str
    longest: timedelta
    """The age up to which leads are looked at."""

    @property
    def by_calendar(self) -> bool:
        """Whether open leads are looked at for as long as they are open."""
        return any("calendar" in policy for policy in self.policies)


def choose_looks(episodes: pd.DataFrame, log: Path, outcomes: list[str], median: timedelta, until: datetime) -> Looks:
    """Choose the policies of snapshots; ``outcomes`` are the event types that end an episode.

    ``median`` is how long half of those that convert take, ``until`` when the log ends.
    """
    ages = [age for age in _EARLY if age <= max(median / 2, DAY)]
    ages = [age for age in ages if age >= DAY] or ages
    started = episodes["started_at"]
    lived = (episodes["outcome_at"].fillna(until) - started).clip(lower=timedelta(0))
    still = lived[episodes["outcome_at"].isna()]
    span = until - started.min().to_pydatetime()
    if not len(still) or (still > ages[-1]).mean() <= _OLDER:
        return Looks([_at(ages)], f"half of the leads convert within {median / DAY:.0f} days", ages[-1])
    oldest, lived_days = still.max() / DAY, float(lived.sum() / DAY)
    idle_share = min(_idle_days(episodes, log, outcomes, until) / lived_days, 1.0)
    every, days = ("daily", 1) if span < _SHORT else ("monday", 7)
    if lived_days / days > (_MOST_IDLE if idle_share > _HALF else _MOST):
        every, days = "monthly", 30
    looks = f"{lived_days / days:,.0f} looks by the calendar"
    if idle_share > _HARDLY_ACT or lived_days / days > _MOST:
        covered = [age for age in _GROWING if age < still.max()] or ages
        reason = "and hardly act" if idle_share > _HARDLY_ACT else "and many"
        why = f"open leads are up to {oldest:.0f} days old, {reason}: growing ages, as {looks} would say the same"
        return Looks([_at(covered)], why, covered[-1])
    return Looks([{"calendar": every}, _at(ages)], f"open leads are up to {oldest:.0f} days old: {looks}", span)


def _at(ages: list[timedelta]) -> dict[str, Any]:
    return {"ages": [format_duration(age) for age in ages]}


def _idle_days(episodes: pd.DataFrame, log: Path, outcomes: list[str], until: datetime) -> float:
    """Sum up the days that leads stayed open after the last thing that happened to them, but for their end."""
    with open_reader() as connection:
        last = connection.execute(
            "SELECT lead_id, max(occurred_at) AS last FROM read_parquet(?) WHERE NOT list_contains(?, event_type) "
            "GROUP BY lead_id",
            [str(log), outcomes],
        ).df()
    acted = episodes[["lead_id"]].merge(last, "left", "lead_id")["last"].astype(episodes["started_at"].dtype)
    acted.index = episodes.index
    begun = acted.where(acted > episodes["started_at"], episodes["started_at"])
    idle = episodes["outcome_at"].fillna(until) - begun
    return float(idle.clip(lower=timedelta(0)).sum() / DAY)
