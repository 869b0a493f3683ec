"""Whom chance has decided of, as the history of scores has it, and what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from features.timeline.labels import what_is_held
from features.timeline.snapshots import take_snapshots_of
from models.core.horizons import PROBABILITY
from pipeline.core.project import Project
from pipeline.core.sql import open_reader, was_in_time
from pipeline.log.history import read_history
from pipeline.settings.timeline import Episodes


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes


def read_drawn(
    project: Project[Sections], horizon: timedelta, delay: timedelta, until: datetime, computed_within: timedelta
) -> pd.DataFrame:
    """Give each lead that was ever drawn once, as chance first decided of it, by lead_id.

    Who was united with another lead since counts as that one: what became of it is told of that lead, and sales unites
    more of those that it works. Nobody has worked by scores that were computed later than ``computed_within`` after
    their moment: they count for nothing, and a lead that was drawn by such alone has no as_of.

    lead_id, as_of (UTC), lottery_group, probability, converted (within the horizon from as_of on), is_settled: whether
    that is known by ``until``, to which conversions are observed, as they come with a ``delay``; and is_gone: whether
    today's log does not show the lead open then, so that nobody can say what became of it.
    """
    first = _first_groups(project, computed_within)
    drawn = first[first["as_of"].notna()]
    history = read_history(project, project.parameters.episodes)
    taken = take_snapshots_of(history, drawn["lead_id"].astype("str"), drawn["as_of"])
    held = what_is_held(taken, horizon, delay, until)
    converted = first["lead_id"].isin(taken.loc[held.converts, "lead_id"])
    is_gone = first["as_of"].notna() & ~first["lead_id"].isin(taken["lead_id"])
    return first.assign(
        converted=converted, is_settled=(first["as_of"] + horizon + delay <= until) & ~is_gone, is_gone=is_gone
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
        in_time = was_in_time(known)
        firsts = ", ".join(
            f"CASE WHEN {in_time} THEN {sql} END AS {name}"
            for name, sql in (("as_of", "score.as_of"), ("lottery_group", group), (PROBABILITY, f"score.{PROBABILITY}"))
        )
        return connection.execute(
            f"SELECT DISTINCT ON (coalesce(alias.lead_id, score.lead_id)) "
            f"coalesce(alias.lead_id, score.lead_id) AS lead_id, {firsts} "
            "FROM read_parquet($files, union_by_name = true, hive_partitioning = false) AS score "
            "LEFT JOIN read_parquet($aliases) AS alias ON alias.alias_id = score.lead_id "
            f"WHERE {group} IS NOT NULL "
            f"ORDER BY coalesce(alias.lead_id, score.lead_id), NOT {in_time}, score.as_of, score.lead_id",
            {"files": files, "within": computed_within, "aliases": str(project.aliases)},
        ).df()
