"""What the states of the sources say against a run, as verdicts: ``data/ingest.json`` in, no lead named."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from features.timeline.rhythm import WATCHED
from models.core.verdicts import Severity, Verdict, found

DECLARE = (
    "Bring its rows and run 'leadcast ingest'; or state under ingest.sources.{name} what is so: closed: '{day}' (it "
    "has ended for good), quiet: true (its silence says nothing) or observed_until: '{moment}' (it was read so far: "
    "no lead is looked at later or, where it brings outcomes alone, none of later are known)"
)
"""What to do about a source that is silent."""
FILL = (
    "Bring its rows and run 'leadcast ingest'; or, where so few are right, state the days under "
    "ingest.sources.{name}.closed_days, as in ['{day}']"
)
"""What to do about a day with far fewer rows than usual."""


def source_verdicts(ingested: Mapping[str, Any], needed: Collection[str] | None = None) -> list[Verdict]:
    """List the verdicts on the sources; ``needed`` are those without which a number is wrong, all where not given.

    A source that is not needed is never wrong, only doubtful: nothing is computed with it.
    """
    verdicts: list[Verdict] = []
    for name, source in sorted(ingested["sources"].items()):
        rhythm = source.get("rhythm")
        if rhythm:
            severity: Severity = "wrong" if needed is None or name in needed else "doubtful"
            verdicts += _verdicts(name, source, rhythm, severity)
    return verdicts


def _verdicts(name: str, source: dict[str, Any], rhythm: dict[str, Any], severity: Severity) -> Iterator[Verdict]:
    if rhythm["state"] == "silent":
        since = datetime.fromisoformat(rhythm["since"])
        remedy = DECLARE.format(name=name, day=since.date(), moment=f"{since:%Y-%m-%dT%H:%M:%S}")
        yield found("source_silent", rhythm["evidence"], subject=name, severity=severity, remedy=remedy)
    recent = recent_holes(source)
    if recent:
        remedy = FILL.format(name=name, day=recent[0]["day"] or recent[0]["from"][:10])
        told = "; ".join(hole["told"] for hole in recent)
        yield found("source_thin", told, subject=name, severity=severity, remedy=remedy)
    others = [hole for hole in rhythm["holes"] if hole not in recent]
    if others:
        told = "; ".join(f"{hole['told']} ({hole['explained'] or 'long ago'})" for hole in others[-5:])
        yield found("source_thin_before", f"{len(others)} days, the last of them: {told}", subject=name)
    if rhythm["state"] == "unjudged":
        yield found("source_unjudged", rhythm["evidence"], subject=name)
    if rhythm["rows_after"]:
        setting = "closed" if rhythm["state"] == "closed" else "observed_until"
        yield found("source_goes_on", f"{rhythm['rows_after']:,} rows became known after {setting}", subject=name)
    if rhythm.get("closes"):
        told = f"declared closed on {rhythm['closes'][:10]}, and read until {rhythm['judged_at'][:10]}"
        yield found("source_closes_later", f"{told}: it is judged as one that runs", subject=name)


def recent_holes(source: dict[str, Any], as_of: datetime | None = None) -> list[dict[str, Any]]:
    """List what is thin in the four weeks before a moment, or before the end of the log, and not explained."""
    rhythm = source.get("rhythm") or {}
    holes = [hole for hole in rhythm.get("holes", ()) if not hole["explained"]]
    if holes and as_of is None:
        as_of = datetime.fromisoformat(rhythm["judged_at"])
    return [
        hole
        for hole in holes
        if as_of and datetime.fromisoformat(hole["from"]) < as_of < datetime.fromisoformat(hole["until"]) + WATCHED
    ]
