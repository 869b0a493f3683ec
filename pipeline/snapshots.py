"""The stage ``snapshots``: when we look at each lead, and what its future then held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.duration import format_duration, microseconds
from features.errors import NotEnoughDataError, nearest
from features.history import CONVERSION, LOSS, REOPEN, History
from features.schema import CONVERTED, LOST, PARTS
from features.snapshots import (
    EventPolicy,
    assign_labels,
    assign_parts,
    ended_unknown,
    find_episodes,
    take_snapshots,
)
from pipeline.artefacts import (
    FORMER_CREATIONS,
    INGEST,
    INTERACTIONS,
    LEADS,
    SNAPSHOT_COUNTS,
    SNAPSHOTS,
    Progress,
    read_json,
    require,
    write_json,
    written_whole,
)
from pipeline.configuration import Episodes, Parameters
from pipeline.outcome_holes import find_outcome_holes
from pipeline.outcomes import find_starts, observed_from, refuse_without_effect
from pipeline.reach import Reach
from pipeline.sql import open_reader


@dataclass(frozen=True)
class Observation:
    """How far the log reaches; times in UTC."""

    log_until: datetime
    """The moment up to which every source that feeds features reaches; no lead is looked at later."""
    outcomes_until: datetime
    """Until when every source of conversions was observed."""
    outcome_delay: timedelta
    """How long after it occurred a conversion is known at the latest."""


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Read the log, list the snapshots with labels and parts, write them and their counts."""
    settings = parameters.snapshots
    interactions, leads = root / INTERACTIONS, root / LEADS
    require(interactions, leads, root / FORMER_CREATIONS)
    reach = Reach(parameters, root)
    reach.refuse_silent()
    observation = observe(parameters, root)
    progress("finding episodes")
    history = read_history(interactions, leads, parameters.episodes)
    episodes = find_episodes(history)
    policies = [policy.policy() for policy in settings.policies]
    wanted = [policy.event_type for policy in policies if isinstance(policy, EventPolicy)]
    triggers = read_events(interactions, "lead_id, known_at, event_type", wanted)
    progress(f"taking snapshots of {len(episodes):,} episodes")
    refuse_without_effect(root, parameters.episodes.conversion)
    starts = find_starts(root, parameters.episodes.conversion, episodes)
    for start in starts:
        progress(start.told())
    lacking = find_outcome_holes(parameters, root, episodes, starts)
    for hole in lacking:
        progress(f"warning: {hole.source}: {hole.told()}")
    taken = take_snapshots(history, triggers, policies, observation.log_until, settings.start)
    if taken.empty:
        raise NotEnoughDataError(
            "snapshots: the policies ask for no moment at which a lead is open; "
            "check snapshots.policies and snapshots.start against the times of the log, which ends on "
            f"{observation.log_until:%Y-%m-%d} ({reach.ends()}), and whether an observed_until is stated too early"
        )
    labelled = assign_labels(
        taken, settings.horizon, observation.outcome_delay, observation.outcomes_until, observed_from(starts)
    )
    parted = assign_parts(labelled, settings.horizon, observation.outcome_delay, settings.split.split())
    (root / SNAPSHOT_COUNTS).unlink(missing_ok=True)  # counts stand beside what they count, or not at all
    with written_whole(root / SNAPSHOTS) as temporary:
        pq.write_table(pa.Table.from_pandas(parted, preserve_index=False).replace_schema_metadata(), temporary)
    counts = _counts(episodes, parted, observation, settings.horizon) | {
        "outcomes_from": {start.source: start.as_json() for start in starts},
        "outcome_holes": [hole.as_json() for hole in lacking],
    }
    funnel = read_funnel(interactions, episodes, parameters.episodes)
    write_json(root / SNAPSHOT_COUNTS, counts | {"funnel": funnel})


def observe(parameters: Parameters, root: Path) -> Observation:
    """Tell how far the sources reach, and up to when it is known who had converted, which is what a label says.

    A source that brings losses alone says nothing of that.

    Raises NotEnoughDataError where a type that the settings name never occurs: it names the nearest type that does.
    """
    sources = read_json(root / INGEST)["sources"]
    seen = read_event_types(root / INTERACTIONS)
    for place in ("conversion", "lost", "reopen_on"):
        require_event_types(seen, f"episodes.{place}", getattr(parameters.episodes, place))
    for milestone, names in parameters.episodes.milestones.items():
        require_event_types(seen, f"episodes.milestones.{milestone}", names)
    policies = [policy.policy() for policy in parameters.snapshots.policies]
    triggers = [policy.event_type for policy in policies if isinstance(policy, EventPolicy)]
    require_event_types(seen, "snapshots.policies", triggers)
    bringing = sorted(set(seen.loc[seen["event_type"].isin(parameters.episodes.conversion), "source"]))
    delay = parameters.snapshots.outcome_delay
    if delay is None:
        delay = _delay_of_conversions(root / INTERACTIONS, parameters.episodes.conversion)
    reach = Reach(parameters, root)
    # One that has ended for good, or is silent as a rule, says nothing of when the others were last read.
    telling = [name for name in bringing if reach.state(name) not in ("closed", "quiet")] or bringing
    until = min(datetime.fromisoformat(sources[name]["observed_until"]) for name in telling)
    return Observation(reach.latest, until, max(delay, timedelta(0)))


