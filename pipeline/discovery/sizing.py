"""When to look at leads and how far ahead: chosen from how long the leads of the log took, and what can be trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.core.errors import NotEnoughDataError
from features.core.schema import CONVERTED
from features.core.time import DAY, HOUR, format_duration
from features.timeline.snapshots import find_episodes
from pipeline.core.project import Places, Project
from pipeline.core.sql import open_reader
from pipeline.log.history import observe, read_history
from pipeline.log.learnable import LADDER, Learnable, tabulate
from pipeline.settings.parameters import Parameters

_MONTH = 30 * DAY


@dataclass(frozen=True)
class Size:
    """The proposed settings of snapshots and features, with what they were chosen by."""

    horizon: timedelta
    policies: list[dict[str, Any]]
    why: str
    """Why leads are looked at so."""
    windows: list[timedelta]
    half_life: timedelta
    late_days: float
    """Days from the start of an episode to its conversion: a fifth take longer."""
    base_rate: float
    """Share of the mature snapshots that convert within the horizon; where none does, of the leads that convert."""
    last_created: str | None
    """The day of the last lead's creation, where leads stopped coming a horizon before the log ends."""
    rows: list[Learnable]


def find_size(
    content: Mapping[str, Any], places: Places, horizon: timedelta | None, *, assumed: Sequence[timedelta] = ()
) -> Size:
    """Choose when to look at leads, and the horizon unless it is given; the log must be ingested in the project.

    ``content`` is the settings as a file holds them; where it is assumed when leads converted, ``assumed`` are the ages
    at which they are looked at. Raises NotEnoughDataError where no lead converts.
    """
    parameters = Parameters.model_validate(content)
    history = read_history(places, parameters.episodes)
    episodes = find_episodes(history)
    converted = episodes[episodes["outcome"] == CONVERTED]
    if converted.empty:
        raise NotEnoughDataError(
            f"no lead has converted ({', '.join(parameters.episodes.conversion)}) after its creation; "
            "name the event types that mean it: --conversion TYPE"
        )
    days = (converted["outcome_at"] - converted["started_at"]).dt.total_seconds() / 86400
    median, late = float(np.quantile(days, 0.5)), float(np.quantile(days, 0.8))
    observation = observe(Project(places.root, parameters))
    until = observation.outcomes_until
    last = episodes["started_at"].max().to_pydatetime()
    # What sales can act on is a month ahead; where leads are quicker, less.
    wanted = horizon or min(next((step for step in LADDER if step >= timedelta(days=late)), _MONTH), _MONTH)
    if assumed:
        said = "no time says when leads convert: they are looked at while they are new"
        looks = Looks([{"ages": [format_duration(age) for age in assumed]}], said, assumed[-1])
    else:
        ends = [*parameters.episodes.conversion, *parameters.episodes.lost]
        looks = choose_looks(
            episodes, places.interactions, ends, timedelta(days=median), until, wanted + observation.outcome_delay
        )
    chosen, rows = _trainable(content, places, looks.policies, wanted, fixed=horizon is not None)
    row = next(row for row in rows if row.horizon == chosen and row.milestone == rows[-1].milestone)
    by_calendar = any("calendar" in policy for policy in looks.policies)
    windows = [window for window in (DAY, 7 * DAY, 30 * DAY, 90 * DAY) if window < looks.longest] or [HOUR]
    is_stale = last < observation.log_until - chosen and not assumed
    return Size(
        horizon=chosen,
        policies=looks.policies,
        why=looks.why,
        windows=windows,
        half_life=14 * DAY if by_calendar else min(_third(looks.longest), 14 * DAY),
        late_days=late,
        # Nothing mature, or nothing that converts in time, is no reason to call everybody.
        base_rate=row.conversions / row.mature if row.conversions else len(converted) / len(episodes),
        last_created=last.date().isoformat() if is_stale and _is_anyone_open(episodes, last) else None,
        # What is assumed of one horizon says nothing of others.
        rows=[row for row in rows if row.horizon == chosen] if assumed else rows,
    )


def _trainable(
    content: Mapping[str, Any], places: Places, policies: list[dict[str, Any]], wanted: timedelta, *, fixed: bool
) -> tuple[timedelta, list[Learnable]]:
    """Take the horizon that is wanted, or the nearest that can be trained: a shorter one before a longer one."""
    snapshots = {"policies": policies, "horizon": format_duration(wanted)}
    rows = tabulate(Project(places.root, Parameters.model_validate({**content, "snapshots": snapshots})))
    able = [row.horizon for row in rows if row.milestone == rows[-1].milestone and row.problem is None]
    if wanted in able or fixed or not able:
        return wanted, rows
    shorter = [horizon for horizon in able if horizon < wanted]
    return max(shorter) if shorter else min(able), rows


def _is_anyone_open(episodes: pd.DataFrame, last: datetime) -> bool:
    """Tell whether a lead is open at the beginning of a day, which would be the moment of the score."""
    day = pd.Timestamp(last).normalize()
    return bool(((episodes["started_at"] < day) & ~(episodes["outcome_at"] < day)).any())


