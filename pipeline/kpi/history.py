"""What was proposed, from the history of scores: by the rules and the model of its day, never found out anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.project import Places, read_json, require
from pipeline.core.sql import open_reader, was_in_time

_KEPT = "as_of=*/model=*/recommendations.parquet"


class Scored(NamedTuple):
    """Recommendations, and the moment (UTC) that they are of."""

    recommendations: Path
    as_of: datetime


def newest_scores(places: Places) -> Scored:
    """Give the newest recommendations: those of the history, or those of the stage where these are newer.

    Raises InputError where nothing has been scored yet.
    """
    require(places.recommendations, places.scoring)
    of_stage = Scored(places.recommendations, datetime.fromisoformat(read_json(places.scoring)["as_of"]))
    kept = [Scored(path, _moment_of(path)) for path in sorted(places.scores.glob(_KEPT))]
    return max([*kept, of_stage], key=lambda scored: scored.as_of)


def first_proposed(places: Places, as_of: datetime, computed_within: timedelta) -> pa.Table | None:
    """List when leads were first proposed as MQL and as SQL, up to a moment (UTC): lead_id, mql_on, sql_on.

    None where no scores were kept. A lead that was SQL at once was never proposed as MQL. Scores that were computed
    later than ``computed_within`` after their moment proposed nothing to anybody, and who was united with another lead
    since is that one.
    """
    schemas = {path: set(pq.read_schema(path).names) for path in sorted(places.scores.glob(_KEPT))}
    files = [str(path) for path, names in schemas.items() if "tier" in names]
    if not files:
        return None
    require(places.aliases)
    with open_reader() as connection:
        return connection.sql(
            "SELECT coalesce(alias.lead_id, score.lead_id) AS lead_id, min(as_of) FILTER (tier = 'MQL') AS mql_on, "
            "min(as_of) FILTER (tier = 'SQL') AS sql_on "
            "FROM read_parquet($files, hive_partitioning = false, union_by_name = true) AS score "
            "LEFT JOIN read_parquet($aliases) AS alias ON alias.alias_id = score.lead_id "
            f"WHERE as_of <= $as_of AND {was_in_time(set().union(*schemas.values()))} GROUP BY ALL ORDER BY ALL",
            params={"files": files, "as_of": as_of, "within": computed_within, "aliases": str(places.aliases)},
        ).to_arrow_table()


def _moment_of(path: Path) -> datetime:
    moment: datetime = pq.read_table(path, columns=["as_of"]).slice(0, 1)["as_of"][0].as_py()
    return moment
