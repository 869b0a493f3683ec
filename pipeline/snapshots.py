"""The stage ``snapshots``: when we look at each lead, and what its future then held."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.core.errors import NotEnoughDataError
from features.core.schema import CONVERTED, LOST, MACHINE
from features.core.time import format_duration, microseconds
from features.timeline.labels import assign_labels, ended_unknown, refuse_unlabelled
from features.timeline.snapshots import find_episodes, take_snapshots
from pipeline.core.project import Progress, Project, require, write_json, written_whole
from pipeline.core.sql import open_reader
from pipeline.log.ages import find_open_ages
from pipeline.log.history import Observation, observe, read_events, read_history
from pipeline.log.outcome_holes import find_outcome_holes
from pipeline.log.outcomes import find_starts, observed_from, refuse_without_effect
from pipeline.log.reach import Reach
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.timeline import Episodes, Snapshots


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    episodes: Episodes
    features: Features
    ingest: Ingest
    snapshots: Snapshots


def run(project: Project[Sections], progress: Progress) -> None:
    """Read the log, list the snapshots with their labels, write them and their counts."""
    settings = project.parameters.snapshots
    interactions, leads = project.interactions, project.leads
    require(interactions, leads, project.former_creations)
    reach = Reach(project)
    reach.refuse_silent()
    observation = observe(project)
    progress("finding episodes")
    history = read_history(project, project.parameters.episodes)
    episodes = find_episodes(history)
    triggers = read_events(interactions, "lead_id, known_at, event_type", settings.triggers)
    progress(f"taking snapshots of {len(episodes):,} episodes")
    refuse_without_effect(project, project.parameters.episodes.conversion)
    starts = find_starts(project, project.parameters.episodes.conversion, episodes)
    for start in starts:
        progress(start.told())
    lacking = find_outcome_holes(project, episodes, starts)
    for hole in lacking:
        progress(f"warning: {hole.source}: {hole.told()}")
    taken = take_snapshots(history, triggers, settings.policies, observation.log_until, settings.start)
    if taken.empty:
        raise NotEnoughDataError(
            "snapshots: the policies ask for no moment at which a lead is open; "
            "check snapshots.policies and snapshots.start against the times of the log, which ends on "
            f"{observation.log_until:%Y-%m-%d} ({reach.ends()}), and whether an observed_until is stated too early"
        )
    labelled = assign_labels(
        taken, settings.horizon, observation.outcome_delay, observation.outcomes_until, observed_from(starts)
    )
    refuse_unlabelled(labelled, settings.horizon, observation.outcome_delay)
    project.snapshot_counts.unlink(missing_ok=True)  # counts stand beside what they count, or not at all
    with written_whole(project.snapshots) as temporary:
        pq.write_table(pa.Table.from_pandas(labelled, preserve_index=False).replace_schema_metadata(), temporary)
    counts = _counts(episodes, labelled, observation, settings.horizon) | {
        "outcomes_from": {start.source: start.as_json() for start in starts},
        "outcome_holes": [hole.as_json() for hole in lacking],
    }
    ages = find_open_ages(project, history, labelled[labelled["label"].notna()])
    if ages is not None and ages.older:
        progress(f"warning: {ages.told()}")
    counts |= {"open_ages": ages and ages.as_json()}
    funnel = read_funnel(interactions, episodes, project.parameters.episodes)
    write_json(project.snapshot_counts, counts | {"funnel": funnel})


def read_funnel(interactions: Path, episodes: pd.DataFrame, settings: Episodes) -> list[dict[str, str | int]]:
    """Count the leads that reached each stage, over the whole log, in the order of the funnel.

    Gives ``{stage, leads}`` for each stage. Every milestone is counted on its own: a lead may have an opportunity
    that nobody accepted.
    """
    milestones = settings.milestones
    reached = ["actor = 'lead'", *(f"list_contains(?, event_type) AND actor <> '{MACHINE}'" for _ in milestones)]
    columns = ", ".join(f"count(DISTINCT lead_id) FILTER (WHERE {condition})" for condition in reached)
    with open_reader() as connection:
        row = connection.execute(
            f"SELECT {columns} FROM read_parquet(?)", [*map(list, milestones.values()), str(interactions)]
        ).fetchone()
    stages = ["created", "with an act of their own", *milestones, CONVERTED]
    converted = episodes.loc[episodes["outcome"] == CONVERTED, "lead_id"]
    leads = [episodes["lead_id"].nunique(), *(row or ()), converted.nunique()]
    return [{"stage": stage, "leads": count} for stage, count in zip(stages, leads, strict=True)]


def _counts(
    episodes: pd.DataFrame, snapshots: pd.DataFrame, observation: Observation, horizon: timedelta
) -> dict[str, Any]:
    known = snapshots[snapshots["label"].notna()]
    ordered = episodes.sort_values(["lead_id", "episode"])
    last = ordered.drop_duplicates("lead_id", keep="last")["outcome"]
    before = ordered.groupby("lead_id")["outcome"].shift()
    return {
        "leads": {
            "all": len(last),
            "open": int(last.isna().sum()),
            CONVERTED: int((last == CONVERTED).sum()),
            LOST: int((last == LOST).sum()),
        },
        "episodes": {
            "all": len(episodes),
            "open": int(episodes["outcome"].isna().sum()),
            CONVERTED: int((episodes["outcome"] == CONVERTED).sum()),
            LOST: int((episodes["outcome"] == LOST).sum()),
            "after_loss": int((before == LOST).sum()),
            "after_conversion": int((before == CONVERTED).sum()),
        },
        "snapshots": len(snapshots),
        "ended_unknown": int((ended_unknown(snapshots) & snapshots["label"].notna()).sum()),
        "unlabelled": {str(name): int(count) for name, count in snapshots["unlabelled"].value_counts().items()},
        "labelled": {
            "rows": len(known),
            "leads": int(known["lead_id"].nunique()),
            "conversions": int(known["label"].sum()),
            "from": known["as_of"].min().isoformat(),
            "to": known["as_of"].max().isoformat(),
        },
        "horizon": format_duration(horizon),
        "outcome_delay_hours": microseconds(observation.outcome_delay) / 3_600_000_000,
        "observed_until": observation.outcomes_until.isoformat(),
        "log_until": observation.log_until.isoformat(),
    }
