"""How much there is to learn from: for each milestone and horizon, how many labels are known, and how many convert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from features.core.time import DAY, format_duration
from features.timeline.labels import what_is_held
from features.timeline.snapshots import find_episodes, take_snapshots
from models.core.enough import Pace, told_of_lack
from pipeline.core.project import Project
from pipeline.log.ends import read_events
from pipeline.log.history import Observation, observe, read_history
from pipeline.log.outcomes import find_starts, lives_of, observed_from
from pipeline.settings.parameters import Parameters
from pipeline.settings.timeline import Episodes

LADDER = tuple(days * DAY for days in (1, 3, 7, 14, 30, 60, 90, 180, 365))
"""The horizons that are tried, beside the one that is set."""
CONVERSION_ROW = "converted"


@dataclass(frozen=True)
class Learnable:
    """One milestone and horizon; ``problem`` is none where a model can be trained, and judged."""

    milestone: str
    horizon: timedelta
    mature: int
    """Snapshots whose label is known."""
    conversions: int
    """Of these, the ones that reach the milestone within the horizon."""
    leads: int
    """Distinct leads among these conversions."""
    problem: str | None
    trains: bool
    """Whether a model can be trained, be it that nothing later is there to judge it by."""


def tabulate(project: Project[Parameters], horizons: Sequence[timedelta] = LADDER) -> list[Learnable]:
    """Count for each milestone of the settings, the conversion last, and each horizon.

    Raises NotEnoughDataError where a type that the settings name never occurs.
    """
    wanted = sorted({*horizons, project.parameters.snapshots.horizon})
    milestones: Mapping[str, tuple[str, ...]] = {
        **project.parameters.episodes.milestones,
        CONVERSION_ROW: project.parameters.episodes.conversion,
    }
    rows = []
    for milestone, event_types in milestones.items():
        reached = project.parameters.episodes.model_copy(update={"conversion": event_types})
        own = project.parameters.model_copy(update={"episodes": reached})
        rows += _of_milestone(replace(project, parameters=own), milestone, reached, wanted)
    return rows


def _of_milestone(
    project: Project[Parameters], milestone: str, episodes: Episodes, horizons: Sequence[timedelta]
) -> list[Learnable]:
    observation = observe(project)
    history = read_history(project, episodes)
    looks = project.parameters.snapshots
    triggers = read_events(project.interactions, "lead_id, known_at, event_type", looks.triggers)
    taken = take_snapshots(history, triggers, looks.policies, observation.log_until, looks.start)
    by_source = lives_of(project.interactions, episodes.conversion, find_episodes(history))
    since = observed_from(find_starts(project, by_source))
    return [_row(project.parameters, taken, observation, since, milestone, horizon) for horizon in horizons]


def _row(
    parameters: Parameters,
    taken: pd.DataFrame,
    observation: Observation,
    since: datetime | None,
    milestone: str,
    horizon: timedelta,
) -> Learnable:
    delay = observation.outcome_delay
    held = what_is_held(taken, horizon, delay, observation.outcomes_until, since)
    known, leads = taken["as_of"].array[held.is_known], taken["lead_id"].array[held.is_known]
    converts = held.converts[held.is_known]
    converting, others = len(leads[converts].unique()), len(leads[~converts].unique())
    span = known.max() - known.min() if len(known) else timedelta(0)
    pace = Pace(span / DAY, observation.outcomes_until) if len(known) else None
    lack = told_of_lack(converting, others, parameters.train.minimum_conversions, pace)
    return Learnable(
        milestone=milestone,
        horizon=horizon,
        mature=len(known),
        conversions=int(converts.sum()),
        leads=converting,
        problem="the log is too short" if not len(known) or span < horizon + delay else lack,
        trains=lack is None,
    )


def longest_trainable(rows: Sequence[Learnable], milestone: str = CONVERSION_ROW) -> timedelta | None:
    """Give the longest horizon that a model can be trained for; none where there is none."""
    return max((row.horizon for row in rows if row.milestone == milestone and row.problem is None), default=None)


def table_of(rows: Sequence[Learnable]) -> list[tuple[str, str, str, str, str]]:
    """Write the rows for people: milestone, horizon, mature snapshots, conversions (leads), and whether it will do."""
    return [
        (
            row.milestone,
            format_duration(row.horizon),
            f"{row.mature:,}",
            f"{row.conversions:,} ({row.leads:,})",
            row.problem or "can be trained",
        )
        for row in rows
    ]
