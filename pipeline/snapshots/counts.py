"""How many leads there are, how they ended and how far they came: counted of whole leads, so that counts add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from features.core.schema import CONVERTED, LOST, MACHINE
from pipeline.core.sql import ask_rows
from pipeline.settings.timeline import Episodes


@dataclass(frozen=True)
class LeadCounts:
    """Counts of some leads, of their episodes, and of the stages of the funnel that they reached."""

    leads: Mapping[str, int]
    """All, and those whose last episode is open, converted, or lost."""
    episodes: Mapping[str, int]
    """The same of episodes, and how many came after a loss, and after a conversion."""
    funnel: Sequence[int]
    """Leads that reached each of ``stages_of``."""

    @classmethod
    def of(cls, log: Path | pa.Table, episodes: pd.DataFrame, settings: Episodes) -> LeadCounts:
        """Count what ``find_episodes`` gave of some leads, and their events in the log."""
        ordered = episodes.sort_values(["lead_id", "episode"])
        last = ordered.drop_duplicates("lead_id", keep="last")["outcome"]
        before = ordered.groupby("lead_id")["outcome"].shift()
        after = {
            "after_loss": int((before == LOST).sum()),
            "after_conversion": int((before == CONVERTED).sum()),
        }
        return cls(_by_outcome(last), _by_outcome(episodes["outcome"]) | after, read_funnel(log, episodes, settings))

    def __add__(self, other: LeadCounts) -> LeadCounts:
        """Count both, which are of different leads."""
        return LeadCounts(
            {name: count + other.leads[name] for name, count in self.leads.items()},
            {name: count + other.episodes[name] for name, count in self.episodes.items()},
            [count + more for count, more in zip(self.funnel, other.funnel, strict=True)],
        )

    def as_json(self) -> dict[str, Any]:
        """Give it as it travels: what ``LeadCounts(**...)`` takes."""
        return asdict(self)


def stages_of(settings: Episodes) -> list[str]:
    """Name the stages of the funnel, in its order."""
    return ["created", "with an act of their own", *settings.milestones, CONVERTED]


def read_funnel(log: Path | pa.Table, episodes: pd.DataFrame, settings: Episodes) -> list[int]:
    """Count the leads that reached each of ``stages_of``, by their events in the log and their episodes.

    Every milestone is counted on its own: a lead may have an opportunity that nobody accepted.
    """
    milestones = settings.milestones
    reached = ["actor = 'lead'", *(f"list_contains(?, event_type) AND actor <> '{MACHINE}'" for _ in milestones)]
    columns = ", ".join(f"count(DISTINCT lead_id) FILTER (WHERE {condition})" for condition in reached)
    with ask_rows(log) as (connection, rows):
        [row] = connection.execute(f"SELECT {columns} FROM {rows}", [*map(list, milestones.values())]).fetchall()
    converted = episodes.loc[episodes["outcome"] == CONVERTED, "lead_id"]
    return [episodes["lead_id"].nunique(), *row, converted.nunique()]


def _by_outcome(outcomes: pd.Series) -> dict[str, int]:
    return {
        "all": len(outcomes),
        "open": int(outcomes.isna().sum()),
        CONVERTED: int((outcomes == CONVERTED).sum()),
        LOST: int((outcomes == LOST).sum()),
    }
