"""Which of the leads that are open at the end of the log are older than any that is learned from, and as a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.core.time import DAY
from features.timeline.labels import what_is_held
from features.timeline.snapshots import ages_of, ages_of_open, find_episodes, take_snapshots
from models.core.verdicts import Severity, Verdict, found
from pipeline.core.project import Project
from pipeline.core.sql import ask_rows
from pipeline.log.ends import read_events
from pipeline.log.history import observe, read_history
from pipeline.log.outcomes import find_starts, lives_of, observed_from
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.timeline import Episodes, Snapshots, told_of_older

MANY = 0.1
"""Share of the open leads from which on it is a verdict that they are older than any that is learned from."""
ACT_COLUMNS = ("lead_id", "known_at", "event_type", "actor")
"""What is read of the log to see who acted."""
_ACTS = """
SELECT event_type, count(DISTINCT lead_id) FROM {}
WHERE list_contains(?, actor) AND NOT list_contains(?, event_type) AND known_at < ? GROUP BY event_type
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


def find_open_ages(
    project: Project[Sections],
    ages: Iterable[NDArray[np.timedelta64]],
    oldest: timedelta,
    until: datetime,
    log: Iterable[Path | pa.Table],
) -> OpenAges | None:
    """Compare the leads that are open at the end of the log with what is learned from, to tell who is older.

    ``ages``: those of the open leads, in parts, by ``ages_of_open``; ``oldest`` and ``until``: the highest age and the
    last as_of of what has a label; ``log``: in parts of whole leads, which hold ACT_COLUMNS. None where nobody is open,
    or where no act of a lead is learned from: then its age says nothing of it.
    """
    leads, older, highest = 0, 0, timedelta(0)
    for some in ages:
        leads += len(some)
        older += int((some > np.timedelta64(oldest)).sum())
        highest = max(highest, some.max().item()) if len(some) else highest
    if not leads or not _learns_from_acts(project.parameters, log, until):
        return None
    settings = project.parameters
    return OpenAges(
        leads=leads,
        older=older,
        oldest_days=highest / DAY,
        learned_days=oldest / DAY,
        by_calendar=settings.snapshots.follow_a_calendar,
        advice=settings.snapshots.what_would_teach_age(is_assumed=settings.ingest.assumes_when),
    )


def _learns_from_acts(settings: Sections, log: Iterable[Path | pa.Table], until: datetime) -> bool:
    """Tell whether some act of leads was seen of enough of them; what comes after it is not asked any more."""
    ignored = [*settings.episodes.conversion, *settings.episodes.lost, *settings.features.exclude_types]
    leads: Counter[str] = Counter()
    for part in log:
        with ask_rows(part) as (connection, rows):
            asked = [list(settings.features.actors), ignored, until]
            leads.update(dict(connection.execute(_ACTS.format(rows), asked).fetchall()))
        if max(leads.values(), default=0) >= settings.features.minimum_leads:
            return True
    return False


def doubts_of_ages(project: Project[Sections]) -> list[Verdict]:
    """List what the log, as it is now, says against the ages at which the policies look at leads."""
    settings, observation = project.parameters.snapshots, observe(project)
    history = read_history(project, project.parameters.episodes)
    triggers = read_events(project.interactions, "lead_id, known_at, event_type", settings.triggers)
    taken = take_snapshots(history, triggers, settings.policies, observation.log_until, settings.start)
    conversion = project.parameters.episodes.conversion
    since = observed_from(find_starts(project, lives_of(project.interactions, conversion, find_episodes(history))))
    held = what_is_held(taken, settings.horizon, observation.outcome_delay, observation.outcomes_until, since)
    if not held.is_known.any():
        return []
    known = taken[held.is_known]
    oldest, until = ages_of(known).max().item(), known["as_of"].max().to_pydatetime()
    opened = ages_of_open(history, observation.log_until)
    ages = find_open_ages(project, [opened], oldest, until, [project.interactions])
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
