"""Sources that end before the others, or lack a day: what ``init`` states of them, so that a run need not ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from features.timeline.rhythm import WATCHED
from features.timeline.source_state import SourceState
from pipeline.discovery.proposal import Proposal
from pipeline.ingest.summary import IngestSummary

_FOR_GOOD = timedelta(days=90)
"""A source that has been silent for so long has ended; to end the whole log with it would lose too much."""


def declare_ends(settings: dict[str, Any], summary: IngestSummary, proposal: Proposal) -> None:
    """State of each source that has been silent for longer than ever that it was read so far, or has ended for good.

    Read so far is the careful answer: no lead is looked at beyond it, when its silence would say what is not so.
    """
    for name, source in summary.sources.items():
        rhythm = source.rhythm
        _declare_days(settings, name, rhythm, proposal)
        if rhythm.state != "silent" or rhythm.since is None or rhythm.judged_at is None:
            continue
        if rhythm.judged_at - rhythm.since >= _FOR_GOOD:
            setting, value, meaning = "closed", f"{rhythm.since:%Y-%m-%d}", "taken to have ended for good"
        else:
            setting, value, meaning = "observed_until", rhythm.since.isoformat(), "leads are looked at up to then"
        settings["sources"][name][setting] = value
        proposal.comments[f"ingest.sources.{name}.{setting}"] = f"{rhythm.evidence}: {meaning}"
        proposal.notes.append(f"{name} ends before the others ({rhythm.evidence}): {setting} says so; {meaning}")


def _declare_days(settings: dict[str, Any], name: str, rhythm: SourceState, proposal: Proposal) -> None:
    """State the days of the last four weeks that have far fewer rows: in an old export, most are holidays."""
    recent = [
        hole
        for hole in rhythm.holes
        if not hole.explained and rhythm.judged_at and hole.end > rhythm.judged_at - WATCHED
    ]
    if recent:
        told = "; ".join(map(str, recent))
        days = {f"{hole.day or hole.begin:%Y-%m-%d}" for hole in recent}
        days |= {f"{hole.end:%Y-%m-%d}" for hole in recent if hole.day is None}
        settings["sources"][name]["closed_days"] = sorted(days)
        proposal.comments[f"ingest.sources.{name}.closed_days"] = f"{told}: a holiday, or rows that are lost"
        proposal.notes.append(f"{name}: {told}. Taken for holidays (closed_days); if rows are lost, bring them")
