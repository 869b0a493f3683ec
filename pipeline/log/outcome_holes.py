"""Where the sources of a log lack conversions for months, as ``data/snapshots.json`` keeps it, and as verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from features.timeline.history import EPOCH
from features.timeline.outcome_holes import OutcomeHole, find_holes
from features.timeline.recording import CHANCE, Lives
from features.timeline.snapshots import find_episodes
from models.core.verdicts import Verdict, found
from pipeline.core.project import Project, read_json
from pipeline.log.history import read_history
from pipeline.log.outcomes import Start, find_starts, lives_of, odds
from pipeline.settings.ingest import Ingest
from pipeline.settings.timeline import Episodes, Snapshots

_REMEDY = (
    "complete the export of {name} from {first} to {last}, and run leadcast ingest; where nobody has it any more, "
    "learn from what came after (ingest.sources.{name}.observed_from: '{after}'); where the business stood still, "
    "state the days under ingest.sources.{name}.closed_days, as in [['{first}', '{last}']]"
)


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    ingest: Ingest
    snapshots: Snapshots


@dataclass(frozen=True)
class LackingOutcomes:
    """Days on which a source has no conversion, where there would be many."""

    source: str
    hole: OutcomeHole

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        hole = self.hole
        days = {"first": hole.first.isoformat(), "last": hole.last.isoformat()}
        return {"source": self.source} | days | {"expected": hole.expected, "chance": hole.chance, "told": self.told()}

    def told(self) -> str:
        """Say it in words."""
        hole = self.hole
        days = (hole.last - hole.first).days + 1
        return (
            f"no conversion from {hole.first} to {hole.last} ({days:,} days), where {hole.expected:,.0f} would be "
            f"expected of leads of these ages; by chance that happens {odds(hole.chance)}"
        )


def find_outcome_holes(
    project: Project[Sections], by_source: Mapping[str, Iterable[Lives]], starts: Sequence[Start]
) -> list[LackingOutcomes]:
    """Find the holes in the record of each source of conversions, from where it begins, and labels are wanted.

    A source that is ``quiet`` is believed: its silence says nothing. ``by_source`` is what ``lives_of`` gives.
    """
    sources = read_json(project.ingested)["sources"]
    begins = {start.source: start.observed_from for start in starts}
    wanted = project.parameters.snapshots.start or EPOCH
    lacking = []
    for name, lives in by_source.items():
        settings = project.parameters.ingest.sources[name]
        if settings.quiet:
            continue
        until = datetime.fromisoformat(sources[name]["observed_until"])
        begin = begins.get(name, EPOCH)
        holes = find_holes(lives, until, begin, settings.closed_days, CHANCE / len(by_source))
        lacking += [LackingOutcomes(name, hole) for hole in holes if datetime.combine(hole.last, time.max) >= wanted]
    return lacking


def doubts_of_outcomes(project: Project[Sections]) -> list[Verdict]:
    """List what the log, as it is now, says against its record of conversions."""
    settings = project.parameters.episodes
    episodes = find_episodes(read_history(project, settings))
    by_source = lives_of(project.interactions, settings.conversion, episodes)
    lacking = find_outcome_holes(project, by_source, find_starts(project, by_source))
    return list(outcome_verdicts([hole.as_json() for hole in lacking]))


def outcome_verdicts(lacking: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    """Give a verdict for each source that lacks conversions, of what ``LackingOutcomes.as_json`` gave."""
    for name in sorted({hole["source"] for hole in lacking}):
        own = [hole for hole in lacking if hole["source"] == name]
        first, last = own[-1]["first"], own[-1]["last"]
        after = (datetime.fromisoformat(last) + timedelta(days=1)).date()
        told = "; ".join(hole["told"] for hole in own)
        yield found(
            "outcomes_lack",
            f"{told}. Leads that converted then count as ones that did not",
            subject=name,
            remedy=_REMEDY.format(name=name, first=first, last=last, after=after),
        )
