"""What was proposed, from the history of scores: by the rules and the model of its day, never found out anew."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.project import Places, read_json, require
from pipeline.core.sql import open_reader

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


def first_proposed(places: Places, as_of: datetime) -> pa.Table | None:
    """List when leads were first proposed as MQL and as SQL, up to a moment (UTC): lead_id, mql_on, sql_on.

    None where no scores were kept. A lead that was SQL at once was never proposed as MQL.
    """
    files = [str(path) for path in sorted(places.scores.glob(_KEPT)) if {"tier"} <= set(pq.read_schema(path).names)]
    if not files:
        return None
    with open_reader() as connection:
        return connection.sql(
            "SELECT lead_id, min(as_of) FILTER (tier = 'MQL') AS mql_on, min(as_of) FILTER (tier = 'SQL') AS sql_on "
            "FROM read_parquet($files, hive_partitioning = false, union_by_name = true) WHERE as_of <= $as_of "
            "GROUP BY lead_id ORDER BY lead_id",
            params={"files": files, "as_of": as_of},
        ).to_arrow_table()


def _moment_of(path: Path) -> datetime:
    moment: datetime = pq.read_table(path, columns=["as_of"]).slice(0, 1)["as_of"][0].as_py()
    return moment
