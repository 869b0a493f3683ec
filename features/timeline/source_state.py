"""What is to be thought of a source at the end of the log: whether it runs, has stopped, or was declared to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

import numpy as np

from features.core.time import DAY
from features.timeline.rhythm import (
    FEW,
    WATCHED,
    Arrivals,
    Calendar,
    Days,
    Hole,
    Silences,
    find_long_silences,
    find_thin_days,
    measure_days,
    measure_silences,
    silent_for,
)

State = Literal["running", "thin", "silent", "unjudged", "closed", "quiet"]
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_MOST_LISTED = 60
"""Thin days that are kept, the newest."""
_MOST_TOLD = 3
_FADING = 2 * DAY
"""What takes less has not faded, but ended."""

Explain = Callable[[Hole, list[date]], str | None]
"""Says what a thin day, given the days that it was compared with, lacks if it is not the source as a whole."""


@dataclass(frozen=True)
class Declared:
    """What the settings say of a source."""

    calendar: Calendar = field(default_factory=Calendar)
    closed: datetime | None = None
    """When it ended for good."""
    quiet: bool = False
    """Whether its silence is no news."""
    observed_until: datetime | None = None
    """Until when it was read."""


@dataclass(frozen=True)
class SourceState:
    """The state of a source, and what it was judged by; times in UTC."""

    state: State
    evidence: str
    since: datetime | None = None
    """Since when it is so: its last row, the first thin day, or the day it was closed."""
    judged_at: datetime | None = None
    """The end of the log, or of what was read of the source."""
    reaches: datetime | None = None
    """Up to when its silence is news; as far as the log does where there is none."""
    silences: Silences | None = None
    holes: tuple[Hole, ...] = ()
    """Days, and times, with far fewer rows than usual; the newest, explained or not."""
    rows_after: int = 0
    """Rows that became known after the source was, as declared, closed or last read."""
    closes: datetime | None = None
    """When it is, as declared, to end for good, where the log ends before that."""

    def to_json(self) -> dict[str, Any]:
        """Give the state as ``data/ingest.json`` holds it."""
        known = self.silences
        return {
            "state": self.state,
            "evidence": self.evidence,
            "since": _iso(self.since),
            "judged_at": _iso(self.judged_at),
            "reaches": _iso(self.reaches),
            "silences": known.count if known else 0,
            "longest_silence_hours": round(known.longest / _HOUR, 2) if known and known.count else None,
            "silent_after_hours": round(known.limit / _HOUR, 2) if known and known.count >= FEW else None,
            "rows_after": self.rows_after,
            "closes": _iso(self.closes),
            "holes": [
                {
                    "from": hole.begin.isoformat(),
                    "until": hole.end.isoformat(),
                    "day": hole.day.isoformat() if hole.day else None,
                    "rows": hole.rows,
                    "usual": None if hole.usual is None else round(hole.usual, 1),
                    "told": str(hole),
                    "explained": hole.explained,
                }
                for hole in self.holes
            ],
        }


def leads_ended(leads: Arrivals, until: datetime) -> datetime | None:
    """Tell when the last lead was created, where by their own rhythm leads have stopped coming; else there is none."""
    silences = measure_silences(leads, until, Calendar())
    has_stopped = silences.count >= FEW and silent_for(leads, until, Calendar()) > silences.limit
    return leads.last if has_stopped else None


def judge_source(
    arrivals: Arrivals,
    last_known_at: datetime,
    until: datetime,
    declared: Declared,
    explain: Explain,
    ended: datetime | None = None,
) -> SourceState:
    """Judge a source that has rows at the moment up to which the others say that the log was read.

    ``ended``: since when no lead was created any more, as in an export of last year's. What leads do then fades with
    them, and is neither silent nor thin.
    """
    if declared.closed and declared.closed <= until:
        told = f"declared closed on {declared.closed:%Y-%m-%d}"
        return SourceState(
            "closed", told, declared.closed, rows_after=_rows_after(arrivals, declared.closed + DAY - _MINUTE)
        )
    if declared.quiet:
        return SourceState("quiet", f"declared quiet; its last row became known on {_said(last_known_at)}")
    end = declared.observed_until or until
    state = SourceState(
        "running",
        "",
        None,
        end,
        reaches=end if end < until else None,
        rows_after=_rows_after(arrivals, end) if declared.observed_until else 0,
        closes=declared.closed,
    )
    if state.rows_after == arrivals.rows.sum():
        return replace(state, state="unjudged", evidence=f"no row became known by {_said(end)}, its observed_until")
    calendar = declared.calendar
    silences = measure_silences(arrivals, end, calendar)
    if silences.count < FEW:
        told = f"too few silences to tell its rhythm: {silences.count}, and {FEW} are needed"
        return replace(state, state="unjudged", evidence=told, silences=silences)
    silent = silent_for(arrivals, end, calendar)
    rhythm = f"its longest silence of {silences.count:,} lasted {_length(silences.longest)}{_but_for(silences)}"
    days = measure_days(arrivals, end, calendar)
    found = _holes(arrivals, days, end, calendar, explain)
    holes = tuple(hole for hole in found if not ended or hole.begin < ended)
    state = replace(state, evidence=f"silent for {_length(silent)}; {rhythm}", silences=silences, holes=holes)
    last = min(last_known_at, end)
    lacking = _lacking_since(days, holes, calendar)
    lacking = lacking if end - lacking > silences.longest else end  # it has paused for as long before
    if silent > silences.limit and ended and _has_faded(arrivals, ended, last):
        told = f"silent for {_length(silent)}, for no lead was created since {_said(ended)}, and its rows faded then"
        return replace(state, state="quiet", evidence=told, since=last)
    if silent > silences.limit:
        told = f"no row became known since {_said(last)}, for {_length(silent)}; {rhythm}"
        before = tuple(hole for hole in holes if hole.begin < last)
        return replace(state, state="silent", evidence=told, since=last, reaches=min(last, lacking), holes=before)
    watched = min(end - WATCHED, lacking)
    recent = [hole for hole in holes if hole.end > watched and not hole.explained]
    if silences.usual < silent <= DAY or lacking < end or any(hole.begin > last for hole in recent):
        state = replace(state, reaches=min(last, lacking))
    if recent:
        more = f"; {len(recent) - _MOST_TOLD} more" if len(recent) > _MOST_TOLD else ""
        told = "; ".join(map(str, recent[:_MOST_TOLD])) + more
        return replace(state, state="thin", evidence=told, since=recent[0].begin)
    return state


def _lacking_since(days: Days, holes: tuple[Hole, ...], calendar: Calendar) -> datetime:
    """Tell since when every day up to the end has been thin or empty, however long that is; the end if the last wasn't.

    What is explained is not thin.
    """
    thin = {hole.day: hole.begin for hole in holes if hole.day and not hole.explained}
    since = days.ends
    for number in reversed(range(len(days.rows))):
        day = days.first + timedelta(days=number)
        if day in thin:
            since = thin[day]
        elif days.rows[number] and not calendar.has(day):
            break
    return since


def _but_for(silences: Silences) -> str:
    told = " and ".join(_length(length) for length in silences.outages)
    return f", but for {'an outage' if len(silences.outages) == 1 else 'outages'} of {told}" if told else ""


def _holes(arrivals: Arrivals, days: Days, end: datetime, calendar: Calendar, explain: Explain) -> tuple[Hole, ...]:
    """List what is thin or was silent for far too long, the newest; of four weeks it is asked what explains them."""
    thin = [
        replace(hole, explained=explain(hole, days.such_days(hole.day, calendar)))
        if hole.day and hole.end > end - WATCHED
        else hole
        for hole in find_thin_days(days, calendar)[-_MOST_LISTED:]
    ]
    silent = [
        hole
        for hole in find_long_silences(arrivals, end, calendar)
        if not any(other.begin < hole.end and hole.begin < other.end for other in thin)
    ]
    return tuple(sorted([*thin, *silent], key=lambda hole: hole.begin))


def _has_faded(arrivals: Arrivals, ended: datetime, last: datetime) -> bool:
    """Tell whether rows became few after the last lead was created, before they stopped: an old file just ends."""
    span = last - ended
    if span < _FADING:
        return False
    usual = _rows_after(arrivals, ended - WATCHED) - _rows_after(arrivals, ended)
    late = _rows_after(arrivals, last - span / 4)
    return late < usual * (span / 4 / WATCHED) / 2


def _rows_after(arrivals: Arrivals, moment: datetime) -> int:
    return int(arrivals.rows[arrivals.minutes.astype("datetime64[m]") > np.datetime64(moment)].sum())


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _length(length: timedelta) -> str:
    """Say how long something lasted.

    >>> _length(timedelta(days=30, hours=2)), _length(timedelta(hours=29)), _length(timedelta(minutes=5))
    ('30 days', '29 hours', '5 minutes')
    """
    unit, name = (
        (DAY, "days") if length >= 2 * DAY else (_HOUR, "hours") if length >= 2 * _HOUR else (_MINUTE, "minutes")
    )
    return f"{length / unit:.0f} {name}"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