_DELAYS = """
SELECT max(delay) FROM (
    SELECT quantile_disc(date_diff('microsecond', occurred_at, known_at), 0.99) AS delay
    FROM read_parquet(?) WHERE list_contains(?, event_type) GROUP BY event_type
)
"""


def _delay_of_conversions(interactions: Path, event_types: Sequence[str]) -> timedelta:
    """Tell how long after it occurred a conversion is known: the 99th percentile of the type that takes longest.

    Not of the source: where one in a hundred rows is a conversion, the others' delays would hide it.
    """
    with open_reader() as connection:
        row = connection.execute(_DELAYS, [str(interactions), list(event_types)]).fetchone()
    return timedelta(microseconds=row[0] if row else 0)


def require_event_types(seen: pd.DataFrame, place: str, names: Sequence[str]) -> None:
    """Raise NotEnoughDataError where a type that the settings name never occurs; it names the nearest that does."""
    counts = seen.groupby("event_type")["events"].sum()
    absent = [name for name in names if name not in counts.index]
    if absent:
        top = ", ".join(f"{name} ({count:,})" for name, count in counts.nlargest(8).items())
        raise NotEnoughDataError(
            f"{place}: no event of type {absent[0]!r} in the log; {nearest(absent[0], counts.index)}; "
            f"the most frequent are {top}"
        )


def read_history(interactions: Path, leads: Path, settings: Episodes) -> History:
    """Read what ends or reopens an episode of each lead."""
    codes = dict.fromkeys(settings.conversion, CONVERSION) | dict.fromkeys(settings.lost, LOSS)
    events = read_events(
        interactions, "lead_id, occurred_at, known_at, event_type, actor", [*codes, *settings.reopen_on]
    )
    events["code"] = events["event_type"].map(codes).fillna(REOPEN).astype("int64")
    # Only an act of the lead itself opens a new episode.
    events = events[(events["code"] != REOPEN) | (events["actor"] == "lead")]
    frame = pq.read_table(leads, columns=["lead_id", "created_at", "known_at"]).to_pandas()
    former = pq.read_table(leads.with_name(FORMER_CREATIONS.name)).to_pandas()
    return History.of(frame, events, settings.reopen_after, former)


def read_events(interactions: Path, columns: str, event_types: list[str]) -> pd.DataFrame:
    """Read some columns of the events of some types, in the dataset's order."""
    with open_reader() as connection:
        query = (
            f"SELECT {columns} FROM read_parquet(?) WHERE list_contains(?, event_type)"
            " ORDER BY lead_id, occurred_at, source, sequence"
        )
        table = connection.sql(query, params=[str(interactions), event_types]).to_arrow_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_event_types(interactions: Path) -> pd.DataFrame:
    """Count the events by type and source."""
    with open_reader() as connection:
        frame: pd.DataFrame = connection.execute(
            "SELECT event_type, source, count(*) AS events FROM read_parquet(?) GROUP BY ALL ORDER BY ALL",
            [str(interactions)],
        ).df()
    return frame


def read_funnel(interactions: Path, episodes: pd.DataFrame, settings: Episodes) -> list[dict[str, str | int]]:
    """Count the leads that reached each stage, over the whole log, in the order of the funnel.

    Gives ``{stage, leads}`` for each stage. Every milestone is counted on its own: a lead may have an opportunity
    that nobody accepted.
    """
    milestones = settings.milestones
    reached = ["actor = 'lead'", *("list_contains(?, event_type)" for _ in milestones)]
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
    parts = snapshots.groupby("part")
    last = episodes.sort_values(["lead_id", "episode"]).drop_duplicates("lead_id", keep="last")["outcome"]
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
            "reopened": int((episodes["episode"] > 1).sum()),
        },
        "snapshots": len(snapshots),
        "ended_unknown": int((ended_unknown(snapshots) & snapshots["label"].notna()).sum()),
        "unlabelled": {str(name): int(count) for name, count in snapshots["unlabelled"].value_counts().items()},
        "parts": {
            name: {
                "rows": len(part),
                "leads": int(part["lead_id"].nunique()),
                "conversions": int(part["label"].sum()),
                "from": part["as_of"].min().isoformat(),
                "to": part["as_of"].max().isoformat(),
            }
            for name in PARTS
            if name in parts.groups
            for part in [parts.get_group(name)]
        },
        "horizon": format_duration(horizon),
        "outcome_delay_hours": microseconds(observation.outcome_delay) / 3_600_000_000,
        "observed_until": observation.outcomes_until.isoformat(),
        "log_until": observation.log_until.isoformat(),
    }
