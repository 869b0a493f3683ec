"""What the states of the sources say against a run, as verdicts: ``data/ingest.json`` in, no lead named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from features.rhythm import WATCHED
from models.verdicts import Severity, Verdict

DECLARE = (
    "Bring its rows and run 'leadcast ingest'; or state under ingest.sources.{name} what is so: closed: '{day}' (it "
    "has ended for good), quiet: true (its silence says nothing) or observed_until: '{moment}' (it was read so far: "
    "leads are looked at up to then)"
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
    found = []
    for name, source in sorted(ingested["sources"].items()):
        rhythm = source.get("rhythm")
        if rhythm:
            severity: Severity = "wrong" if needed is None or name in needed else "doubtful"
            found += _verdicts(name, source, rhythm, severity)
    return found


def _verdicts(name: str, source: dict[str, Any], rhythm: dict[str, Any], severity: Severity) -> list[Verdict]:
    found = []
    recent = recent_holes(source)
    if rhythm["state"] == "silent":
        since = datetime.fromisoformat(rhythm["since"])
        remedy = DECLARE.format(name=name, day=since.date(), moment=f"{since:%Y-%m-%dT%H:%M:%S}")
        title = f"{name} has been silent for longer than ever"
        found.append(Verdict("source_silent", title, severity, rhythm["evidence"], remedy, name))
    if recent:
        told = "; ".join(hole["told"] for hole in recent)
        remedy = FILL.format(name=name, day=recent[0]["day"] or recent[0]["from"][:10])
        title = f"{name} has far fewer rows than usual in the last four weeks"
        found.append(Verdict("source_thin", title, severity, told, remedy, name))
    others = [hole for hole in rhythm["holes"] if hole not in recent]
    if others:
        told = "; ".join(f"{hole['told']} ({hole['explained'] or 'long ago'})" for hole in others[-5:])
        title = f"{name} had few rows on {len(others)} other days"
        remedy = f"Nothing, or state the days under ingest.sources.{name}.closed_days"
        found.append(Verdict("source_thin_before", title, "told", told, remedy, name))
    if rhythm["state"] == "unjudged":
        title = f"whether {name} has stopped can't be told"
        remedy = "Look at its last row; with more of them it is judged by its own rhythm"
        found.append(Verdict("source_unjudged", title, "told", rhythm["evidence"], remedy, name))
    if rhythm["rows_after"]:
        setting = "closed" if rhythm["state"] == "closed" else "observed_until"
        found.append(
            Verdict(
                "source_goes_on",
                f"{name} has rows after the end that the settings state",
                "doubtful",
                f"{rhythm['rows_after']:,} rows became known after {setting}",
                f"Take ingest.sources.{name}.{setting} out, or move it",
                name,
            )
        )
    return found


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