def _third(age: timedelta) -> timedelta:
    """Give a third of an age, in whole days or else in whole hours."""
    third = age / 3
    return third // DAY * DAY if third >= DAY else max(HOUR, third // HOUR * HOUR)


_EARLY = tuple(hours * HOUR for hours in (1, 6, 24, 48, 72, 120, 168, 336, 720))
_GROWING = tuple(days * DAY for days in (1, 3, 7, 14, 30, 60, 90, 180, 365, 730))
_MOST = 3_000_000
_MOST_IDLE = 200_000
_OLDER = 0.05
"""Share of the open leads that may be older than the last of the ages: with more, the calendar must show them."""
_HALF = 0.5
_HARDLY_ACT = 0.99
"""Share of their days that leads stay open after the last thing they did, where looking again tells nothing."""
_SHORT_LOG = 56 * DAY
"""A log in which Mondays are too few."""


@dataclass(frozen=True)
class Looks:
    """The proposed policies, why they are so, and how many of the leads that are scored they can't cover."""

    policies: list[dict[str, Any]]
    why: str
    longest: timedelta
    """The age up to which leads are looked at."""


def choose_looks(
    episodes: pd.DataFrame, log: Path, outcomes: list[str], median: timedelta, until: datetime, reach: timedelta
) -> Looks:
    """Choose the policies of snapshots; ``outcomes`` are the event types that end an episode.

    ``median`` is how long half of those that convert take, ``until`` when the log ends, and ``reach`` how long before
    that a look must lie to have a label. Where ages alone would teach nothing of many leads that are open then, leads
    are looked at by a calendar, too.
    """
    ages = [age for age in _EARLY if age <= max(median / 2, DAY)]
    ages = [age for age in ages if age >= DAY] or ages
    started = episodes["started_at"]
    lived = (episodes["outcome_at"].fillna(until) - started).clip(lower=timedelta(0))
    still = lived[episodes["outcome_at"].isna()]
    span, settled = until - started.min().to_pydatetime(), until - reach
    missed = _share_missed(still, _oldest_of_ages(started, lived, ages, settled))
    if missed <= _OLDER:
        return Looks([_at(ages)], f"half of the leads convert within {median / DAY:.0f} days", ages[-1])
    oldest, lived_days = still.max() / DAY, float((lived / DAY).sum())
    idle_share = min(_idle_days(episodes, log, outcomes, until) / lived_days, 1.0)
    every, days = ("daily", 1) if span < _SHORT_LOG else ("monday", 7)
    if lived_days / days > (_MOST_IDLE if idle_share > _HALF else _MOST):
        every, days = "monthly", 30
    old, looks = f"open leads are up to {oldest:.0f} days old", f"{lived_days / days:,.0f} looks by the calendar"
    if idle_share <= _HARDLY_ACT and lived_days / days <= _MOST:
        why = f"{old}, and ages alone would not cover {missed:.1%} of them: {looks}"
        return Looks([{"calendar": every}, _at(ages)], why, span)
    growing = [age for age in _GROWING if age < still.max()] or ages
    missed = _share_missed(still, _oldest_of_ages(started, lived, growing, settled))
    monthly = _share_missed(still, _oldest_of_months(started, lived, settled))
    reason = "and hardly act" if idle_share > _HARDLY_ACT else "and many"
    why = f"{old}, {reason}: growing ages, as {looks} would say the same"
    if missed <= _OLDER or monthly >= missed:
        return Looks([_at(growing)], why, growing[-1])
    if lived_days * DAY / _MONTH > _MOST:
        # One look more at each lead, as late as most of those that are open call for, or as there are labels.
        late = min(still.quantile(1 - _OLDER) // _MONTH + 1, (settled - started.min()) // _MONTH) * _MONTH
        growing += [late] if late > growing[-1] else []
        return Looks([_at(growing)], why, growing[-1])
    why = (
        f"{old}, {reason}: growing ages, and the firsts of months for {missed:.1%} of them, which ages would not cover"
    )
    return Looks([{"calendar": "monthly"}, _at(growing)], why, span)


def _oldest_of_ages(started: pd.Series, lived: pd.Series, ages: Sequence[timedelta], settled: datetime) -> timedelta:
    """Give the last of the ages at which some lead was looked at, still open, and its label is known."""
    seen = [age for age in ages if ((started + age <= settled) & (lived > age)).any()]
    return max(seen, default=timedelta(0))


def _oldest_of_months(started: pd.Series, lived: pd.Series, settled: datetime) -> timedelta:
    """Give the age of the oldest lead that was open on the last first of a month whose labels are known."""
    first = pd.Timestamp(settled).normalize().replace(day=1)
    age = first - started
    return max(age[(age > timedelta(0)) & (lived > age)], default=timedelta(0))


def _share_missed(still: pd.Series, oldest: timedelta) -> float:
    """Give the share of the leads still open that are older than the oldest that is learned from."""
    return float((still > oldest).mean()) if len(still) else 0.0


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
    return float((idle.clip(lower=timedelta(0)) / DAY).sum())
