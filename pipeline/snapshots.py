"""The stage ``snapshots``: when we look at each lead, and what its future then held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.duration import format_duration, microseconds
from features.errors import NotEnoughDataError, nearest
from features.schema import CONVERTED, LOST, PARTS
from features.snapshots import EventPolicy, assign_labels, assign_parts, find_episodes, take_snapshots
from pipeline.artefacts import (
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


@dataclass(frozen=True)
class Observation:
    """How far the log reaches; times in UTC."""

    log_until: datetime
    """When the last event of any source became known."""
    outcomes_until: datetime
    """Until when every source of outcomes was observed."""
    outcome_delay: timedelta
    """How long after it occurred an outcome is known at the latest."""


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Read the log, list the snapshots with labels and parts, write them and their counts."""
    settings = parameters.snapshots
    interactions, leads = root / INTERACTIONS, root / LEADS
    require(interactions, leads)
    observation = observe(parameters, root)
    progress("finding episodes")
    episodes = read_episodes(interactions, leads, parameters.episodes)
    policies = [policy.policy() for policy in settings.policies]
    wanted = [policy.event_type for policy in policies if isinstance(policy, EventPolicy)]
    triggers = read_events(interactions, "lead_id, known_at, event_type", wanted)
    progress(f"taking snapshots of {len(episodes):,} episodes")
    taken = take_snapshots(episodes, triggers, policies, observation.log_until, settings.start)
    if taken.empty:
        raise NotEnoughDataError(
            "snapshots: the policies ask for no moment at which a lead is open; "
            "check snapshots.policies and snapshots.start against the times of the log, which ends on "
            f"{observation.log_until:%Y-%m-%d}"
        )
    labelled = assign_labels(taken, settings.horizon, observation.outcome_delay, observation.outcomes_until)
    parted = assign_parts(labelled, settings.horizon, observation.outcome_delay, settings.split.split())
    with written_whole(root / SNAPSHOTS) as temporary:
        pq.write_table(pa.Table.from_pandas(parted, preserve_index=False).replace_schema_metadata(), temporary)
    write_json(root / SNAPSHOT_COUNTS, _counts(episodes, parted, observation, settings.horizon))


def observe(parameters: Parameters, root: Path) -> Observation:
    """Tell how far the sources reach, and which of them bring the outcomes.

    Raises NotEnoughDataError where a type of conversion never occurs: it names the nearest type that does.
    """
    sources = read_json(root / INGEST)["sources"]
    seen = read_event_types(root / INTERACTIONS)
    absent = [name for name in parameters.episodes.conversion if name not in set(seen["event_type"])]
    if absent:
        known = seen.groupby("event_type")["events"].sum()
        top = ", ".join(f"{name} ({count:,})" for name, count in known.nlargest(8).items())
        raise NotEnoughDataError(
            f"episodes.conversion: no event of type {absent[0]!r} in the log; {nearest(absent[0], known.index)}; "
            f"the most frequent are {top}"
        )
    outcomes = [*parameters.episodes.conversion, *parameters.episodes.lost]
    bringing = sorted(set(seen.loc[seen["event_type"].isin(outcomes), "source"]))
    delay = parameters.snapshots.outcome_delay
    if delay is None:
        delay = timedelta(microseconds=max(sources[name]["delay_of_known_at"] for name in bringing))
    until = min(datetime.fromisoformat(sources[name]["observed_until"]) for name in bringing)
    return Observation(log_until(root), until, max(delay, timedelta(0)))


def log_until(root: Path) -> datetime:
    """Tell when the last event of any source became known."""
    sources = read_json(root / INGEST)["sources"].values()
    return max(datetime.fromisoformat(source["observed_until"]) for source in sources if source["observed_until"])


def read_episodes(interactions: Path, leads: Path, settings: Episodes) -> pd.DataFrame:
    """Read what ends or reopens an episode, and cut the life of each lead."""
    codes = dict.fromkeys(settings.conversion, 1) | dict.fromkeys(settings.lost, 2)
    events = read_events(
        interactions, "lead_id, occurred_at, known_at, event_type, actor", [*codes, *settings.reopen_on]
    )
    events["code"] = events["event_type"].map(codes).fillna(3).astype("int64")
    # Only an act of the lead itself opens a new episode.
    events = events[(events["code"] != 3) | (events["actor"] == "lead")]  # noqa: PLR2004 - an act that may reopen
    frame = pq.read_table(leads, columns=["lead_id", "created_at"]).to_pandas()
    return find_episodes(frame, events, settings.reopen_after)


def read_events(interactions: Path, columns: str, event_types: list[str]) -> pd.DataFrame:
    """Read some columns of the events of some types, in the dataset's order."""
    with duckdb.connect() as connection:
        query = (
            f"SELECT {columns} FROM read_parquet(?) WHERE list_contains(?, event_type)"
            " ORDER BY lead_id, occurred_at, source, sequence"
        )
        table = connection.sql(query, params=[str(interactions), event_types]).to_arrow_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_event_types(interactions: Path) -> pd.DataFrame:
    """Count the events by type and source."""
    with duckdb.connect() as connection:
        frame: pd.DataFrame = connection.execute(
            "SELECT event_type, source, count(*) AS events FROM read_parquet(?) GROUP BY ALL ORDER BY ALL",
            [str(interactions)],
        ).df()
    return frame


def _counts(
    episodes: pd.DataFrame, snapshots: pd.DataFrame, observation: Observation, horizon: timedelta
) -> dict[str, Any]:
    parts = snapshots.groupby("part")
    return {
        "episodes": {
            "all": len(episodes),
            "open": int(episodes["outcome"].isna().sum()),
            CONVERTED: int((episodes["outcome"] == CONVERTED).sum()),
            LOST: int((episodes["outcome"] == LOST).sum()),
            "reopened": int((episodes["episode"] > 1).sum()),
        },
        "snapshots": len(snapshots),
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
