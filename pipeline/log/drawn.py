"""Whom chance has decided of, as the history of scores has it, and what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from features.core.schema import CONVERTED
from features.timeline.snapshots import find_episodes
from models.core.horizons import PROBABILITY
from pipeline.core.project import Project
from pipeline.core.sql import open_reader
from pipeline.log.history import read_history
from pipeline.settings.timeline import Episodes


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes


def read_drawn(
    project: Project[Sections], horizon: timedelta, delay: timedelta, until: datetime, computed_within: timedelta
) -> pd.DataFrame:
    """Give each lead that was ever drawn once, as chance first decided of it, by lead_id.

    Nobody has worked by scores that were computed later than ``computed_within`` after their moment: they count for
    nothing, and a lead that was drawn by such alone has no as_of.

    lead_id, as_of (UTC), lottery_group, probability, converted (within the horizon from as_of on), and is_settled:
    whether that is known by ``until``, to which conversions are observed, as they come with a ``delay``.
    """
    first = _first_groups(project, computed_within)
    return first.assign(
        converted=_converted(project, first, horizon),
        is_settled=first["as_of"] + horizon + delay <= until,
    )


def _first_groups(project: Project[Sections], computed_within: timedelta) -> pd.DataFrame:
    """Give lead_id, as_of, lottery_group and probability of each lead as chance first decided of it, by lead_id."""
    files = [str(path) for path in sorted(project.scores.glob("as_of=*/model=*/recommendations.parquet"))]
    columns = ["lead_id", "as_of", "lottery_group", PROBABILITY]
    if not files:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns}).astype({"as_of": "datetime64[us]"})
    with open_reader() as connection:
        known = {
            name
            for (name,) in connection.execute("SELECT name FROM parquet_schema($files)", {"files": files}).fetchall()
        }
        group = "lottery_group" if "lottery_group" in known else "NULL::VARCHAR"
        in_time = "coalesce(scored_at <= as_of + $within, true)" if "scored_at" in known else "true"
        firsts = ", ".join(
            f"arg_min({sql}, as_of) FILTER ({in_time}) AS {name}"
            for name, sql in (("as_of", "as_of"), ("lottery_group", group), (PROBABILITY, PROBABILITY))
        )
        return connection.execute(
            f"SELECT lead_id, {firsts} FROM read_parquet($files, union_by_name = true, hive_partitioning = false) "
            f"WHERE {group} IS NOT NULL AND $within IS NOT NULL GROUP BY lead_id ORDER BY lead_id",
            {"files": files, "within": computed_within},
        ).df()


def _converted(project: Project[Sections], drawn: pd.DataFrame, horizon: timedelta) -> pd.Series[bool]:
    """Tell which leads converted within the horizon from their moment on, by the index of ``drawn``."""
    episodes = find_episodes(read_history(project, project.parameters.episodes))
    ends = episodes[episodes["outcome"] == CONVERTED][["lead_id", "outcome_at"]]
    both = drawn[["lead_id", "as_of"]].astype({"lead_id": "str"}).reset_index().merge(ends, on="lead_id")
    inside = (both["outcome_at"] >= both["as_of"]) & (both["outcome_at"] < both["as_of"] + horizon)
    return pd.Series(drawn.index.isin(both.loc[inside, "index"]), index=drawn.index)
