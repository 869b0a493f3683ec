"""The stage ``snapshots``: when we look at each lead, and what its future then held.

The log is taken in stretches of whole leads, so that what is held at once does not follow its size. What concerns all
leads is known before (how far the sources reach), or comes out when all stretches are done: since when conversions were
recorded, and so the labels, and the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from features.core.errors import NotEnoughDataError
from features.core.time import format_duration, microseconds
from features.timeline.labels import LabelCounts, refuse_unlabelled
from pipeline.core.project import Progress, Project, emptied, require, write_json, written_whole
from pipeline.core.sql import limited_reader
from pipeline.log.ages import ACT_COLUMNS, find_open_ages
from pipeline.log.history import Observation, observe
from pipeline.log.outcome_holes import find_outcome_holes
from pipeline.log.outcomes import find_starts, observed_from, refuse_without_effect, sources_of
from pipeline.log.reach import Reach
from pipeline.log.renamed import doubts_of_names
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots
from pipeline.settings.types import halve
from pipeline.snapshots.counts import LeadCounts, stages_of
from pipeline.snapshots.executors import look_at_all, size_of
from pipeline.snapshots.looking import Left, LeftLives, Looking
from pipeline.snapshots.stretches import cut_into_stretches
from pipeline.snapshots.writing import Labelling, write_snapshots

_LEFT = Path("data/.tmp/snapshots")


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    episodes: Episodes
    features: Features
    ingest: Ingest
    run: Run
    snapshots: Snapshots


def run(project: Project[Sections], progress: Progress) -> None:
    """Read the log, list the snapshots with their labels, write them and their counts."""
    require(project.interactions, project.leads, project.former_creations)
    of_duckdb, _ = halve(project.parameters.run.memory_limit)
    with limited_reader(of_duckdb), emptied(project.root / _LEFT) as folder:
        _run(project, folder.resolve(), progress)


def _run(project: Project[Sections], folder: Path, progress: Progress) -> None:
    settings, episodes = project.parameters.snapshots, project.parameters.episodes
    reach = Reach(project)
    reach.refuse_silent()
    observation = observe(project)
    sources = sources_of(project.interactions, episodes.conversion)
    refuse_without_effect(project, episodes.conversion, sources)
    progress("finding episodes")
    size = size_of(project.parameters.run)
    stretches = cut_into_stretches(project, Looking.event_types(episodes, settings), size.stretch)
    looking = Looking(stretches, episodes, settings, observation.log_until, sources, size.moments, folder)
    left = look_at_all(
        looking,
        project.parameters.run,
        lambda done: progress(f"taking snapshots: {done:,} of {len(stretches):,} stretches of the log"),
    )
    counts, taken = reduce(add, (one.counts for one in left)), sum(one.snapshots for one in left)
    progress(f"took {taken:,} snapshots of {counts.episodes['all']:,} episodes")
    by_source = {name: LeftLives(left, folder, place) for place, name in enumerate(sources)}
    starts = find_starts(project, by_source)
    for start in starts:
        progress(start.told())
    lacking = find_outcome_holes(project, by_source, starts)
    for hole in lacking:
        progress(f"warning: {hole.source}: {hole.told()}")
    renamed = doubts_of_names(project, observation.log_until)
    for one in renamed:
        progress(f"warning: {one.title} ({one.name}): {one.evidence}")
    if not taken:
        raise NotEnoughDataError(
            "snapshots: the policies ask for no moment at which a lead is open; "
            "check snapshots.policies and snapshots.start against the times of the log, which ends on "
            f"{observation.log_until:%Y-%m-%d} ({reach.ends()}), and whether an observed_until is stated too early"
        )
    labelling = Labelling(
        settings.horizon, observation.outcome_delay, observation.outcomes_until, observed_from(starts)
    )
    with written_whole(project.snapshots) as temporary:
        for done in write_snapshots(labelling.assign(_taken(left, folder)), temporary):
            progress(f"labelled {done:,} of {taken:,} snapshots")
        refuse_unlabelled(labelling.counts, settings.horizon, observation.outcome_delay, observation.outcomes_until)
        project.snapshot_counts.unlink(missing_ok=True)  # counts stand beside what they count, or not at all
    written = _counts(counts, labelling.counts, observation, project.parameters) | {
        "outcomes_from": {start.source: start.as_json() for start in starts},
        "outcome_holes": [hole.as_json() for hole in lacking],
    }
    ages = find_open_ages(
        project,
        (batch["age"].to_numpy().view("timedelta64[us]") for one in left for batch in one.read("ages", folder)),
        labelling.counts.oldest,
        labelling.counts.last,
        (stretch.read_all_events(ACT_COLUMNS) for stretch in stretches),
    )
    if ages is not None and ages.older:
        progress(f"warning: {ages.told()}")
    if renamed:
        written["renamed"] = [one.to_json() for one in renamed]
    write_json(project.snapshot_counts, written | {"open_ages": ages and ages.as_json()})


def _taken(left: Sequence[Left], folder: Path) -> Iterator[pa.RecordBatch]:
    return (batch for one in left for batch in one.read("snapshots", folder))


def _counts(leads: LeadCounts, labels: LabelCounts, observation: Observation, parameters: Sections) -> dict[str, Any]:
    unlabelled = {"immature": labels.immature, "unobserved": labels.unobserved}
    stages = stages_of(parameters.episodes)
    return {
        "leads": leads.leads,
        "episodes": leads.episodes,
        "snapshots": labels.snapshots,
        "ended_unknown": labels.ended_unknown,
        "unlabelled": {why: count for why, count in unlabelled.items() if count},
        "labelled": {
            "rows": labels.known,
            "leads": labels.leads,
            "conversions": labels.conversions,
            "from": labels.first.isoformat(),
            "to": labels.last.isoformat(),
        },
        "horizon": format_duration(parameters.snapshots.horizon),
        "outcome_delay_hours": microseconds(observation.outcome_delay) / 3_600_000_000,
        "observed_until": observation.outcomes_until.isoformat(),
        "log_until": observation.log_until.isoformat(),
        "funnel": [{"stage": stage, "leads": count} for stage, count in zip(stages, leads.funnel, strict=True)],
    }
