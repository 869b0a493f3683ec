"""What may be wrong with a run: gathered from the model, what it learned from, and what earlier stages have noted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow.parquet as pq

from features.core.schema import MACHINE
from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Filter
from models.core.model import Model
from models.core.verdicts import Verdict, judged
from models.evaluation.checks import Facts, check
from models.evaluation.leaks import Kind, Presence, columns_that_know, events_that_know
from models.evaluation.metrics import Estimate
from pipeline.core.project import Places, read_json
from pipeline.core.sql import open_reader
from pipeline.evaluate.origins import Origins
from pipeline.log.ages import age_verdicts
from pipeline.log.outcome_holes import outcome_verdicts
from pipeline.log.source_verdicts import source_verdicts

_AGES = 10


def gather(
    places: Places,
    model: Model,
    origins: Origins,
    figures: Mapping[str, Mapping[str, float | None]],
    acquitted: Mapping[str, str],
    needed: Collection[str],
) -> list[Verdict]:
    """Judge the model that was trained, and what it learned from; ``needed`` are the sources that matter for it."""
    auc = figures["roc_auc"]
    value, low, high = (auc[part] for part in ("value", "low", "high"))
    is_foretold = origins.is_later
    facts = Facts(
        model=model,
        learned=origins.learned,
        later=origins.later if is_foretold else None,
        promised=origins.probabilities if is_foretold else model.predict(origins.learned.frame),
        base_rates=origins.base_rates,
        latest_rates=origins.latest_rates,
        roc_auc=None if value is None or low is None or high is None else Estimate(value, low, high),
    )
    counts = read_json(places.snapshot_counts)
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    until = datetime.fromisoformat(counts["observed_until"]) - parse_duration(counts["horizon"])
    asked = model.manifest["question"]
    verdicts = [
        *check(facts),
        *of_columns(places, dict(catalogue.attributes), asked["episodes.conversion"], until),
        *events_that_know(
            _presences(places, catalogue, parse_duration(counts["horizon"])), losses_known=bool(asked["episodes.lost"])
        ),
        *source_verdicts(read_json(places.ingested), needed),
        *outcome_verdicts(counts.get("outcome_holes", [])),
        *age_verdicts(counts.get("open_ages")),
        *(Verdict(**one) for one in counts.get("renamed", ())),
    ]
    return judged(verdicts, acquitted)


def of_columns(places: Places, kinds: Mapping[str, Kind], conversion: Sequence[str], until: datetime) -> list[Verdict]:
    """Judge the attributes of the leads that were created before ``until``: the others had no time to convert yet."""
    leads = pq.read_table(places.leads).to_pandas()
    leads = leads[leads["created_at"] <= until].reset_index(drop=True)
    with open_reader() as connection:
        rows = connection.execute(
            f"SELECT DISTINCT lead_id FROM read_parquet(?) WHERE list_contains(?, event_type) AND actor <> '{MACHINE}'",
            [str(places.interactions), list(conversion)],
        ).fetchall()
    converted = {lead for (lead,) in rows}
    values = {name: leads[name] for name in kinds if name in leads}
    labels = leads["lead_id"].isin(converted).to_numpy(dtype=bool)
    return list(columns_that_know(values, kinds, labels, leads["created_at"]))


def _presences(places: Places, catalogue: Catalogue, horizon: timedelta) -> Iterator[Presence]:
    """Count the labelled snapshots that know an event of each type, those after which the lead ended, and before."""
    columns = _counts_of_types(catalogue)
    rows = pq.read_table(places.matrix, columns=["lead_id", "as_of", "episode_age_days", *columns.values()]).to_pandas()
    ends = pq.read_table(places.snapshots, columns=["lead_id", "as_of", "outcome_at"]).to_pandas()
    rows = rows.merge(ends, on=["lead_id", "as_of"], how="left")
    ended = ((rows["outcome_at"] >= rows["as_of"]) & (rows["outcome_at"] < rows["as_of"] + horizon)).to_numpy(
        dtype=bool
    )
    over = (rows["outcome_at"] < rows["as_of"]).to_numpy(dtype=bool)
    ages = rows["episode_age_days"].to_numpy(np.float64)
    tenth = np.searchsorted(np.unique(np.quantile(ages, np.arange(1, _AGES) / _AGES)), ages)
    rows_per_end = ended.sum() / max(len(rows.loc[ended, ["lead_id", "outcome_at"]].drop_duplicates()), 1)
    for event_type, column in columns.items():
        has_it = rows[column].to_numpy(np.float64) > 0
        with_it, ended_with, without, ended_without, over_with, over_without = (
            np.bincount(tenth[chosen], minlength=_AGES).astype(np.float64)
            for chosen in (has_it, has_it & ended, ~has_it, ~has_it & ended, has_it & over, ~has_it & over)
        )
        yield Presence(event_type, with_it, ended_with, without, ended_without, over_with, over_without, rows_per_end)


def _counts_of_types(catalogue: Catalogue) -> dict[str, str]:
    """Give the column that counts the events of each event type over the whole past."""
    columns = {}
    for name, feature in zip(catalogue.names, catalogue.features, strict=True):
        event_type = feature.filter.event_type
        plain = Filter(event_type=event_type, actors=feature.filter.actors)
        if isinstance(event_type, str) and feature == Feature("count", plain):
            columns[event_type] = name
    return columns
