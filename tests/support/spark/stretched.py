"""A log as ingest leaves it, looked at in stretches, and what they left put together again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.timeline.recording import Lives
from pipeline.core.project import Places
from pipeline.log.outcomes import sources_of
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots
from pipeline.snapshots.counts import LeadCounts
from pipeline.snapshots.executors import look_at_all
from pipeline.snapshots.looking import LeftLives, Looking
from pipeline.snapshots.stretches import cut_into_stretches

START, DAY = datetime(2026, 1, 1), timedelta(days=1)
_TIME = pa.timestamp("us")


class Event(NamedTuple):
    """What happened to a lead, by the day, and how many days later it became known."""

    lead: str
    day: int
    event_type: str
    late: int = 0
    actor: str = "lead"
    source: str = "log"


def write_log(
    root: Path, log: Sequence[Event], created: dict[str, int], former: Sequence[tuple[str, int, int]], *, group: int
) -> Places:
    """Write events, the days on which leads were created, and what that was thought to be up to a day, as ingest does.

    All in row groups of one size.
    """
    places = Places(root)
    places.leads.parent.mkdir(parents=True)
    numbered = enumerate(log)
    rows = sorted(numbered, key=lambda row: (row[1].lead.encode(), row[1].day, row[1].source, row[0]))
    table = pa.table(
        {
            "lead_id": pa.array([one.lead for _, one in rows], pa.string()),
            "occurred_at": pa.array([START + one.day * DAY for _, one in rows], _TIME),
            "known_at": pa.array([START + (one.day + one.late) * DAY for _, one in rows], _TIME),
            "event_type": pa.array([one.event_type for _, one in rows], pa.string()),
            "actor": pa.array([one.actor for _, one in rows], pa.string()),
            "source": pa.array([one.source for _, one in rows], pa.string()),
            "sequence": pa.array([number for number, _ in rows], pa.int64()),
        }
    )
    ids = sorted(created, key=str.encode)
    at = pa.array([START + created[lead] * DAY for lead in ids], _TIME)
    leads = pa.table({"lead_id": pa.array(ids, pa.string()), "created_at": at, "known_at": at})
    before = sorted(former, key=lambda one: (one[0].encode(), one[2]))
    formerly = pa.table(
        {
            "lead_id": pa.array([lead for lead, _, _ in before], pa.string()),
            "created_at": pa.array([START + day * DAY for _, day, _ in before], _TIME),
            "until": pa.array([START + day * DAY for _, _, day in before], _TIME),
        }
    )
    for content, path in (
        (table, places.interactions),
        (leads, places.leads),
        (formerly, places.former_creations),
    ):
        pq.write_table(content, path, row_group_size=group)
    return places


class Together(NamedTuple):
    """What all stretches left."""

    stretches: int
    taken: pd.DataFrame
    lives: dict[str, Lives]
    ages: NDArray[np.timedelta64]
    counts: LeadCounts


def look_by_stretches(
    places: Places, episodes: Episodes, asked: Snapshots, run: Run, until: datetime, *, most: int, moments: int = 7
) -> Together:
    """Look at the leads of a log in stretches of ``most`` bytes, and put together what they leave."""
    stretches = cut_into_stretches(places, Looking.event_types(episodes, asked), most)
    sources = sources_of(places.interactions, episodes.conversion)
    folder = places.root / "left"
    folder.mkdir()
    told: list[int] = []
    left = look_at_all(Looking(stretches, episodes, asked, until, sources, moments, folder.resolve()), run, told.append)
    assert told == sorted(told)
    frames = [batch.to_pandas() for one in left for batch in one.read("snapshots", folder)]
    assert sum(one.snapshots for one in left) == sum(map(len, frames))
    ages = [batch["age"].to_numpy() for one in left for batch in one.read("ages", folder)]
    return Together(
        len(stretches),
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(),
        {name: joined(LeftLives(left, folder, place)) for place, name in enumerate(sources)},
        np.concatenate([np.empty(0, np.int64), *ages]).view("timedelta64[us]"),
        reduce(add, (one.counts for one in left)),
    )


def joined(lives: LeftLives | Sequence[Lives]) -> Lives:
    """Put the parts of lives together."""
    return Lives(*map(np.concatenate, zip(*lives, strict=True)))
