"""Scores whose horizon is over, with what came of them: what a model has promised beside what happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.timeline.labels import what_is_held
from features.timeline.snapshots import find_episodes, take_snapshots_of
from pipeline.core.project import Project
from pipeline.log.history import Sections, observe, read_history
from pipeline.log.outcomes import find_starts, lives_of, observed_from

COLUMNS = ["lead_id", "as_of", "probability", "model_version", "tier"]
"""What is read of scores; ``happened`` stands behind them."""
_MOMENT = pa.timestamp("us")


def settled_scores(
    project: Project[Sections], model_version: str | None, horizon: timedelta, *, after: datetime | None = None
) -> pd.DataFrame:
    """Give the scores kept in the history whose horizon is over, and whether the lead converted in [as_of, + horizon).

    ``model_version``: whose scores, of all models where it is None. ``after``: only later moments (UTC), such as up to
    which the model has learned, for it knew how earlier ones ended. Columns: lead_id, as_of, probability,
    model_version, tier and happened (bool), sorted by as_of, model_version and lead_id.

    Labels are made as those of snapshots are: over is a horizon once outcomes are observed as long as they may come
    late, whoever had converted before as_of, unknown to us, does not convert after it, and what lies before conversions
    were recorded is left out. So is a lead that today's log does not show open at as_of, for nobody can say what the
    score was of.
    """
    paths = sorted(project.scores.glob("as_of=*/model=*/recommendations.parquet"))
    if model_version is not None:
        paths = [path for path in paths if path.parent.name == f"model={model_version[:16]}"]
    if not paths:
        return _none()
    observation = observe(project)
    over = observation.outcomes_until - horizon - observation.outcome_delay
    scores = pd.concat([_none(), *(_read(path, model_version, after, over) for path in paths)])
    history = read_history(project, project.parameters.episodes)
    taken = take_snapshots_of(history, scores["lead_id"], scores["as_of"])
    conversion = project.parameters.episodes.conversion
    starts = find_starts(project, lives_of(project.interactions, conversion, find_episodes(history)))
    held = what_is_held(taken, horizon, observation.outcome_delay, observation.outcomes_until, observed_from(starts))
    labels = taken.loc[held.is_known, ["lead_id", "as_of"]].assign(happened=held.converts[held.is_known])
    found = scores.drop(columns="happened").merge(labels, on=["lead_id", "as_of"]).astype(_none().dtypes)
    return found.sort_values(["as_of", "model_version", "lead_id"], ignore_index=True)


def _read(path: Path, model_version: str | None, after: datetime | None, over: datetime) -> pd.DataFrame:
    """Read the scores of one moment, later than ``after`` and at most ``over``; of who has ended there is none."""
    table = pq.read_table(path, columns=COLUMNS, partitioning=None)
    wanted = pc.and_(pc.is_valid(table["probability"]), pc.less_equal(table["as_of"], pa.scalar(over, _MOMENT)))
    if after is not None:
        wanted = pc.and_(wanted, pc.greater(table["as_of"], pa.scalar(after, _MOMENT)))
    if model_version is not None:
        wanted = pc.and_(wanted, pc.equal(table["model_version"], model_version))
    frame: pd.DataFrame = table.filter(wanted).to_pandas()
    return frame.astype({name: kind for name, kind in _none().dtypes.items() if name in frame})


def _none() -> pd.DataFrame:
    kinds = dict.fromkeys(("lead_id", "model_version", "tier"), "str")
    kinds |= {"as_of": "datetime64[us]", "probability": "float64", "happened": "bool"}
    return pd.DataFrame({name: pd.Series(dtype=kinds[name]) for name in [*COLUMNS, "happened"]})
