"""Which of the leads that are open at the end of the log are older than any that is learned from, and as a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol

import pandas as pd

from features.core.time import DAY
from features.timeline.history import History
from features.timeline.labels import what_is_held
from features.timeline.snapshots import find_episodes, take_snapshots, take_snapshots_at
from models.core.verdicts import Severity, Verdict, found
from pipeline.core.project import Project
from pipeline.core.sql import open_reader
from pipeline.log.history import observe, read_events, read_history
from pipeline.log.outcomes import find_starts, observed_from
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.timeline import Episodes, Snapshots, told_of_older

MANY = 0.1
"""Share of the open leads from which on it is a verdict that they are older than any that is learned from."""
_ACTS = """
SELECT event_type FROM read_parquet(?)
WHERE list_contains(?, actor) AND NOT list_contains(?, event_type) AND known_at < ?
GROUP BY event_type HAVING count(DISTINCT lead_id) >= ? LIMIT 1
"""


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    features: Features
    ingest: Ingest
    snapshots: Snapshots


@dataclass(frozen=True)
class OpenAges:
    """How old the leads are that are open at the end of the log, beside those that are learned from."""

    leads: int
    """Leads that are open."""
    older: int
    """Of these, the ones whose episode is older than any that has a label."""
    oldest_days: float
    """The age of the oldest one that is open."""
    learned_days: float
    """The age of the oldest one that has a label."""
    by_calendar: bool
    """Whether leads are looked at however old they are."""
    advice: str
    """What would teach a model about older ones."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return asdict(self)

    def told(self) -> str:
        """Say it in words, with what to do."""
        return f"{told_of_older(self.older, self.leads, self.learned_days)}; {self.advice}"


def find_open_ages(project: Project[Sections], history: History, known: pd.DataFrame) -> OpenAges | None:
    """Compare the leads that are open at the end of the log with ``known``: as_of and started_at of what has a label.

    None where nobody is open, or where no act of a lead is learned from: then its age says nothing of it.
    """
    settings = project.parameters
    open_now = take_snapshots_at(history, observe(project).log_until + timedelta(microseconds=1))
    ignored = [*settings.episodes.conversion, *settings.episodes.lost, *settings.features.exclude_types]
    until = known["as_of"].max()
    asked = [str(project.interactions), list(settings.features.actors), ignored, until.to_pydatetime()]
    with open_reader() as connection:
        acts = connection.execute(_ACTS, [*asked, settings.features.minimum_leads]).fetchall()
    if open_now.empty or not acts:
        return None
    ages, learned = (frame["as_of"] - frame["started_at"] for frame in (open_now, known))
    return OpenAges(
        leads=len(ages),
        older=int((ages > learned.max()).sum()),
        oldest_days=float(ages.max() / DAY),
        learned_days=float(learned.max() / DAY),
        by_calendar=settings.snapshots.follow_a_calendar,
        advice=settings.snapshots.what_would_teach_age(is_assumed=settings.ingest.assumes_when),
    )


def doubts_of_ages(project: Project[Sections]) -> list[Verdict]:
    """List what the log, as it is now, says against the ages at which the policies look at leads."""
    settings, observation = project.parameters.snapshots, observe(project)
    history = read_history(project, project.parameters.episodes)
    triggers = read_events(project.interactions, "lead_id, known_at, event_type", settings.triggers)
    taken = take_snapshots(history, triggers, settings.policies, observation.log_until, settings.start)
    since = observed_from(find_starts(project, project.parameters.episodes.conversion, find_episodes(history)))
    held = what_is_held(taken, settings.horizon, observation.outcome_delay, observation.outcomes_until, since)
    if not held.is_known.any():
        return []
    ages = find_open_ages(project, history, taken[held.is_known])
    return list(age_verdicts(ages.as_json() if ages else None))


def age_verdicts(ages: Mapping[str, Any] | None) -> Iterator[Verdict]:
    """Give a verdict where many open leads are too old, of what ``OpenAges.as_json`` gave.

    By a calendar they are older only by as much as a horizon takes from the log: that is told, and nobody's mistake.
    """
    if ages is None or ages["older"] <= MANY * ages["leads"]:
        return
    severity: Severity = "told" if ages["by_calendar"] else "doubtful"
    evidence = told_of_older(ages["older"], ages["leads"], ages["learned_days"])
    yield found("ages_unseen", f"at the end of the log {evidence}", severity=severity, remedy=ages["advice"])
