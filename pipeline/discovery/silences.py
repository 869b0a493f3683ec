"""Sources that end before the others, lack a day or fade: what ``init`` states of them, and what it only tells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from features.core.time import DAY
from features.timeline.rhythm import WATCHED, Hole
from features.timeline.source_state import SourceState
from pipeline.core.sql import open_reader
from pipeline.discovery.proposal import Proposal
from pipeline.ingest.summary import IngestSummary
from pipeline.profiling.outcomes import EventType

_FOR_GOOD = timedelta(days=90)
"""A source that has been silent for so long has ended; to end the whole log with it would lose too much."""
_WEEK = 7 * DAY
_LONGEST_LAG = 8
"""Weeks after which an outcome is entered at the latest, as far as the end of a source can tell."""
_WEEKS, _FEWEST_WEEKS = 12, 4
"""Weeks before those, from which the usual number is told."""
_FEWER, _FAR_FEWER, _LAST = 0.85, 2 / 3, 0.5
"""The share of the usual that each week of a fading tail has at most, that the whole has, and that the last one has."""
_STRAY, _DEVIATIONS = 0.15, 3.0
"""How far weeks stray beyond chance, and how many deviations are no chance."""


@dataclass(frozen=True)
class Uses:
    """What is made of the sources: which feed features, which tell outcomes, and which of these tell nothing else."""

    feeding: frozenset[str]
    ending: frozenset[str]
    only_ending: frozenset[str]


def declare_ends(
    settings: dict[str, Any],
    summary: IngestSummary,
    proposal: Proposal,
    log: Path,
    types: Sequence[EventType],
    ends: Collection[str],
    actors: Collection[str],
) -> None:
    """State of each source that has been silent for longer than ever that it was read so far, or has ended for good.

    Read so far is the careful answer: no lead is looked at beyond the end of what feeds features, and no label is known
    beyond the end of what tells outcomes. ``ends`` are the types that end episodes, ``actors`` those whose acts count.
    """
    with open_reader() as connection:
        uses = _uses(connection, log, types, ends, actors)
        for name, source in summary.sources.items():
            rhythm = source.rhythm
            until = rhythm.since if rhythm.state == "silent" else rhythm.judged_at
            faded = until is not None and name in uses.only_ending and _fades(connection, log, name, until, ends)
            if faded:
                _tell_fading(settings, name, faded, proposal)
            else:
                others = [other.rhythm for key, other in summary.sources.items() if key != name]
                _declare_days(settings, name, rhythm, others, proposal)
            if rhythm.state != "silent" or rhythm.since is None or rhythm.judged_at is None:
                continue
            if rhythm.judged_at - rhythm.since >= _FOR_GOOD:
                setting, value, meaning = "closed", f"{rhythm.since:%Y-%m-%d}", "taken to have ended for good"
            else:
                setting, value, meaning = "observed_until", rhythm.since.isoformat(), _bounded(name, uses)
            settings["sources"][name][setting] = value
            proposal.comments[f"ingest.sources.{name}.{setting}"] = f"{rhythm.evidence}: {meaning}"
            proposal.notes.append(f"{name} ends before the others ({rhythm.evidence}): {setting} says so; {meaning}")


def _uses(
    connection: duckdb.DuckDBPyConnection,
    log: Path,
    types: Sequence[EventType],
    ends: Collection[str],
    actors: Collection[str],
) -> Uses:
    fed = [kind.name for kind in types if kind.actor in actors and kind.name not in ends]
    rows = connection.execute(
        "SELECT source, bool_or(list_contains($fed, event_type)), bool_or(list_contains($ends, event_type)), "
        "bool_and(list_contains($ends, event_type)) FROM read_parquet($log) GROUP BY source",
        {"log": str(log), "fed": fed, "ends": sorted(ends)},
    ).fetchall()
    return Uses(*(frozenset(row[0] for row in rows if row[place]) for place in (1, 2, 3)))


def _bounded(name: str, uses: Uses) -> str:
    """Say what the end of a source bounds: looks, where it feeds features, and labels, where it tells outcomes."""
    if name in uses.feeding & uses.ending:
        return "leads are looked at, and who converted is known, up to then"
    if name in uses.ending:
        return "who converted is known up to then; leads are looked at as far as what feeds features reaches"
    if name in uses.feeding:
        return "leads are looked at up to then"
    return "what comes after is no silence of its own"


def _fades(
    connection: duckdb.DuckDBPyConnection, log: Path, name: str, until: datetime, ends: Collection[str]
) -> tuple[int, int, float] | None:
    """Tell over how many days the outcomes of a source fade towards its end, how many these have, and usually had.

    Where all other events become fewer alike, it is the business that fades; None, too, where chance does as much.
    """
    rows = connection.execute(
        "SELECT CAST(epoch($until - known_at) // $week AS INTEGER) AS week, count(*) FILTER (source = $name), "
        "count(*) FILTER (NOT list_contains($ends, event_type)) FROM read_parquet($log) "
        "WHERE known_at <= $until GROUP BY week",
        {
            "log": str(log),
            "name": name,
            "until": until,
            "ends": sorted(ends),
            "week": _WEEK.total_seconds(),
        },
    ).fetchall()
    own = {week: count for week, count, _ in rows if count}
    others = {week: count for week, _, count in rows}
    before = range(_LONGEST_LAG, min(_LONGEST_LAG + _WEEKS, max(own, default=0)))
    if len(before) < _FEWEST_WEEKS:
        return None
    usual, usual_others = (median(counts.get(week, 0) for week in before) for counts in (own, others))
    due = [
        usual * (min(1.0, others.get(week, 0) / usual_others) if usual_others else 1.0) for week in range(_LONGEST_LAG)
    ]
    found = [own.get(week, 0) for week in range(_LONGEST_LAG)]
    weeks = next((week for week in range(_LONGEST_LAG) if found[week] >= _FEWER * due[week]), _LONGEST_LAG)
    have, expected = sum(found[:weeks]), sum(due[:weeks])
    if not weeks or have >= _FAR_FEWER * expected or found[0] > min(_LAST * due[0], *found[:weeks]):
        return None
    stray = sqrt(expected + weeks * (_STRAY * usual) ** 2)
    return (weeks * 7, have, expected) if expected - have > _DEVIATIONS * stray else None


def _tell_fading(settings: dict[str, Any], name: str, faded: tuple[int, int, float], proposal: Proposal) -> None:
    days, have, expected = faded
    told = f"the last {days} days have {have:,} of the usual {expected:,.0f} outcomes: are they entered later?"
    proposal.notes.append(
        f"{name}: {told} State known_at (a column, or a delay) or observed_until; until then young leads look as if "
        "they had not converted"
    )
    if settings["sources"][name]["known_at"] == "as_it_occurred":
        proposal.comments[f"ingest.sources.{name}.known_at"] = f"{told} then {{column: ...}}, or {{delay: 14d}}"


def _declare_days(
    settings: dict[str, Any], name: str, rhythm: SourceState, others: Sequence[SourceState], proposal: Proposal
) -> None:
    """State the days of the last four weeks that have far fewer rows where they are like holidays; tell the others.

    A holiday is a single day, amid days that have their rows, or one that another source lacks, too.
    """
    end = rhythm.judged_at
    recent = [hole for hole in rhythm.holes if not hole.explained and end and hole.end > end - WATCHED]
    holidays = [hole for hole in recent if end and _is_holiday(hole, recent, end, others)]
    if holidays:
        told = "; ".join(map(str, holidays))
        days = {f"{day:%Y-%m-%d}" for hole in holidays for day in _days(hole)}
        settings["sources"][name]["closed_days"] = sorted(days)
        proposal.comments[f"ingest.sources.{name}.closed_days"] = f"{told}: a holiday, or rows that are lost"
        proposal.notes.append(f"{name}: {told}. Taken for holidays (closed_days); if rows are lost, bring them")
    if rest := [hole for hole in recent if hole not in holidays]:
        told = "; ".join(map(str, rest))
        proposal.notes.append(f"{name}: {told}. Are rows lost, or still to come? Bring them; if not, see closed_days")


def _days(hole: Hole) -> list[date]:
    first = hole.day or hole.begin.date()
    last = hole.day or hole.end.date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _is_holiday(hole: Hole, recent: Sequence[Hole], end: datetime, others: Sequence[SourceState]) -> bool:
    if any(hole.begin < other.end and other.begin < hole.end for state in others for other in state.holes):
        return True
    beside = any(other is not hole and other.begin <= hole.end and hole.begin <= other.end for other in recent)
    return hole.end - hole.begin <= 2 * DAY and hole.end < end and not beside
