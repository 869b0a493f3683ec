"""Sources that end long before the others: what ``init`` states of them, so that a run does not stop to ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pipeline.discovery.proposal import Proposal
from pipeline.ingest_summary import IngestSummary

_FOR_GOOD = timedelta(days=90)
"""A source that has been silent for so long has ended; to end the whole log with it would lose too much."""


def declare_ends(settings: dict[str, Any], summary: IngestSummary, proposal: Proposal) -> None:
    """State of each source that has been silent for longer than ever that it was read so far, or has ended for good.

    Read so far is the careful answer: no lead is looked at beyond it, when its silence would say what is not so.
    """
    for name, source in summary.sources.items():
        rhythm = source.rhythm
        if rhythm.state != "silent" or rhythm.since is None or rhythm.judged_at is None:
            continue
        if rhythm.judged_at - rhythm.since >= _FOR_GOOD:
            setting, value, meaning = "closed", f"{rhythm.since:%Y-%m-%d}", "taken to have ended for good"
        else:
            setting, value, meaning = "observed_until", rhythm.since.isoformat(), "leads are looked at up to then"
        settings["sources"][name][setting] = value
        proposal.comments[f"ingest.sources.{name}.{setting}"] = f"{rhythm.evidence}: {meaning}"
        proposal.notes.append(f"{name} ends before the others ({rhythm.evidence}): {setting} says so; {meaning}")
